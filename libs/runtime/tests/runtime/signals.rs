//! Real signals to real processes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use fealty_runtime::config::DrainConfig;
use fealty_runtime::{Outcome, Process, Tasks};
use fealty_telemetry::{ServiceIdentity, Sink, Telemetry, TelemetryConfig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::PATIENCE;

/// Names the collector to the process that a test starts.
const COLLECTOR_VAR: &str = "FEALTY_TEST_COLLECTOR";

const READY: &str = "ready";

/// A drain that only a second signal can end in time for the test.
const PATIENT: Duration = Duration::from_mins(5);

/// A drain that is over soon.
const HASTY: Duration = Duration::from_secs(1);

/// A process of its own that runs one of the children below.
struct Running {
    child: Child,
}

impl Running {
    /// Starts the child and waits until it says that it is ready.
    fn start(name: &str, sink: &Sink) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this test binary"))
            .args(["--ignored", "--exact", &format!("signals::{name}"), "--nocapture"])
            .env(COLLECTOR_VAR, sink.endpoint())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let stdout = child.stdout.take().expect("piped");
        let ready = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .any(|line| line.ends_with(READY));
        assert!(ready, "the child ended before it was ready");
        Self { child }
    }

    fn send(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(id), signal).expect("it is there");
    }

    /// Waits for the end, but not for ever; answers the exit status and what was said on standard error.
    fn end(mut self) -> (ExitStatus, String) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                self.child.kill().expect("a child of ours");
                panic!("the child did not end");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut said = String::new();
        self.child
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut said)
            .expect("UTF-8");
        (status, said)
    }
}

fn span_names(sink: &Sink) -> Vec<String> {
    sink.spans().into_iter().map(|span| span.name).collect()
}

#[test]
fn sigterm_and_sigint_drain_and_exit_with_zero_and_all_spans_sent() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let sink = Sink::start().expect("a free port");
        let running = Running::start("child_that_drains", &sink);
        running.send(signal);
        let (status, said) = running.end();
        assert_eq!(status.code(), Some(0), "{said}");
        assert_eq!(span_names(&sink), ["finished what was begun"]);
        assert!(said.contains(signal.as_str()), "{said}");
    }
}

#[test]
fn a_second_signal_ends_at_once_and_says_what_did_not_finish() {
    let sink = Sink::start().expect("a free port");
    let running = Running::start("child_that_is_stubborn", &sink);
    let begun = Instant::now();
    running.send(Signal::SIGTERM);
    // Signals of one kind that arrive together are one.
    std::thread::sleep(Duration::from_millis(300));
    running.send(Signal::SIGINT);
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("not finished in time: stubborn"), "{said}");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "took {:?}",
        begun.elapsed()
    );
    assert_eq!(span_names(&sink), ["before the end"]);
}

#[test]
fn a_panic_in_a_task_exits_with_one_and_all_spans_sent() {
    let sink = Sink::start().expect("a free port");
    let (status, said) = Running::start("child_that_panics", &sink).end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("failed: fragile: panicked: lost my head"), "{said}");
    assert_eq!(span_names(&sink), ["before the panic"]);
}

#[test]
fn a_blocked_thread_does_not_hold_the_exit() {
    let sink = Sink::start().expect("a free port");
    let running = Running::start("child_that_blocks", &sink);
    running.send(Signal::SIGTERM);
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("not finished in time: blocking"), "{said}");
}

#[test]
#[ignore = "a process that another test starts"]
fn child_that_drains() {
    be(PATIENT, |tasks| {
        let soft = tasks.soft_shutdown();
        tasks.spawn("worker", async move {
            soft.cancelled().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            tracing::info_span!("finished what was begun").in_scope(|| {});
        });
    });
}

#[test]
#[ignore = "a process that another test starts"]
fn child_that_is_stubborn() {
    be(PATIENT, |tasks| {
        tracing::info_span!("before the end").in_scope(|| {});
        tasks.spawn("stubborn", std::future::pending());
    });
}

#[test]
#[ignore = "a process that another test starts"]
fn child_that_panics() {
    be(PATIENT, |tasks| {
        tracing::info_span!("before the panic").in_scope(|| {});
        tasks.spawn("fragile", async { panic!("lost my head") });
    });
}

#[test]
#[ignore = "a process that another test starts"]
fn child_that_blocks() {
    be(HASTY, |tasks| {
        tasks.spawn("blocking", async { std::thread::sleep(Duration::from_mins(10)) });
    });
}

/// Runs a process as a binary does, and exits with its code.
fn be(drain_timeout: Duration, start: impl FnOnce(Tasks) + Send + 'static) {
    let code = fealty_runtime::launch(async || run(drain_timeout, start).await);
    // An exit code tells its number to nobody but the system.
    let number = (0..=u8::MAX)
        .find(|number| ExitCode::from(*number) == code)
        .expect("a byte");
    std::process::exit(number.into());
}

async fn run(drain_timeout: Duration, start: impl FnOnce(Tasks) + Send + 'static) -> Outcome {
    let endpoint = std::env::var_os(COLLECTOR_VAR).expect("set by the parent");
    let config = TelemetryConfig {
        otlp_endpoint: endpoint.into_string().ok(),
        // Only the last flush can have sent anything.
        batch_interval_ms: 3_600_000,
        ..TelemetryConfig::default()
    };
    let identity = ServiceIdentity {
        name: "child".to_owned(),
        version: "1".to_owned(),
        instance: "a".to_owned(),
    };
    let telemetry = Telemetry::try_init(&config, identity).expect("the first in this process");
    let drain_timeout_ms = u64::try_from(drain_timeout.as_millis()).expect("small");
    let drain = DrainConfig {
        not_serving_pause_ms: 0,
        drain_timeout_ms,
    };
    Process::new(&drain)
        .with_telemetry(telemetry)
        .run(async move |tasks| {
            start(tasks);
            println!("{READY}");
            Ok::<_, std::convert::Infallible>(())
        })
        .await
}
