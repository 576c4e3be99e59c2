//! A second replica of a service, in a process of its own, on the suite's databases: what a deployment is.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fealty::services::{PerService, ServiceName};
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

/// A service beside the suite's own.
#[derive(Debug)]
pub struct Replica {
    program: &'static str,
    service: ServiceName,
    settings: Vec<(String, String)>,
    ports: [u16; 2],
    process: Option<Process>,
}

impl Replica {
    /// Starts one that calls the suite's other services, and waits until it is ready. Blocks its thread.
    ///
    /// # Panics
    /// When it does not get ready.
    #[must_use]
    pub fn start(suite: &Suite, service: ServiceName, otlp_endpoint: Option<&str>) -> Self {
        Self::start_with(suite, service, collector(otlp_endpoint).as_slice())
    }

    /// The same with more in its environment. Blocks its thread.
    ///
    /// # Panics
    /// When it does not get ready.
    #[must_use]
    pub fn start_with(suite: &Suite, service: ServiceName, environment: &[(&str, &str)]) -> Self {
        let peers = PerService::from_fn(|peer| suite.addresses().of(peer).to_owned());
        Self::start_on(suite, service, [free_port(), free_port()], (&peers, environment))
    }

    /// Starts one of each, all of them calling each other and none of them the suite's own. Blocks its thread.
    ///
    /// # Panics
    /// When one does not get ready.
    #[must_use]
    pub fn start_all(suite: &Suite, otlp_endpoint: Option<&str>) -> PerService<Self> {
        let ports = PerService::from_fn(|_| [free_port(), free_port()]);
        let peers = PerService::from_fn(|peer| url(ports[peer][0]));
        let environment = collector(otlp_endpoint);
        PerService::from_fn(|service| {
            Self::start_on(suite, service, ports[service], (&peers, environment.as_slice()))
        })
    }

    fn start_on(
        suite: &Suite,
        service: ServiceName,
        ports: [u16; 2],
        (peers, environment): (&PerService<String>, &[(&str, &str)]),
    ) -> Self {
        let mut settings = settings(suite, service, ports, peers);
        let more = environment.iter();
        settings.extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut replica = Self {
            program: suite.program(),
            service,
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
        url(self.ports[0])
    }

    /// Where it answers for its health.
    #[must_use]
    pub fn admin_url(&self) -> String {
        url(self.ports[1])
    }

    /// Where it listens for calls, as a resolver has it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports[0]))
    }

    /// Its process.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").pid()
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

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("it runs").signal(signal);
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Starts it again at the same address. Blocks its thread.
    ///
    /// # Panics
    /// When it does not get ready.
    pub fn start_again(&mut self) {
        let name = self.service.as_str();
        let mut command = Command::new(self.program);
        command.arg(name);
        for (name, value) in &self.settings {
            command.env(name, value);
        }
        let mut process = Process::start(&format!("fealty {name}"), command, None);
        let begun = Instant::now();
        while get(&self.admin_url(), "/readyz").map(|(code, _)| code) != Some(200) {
            if let Some(status) = process.try_wait() {
                panic!("`fealty {name}` ended before it was ready: {status}");
            }
            assert!(
                begun.elapsed() < READY_BOUND,
                "`fealty {name}` does not get ready"
            );
            thread::sleep(POLL_INTERVAL);
        }
        self.process = Some(process);
    }
}

/// Where traces go.
fn collector(otlp_endpoint: Option<&str>) -> Option<(&'static str, &str)> {
    otlp_endpoint.map(|endpoint| ("FEALTY__TELEMETRY__OTLP_ENDPOINT", endpoint))
}

/// Whom each service calls.
fn peers_of(service: ServiceName) -> &'static [ServiceName] {
    match service {
        ServiceName::Members => &[ServiceName::Ledger],
        ServiceName::Ledger => &[ServiceName::Members],
        ServiceName::Rewards | ServiceName::Surveys => &[ServiceName::Members, ServiceName::Ledger],
    }
}

/// What the suite keeps in its data folder tells how to reach its databases.
fn settings(
    suite: &Suite,
    service: ServiceName,
    ports: [u16; 2],
    peers: &PerService<String>,
) -> Vec<(String, String)> {
    let read = |name: &str| -> Value {
        let text = fs::read(suite.data_dir().join(name)).expect("the suite keeps it");
        serde_json::from_slice(&text).expect("it is JSON")
    };
    let (kept, state) = (read("up.json"), read("state.json"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let name = service.as_str();
    let variable = |field: &str| format!("FEALTY__{}__{field}", name.to_uppercase());
    let database_url = |role: &str, password: &Value| {
        let (password, port) = (text(password), &state["postgres_port"]);
        format!("postgres://{role}:{password}@127.0.0.1:{port}/fealty_{name}")
    };
    let [grpc, admin] = ports.map(|port| format!("127.0.0.1:{port}"));
    let mut settings = vec![
        (variable("GRPC__LISTEN"), grpc),
        (variable("ADMIN__LISTEN"), admin),
        (
            variable("DATABASE_URL"),
            database_url(&format!("fealty_{name}"), &kept[name]["service"]),
        ),
        (
            variable("JOBS_DATABASE_URL"),
            database_url(&format!("fealty_{name}_jobs"), &kept[name]["jobs"]),
        ),
        (
            "FEALTY__DRAIN__NOT_SERVING_PAUSE_MS".to_owned(),
            NOT_SERVING_PAUSE_MS.to_owned(),
        ),
    ];
    for peer in peers_of(service) {
        let peer_name = peer.as_str().to_uppercase();
        settings.push((variable(&format!("{peer_name}__ENDPOINT")), peers[*peer].clone()));
        let key = text(&kept["keys"][format!("{name}_service")]);
        settings.push((variable(&format!("{peer_name}__SERVICE_KEY")), key));
    }
    match service {
        ServiceName::Members => {
            settings.push((variable("VAULT__MASTER_KEY"), text(&kept["vault_master_key"])));
        }
        ServiceName::Ledger => settings.push((variable("CACHE__URL"), redis_url(suite.data_dir(), &state))),
        ServiceName::Rewards => {}
        ServiceName::Surveys => settings.push((
            variable("VAULT__MASTER_KEY"),
            text(&kept["surveys_vault_master_key"]),
        )),
    }
    settings
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
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
