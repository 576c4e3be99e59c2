//! Owners that were cut off: nothing is left, and the folder starts again.

use std::error::Error as StdError;
use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use fealty_local::{Ended, Error, LocalServers, Program, start};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};

use crate::owner::Owner;
use crate::{
    BOUND, Outcome, address, is_open, kept, name, postgres_answers, processes_naming, redis_answers, until,
};

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

#[tokio::test]
async fn a_server_that_ended_is_started_again_where_it_was_with_what_it_held() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut servers = start(kept(&folder)).await?;
    let mut connection = PgConnection::connect(servers.postgres_admin_url()).await?;
    connection
        .execute("CREATE TABLE kept AS SELECT 7 AS number")
        .await?;
    for (name, program) in [("postgres", Program::Postgres), ("redis", Program::Redis)] {
        assert_eq!(servers.find_ended(), []);
        let pid = fs::read_to_string(folder.path().join(format!("run/{name}.pid")))?;
        let pid = pid.lines().next().unwrap_or_default().parse()?;
        kill(Pid::from_raw(pid), Signal::SIGKILL)?;
        let ended = wait_for_end(&mut servers)?;
        assert_eq!(ended.program, program);
        assert!(ended.sentence.contains(name), "{}", ended.sentence);
        servers.start_again(program).await?;
    }
    postgres_answers(&servers).await?;
    redis_answers(&servers).await?;
    let mut connection = PgConnection::connect(servers.postgres_admin_url()).await?;
    let number: i32 = sqlx::query_scalar("SELECT number FROM kept")
        .fetch_one(&mut connection)
        .await?;
    assert_eq!(number, 7);
    Ok(servers.stop().await?)
}

#[tokio::test]
async fn a_server_whose_port_was_taken_meanwhile_says_so_and_starts_once_it_is_free() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut servers = start(kept(&folder)).await?;
    let pid = fs::read_to_string(folder.path().join("run/redis.pid"))?;
    kill(
        Pid::from_raw(pid.lines().next().unwrap_or_default().parse()?),
        Signal::SIGKILL,
    )?;
    wait_for_end(&mut servers)?;
    let taken = TcpListener::bind(address(servers.redis_url()))?;
    let Err(refused) = servers.start_again(Program::Redis).await else {
        return Err("it listens where somebody else does".into());
    };
    assert!(refused.to_string().contains("already in use"), "{refused}");
    drop(taken);
    servers.start_again(Program::Redis).await?;
    redis_answers(&servers).await?;
    Ok(servers.stop().await?)
}

fn wait_for_end(servers: &mut LocalServers) -> Result<Ended, Box<dyn StdError>> {
    let start = Instant::now();
    loop {
        if let Some(ended) = servers.find_ended().pop() {
            return Ok(ended);
        }
        if start.elapsed() > BOUND {
            return Err("it runs on".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
