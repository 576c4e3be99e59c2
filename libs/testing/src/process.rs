//! A process under test: its output is kept, and it never outlives its test.

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::leash;

/// How often it is looked whether a process has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How long the last output of an ended process is waited for.
const LAST_WORDS_BOUND: Duration = Duration::from_secs(1);
/// Output kept per stream: a process that says more has run away.
const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024;

type Output = Arc<Mutex<Vec<u8>>>;

/// A running process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    /// The leash: the process ends when this is closed.
    _stdin: Option<ChildStdin>,
    stdout: Output,
    stderr: Output,
    readers: Vec<JoinHandle<()>>,
}

/// How a process ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Process {
    /// Starts a command under a name that failures show. `folder` is removed should this process die first.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, mut command: Command, folder: Option<&Path>) -> Self {
        command
            .env(leash::VARIABLE, folder.unwrap_or_else(|| Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot start {name}: {error}"),
        };
        let (stdout, stderr) = (Output::default(), Output::default());
        let readers = vec![
            keep(child.stdout.take(), &stdout),
            keep(child.stderr.take(), &stderr),
        ];
        Self {
            name: name.to_owned(),
            _stdin: child.stdin.take(),
            child,
            stdout,
            stderr,
            readers,
        }
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When it has been waited for already.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        if let Err(error) = kill(Pid::from_raw(pid), signal) {
            panic!("{} cannot be sent {signal}: {error}", self.name);
        }
    }

    /// Whether it has ended, and how.
    ///
    /// # Panics
    /// When the system cannot say.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the system says how a child is")
    }

    /// Waits for its end. Blocks its thread: the tests' runtimes have more than one.
    ///
    /// # Panics
    /// When it does not end within the bound.
    #[must_use]
    pub fn wait(mut self, bound: Duration) -> Ended {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.try_wait() {
                self.hear_out();
                return Ended {
                    status,
                    stdout: self.stdout(),
                    stderr: self.stderr(),
                };
            }
            assert!(
                begun.elapsed() < bound,
                "{} has not ended within {} s",
                self.name,
                bound.as_secs()
            );
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// `kill -9`, and its end.
    pub fn kill(mut self) {
        self.end();
    }

    /// What it said so far on standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// What it said so far on standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// What it said last may still be in the pipes. They are not waited for to the end: its own children may hold them.
    fn hear_out(&self) {
        let begun = Instant::now();
        while !self.readers.iter().all(JoinHandle::is_finished) && begun.elapsed() < LAST_WORDS_BOUND {
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn end(&mut self) {
        // It may have ended already: that is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// It ended well.
    ///
    /// # Panics
    /// When it did not.
    pub fn assert_success(&self) {
        assert!(
            self.status.success(),
            "{}\n{}{}",
            self.status,
            self.stdout,
            self.stderr
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- what {} said\n{}{}", self.name, self.stdout(), self.stderr());
        }
        self.end();
    }
}

fn keep(stream: Option<impl Read + Send + 'static>, output: &Output) -> JoinHandle<()> {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let Some(mut stream) = stream else { return };
        let mut chunk = [0; 8192];
        while let Ok(count @ 1..) = stream.read(&mut chunk) {
            let mut kept = output.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() < OUTPUT_BYTES_MAX {
                kept.extend_from_slice(&chunk[..count]);
            }
        }
    })
}

fn text(output: &Output) -> String {
    let kept = output.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&kept).into_owned()
}
