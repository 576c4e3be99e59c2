//! Waiting for processes, with bounds, and without a hold on any async runtime: the tests keep the servers over
//! many runtimes.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::error::Error;

/// How often it is looked whether a process has ended or answers: small against initdb's second.
const POLL: Duration = Duration::from_millis(20);

/// How much of a log an error carries.
const TAIL_LINES: usize = 20;

/// A process that is ended when nobody waits for it any more.
struct Job(Child);

impl Drop for Job {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a command did.
pub(crate) struct Finished {
    pub success: bool,
    /// All it printed, errors included.
    pub output: String,
}

/// Runs a command to its end and keeps what it prints.
pub(crate) async fn run(mut command: Command, bound: Duration) -> Result<Finished, Error> {
    let program = Path::new(command.get_program()).to_owned();
    let failed = || Error::io("run", &program);
    let mut output = tempfile::tempfile().map_err(failed())?;
    let (stdout, stderr) = (
        output.try_clone().map_err(failed())?,
        output.try_clone().map_err(failed())?,
    );
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let status = wait(&mut command, bound).await?;
    let mut bytes = Vec::new();
    output.seek(SeekFrom::Start(0)).map_err(failed())?;
    output.read_to_end(&mut bytes).map_err(failed())?;
    Ok(Finished {
        success: status.success(),
        output: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

/// Runs a command to its end.
pub(crate) async fn wait(command: &mut Command, bound: Duration) -> Result<ExitStatus, Error> {
    let program = Path::new(command.get_program()).to_owned();
    let mut job = Job(command.spawn().map_err(Error::io("run", &program))?);
    let start = Instant::now();
    loop {
        if let Some(status) = job.0.try_wait().map_err(Error::io("wait for", &program))? {
            return Ok(status);
        }
        if start.elapsed() > bound {
            return Err(Error::TooSlow {
                what: format!("`{}`", program.display()),
                bound,
            });
        }
        sleep(POLL).await;
    }
}

/// How waiting for a server ended.
pub(crate) enum Readiness {
    Answers,
    Exited(ExitStatus),
    Silent,
}

/// Waits until a server answers, ends, or has had its time.
pub(crate) async fn until_ready(
    child: &mut Child,
    bound: Duration,
    answers: impl AsyncFn() -> bool,
) -> Readiness {
    let start = Instant::now();
    while start.elapsed() < bound {
        if let Ok(Some(status)) = child.try_wait() {
            return Readiness::Exited(status);
        }
        if answers().await {
            return Readiness::Answers;
        }
        sleep(POLL).await;
    }
    Readiness::Silent
}

/// The last lines of what a process printed.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
