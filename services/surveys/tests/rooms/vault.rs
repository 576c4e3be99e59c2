//! The master key: none is no service, and another one than the database's is none either.

use fealty_runtime::Process;
use fealty_runtime::config::{DrainConfig, Secret};
use fealty_surveys::{ServeError, serve};
use fealty_types::SystemClock;
use fealty_vault::MasterKeyError;

use crate::harness::{PATIENCE, World, config, database};

#[tokio::test]
async fn a_service_without_a_master_key_does_not_start_and_says_how_to_make_one() {
    let database = database().await;
    let mut config = config(&database);
    for (text, expected) in [
        ("", MasterKeyError::Missing),
        ("hunter2", MasterKeyError::Malformed),
    ] {
        config.vault.master_key = Secret::new(text.to_owned());
        let process = Process::new(&DrainConfig::default());
        let refused = serve(&config, SystemClock::shared(), &process.tasks()).await;
        let error = refused.err().expect("it does not start");
        let ServeError::Settings { section, source } = &error else {
            panic!("{error}");
        };
        assert_eq!(*section, "vault.master_key");
        assert_eq!(source.downcast_ref::<MasterKeyError>(), Some(&expected));
        assert!(!error.to_string().contains("hunter2"));
    }
}

#[tokio::test]
async fn a_service_with_another_master_key_than_the_databases_ends() {
    let first = World::start().await;
    let config = config(&first.database);
    let process = Process::new(&DrainConfig::default());
    let serving = serve(&config, SystemClock::shared(), &process.tasks())
        .await
        .expect("it begins to start");
    let ending = process.tasks().soft_shutdown();
    let ended = tokio::time::timeout(PATIENCE, ending.cancelled()).await;
    assert!(ended.is_ok(), "the process goes on");
    assert!(!serving.health.readiness().is_ready());
    // The one that the database was begun with starts again.
    drop(first.start_replica().await);
}
