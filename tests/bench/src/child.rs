//! A server of the benchmark in a process of its own, so that its memory and its threads are its own, and it can be
//! started afresh.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use fealty_testing::health::get;
use fealty_testing::process::Process;
use tokio::task::spawn_blocking;

use crate::serving::{ROLE_FLAG, Role};

/// How long it may take until it is ready.
const READY_BOUND: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A running child. Dropped, it is killed.
#[derive(Debug)]
pub struct Child {
    process: Process,
    url: String,
}

impl Child {
    /// Starts this very binary in a role, with settings as its environment, and waits until it is ready.
    pub async fn start(role: Role, settings: Vec<(String, String)>) -> anyhow::Result<Self> {
        spawn_blocking(move || Self::start_blocking(role, settings)).await?
    }

    fn start_blocking(role: Role, settings: Vec<(String, String)>) -> anyhow::Result<Self> {
        let [calls, admin] = [free_port()?, free_port()?].map(|port| format!("127.0.0.1:{port}"));
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([ROLE_FLAG, role.as_str()])
            .env("FEALTY__LEDGER__GRPC__LISTEN", &calls)
            .env("FEALTY__LEDGER__ADMIN__LISTEN", &admin)
            .envs(settings);
        let mut process = Process::start(role.as_str(), command, None);
        let begun = Instant::now();
        while get(&format!("http://{admin}"), "/readyz").map(|(code, _)| code) != Some(200) {
            if let Some(status) = process.try_wait() {
                bail!(
                    "{} ended before it was ready: {status}\n{}",
                    role.as_str(),
                    process.stderr()
                );
            }
            if begun.elapsed() > READY_BOUND {
                bail!("{} does not get ready\n{}", role.as_str(), process.stderr());
            }
            thread::sleep(POLL_INTERVAL);
        }
        let url = format!("http://{calls}");
        Ok(Self { process, url })
    }

    /// Where it takes calls.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it keeps in memory now, in MiB.
    pub fn resident_mib(&self) -> anyhow::Result<f64> {
        let path = format!("/proc/{}/status", self.process.pid());
        let status = fs::read_to_string(path).context("only Linux tells of a process's memory")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|rest| rest.trim().strip_suffix(" kB"));
        let kib: f64 = kib.context("no VmRSS")?.parse()?;
        Ok(kib / 1024.0)
    }
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
