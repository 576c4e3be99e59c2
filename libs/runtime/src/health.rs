//! What a service says of itself.
//!
//! Liveness asks nobody: a process that answers is alive, and restarting it would not bring Postgres back. Readiness
//! is what the registered checks say. They run in the background, so that a probe reads an answer and never makes
//! work.

mod grpc;

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

pub use grpc::GrpcHealth;

/// How often the checks run: a probe's answer is at most this old, plus the bound on a check.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a check may take. Kubernetes' own probes give up after one second; what does not answer in two does not
/// serve.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Check = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The health of one service. Clones are the same health.
#[derive(Clone)]
pub struct Health {
    inner: Arc<Inner>,
}

struct Inner {
    services: Vec<String>,
    checks: Mutex<Vec<(String, Check)>>,
    readiness: watch::Sender<Readiness>,
    /// Until then, a check that does not pass is a start, not a failure.
    was_ready: AtomicBool,
    /// Ends the streams of watchers, which would otherwise hold their connections for ever.
    closed: CancellationToken,
}

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not wired up yet.
    Starting,
    /// Open for calls.
    Running,
    /// On its way out.
    Draining,
}

/// Whether a service should be called, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Where it is in its life.
    pub phase: Phase,
    /// The checks that do not pass, in the order they were registered.
    pub failing: Vec<FailingCheck>,
}

/// A check that does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingCheck {
    /// Its name: `postgres`.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

impl Readiness {
    /// Whether calls are welcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Running && self.failing.is_empty()
    }
}

impl Health {
    /// The health of the gRPC services with these full names (`fealty.ledger.v1.LedgerService`).
    pub fn new<S: Into<String>>(services: impl IntoIterator<Item = S>) -> Self {
        let (readiness, _) = watch::channel(Readiness {
            phase: Phase::Starting,
            failing: Vec::new(),
        });
        let inner = Inner {
            services: services.into_iter().map(Into::into).collect(),
            checks: Mutex::default(),
            readiness,
            was_ready: AtomicBool::new(false),
            closed: CancellationToken::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Adds a condition for being ready. Until it has passed once, it fails.
    pub fn register_check<F, R, E>(&self, name: &str, check: F)
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let check: Check = Arc::new(move || {
            check()
                .map(|result| result.map_err(|error| error.to_string()))
                .boxed()
        });
        self.inner
            .checks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((name.to_owned(), check));
        self.inner.readiness.send_modify(|readiness| {
            let reason = "not checked yet".to_owned();
            readiness.failing.push(FailingCheck {
                name: name.to_owned(),
                reason,
            });
        });
    }

    /// What probes are told.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.inner.readiness.borrow().clone()
    }

    /// Waits until the service is ready. False if it is on its way out instead.
    pub async fn wait_until_ready(&self) -> bool {
        let mut changes = self.inner.readiness.subscribe();
        let settled = |readiness: &Readiness| readiness.is_ready() || readiness.phase == Phase::Draining;
        changes
            .wait_for(settled)
            .await
            .is_ok_and(|readiness| readiness.is_ready())
    }

    /// The gRPC side, to be added to a router.
    #[must_use]
    pub fn grpc_service(&self) -> tonic_health::pb::health_server::HealthServer<GrpcHealth> {
        tonic_health::pb::health_server::HealthServer::new(GrpcHealth::new(self.clone()))
    }

    /// Open for calls, as far as the checks agree.
    pub fn mark_running(&self) {
        self.enter(Phase::Running);
    }

    /// No more new calls. There is no way back.
    pub fn mark_draining(&self) {
        self.enter(Phase::Draining);
    }

    /// Ends the streams of those who watch.
    pub fn close(&self) {
        self.inner.closed.cancel();
    }

    /// Runs the checks again and again.
    pub async fn keep_checked(&self) {
        loop {
            self.check_once().await;
            sleep(CHECK_INTERVAL).await;
        }
    }

    async fn check_once(&self) {
        let checks = self
            .inner
            .checks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let results = join_all(checks.iter().map(|(name, check)| run_check(name, check))).await;
        let failing: Vec<FailingCheck> = results.into_iter().flatten().collect();
        let names: Vec<String> = checks.into_iter().map(|(name, _)| name).collect();
        self.inner.readiness.send_if_modified(|readiness| {
            // A check that was registered meanwhile stays failing until its first turn.
            let unknown = readiness
                .failing
                .iter()
                .filter(|check| !names.contains(&check.name))
                .cloned();
            let failing: Vec<FailingCheck> = failing.iter().cloned().chain(unknown).collect();
            let changed = failing != readiness.failing;
            if changed {
                self.tell(&failing);
                readiness.failing = failing;
            }
            changed
        });
    }

    fn tell(&self, failing: &[FailingCheck]) {
        if failing.is_empty() {
            self.inner.was_ready.store(true, Ordering::Relaxed);
            tracing::info!("all health checks pass");
        }
        for FailingCheck { name, reason } in failing {
            if self.inner.was_ready.load(Ordering::Relaxed) {
                tracing::warn!(check = name, reason, "health check fails");
            } else {
                tracing::info!(check = name, reason, "health check does not pass yet");
            }
        }
    }

    fn enter(&self, phase: Phase) {
        self.inner.readiness.send_if_modified(|readiness| {
            let forward = readiness.phase != Phase::Draining && readiness.phase != phase;
            if forward {
                readiness.phase = phase;
            }
            forward
        });
    }

    fn services(&self) -> &[String] {
        &self.inner.services
    }

    fn changes(&self) -> watch::Receiver<Readiness> {
        self.inner.readiness.subscribe()
    }

    fn closed(&self) -> CancellationToken {
        self.inner.closed.clone()
    }
}

async fn run_check(name: &str, check: &Check) -> Option<FailingCheck> {
    let reason = match timeout(CHECK_TIMEOUT, check()).await {
        Ok(Ok(())) => return None,
        Ok(Err(reason)) => reason,
        Err(_) => format!("no answer within {CHECK_TIMEOUT:?}"),
    };
    Some(FailingCheck {
        name: name.to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests;
