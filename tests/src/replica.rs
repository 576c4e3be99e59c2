//! A second ledger, in a process of its own, on the suite's database: what a deployment with two replicas is.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::health::get;
use crate::process::{Ended, Process};
use crate::suite::{END_BOUND, Suite};

/// How long it may take until it is ready.
const READY_BOUND: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// No load balancer has to notice that it ends; calls that are under way still finish.
const NOT_SERVING_PAUSE_MS: &str = "300";

/// A ledger beside the suite's own.
#[derive(Debug)]
pub struct LedgerReplica {
    program: &'static str,
    settings: Vec<(&'static str, String)>,
    ports: [u16; 2],
    process: Option<Process>,
}

impl LedgerReplica {
    /// Starts one and waits until it is ready. Blocks its thread.
    ///
    /// # Panics
    /// When it does not get ready.
    #[must_use]
    pub fn start(suite: &Suite, otlp_endpoint: Option<String>) -> Self {
        let ports = [free_port(), free_port()];
        let mut settings = settings(suite, ports);
        settings.extend(otlp_endpoint.map(|endpoint| ("FEALTY__TELEMETRY__OTLP_ENDPOINT", endpoint)));
        let mut replica = Self {
            program: suite.program(),
            settings,
            ports,
            process: None,
        };
        replica.start_again();
        replica
    }

    /// Where it listens for calls; the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Where it answers for its health.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// `kill -TERM`, and how it ended. Blocks its thread.
    ///
    /// # Panics
    /// When it does not run, or does not end.
    pub fn terminate(&mut self) -> Ended {
        let process = self.process.take().expect("it runs");
        process.signal(Signal::SIGTERM);
        process.wait(END_BOUND)
    }

    /// Starts it again at the same address. Blocks its thread.
    ///
    /// # Panics
    /// When it does not get ready.
    pub fn start_again(&mut self) {
        let mut command = Command::new(self.program);
        command.arg("ledger");
        for (name, value) in &self.settings {
            command.env(name, value);
        }
        let mut process = Process::start("fealty ledger", command, None);
        let begun = Instant::now();
        while get(&self.admin_url(), "/readyz").map(|(code, _)| code) != Some(200) {
            if let Some(status) = process.try_wait() {
                panic!("`fealty ledger` ended before it was ready: {status}");
            }
            assert!(
                begun.elapsed() < READY_BOUND,
                "`fealty ledger` does not get ready"
            );
            thread::sleep(POLL_INTERVAL);
        }
        self.process = Some(process);
    }
}

/// What the suite keeps in its data folder tells how to reach its database.
fn settings(suite: &Suite, ports: [u16; 2]) -> Vec<(&'static str, String)> {
    let read = |name: &str| -> Value {
        let text = fs::read(suite.data_dir().join(name)).expect("the suite keeps it");
        serde_json::from_slice(&text).expect("it is JSON")
    };
    let (kept, state) = (read("up.json"), read("state.json"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let database_url = |role: &str, password: &Value| {
        let (password, port) = (text(password), &state["postgres_port"]);
        format!("postgres://{role}:{password}@127.0.0.1:{port}/fealty_ledger")
    };
    let [grpc, admin] = ports.map(|port| format!("127.0.0.1:{port}"));
    vec![
        ("FEALTY__LEDGER__GRPC__LISTEN", grpc),
        ("FEALTY__LEDGER__ADMIN__LISTEN", admin),
        (
            "FEALTY__LEDGER__DATABASE_URL",
            database_url("fealty_ledger", &kept["ledger"]["service"]),
        ),
        (
            "FEALTY__LEDGER__JOBS_DATABASE_URL",
            database_url("fealty_ledger_jobs", &kept["ledger"]["jobs"]),
        ),
        ("FEALTY__LEDGER__CACHE__URL", redis_url(suite.data_dir(), &state)),
        (
            "FEALTY__LEDGER__MEMBERS__ENDPOINT",
            suite.addresses().members.clone(),
        ),
        (
            "FEALTY__LEDGER__MEMBERS__SERVICE_KEY",
            text(&kept["keys"]["ledger_service"]),
        ),
        (
            "FEALTY__DRAIN__NOT_SERVING_PAUSE_MS",
            NOT_SERVING_PAUSE_MS.to_owned(),
        ),
    ]
}

fn redis_url(data_dir: &Path, state: &Value) -> String {
    let settings = fs::read_to_string(data_dir.join("redis/redis.conf")).expect("a private Redis");
    let password = settings
        .lines()
        .find_map(|line| line.strip_prefix("requirepass "));
    let password = password.expect("a password");
    format!("redis://:{password}@127.0.0.1:{}/0", state["redis_port"])
}

/// Free now, and again once this has returned: a replica is started again where it was.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound address").port()
}
