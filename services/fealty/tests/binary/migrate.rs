//! `fealty migrate`, and services that run from the same config.

use std::fs;

use fealty_local::start;
use nix::sys::signal::Signal;
use sqlx::{Connection as _, PgConnection};

use crate::run::{Outcome, Running, SERVICES, fealty, output, printed, servers, text};

/// Of a test, and of nothing else.
const MASTER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn config(admin_url: &str, redis_url: &str) -> String {
    let server = admin_url.rsplit('@').next().unwrap_or_default();
    let server = server.split('/').next().unwrap_or_default();
    let url = |role: &str, database: &str| format!("postgres://{role}:p%40ss-{role}@{server}/{database}");
    let service = |name: &&str| {
        format!(
            "[{name}]\ndatabase_url = \"{}\"\njobs_database_url = \"{}\"\n\
             [{name}.grpc]\nlisten = \"127.0.0.1:0\"\n[{name}.admin]\nlisten = \"127.0.0.1:0\"\n",
            url(&format!("fealty_{name}"), &format!("fealty_{name}")),
            url(&format!("fealty_{name}_jobs"), &format!("fealty_{name}")),
        )
    };
    let owner = |name: &&str| {
        let url = url(&format!("fealty_{name}_owner"), &format!("fealty_{name}"));
        format!("{name}_owner_url = \"{url}\"\n")
    };
    format!(
        "{}[ledger.cache]\nurl = \"{redis_url}\"\n[drain]\nnot_serving_pause_ms = 0\n\
         [members.vault]\nmaster_key = \"{MASTER_KEY}\"\n[surveys.vault]\nmaster_key = \"{MASTER_KEY}\"\n\
         [migrate]\nadmin_url = \"{admin_url}\"\n{}",
        SERVICES.iter().map(service).collect::<String>(),
        SERVICES.iter().map(owner).collect::<String>(),
    )
}

#[tokio::test]
async fn a_second_run_changes_nothing_services_start_and_a_newer_schema_is_refused() -> Outcome {
    let servers = start(servers()).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("fealty.toml");
    fs::write(&file, config(servers.postgres_admin_url(), servers.redis_url()))?;
    let file = file.to_str().ok_or("no text")?;

    let first = printed(fealty(["migrate", "--config", file]))?;
    for service in SERVICES {
        assert!(first.contains(&format!("{service}: applied 0001")), "{first}");
    }
    let second = printed(fealty(["migrate", "--config", file]))?;
    assert!(!second.contains("applied"), "{second}");
    assert_eq!(second.matches("up to date").count(), SERVICES.len(), "{second}");

    for service in SERVICES {
        let mut running = Running::start(fealty([service, "--config", file]))?;
        running.until_it_says("all health checks pass")?;
        running.signal(Signal::SIGTERM)?;
        assert_eq!(running.wait()?.code(), Some(0), "{}", running.errors());
    }

    let mut admin = PgConnection::connect(&database_url(servers.postgres_admin_url())).await?;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999999, 'of a later version', true, '\\x00', 0)",
    )
    .execute(&mut admin)
    .await?;
    let refused = output(fealty(["migrate", "--config", file]))?;
    let told = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("ledger") && told.contains("999999"), "{told}");
    let mut ahead = Running::start(fealty(["ledger", "--config", file]))?;
    assert_eq!(ahead.wait()?.code(), Some(1), "{}", ahead.errors());
    assert!(ahead.errors().contains("999999"), "{}", ahead.errors());
    Ok(servers.stop().await?)
}

/// The administrator's URL with the ledger's database.
fn database_url(admin_url: &str) -> String {
    match admin_url.rsplit_once('/') {
        Some((server, _)) => format!("{server}/fealty_ledger"),
        None => admin_url.to_owned(),
    }
}
