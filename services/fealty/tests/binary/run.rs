//! Running the binary: to its end, or for a while.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fealty_local::{DataDir, Durability, Install, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub type Outcome = Result<(), Box<dyn Error>>;

/// As they are called in commands, settings and what `up` prints.
pub const SERVICES: [&str; 4] = ["members", "ledger", "rewards", "surveys"];

/// How long anything may take here: a first start makes a database cluster, on a machine that builds at the same time.
const BOUND: Duration = Duration::from_mins(2);

/// How often it is looked whether something has happened.
const POLL: Duration = Duration::from_millis(20);

/// The binary with arguments, without settings of whoever runs the tests.
pub fn fealty<const N: usize>(args: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fealty"));
    command.args(args).stdin(Stdio::null());
    for variable in [
        "FEALTY_CONFIG",
        "FEALTY_DATA_DIR",
        "FEALTY_POSTGRES_URL",
        "FEALTY_REDIS_URL",
        "FEALTY_KEY",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Runs a command to its end.
pub fn output(mut command: Command) -> Result<Output, Box<dyn Error>> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let id = Pid::from_raw(i32::try_from(child.id())?);
    let (done, waiting) = channel();
    let waiter = thread::spawn(move || {
        // Nobody listens any more after the bound.
        let _ = done.send(child.wait_with_output());
    });
    let Ok(output) = waiting.recv_timeout(BOUND) else {
        kill(id, Signal::SIGKILL)?;
        return Err("it did not end".into());
    };
    waiter.join().map_err(|_| "the waiter panicked")?;
    Ok(output?)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A command that ran to its end as it should have.
pub fn printed(command: Command) -> Result<String, Box<dyn Error>> {
    let output = output(command)?;
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("{}: {}", output.status, text(&output.stderr)).into())
    }
}

/// Waits until it holds.
pub fn until(what: &str, holds: impl Fn() -> bool) -> Outcome {
    let start = Instant::now();
    while !holds() {
        if start.elapsed() > BOUND {
            return Err(format!("not within {BOUND:?}: {what}").into());
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// A running child: killed when dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// What it said on standard error so far.
    errors: Arc<Mutex<String>>,
}

impl Running {
    pub fn start(mut command: Command) -> Result<Self, Box<dyn Error>> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (tell, lines) = channel();
        let stdout = child.stdout.take().ok_or("no output")?;
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Read on when nobody listens: the child must not block.
                let _ = tell.send(line);
            }
        });
        let errors = Arc::new(Mutex::new(String::new()));
        follow(child.stderr.take().ok_or("no errors")?, Arc::clone(&errors));
        Ok(Self { child, lines, errors })
    }

    pub fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_default())
    }

    pub fn errors(&self) -> String {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lines up to the one that holds `last`.
    pub fn lines_up_to(&self, last: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let mut lines = Vec::new();
        loop {
            let line = self
                .lines
                .recv_timeout(BOUND)
                .map_err(|_| format!("no line with {last:?}; it said: {}", self.errors()))?;
            let done = line.contains(last);
            lines.push(line);
            if done {
                return Ok(lines);
            }
        }
    }

    /// Waits until it says the text on standard error.
    pub fn until_it_says(&mut self, text: &str) -> Outcome {
        let start = Instant::now();
        while !self.errors().contains(text) {
            if self.child.try_wait()?.is_some() || start.elapsed() > BOUND {
                return Err(format!("it never said {text:?}, but: {}", self.errors()).into());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    pub fn signal(&self, signal: Signal) -> Outcome {
        Ok(kill(self.id(), signal)?)
    }

    pub fn wait(&mut self) -> Result<ExitStatus, Box<dyn Error>> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if start.elapsed() > BOUND {
                return Err(format!("it did not end; it said: {}", self.errors()).into());
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already, where the test came to its end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(mut stream: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            into.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
}

/// A suite that runs: what it printed, taken apart.
pub struct Up {
    pub running: Running,
    /// Where each service takes calls, in the order of [`SERVICES`].
    pub urls: Vec<String>,
    /// Where health and metrics are, in the same order.
    pub admins: Vec<String>,
    pub folder: PathBuf,
    pub program_id: String,
    pub key: String,
    /// The first call, as it is to be pasted.
    pub first_call: String,
}

impl Up {
    /// Starts it on free ports and waits until it says that it is ready.
    pub fn start<const N: usize>(args: [&str; N]) -> Result<Self, Box<dyn Error>> {
        let running = Running::start(up(args))?;
        let lines = running.lines_up_to("Ctrl-C ends it")?;
        let word = |name: &str, position: usize| {
            lines
                .iter()
                .find_map(|line| {
                    line.trim_start()
                        .strip_prefix(name)?
                        .split_whitespace()
                        .nth(position)
                })
                .map(str::to_owned)
                .ok_or_else(|| format!("no {name} in {lines:?}"))
        };
        let program = lines.iter().find(|line| line.trim_start().starts_with("program"));
        let program_id = program
            .and_then(|line| line.split(['(', ')']).nth(1))
            .ok_or("no program")?
            .to_owned();
        let first_call = lines
            .iter()
            .find(|line| line.contains(" call --members "))
            .ok_or("no call")?;
        Ok(Self {
            urls: SERVICES
                .iter()
                .map(|service| word(&format!("{service} "), 0))
                .collect::<Result<_, _>>()?,
            admins: SERVICES
                .iter()
                .map(|service| word(&format!("{service} "), 4))
                .collect::<Result<_, _>>()?,
            folder: word("data ", 0)?.into(),
            key: word("key ", 0)?,
            program_id,
            first_call: first_call.trim().to_owned(),
            running,
        })
    }

    /// Calls a method with a key.
    pub fn call(&self, key: &str, method: &str, request: &str) -> Result<Output, Box<dyn Error>> {
        let mut command = fealty([
            "call",
            method,
            request,
            "--members",
            &self.urls[0],
            "--ledger",
            &self.urls[1],
        ]);
        command.env("FEALTY_KEY", key);
        output(command)
    }

    /// Ends it by a signal, in good order.
    pub fn end(&mut self, signal: Signal) -> Outcome {
        self.running.signal(signal)?;
        let status = self.running.wait()?;
        assert_eq!(status.code(), Some(0), "{}", self.running.errors());
        Ok(())
    }
}

/// The command, on free ports where the arguments name none.
pub fn up<const N: usize>(args: [&str; N]) -> Command {
    let mut command = fealty(["up"]);
    for service in SERVICES {
        for flag in [format!("--{service}-port"), format!("--{service}-admin-port")] {
            if !args.contains(&flag.as_str()) {
                command.args([&flag, "0"]);
            }
        }
    }
    command.args(args);
    command
}

/// The command lines of processes that name the text, ourselves left out.
pub fn processes_naming(text: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let text = text.to_string_lossy();
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != std::process::id())
        .filter_map(|pid| fs::read(format!("/proc/{pid}/cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&*text))
        .collect()
}

/// Servers of a test's own: the roles' names are the same on all, and their passwords are the test's.
pub fn servers() -> Options {
    let install = if std::env::var_os("FEALTY_INSTALL").is_some_and(|value| value == "1") {
        Install::Yes
    } else {
        Install::Never
    };
    Options {
        install,
        durability: Durability::Fast,
        ..Options::new(DataDir::Ephemeral)
    }
}
