//! A service in its process: calls, health, and an end that nobody notices.

use std::borrow::Cow;
use std::error::Error;
use std::pin::pin;

use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::admin;
use crate::health::Health;
use crate::process::Tasks;

/// Resolves when a server shall take no new connections and finish the calls it has.
pub type Shutdown = WaitForCancellationFutureOwned;

/// What a service is besides its calls.
pub struct Service {
    /// Its name in logs: `ledger`.
    pub name: &'static str,
    /// Its health.
    pub health: Health,
    /// Where health and metrics are asked for.
    pub admin: TcpListener,
}

impl Tasks {
    /// Runs a service: its checks, its health and metrics over HTTP, and the server that `start` makes, drained as
    /// [`drain_gracefully`] says.
    pub fn spawn_service<F, E>(&self, service: Service, start: impl FnOnce(Shutdown) -> F + Send + 'static)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        let Service { name, health, admin } = service;
        let named = |part: &str| Cow::Owned(format!("{name} {part}"));
        let (checked, telemetry) = (health.clone(), self.telemetry().cloned());
        self.spawn_attendant(named("health"), async move { checked.keep_checked().await });
        self.spawn_attendant(named("admin"), admin::serve(admin, health.clone(), telemetry));
        health.mark_running();
        self.spawn_critical(named("gRPC"), drain_gracefully(self.clone(), health, start));
    }
}

/// Serves until the end is asked for, and ends in this order: `NOT_SERVING` is said; the server goes on accepting for
/// the configured pause; it takes no new connections, and calls in flight finish. The hard end drops what is left
/// (a stream that heeds nothing).
///
/// tonic alone closes its listener at the signal, while load balancers still send, and waits without a bound.
pub async fn drain_gracefully<F, E>(
    tasks: Tasks,
    health: Health,
    start: impl FnOnce(Shutdown) -> F,
) -> Result<(), E>
where
    F: Future<Output = Result<(), E>>,
{
    let (soft, hard) = (tasks.soft_shutdown(), tasks.hard_shutdown());
    let stop = CancellationToken::new();
    let mut server = pin!(start(stop.clone().cancelled_owned()));
    tokio::select! {
        end = &mut server => return end,
        () = soft.cancelled() => health.mark_draining(),
    }
    tokio::select! {
        end = &mut server => return end,
        () = sleep(tasks.drain_config().not_serving_pause()) => {}
        () = hard.cancelled() => {}
    }
    health.close();
    stop.cancel();
    tokio::select! {
        biased;
        end = &mut server => end,
        // Told as unfinished by the process, not as an error of the server.
        () = hard.cancelled() => Ok(()),
    }
}
