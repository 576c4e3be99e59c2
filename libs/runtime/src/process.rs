//! The life of a process: work, drain, end.

mod outcome;
mod signals;
mod tasks;

use std::time::Duration;

use fealty_telemetry::Telemetry;
use tokio::time::timeout;

use crate::config::DrainConfig;
pub(crate) use outcome::panic_text;
pub use outcome::{Failure, Outcome, error_chain};
use signals::Signals;
pub use tasks::Tasks;

/// What a task gets, after the hard end was declared, to come to an end by itself before it is dropped.
const HARD_GRACE: Duration = Duration::from_millis(500);

/// What a dropped task gets to be gone. Only one that blocks its thread needs any time at all.
const DROP_GRACE: Duration = Duration::from_millis(500);

/// A process that runs services, or anything else that has to end in good order.
#[derive(Debug)]
pub struct Process {
    tasks: Tasks,
    telemetry: Option<Telemetry>,
}

impl Process {
    /// A process that has nothing to do yet.
    #[must_use]
    pub fn new(drain: &DrainConfig) -> Self {
        Self {
            tasks: Tasks::new(drain.clone()),
            telemetry: None,
        }
    }

    /// Telemetry, which is served for scraping and flushed at the very end.
    #[must_use]
    pub fn with_telemetry(mut self, telemetry: Telemetry) -> Self {
        self.tasks.set_telemetry(telemetry.clone());
        self.telemetry = Some(telemetry);
        self
    }

    /// The handle by which tasks are started and the end is asked for.
    #[must_use]
    pub fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    /// Runs `start`, which wires everything up and starts tasks, then waits for the end: until all tasks are
    /// through, or something asked for the end and the drain is over.
    ///
    /// Signals are listened to from the first moment, so also a start that takes long can be ended in good order.
    /// An error of `start` ends the process as a failed task does.
    pub async fn run<F, E>(self, start: impl FnOnce(Tasks) -> F) -> Outcome
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let outcome = match Signals::try_new() {
            Ok(signals) => {
                self.tasks.spawn_start(start(self.tasks.clone()));
                self.supervise(signals).await
            }
            Err(error) => Outcome::failed("signals", &error),
        };
        if let Some(telemetry) = &self.telemetry
            && let Err(error) = telemetry.shutdown().await
        {
            // The work is done or not done regardless of who heard of it: no reason to fail.
            tracing::warn!(%error, "telemetry ended unflushed");
        }
        outcome
    }

    async fn supervise(&self, mut signals: Signals) -> Outcome {
        self.tasks.until_done_or_asked_to_end(&mut signals).await;
        let unfinished = if self.tasks.drain(&mut signals).await {
            Vec::new()
        } else {
            self.end_hard().await
        };
        self.tasks.end_attendants(DROP_GRACE).await;
        let outcome = Outcome::new(self.tasks.take_failures(), unfinished);
        tracing::info!(clean = outcome.is_clean(), "ended");
        outcome
    }

    /// Declares the hard end and answers who did not come to an end by itself.
    async fn end_hard(&self) -> Vec<String> {
        // Those who take the hint are no less unfinished: their calls did not finish.
        let unfinished = self.tasks.running();
        tracing::error!(?unfinished, "hard end: dropping what has not finished");
        self.tasks.hard_shutdown().cancel();
        if timeout(HARD_GRACE, self.tasks.finished()).await.is_err() {
            self.tasks.drop_all();
            // Whoever blocks its thread cannot be waited for; the exit code tells.
            let _ = timeout(DROP_GRACE, self.tasks.finished()).await;
        }
        unfinished
    }
}

#[cfg(test)]
mod tests;
