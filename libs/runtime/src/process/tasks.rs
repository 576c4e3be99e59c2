//! The tasks of a process.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fealty_telemetry::Telemetry;
use futures::FutureExt as _;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::outcome::{Failure, error_chain, panic_text};
use super::signals::Signals;
use crate::config::DrainConfig;

/// The task that wires everything up.
const START: &str = "start";

/// Starts tasks and asks for the end. Clones are the same process.
#[derive(Clone, Debug)]
pub struct Tasks {
    shared: Arc<Shared>,
    telemetry: Option<Telemetry>,
}

#[derive(Debug)]
struct Shared {
    drain: DrainConfig,
    soft: CancellationToken,
    hard: CancellationToken,
    /// Drops what has heard `hard` and still runs.
    dropping: CancellationToken,
    /// Drops what served the others, after these have ended.
    attendants_end: CancellationToken,
    workers: TaskTracker,
    attendants: TaskTracker,
    ledger: Mutex<Ledger>,
}

/// Who runs and who failed.
#[derive(Debug, Default)]
struct Ledger {
    next: u64,
    running: BTreeMap<u64, Cow<'static, str>>,
    failures: Vec<Failure>,
}

impl Tasks {
    pub(super) fn new(drain: DrainConfig) -> Self {
        let shared = Shared {
            drain,
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            dropping: CancellationToken::new(),
            attendants_end: CancellationToken::new(),
            workers: TaskTracker::new(),
            attendants: TaskTracker::new(),
            ledger: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            telemetry: None,
        }
    }

    /// Cancelled when the end was asked for: take nothing new, finish what is begun.
    #[must_use]
    pub fn soft_shutdown(&self) -> CancellationToken {
        self.shared.soft.clone()
    }

    /// Cancelled when time is up: stop at once.
    #[must_use]
    pub fn hard_shutdown(&self) -> CancellationToken {
        self.shared.hard.clone()
    }

    /// Asks for the end, as a signal does.
    pub fn shut_down(&self) {
        self.shared.soft.cancel();
    }

    /// How this process drains.
    #[must_use]
    pub fn drain_config(&self) -> &DrainConfig {
        &self.shared.drain
    }

    /// The process's telemetry.
    #[must_use]
    pub fn telemetry(&self) -> Option<&Telemetry> {
        self.telemetry.as_ref()
    }

    pub(super) fn set_telemetry(&mut self, telemetry: Telemetry) {
        self.telemetry = Some(telemetry);
    }

    /// Starts a task that may end whenever it likes. The drain waits for it; it should heed
    /// [`Tasks::soft_shutdown`]. A panic ends the process as failed.
    pub fn spawn(&self, name: impl Into<Cow<'static, str>>, task: impl Future<Output = ()> + Send + 'static) {
        self.track(name.into(), task.map(|()| None));
    }

    /// Starts a task without which the process makes no sense: if it ends before the end was asked for, or fails at
    /// any time, the process ends as failed.
    pub fn spawn_critical<E>(
        &self,
        name: impl Into<Cow<'static, str>>,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let soft = self.soft_shutdown();
        self.track(
            name.into(),
            task.map(move |end| match end {
                Err(error) => Some(error_chain(error.into().as_ref())),
                Ok(()) if !soft.is_cancelled() => Some("ended although nobody asked it to".to_owned()),
                Ok(()) => None,
            }),
        );
    }

    /// Starts a task that serves the others to their end (health, metrics) and is dropped when they have ended. The
    /// drain does not wait for it. Ending by itself, or a panic, ends the process as failed.
    pub fn spawn_attendant(
        &self,
        name: impl Into<Cow<'static, str>>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let (this, name, end) = (self.clone(), name.into(), self.shared.attendants_end.clone());
        self.shared.attendants.spawn(async move {
            let failure = tokio::select! {
                biased;
                () = end.cancelled() => None,
                end = AssertUnwindSafe(task).catch_unwind() => Some(match end {
                    Ok(()) => "ended although nobody asked it to".to_owned(),
                    Err(panic) => panicked(panic.as_ref()),
                }),
            };
            if let Some(reason) = failure {
                this.fail(name, reason);
            }
        });
    }

    /// Runs the future unless the end is asked for first. For a start that takes its time.
    pub async fn unless_ending<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.shared.soft.cancelled() => None,
            value = future => Some(value),
        }
    }

    pub(super) fn spawn_start<E>(&self, start: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.track(
            START.into(),
            start.map(|end| end.err().map(|error| error_chain(error.into().as_ref()))),
        );
        // From here on, no task left means done.
        self.shared.workers.close();
        self.shared.attendants.close();
    }

    /// Runs a task under its name until it ends, panics or is dropped; the task answers what failed.
    fn track(&self, name: Cow<'static, str>, task: impl Future<Output = Option<String>> + Send + 'static) {
        let entry = self.enter(name.clone());
        let (this, dropping) = (self.clone(), self.shared.dropping.clone());
        self.shared.workers.spawn(async move {
            let _entry = entry;
            let failure = tokio::select! {
                biased;
                end = AssertUnwindSafe(task).catch_unwind() => {
                    end.unwrap_or_else(|panic| Some(panicked(panic.as_ref())))
                }
                () = dropping.cancelled() => None,
            };
            if let Some(reason) = failure {
                this.fail(name, reason);
            }
        });
    }

    fn fail(&self, task: Cow<'static, str>, reason: String) {
        tracing::error!(task = task.as_ref(), reason, "task failed; the process ends");
        self.shared.ledger().failures.push(Failure {
            task: task.into_owned(),
            reason,
        });
        self.shared.soft.cancel();
    }

    fn enter(&self, name: Cow<'static, str>) -> Entry {
        let mut ledger = self.shared.ledger();
        let id = ledger.next;
        ledger.next += 1;
        ledger.running.insert(id, name);
        Entry {
            shared: Arc::clone(&self.shared),
            id,
        }
    }

    pub(super) async fn until_done_or_asked_to_end(&self, signals: &mut Signals) {
        let reason = tokio::select! {
            biased;
            () = self.shared.soft.cancelled() => "asked to from inside",
            signal = signals.next() => signal,
            () = self.finished() => "nothing left to do",
        };
        tracing::info!(reason, "ending");
        self.shared.soft.cancel();
    }

    /// Waits for all tasks, but no longer than agreed. Answers whether they all came to an end.
    pub(super) async fn drain(&self, signals: &mut Signals) -> bool {
        tokio::select! {
            biased;
            () = self.finished() => true,
            () = self.shared.hard.cancelled() => false,
            signal = signals.next() => {
                tracing::warn!(signal, "a second signal: no more waiting");
                false
            }
            () = sleep(self.shared.drain.drain_timeout()) => false,
        }
    }

    pub(super) async fn finished(&self) {
        self.shared.workers.wait().await;
    }

    pub(super) fn running(&self) -> Vec<String> {
        self.shared
            .ledger()
            .running
            .values()
            .map(|name| name.clone().into_owned())
            .collect()
    }

    pub(super) fn drop_all(&self) {
        self.shared.dropping.cancel();
    }

    pub(super) async fn end_attendants(&self, grace: Duration) {
        self.shared.attendants_end.cancel();
        if timeout(grace, self.shared.attendants.wait()).await.is_err() {
            tracing::warn!("health and metrics did not end in time");
        }
    }

    pub(super) fn take_failures(&self) -> Vec<Failure> {
        std::mem::take(&mut self.shared.ledger().failures)
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running task's line in the ledger; gone with the task, however it ends.
struct Entry {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.ledger().running.remove(&self.id);
    }
}

fn panicked(payload: &(dyn std::any::Any + Send)) -> String {
    format!("panicked: {}", panic_text(payload))
}
