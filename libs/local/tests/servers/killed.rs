//! Owners that were cut off: nothing is left, and the folder starts again.

use std::fs;
use std::process::Command;
use std::time::Duration;

use fealty_local::{Error, start};
use nix::sys::signal::{Signal, kill};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::owner::Owner;
use crate::{BOUND, Outcome, is_open, kept, name, postgres_answers, processes_naming, redis_answers, until};

#[tokio::test]
async fn an_owner_killed_with_9_leaves_no_process_and_its_folder_starts_again() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut owner = Owner::start(name(folder.path()))?;
    let Err(Error::AlreadyRunning(running)) = start(kept(&folder)).await else {
        return Err("a second start went through".into());
    };
    assert_eq!(running.pid, Some(owner.process.id()));
    owner.kill()?;
    until("both are gone", || {
        !is_open(&owner.postgres_url) && !is_open(&owner.redis_url)
    })?;
    until("no process is left", || {
        processes_naming(name(folder.path())).is_empty()
    })?;
    assert!(!folder.path().join("fealty.lock").exists());
    let servers = start(kept(&folder)).await?;
    postgres_answers(&servers).await?;
    servers.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_start_right_after_a_kill_waits_for_the_dead_owners_servers() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut owner = Owner::start(name(folder.path()))?;
    owner.kill()?;
    let servers = start(kept(&folder)).await?;
    postgres_answers(&servers).await?;
    redis_answers(&servers).await?;
    servers.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_ephemeral_folder_goes_with_its_killed_owner() -> Outcome {
    let mut owner = Owner::start("ephemeral")?;
    assert!(owner.folder.exists());
    owner.kill()?;
    until("both are gone", || {
        !is_open(&owner.postgres_url) && !is_open(&owner.redis_url)
    })?;
    until("the folder is gone", || !owner.folder.exists())
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn servers_whose_watchdog_was_killed_too_are_ended_by_the_next_start() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut owner = Owner::start(name(folder.path()))?;
    let watchdogs = processes_naming(&format!("fealty-watchdog {}", name(folder.path())));
    let [(watchdog, _)] = watchdogs[..] else {
        return Err(format!("one watchdog expected: {watchdogs:?}").into());
    };
    kill(watchdog, Signal::SIGKILL)?;
    owner.kill()?;
    assert!(is_open(&owner.postgres_url), "nobody was left to end Postgres");
    let servers = start(kept(&folder)).await?;
    assert_ne!(servers.redis_url(), owner.redis_url, "the password is a new one");
    postgres_answers(&servers).await?;
    servers.stop().await?;
    until("no process is left", || {
        processes_naming(name(folder.path())).is_empty()
    })
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_postgres_killed_with_its_owner_and_watchdog_starts_again() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut owner = Owner::start(name(folder.path()))?;
    let connection = PgConnection::connect(&owner.postgres_url).await?;
    for (pid, _) in processes_naming(name(folder.path())) {
        kill(pid, Signal::SIGKILL)?;
    }
    owner.kill()?;
    let servers = start(kept(&folder)).await?;
    postgres_answers(&servers).await?;
    servers.stop().await?;
    drop(connection);
    Ok(())
}

#[tokio::test]
async fn a_start_cut_off_anywhere_is_taken_up_again() -> Outcome {
    for delay_ms in [0, 30, 100, 250, 500, 900] {
        let folder = tempfile::tempdir()?;
        let mut owner = Owner::spawn(name(folder.path()))?;
        std::thread::sleep(Duration::from_millis(delay_ms));
        owner.kill()?;
        owner.wait()?;
        let servers = start(kept(&folder)).await?;
        postgres_answers(&servers).await?;
        servers.stop().await?;
        assert_eq!(
            processes_naming(name(folder.path())),
            [],
            "killed after {delay_ms} ms"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_pid_file_whose_pid_somebody_else_has_by_now_does_not_matter() -> Outcome {
    let folder = tempfile::tempdir()?;
    start(kept(&folder)).await?.stop().await?;
    let mut other = Command::new("sleep").arg(BOUND.as_secs().to_string()).spawn()?;
    let text = format!("{}\n/elsewhere\n", other.id());
    fs::write(folder.path().join("postgres/data/postmaster.pid"), &text)?;
    fs::write(folder.path().join("run/postgres.pid"), &text)?;
    fs::create_dir(folder.path().join("postgres/data.new"))?;
    let servers = start(kept(&folder)).await?;
    postgres_answers(&servers).await?;
    servers.stop().await?;
    assert!(other.try_wait()?.is_none(), "an innocent process was ended");
    other.kill()?;
    other.wait()?;
    Ok(())
}
