//! Connections to every replica of a service, taken in turn.
//!
//! A keeper finds the replicas' addresses, again every few seconds and at once when a connection is lost, and keeps each
//! address connected by tasks of its own. A call takes the next open connection, an other address than those that it has
//! tried before; when none is open it waits for one, unless all attempts to connect have failed. What a call learns of
//! its connection it tells: an ended one is left at once and made anew behind the scenes, a replica that says it is
//! unavailable is left alone for a while. So no call waits for a dead address.
//!
//! tonic's channel here is exactly one connection. Left to reconnect by itself it would let calls queue behind each
//! attempt to reach an address that does not answer, and its own balancer keeps dead addresses and asks for them once.

mod connection;
mod keeper;
mod link;

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tonic::Status;

pub(crate) use self::connection::{Connection, was_never_taken};
use crate::endpoint::{Target, targets};
use crate::{ClientConfig, ConnectError, Resolve};

/// A connection is asked for a sign of life this often while calls are in flight; a replica that is frozen is noticed
/// then, early enough within the usual deadline for its calls to be tried elsewhere.
pub(crate) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(3);
/// How long it may take to give one.
pub(crate) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Addresses that one client connects to at the most. Of more, each client takes some of its own, so that all are used.
const ADDRESS_COUNT_MAX: usize = 64;

/// The connections of one client.
#[derive(Debug)]
pub(crate) struct Connections {
    shared: Arc<Shared>,
    /// Ends with the client, and with it everything that it has begun. Nothing of it is worth waiting for.
    _keeper: JoinSet<()>,
}

/// What calls, the keeper and the links have in common.
#[derive(Debug)]
struct Shared {
    plan: Plan,
    view: watch::Sender<View>,
    /// Calls so far: whose turn it is, and whether anybody calls at all.
    turn: AtomicUsize,
    /// Somebody calls while nothing is connected.
    wanted: Notify,
    /// A connection was lost or could not be made: the addresses may have changed.
    lost: Notify,
}

/// What the configuration says.
#[derive(Debug)]
struct Plan {
    targets: Vec<Target>,
    resolver: Arc<dyn Resolve>,
    resolve_interval: Duration,
    idle_max: Duration,
    connect_timeout: Duration,
    connection_count: usize,
    seed: RandomState,
}

/// What there is at the moment.
#[derive(Debug, Default)]
struct View {
    open: Vec<Arc<Connection>>,
    /// What is under way and may open one: a resolution, attempts to connect.
    hope_count: usize,
    /// The keeper is at work, and not waiting for a first call.
    awake: bool,
    /// What the last attempt failed of.
    failure: String,
}

impl Connections {
    pub(crate) fn try_new(config: &ClientConfig) -> Result<Self, ConnectError> {
        let plan = Plan {
            targets: targets(config)?,
            resolver: Arc::clone(&config.resolver),
            resolve_interval: config.resolve_interval,
            idle_max: config.idle_max,
            connect_timeout: config.connect_timeout,
            connection_count: config.connection_count.max(1),
            seed: RandomState::new(),
        };
        let shared = Arc::new(Shared {
            plan,
            view: watch::Sender::default(),
            turn: AtomicUsize::new(0),
            wanted: Notify::new(),
            lost: Notify::new(),
        });
        let mut keeper = JoinSet::new();
        keeper.spawn(keeper::keep(Arc::clone(&shared)));
        Ok(Self {
            shared,
            _keeper: keeper,
        })
    }

    /// The connection whose turn it is, at another address than those that were tried, where there is one.
    pub(crate) async fn next(&self, tried: &[SocketAddr]) -> Result<Arc<Connection>, Status> {
        let turn = self.shared.turn.fetch_add(1, Ordering::Relaxed);
        if let Some(connection) = self.shared.view.borrow().pick(turn, tried) {
            return Ok(connection);
        }
        let mut view = self.shared.view.subscribe();
        let settled = view.wait_for(|view| {
            if !view.awake {
                self.shared.wanted.notify_one();
            }
            view.pick(turn, tried).is_some() || view.is_hopeless()
        });
        // The sender is ours, so it cannot be gone.
        let settled = settled.await.ok();
        settled
            .as_ref()
            .and_then(|view| view.pick(turn, tried))
            .ok_or_else(|| {
                let failure = settled.as_ref().map_or("", |view| view.failure.as_str());
                Status::unavailable(format!("the service cannot be reached: {failure}"))
            })
    }

    /// Whether there is a sound address that was not tried yet.
    pub(crate) fn offer_another_than(&self, tried: &[SocketAddr]) -> bool {
        let view = self.shared.view.borrow();
        view.open.iter().any(|connection| {
            !connection.has_ended() && !connection.rests() && !tried.contains(&connection.address())
        })
    }
}

impl View {
    /// In turn; those that were tried, then those that rest, only when there is nothing else.
    fn pick(&self, turn: usize, tried: &[SocketAddr]) -> Option<Arc<Connection>> {
        let (before, after) = self.open.split_at(turn % self.open.len().max(1));
        let in_turn = after.iter().chain(before);
        in_turn
            .filter(|connection| !connection.has_ended())
            .min_by_key(|connection| (tried.contains(&connection.address()), connection.rests()))
            .cloned()
    }

    /// Nothing is open, and nothing will be before a pause is over. An ended connection is about to be made again.
    fn is_hopeless(&self) -> bool {
        self.awake && self.hope_count == 0 && self.open.is_empty()
    }
}

impl Shared {
    /// For as long as it is held, calls wait for a connection instead of failing.
    fn hope(self: &Arc<Self>) -> Hope {
        self.view.send_modify(|view| {
            view.awake = true;
            view.hope_count += 1;
        });
        Hope(Arc::clone(self))
    }

    fn failed(&self, failure: String) {
        tracing::debug!(failure, "a connection could not be made");
        self.view.send_modify(|view| view.failure = failure);
    }
}

impl Plan {
    /// Some of them when there are too many: always the same ones for this client, others for another.
    fn bounded(&self, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        addresses.sort_by_cached_key(|address| self.seed.hash_one(address));
        addresses.truncate(ADDRESS_COUNT_MAX);
        addresses
    }
}

#[derive(Debug)]
struct Hope(Arc<Shared>);

impl Clone for Hope {
    fn clone(&self) -> Self {
        self.0.hope()
    }
}

impl Drop for Hope {
    fn drop(&mut self) {
        self.0.view.send_modify(|view| view.hope_count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_too_many_addresses_each_client_takes_its_own() {
        let of_a_client = || {
            let connections = Connections::try_new(&ClientConfig::new("http://a:1", "key")).expect("sound");
            let all: Vec<SocketAddr> = (1..=255)
                .map(|last| SocketAddr::from(([10, 0, 0, last], 1)))
                .collect();
            let plan = &connections.shared.plan;
            let taken = plan.bounded(all.clone());
            assert_eq!(taken, plan.bounded(all.into_iter().rev().collect()));
            taken
        };
        let (first, second) = (of_a_client(), of_a_client());
        assert_eq!(first.len(), ADDRESS_COUNT_MAX);
        assert_ne!(first, second);
    }
}
