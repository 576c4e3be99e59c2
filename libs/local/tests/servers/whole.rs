//! Starting, answering, stopping.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use fealty_local::{DataDir, Error, start};
use nix::unistd::{Pid, getpgrp};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};

use crate::{
    Outcome, address, is_open, kept, name, options, postgres_answers, processes_naming, redis_answers, until,
};

#[tokio::test]
async fn both_start_answer_and_stop_and_leave_nothing() -> Outcome {
    let servers = start(options(DataDir::Ephemeral)).await?;
    postgres_answers(&servers).await?;
    redis_answers(&servers).await?;
    let folder = servers.data_dir().to_owned();
    let urls = [
        servers.postgres_admin_url().to_owned(),
        servers.redis_url().to_owned(),
    ];
    servers.stop().await?;
    assert!(!folder.exists());
    assert!(!urls.iter().any(|url| is_open(url)));
    assert_eq!(processes_naming(name(&folder)), []);
    Ok(())
}

#[tokio::test]
async fn a_drop_stops_as_well() -> Outcome {
    let servers = start(options(DataDir::Ephemeral)).await?;
    let folder = servers.data_dir().to_owned();
    let urls = [
        servers.postgres_admin_url().to_owned(),
        servers.redis_url().to_owned(),
    ];
    drop(servers);
    assert!(!folder.exists());
    assert!(!urls.iter().any(|url| is_open(url)));
    Ok(())
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let given_up = tokio::time::timeout(Duration::from_millis(300), start(kept(&folder))).await;
    assert!(given_up.is_err());
    until("no process is left", || {
        processes_naming(name(folder.path())).is_empty()
    })?;
    start(kept(&folder)).await?.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_servers_do_not_share_our_process_group() -> Outcome {
    let servers = start(options(DataDir::Ephemeral)).await?;
    let postgres = fs::read_to_string(servers.data_dir().join("run/postgres.pid"))?;
    let pid: i32 = postgres.lines().next().unwrap_or_default().parse()?;
    assert_ne!(nix::unistd::getpgid(Some(Pid::from_raw(pid)))?, getpgrp());
    servers.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_second_start_is_told_what_runs_and_a_later_one_finds_the_data_and_the_ports() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut servers = start(kept(&folder)).await?;
    servers.record_address("members", "127.0.0.1:7101")?;
    let mut connection = PgConnection::connect(servers.postgres_admin_url()).await?;
    connection.execute("CREATE TABLE kept (id int)").await?;
    connection.close().await?;
    let urls = (
        servers.postgres_admin_url().to_owned(),
        address(servers.redis_url()),
    );

    let Err(Error::AlreadyRunning(running)) = start(kept(&folder)).await else {
        return Err("a second start went through".into());
    };
    assert_eq!(running.pid, Some(std::process::id()));
    assert!(running.since.is_some());
    let mut addresses = running.addresses.clone();
    addresses.sort();
    let expected = [
        ("Postgres", address(&urls.0)),
        ("Redis", urls.1.clone()),
        ("members", "127.0.0.1:7101".into()),
    ];
    assert_eq!(
        addresses,
        expected.map(|(name, address)| (name.to_owned(), address))
    );

    servers.stop().await?;
    assert!(!folder.path().join("fealty.lock").exists());
    let again = start(kept(&folder)).await?;
    assert_eq!(
        (again.postgres_admin_url(), address(again.redis_url())),
        (&*urls.0, urls.1)
    );
    let mut connection = PgConnection::connect(again.postgres_admin_url()).await?;
    connection.execute("DROP TABLE kept").await?;
    connection.close().await?;
    again.stop().await?;
    Ok(())
}

#[tokio::test]
async fn given_servers_are_used_as_they_are() -> Outcome {
    let real = start(options(DataDir::Ephemeral)).await?;
    let mut given = options(DataDir::Ephemeral);
    given.postgres_url = Some(real.postgres_admin_url().to_owned());
    given.redis_url = Some(real.redis_url().to_owned());
    given.program_dirs = Some(Vec::new());
    let servers = start(given.clone()).await?;
    assert_eq!(servers.postgres_admin_url(), real.postgres_admin_url());
    assert_eq!(servers.redis_url(), real.redis_url());
    servers.stop().await?;
    postgres_answers(&real).await?;

    let mut admin = PgConnection::connect(real.postgres_admin_url()).await?;
    admin.execute("CREATE ROLE small LOGIN PASSWORD 'small'").await?;
    admin.close().await?;
    given.postgres_url = Some(format!(
        "postgres://small:small@{}/postgres",
        address(real.postgres_admin_url())
    ));
    assert!(matches!(start(given).await, Err(Error::GivenUnfit { .. })));
    real.stop().await?;
    Ok(())
}

#[tokio::test]
async fn nobody_else_can_read_the_folder() -> Outcome {
    let folder = tempfile::tempdir()?;
    let servers = start(kept(&folder)).await?;
    let mode = |path: &str| {
        Ok::<_, std::io::Error>(folder.path().join(path).metadata()?.permissions().mode() & 0o777)
    };
    assert_eq!(mode(".")?, 0o700);
    assert_eq!(mode("state.json")?, 0o600);
    assert_eq!(mode("redis/redis.conf")?, 0o600);
    assert!(!folder.path().join("run/password").exists());
    servers.stop().await?;
    Ok(())
}
