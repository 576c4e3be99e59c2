//! Real servers: started, found, killed and started again.

use std::error::Error as StdError;
use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fealty_local::{DataDir, Durability, Error, Install, LocalServers, Options, Program, Report, start};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use tempfile::TempDir;

type Outcome = Result<(), Box<dyn StdError>>;

/// The folder that [`owner_for_the_other_tests`] runs in; `ephemeral` is none.
const OWNER_FOLDER: &str = "FEALTY_LOCAL_TEST_FOLDER";

/// How long anything here may take to come or go: the bounds of the crate with room for a slow machine.
const BOUND: Duration = Duration::from_mins(1);

fn options(data_dir: DataDir) -> Options {
    let mut options = Options::new(data_dir);
    options.durability = Durability::Fast;
    options.report = Report::new(|sentence| println!("{sentence}"));
    if std::env::var_os("FEALTY_INSTALL").is_some_and(|value| value == "1") {
        options.install = Install::Yes;
    }
    options
}

fn kept(folder: &TempDir) -> Options {
    options(DataDir::Kept(folder.path().to_owned()))
}

async fn postgres_answers(servers: &LocalServers) -> Outcome {
    let mut connection = PgConnection::connect(servers.postgres_admin_url()).await?;
    connection.execute("SELECT 1").await?;
    Ok(connection.close().await?)
}

async fn redis_answers(servers: &LocalServers) -> Outcome {
    let client = redis::Client::open(servers.redis_url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    Ok(redis::cmd("PING").exec_async(&mut connection).await?)
}

/// `127.0.0.1:5432` of `postgres://postgres:secret@127.0.0.1:5432/postgres`.
fn address(url: &str) -> String {
    let after = url.rsplit_once('@').map_or(url, |(_, after)| after);
    after.split('/').next().unwrap_or(after).to_owned()
}

fn is_open(url: &str) -> bool {
    TcpStream::connect(address(url)).is_ok()
}

fn until(what: &str, holds: impl Fn() -> bool) -> Outcome {
    let start = Instant::now();
    while !holds() {
        if start.elapsed() > BOUND {
            return Err(format!("not within {} s: {what}", BOUND.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The processes whose command line holds `text`, ourselves left out.
fn processes_naming(text: &str) -> Vec<(Pid, String)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| i32::try_from(std::process::id()) != Ok(*pid))
        .filter_map(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(text).then_some((Pid::from_raw(pid), line))
        })
        .collect()
}

fn name(folder: &Path) -> &str {
    folder.to_str().unwrap_or("?")
}

/// Another process that owns servers: this test binary itself, running only the test below.
struct Owner {
    process: Child,
    /// Held open: the owner must not fail for want of a reader.
    _printed: Lines<BufReader<ChildStdout>>,
    folder: PathBuf,
    postgres_url: String,
    redis_url: String,
}

impl Owner {
    fn spawn(folder: &str) -> Result<Child, Box<dyn StdError>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--exact", "owner_for_the_other_tests", "--ignored", "--nocapture"]);
        Ok(command.env(OWNER_FOLDER, folder).stdout(Stdio::piped()).spawn()?)
    }

    fn start(folder: &str) -> Result<Self, Box<dyn StdError>> {
        let mut process = Self::spawn(folder)?;
        let mut printed = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        for line in printed.by_ref() {
            if let [_, folder, postgres_url, redis_url] = line?.split('\t').collect::<Vec<_>>()[..] {
                let (postgres_url, redis_url) = (postgres_url.to_owned(), redis_url.to_owned());
                return Ok(Self {
                    _printed: printed,
                    process,
                    folder: folder.into(),
                    postgres_url,
                    redis_url,
                });
            }
        }
        Err("the owner ended before it was ready".into())
    }

    fn kill(&mut self) -> Outcome {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

#[tokio::test]
#[ignore = "is the other process of the other tests"]
async fn owner_for_the_other_tests() -> Outcome {
    let Some(folder) = std::env::var_os(OWNER_FOLDER) else {
        return Ok(());
    };
    let data_dir = if folder == "ephemeral" {
        DataDir::Ephemeral
    } else {
        DataDir::Kept(folder.into())
    };
    let servers = start(options(data_dir)).await?;
    let folder = servers.data_dir().display();
    println!(
        "\nready\t{folder}\t{}\t{}",
        servers.postgres_admin_url(),
        servers.redis_url()
    );
    tokio::time::sleep(BOUND).await;
    Ok(servers.stop().await?)
}

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
async fn missing_programs_are_named_with_the_ways_to_get_them() -> Outcome {
    let mut options = Options::new(DataDir::Ephemeral);
    options.program_dirs = Some(Vec::new());
    let Err(error) = start(options).await else {
        return Err("servers started out of nothing".into());
    };
    assert!(
        matches!(&error, Error::Missing { missing, .. } if *missing == [Program::Postgres, Program::Redis]),
        "{error}"
    );
    let text = error.to_string();
    for part in [
        "--install",
        "FEALTY_INSTALL=1",
        "apt-get install redis-server",
        "--postgres-url",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_given_server_that_does_not_answer_is_named_without_its_password() -> Outcome {
    let mut options = Options::new(DataDir::Ephemeral);
    options.postgres_url = Some("postgres://app:secret@127.0.0.1:1/app".into());
    let Err(error) = start(options).await else {
        return Err("nobody answered, and it went through".into());
    };
    let text = error.to_string();
    assert!(
        text.starts_with("the given Postgres does not answer at postgres://app:***@127.0.0.1:1/app: "),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
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
async fn a_folder_with_something_else_in_it_is_left_alone() -> Outcome {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("thesis.txt"), "mine")?;
    assert!(matches!(start(kept(&folder)).await, Err(Error::NotOurs { .. })));
    assert_eq!(fs::read_dir(folder.path())?.count(), 1);
    Ok(())
}

#[tokio::test]
async fn data_of_another_major_version_is_refused_with_both_versions_named() -> Outcome {
    let folder = tempfile::tempdir()?;
    start(kept(&folder)).await?.stop().await?;
    fs::write(folder.path().join("postgres/data/PG_VERSION"), "12\n")?;
    let Err(Error::OtherVersion {
        made_by, installed, ..
    }) = start(kept(&folder)).await
    else {
        return Err("it went through".into());
    };
    assert_eq!(made_by, 12);
    assert!(!installed.is_empty());
    assert!(!folder.path().join("fealty.lock").exists());
    Ok(())
}

#[tokio::test]
async fn a_log_is_shown_when_a_server_does_not_start() -> Outcome {
    let folder = tempfile::tempdir()?;
    start(kept(&folder)).await?.stop().await?;
    fs::write(
        folder.path().join("postgres/data/postgresql.conf"),
        "no_such_setting = 1\n",
    )?;
    let Err(error) = start(kept(&folder)).await else {
        return Err("it went through".into());
    };
    assert!(error.to_string().contains("no_such_setting"), "{error}");
    until("no process is left", || {
        processes_naming(name(folder.path())).is_empty()
    })
}
