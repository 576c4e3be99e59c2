//! Real servers: started, found, killed and started again.

use std::error::Error as StdError;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use fealty_local::{DataDir, Durability, Install, LocalServers, Options, Report};
use nix::unistd::Pid;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use tempfile::TempDir;

mod killed;
mod owner;
mod refused;
mod whole;

type Outcome = Result<(), Box<dyn StdError>>;

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
