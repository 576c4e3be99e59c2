//! The private servers: held from their start to their end after all services, and started again when they end by
//! themselves. Nobody else would: there is no supervisor on a developer's machine, and the services come back on their own
//! as soon as what they need answers.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fealty_local::{Ended, LocalServers, Program};
use fealty_runtime::Tasks;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::ports::Bound;
use crate::services::PerService;

/// How often it is looked whether they still run.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long it is waited before the second attempt at the latest: long enough for a full disk to be told once and not a
/// thousand times, short enough for whoever has just made room.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The servers, from their start in one task to their end after all others.
#[derive(Debug, Clone, Default)]
pub(super) struct Servers(Arc<Mutex<Option<LocalServers>>>);

impl Servers {
    pub(super) fn put(&self, servers: LocalServers) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(servers);
    }

    pub(super) fn take(&self) -> Option<LocalServers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Tells a second start on the folder what runs here.
    pub(super) fn record(&self, sockets: &PerService<Bound>) -> anyhow::Result<()> {
        if let Some(servers) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            for (service, bound) in sockets.iter() {
                servers
                    .record_address(service.as_str(), &bound.grpc.to_string())
                    .context("the lock file cannot be written")?;
            }
        }
        Ok(())
    }

    /// Tells whenever one of them ends by itself, and starts it again unless it is to be left, until the process is to end.
    pub(super) fn look_after(&self, tasks: &Tasks, leave_ended: bool) {
        let (ending, held) = (tasks.soft_shutdown(), self.clone());
        tasks.spawn_critical("private servers", async move {
            let mut downs = [Program::Postgres, Program::Redis].map(Down::new);
            while ending.run_until_cancelled(sleep(LOOK_INTERVAL)).await.is_some() {
                held.look(&mut downs, leave_ended);
                for down in downs.iter_mut().filter(|down| down.is_due()) {
                    held.start_again(down, &ending).await;
                }
            }
            Ok::<_, Infallible>(())
        });
    }

    fn look(&self, downs: &mut [Down], leave_ended: bool) {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Ended { program, sentence } in servers.iter_mut().flat_map(LocalServers::find_ended) {
            if leave_ended {
                tracing::error!("{sentence}");
                continue;
            }
            tracing::error!("{sentence}; it is started again");
            for down in downs.iter_mut().filter(|down| down.program == program) {
                down.note_end();
            }
        }
    }

    async fn start_again(&self, down: &mut Down, ending: &CancellationToken) {
        let (held, program, ending) = (self.clone(), down.program, ending.clone());
        let runtime = Handle::current();
        // On a thread of its own, as the first start: the compiler cannot tell that it is `Send`.
        let starting = spawn_blocking(move || {
            // Out of the lock while they start: the end of the process comes after this task's.
            let mut servers = held.take()?;
            let started = runtime.block_on(ending.run_until_cancelled(servers.start_again(program)));
            held.put(servers);
            started
        });
        match starting.await {
            Ok(Some(Ok(()))) => down.note_start(),
            Ok(Some(Err(error))) => {
                down.note_failure();
                let pause_secs = down.pause.as_secs();
                tracing::error!(
                    "the private {program} cannot be started again: {error}; next attempt in {pause_secs} s"
                );
            }
            Err(broken) => {
                tracing::error!(
                    "starting the private {program} broke off, and the servers ended with it: {broken}"
                );
            }
            // The end has come.
            Ok(None) => {}
        }
    }
}

/// Whether one of them is down, and when it is tried again.
#[derive(Debug)]
struct Down {
    program: Program,
    due: Option<Instant>,
    pause: Duration,
    started: Option<Instant>,
}

impl Down {
    const fn new(program: Program) -> Self {
        Self {
            program,
            due: None,
            pause: Duration::ZERO,
            started: None,
        }
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// At once, unless it has ended again soon after the last attempt.
    fn note_end(&mut self) {
        match self.started {
            Some(started) if started.elapsed() < PAUSE_MAX => self.note_failure(),
            _ => {
                self.pause = Duration::ZERO;
                self.due = Some(Instant::now());
            }
        }
    }

    fn note_start(&mut self) {
        self.due = None;
        self.started = Some(Instant::now());
    }

    fn note_failure(&mut self) {
        self.pause = (self.pause * 2).clamp(LOOK_INTERVAL, PAUSE_MAX);
        self.due = Some(Instant::now() + self.pause);
    }
}
