//! How a process ended.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// The exit code when something failed.
const EXIT_FAILED: u8 = 1;

/// The exit code when nothing failed but something did not finish in time. Not 2, which argument parsers use.
const EXIT_UNFINISHED: u8 = 3;

/// Something that failed and thereby ended the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The task.
    pub task: String,
    /// What happened.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.task, self.reason)
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the exit code is in it"]
pub struct Outcome {
    failures: Vec<Failure>,
    unfinished: Vec<String>,
}

impl Outcome {
    pub(super) fn new(failures: Vec<Failure>, unfinished: Vec<String>) -> Self {
        Self { failures, unfinished }
    }

    /// The outcome of a process that did not come to running anything.
    pub fn failed(task: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new(
            vec![Failure {
                task: task.to_owned(),
                reason: error_chain(error),
            }],
            Vec::new(),
        )
    }

    /// Whether everything came to its end by itself and nothing failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failures.is_empty() && self.unfinished.is_empty()
    }

    /// What failed.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// The tasks that had to be dropped.
    #[must_use]
    pub fn unfinished(&self) -> &[String] {
        &self.unfinished
    }

    /// 0 when clean, 1 when something failed, 3 when something did not finish in time.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match (self.failures.is_empty(), self.unfinished.is_empty()) {
            (true, true) => 0,
            (false, _) => EXIT_FAILED,
            (true, false) => EXIT_UNFINISHED,
        }
    }

    /// [`Outcome::exit_status`] for `main`.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_status())
    }

    /// Tells standard error what went wrong: also a process without a log, or with one that machines read, ends
    /// with a sentence for people.
    pub(crate) fn report(&self) {
        for failure in &self.failures {
            eprintln!("failed: {failure}");
        }
        if !self.unfinished.is_empty() {
            eprintln!("not finished in time: {}", self.unfinished.join(", "));
        }
    }
}

/// An error with all its causes, the ones whose text is already in the line above left out.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
}
