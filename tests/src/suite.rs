//! The suite as its users run it: `fealty up` in a process of its own, with a Postgres and a Redis of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fealty::kept::Kept;
use fealty::services::{PerService, ServiceName};
use nix::sys::signal::Signal;

use crate::database::Database;
use crate::process::{Ended, Process};

/// How long `up` may take until it is ready: it makes a cluster and two schemas, on a machine that compiles beside it.
const READY_BOUND: Duration = Duration::from_mins(2);
/// How long it may take to end: its drain, the last flush, and Postgres's last checkpoint.
pub const END_BOUND: Duration = Duration::from_secs(45);
/// How long a command of the command line may take that only looks something up or makes a key.
const COMMAND_BOUND: Duration = Duration::from_mins(1);
/// How often it is looked whether it is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// The last line of what `up` prints when everything stands.
const READY_LINE: &str = "Ctrl-C ends it.";

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// How a suite is to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The binary.
    pub program: &'static str,
    /// Keep the data folder over restarts, durably. Otherwise it goes with the process.
    pub keep: bool,
    /// A collector for traces.
    pub otlp_endpoint: Option<String>,
}

/// A running suite.
#[derive(Debug)]
pub struct Suite {
    options: Options,
    process: Option<Process>,
    data_dir: PathBuf,
    addresses: Addresses,
    key: String,
    operator_key: OnceLock<String>,
}

/// Where a suite listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    calls: PerService<String>,
    admin: PerService<String>,
}

impl Options {
    /// A suite that leaves nothing behind.
    #[must_use]
    pub fn new(program: &'static str) -> Self {
        Self {
            program,
            keep: false,
            otlp_endpoint: None,
        }
    }

    /// A suite whose data outlives its process, as long as the test.
    #[must_use]
    pub fn kept(program: &'static str) -> Self {
        Self {
            keep: true,
            ..Self::new(program)
        }
    }
}

impl Suite {
    /// Starts a suite and waits until it is ready. Blocks its thread.
    ///
    /// # Panics
    /// When it does not get ready.
    #[must_use]
    pub fn start(options: Options) -> Self {
        let folder = options.keep.then(new_folder);
        let process = run_up(&options, folder.as_deref(), None);
        let (process, printed) = until_ready(process);
        let addresses = Addresses::read(&printed);
        let data_dir = folder.unwrap_or_else(|| PathBuf::from(word_after(&printed, "data", 0)));
        let kept = Kept::find(&data_dir)
            .expect("readable")
            .expect("up keeps its secrets");
        Self {
            options,
            process: Some(process),
            data_dir,
            addresses,
            key: kept.keys.program,
            operator_key: OnceLock::new(),
        }
    }

    /// The binary.
    #[must_use]
    pub fn program(&self) -> &'static str {
        self.options.program
    }

    /// Its process.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").pid()
    }

    /// What it has said so far of what goes wrong.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.process.as_ref().expect("it runs").stderr()
    }

    /// Where it listens; the same after a restart.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The printed key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A key of the whole suite with every scope, planted as an operator would.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn suite_key(&self) -> &str {
        self.operator_key.get_or_init(|| {
            let mut command = self.command();
            command
                .args([
                    "keys",
                    "create",
                    "--suite",
                    "--scopes",
                    "all",
                    "--name",
                    "tests",
                    "--data-dir",
                ])
                .arg(&self.data_dir);
            let ended = Process::start("keys create", command, None).wait(COMMAND_BOUND);
            ended.assert_success();
            ended.stdout.trim().to_owned()
        })
    }

    /// A command of the binary.
    #[must_use]
    pub fn command(&self) -> Command {
        Command::new(self.options.program)
    }

    /// A look behind it.
    #[must_use]
    pub fn database(&self) -> Database {
        Database::of(&self.data_dir)
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it does not run.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("it runs").signal(signal);
    }

    /// `kill -TERM`, and how it ended. Blocks its thread.
    ///
    /// # Panics
    /// When it does not run, or does not end.
    pub fn terminate(&mut self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.process.take().expect("it runs").wait(END_BOUND)
    }

    /// `kill -9`. Its Postgres and Redis are ended by their watchdog.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Starts it again on the same data and the same ports. Blocks its thread.
    ///
    /// # Panics
    /// When it was not to be kept, or does not get ready.
    pub fn start_again(&mut self) {
        assert!(self.options.keep, "only a kept folder can be started again");
        let process = run_up(&self.options, Some(&self.data_dir), Some(&self.addresses));
        let (process, printed) = until_ready(process);
        self.process = Some(process);
        assert_eq!(Addresses::read(&printed), self.addresses, "the same ports again");
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        drop(self.process.take());
        if self.options.keep {
            remove(&self.data_dir);
        }
    }
}

impl Addresses {
    fn read(printed: &str) -> Self {
        Self {
            calls: PerService::from_fn(|service| word_after(printed, service.as_str(), 0)),
            admin: PerService::from_fn(|service| word_after(printed, service.as_str(), 4)),
        }
    }

    /// Calls of a service, as a URL.
    #[must_use]
    pub fn of(&self, service: ServiceName) -> &str {
        &self.calls[service]
    }

    /// Health of a service, as a URL.
    #[must_use]
    pub fn admin_of(&self, service: ServiceName) -> &str {
        &self.admin[service]
    }

    /// The flags that name its ports again.
    fn flags(&self) -> impl Iterator<Item = (String, &str)> {
        self.calls
            .iter()
            .zip(self.admin.iter())
            .flat_map(|((service, calls), (_, admin))| {
                let name = service.as_str();
                [
                    (format!("--{name}-port"), port_of(calls)),
                    (format!("--{name}-admin-port"), port_of(admin)),
                ]
            })
    }
}

fn port_of(url: &str) -> &str {
    url.rsplit_once(':').expect("an address has a port").1
}

fn run_up(options: &Options, folder: Option<&Path>, before: Option<&Addresses>) -> Process {
    let mut command = Command::new(options.program);
    // Tests kill servers, look at what is without them, and start them themselves.
    command.args(["up", "--leave-ended"]);
    match folder {
        Some(folder) => command.arg("--data-dir").arg(folder),
        None => command.arg("--ephemeral"),
    };
    if let Some(endpoint) = &options.otlp_endpoint {
        command.args(["--otlp-endpoint", endpoint]);
    }
    match before {
        Some(addresses) => {
            for (flag, port) in addresses.flags() {
                command.args([&flag, port]);
            }
        }
        None => {
            for service in ServiceName::ALL {
                let name = service.as_str();
                command.args([&format!("--{name}-port"), "0"]);
                command.args([&format!("--{name}-admin-port"), "0"]);
            }
        }
    }
    Process::start("fealty up", command, folder)
}

fn until_ready(mut process: Process) -> (Process, String) {
    let begun = Instant::now();
    loop {
        let printed = process.stdout();
        if printed.contains(READY_LINE) {
            return (process, printed);
        }
        if let Some(status) = process.try_wait() {
            panic!("`fealty up` ended before it was ready: {status}");
        }
        assert!(begun.elapsed() < READY_BOUND, "`fealty up` does not get ready");
        thread::sleep(POLL_INTERVAL);
    }
}

/// The word of a printed line that begins with `label`, counted after it.
fn word_after(printed: &str, label: &str, index: usize) -> String {
    let line = printed
        .lines()
        .find(|line| line.split_whitespace().next() == Some(label))
        .unwrap_or_else(|| panic!("no line {label:?} in\n{printed}"));
    let word = line.split_whitespace().nth(index + 1);
    word.unwrap_or_else(|| panic!("no word {index} in {line:?}"))
        .to_owned()
}

/// Not made yet: `up` makes it, and as root gives it to the user that Postgres runs as.
fn new_folder() -> PathBuf {
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("fealty-suite-{}-{number}", std::process::id()))
}

/// After a kill the watchdog is still ending the servers: what they write meanwhile is removed too.
fn remove(folder: &Path) {
    let begun = Instant::now();
    while folder.join("fealty.lock").exists() && begun.elapsed() < END_BOUND {
        thread::sleep(POLL_INTERVAL);
    }
    // What cannot be removed stays in the system's temporary folder; a test does not fail for it.
    let _ = fs::remove_dir_all(folder);
}
