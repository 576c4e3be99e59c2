//! Finds the addresses and keeps a link to each, while anybody calls.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Hope, Plan, Shared, link};
use crate::endpoint::Target;

/// The least time from one resolution to the next, however many connections are lost.
const RESOLVE_PAUSE: Duration = Duration::from_secs(1);
/// A resolver that takes longer is taken to have failed. The system's own gives a server 5 s.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// By how much the time between resolutions differs, so that clients do not ask in step.
const JITTER: f64 = 0.1;

/// A link for each connection of an address. Dropped, they let go of theirs; calls in flight still finish.
type Links = BTreeMap<SocketAddr, JoinSet<()>>;

/// Sleeps until somebody calls, keeps them connected for as long as calls come, and lets go.
pub(super) async fn keep(shared: Arc<Shared>) {
    loop {
        shared.wanted.notified().await;
        keep_connected(&shared).await;
    }
}

async fn keep_connected(shared: &Arc<Shared>) {
    let plan = &shared.plan;
    let mut links = Links::new();
    let mut known: Vec<Vec<SocketAddr>> = vec![Vec::new(); plan.targets.len()];
    let mut turn = shared.turn.load(Ordering::Relaxed);
    let mut last_use = Instant::now();
    while last_use.elapsed() < plan.idle_max {
        let resolved = resolve(shared, &mut known, &mut links).await;
        tokio::select! {
            () = sleep(with_jitter(plan.resolve_interval.min(plan.idle_max))) => {}
            () = shared.lost.notified() => sleep_until(resolved + RESOLVE_PAUSE).await,
        }
        let turn_now = shared.turn.load(Ordering::Relaxed);
        if turn_now != turn {
            (turn, last_use) = (turn_now, Instant::now());
        }
    }
    // First the word, then the deed: who finds nothing open from here on wakes the keeper again.
    shared.view.send_modify(|view| view.awake = false);
}

/// Asks for all names at once, and moves the links to what is found.
async fn resolve(shared: &Arc<Shared>, known: &mut [Vec<SocketAddr>], links: &mut Links) -> Instant {
    let hope = shared.hope();
    let plan = &shared.plan;
    let answers = join_all(plan.targets.iter().map(|target| addresses(plan, target))).await;
    for (known, answer) in known.iter_mut().zip(answers) {
        match answer {
            Ok(addresses) => *known = addresses,
            // The last good answer holds until there is another.
            Err(failure) => shared.failed(failure),
        }
    }
    let mut target_of = BTreeMap::new();
    for (index, addresses) in known.iter().enumerate() {
        for address in addresses {
            target_of.entry(*address).or_insert(index);
        }
    }
    let wanted = plan.bounded(target_of.keys().copied().collect());
    links.retain(|address, _| wanted.contains(address));
    for address in wanted {
        links
            .entry(address)
            .or_insert_with(|| begin_links(shared, address, target_of[&address], &hope));
    }
    Instant::now()
}

async fn addresses(plan: &Plan, target: &Target) -> Result<Vec<SocketAddr>, String> {
    let resolving = plan.resolver.resolve(&target.host, target.port);
    match timeout(RESOLVE_TIMEOUT, resolving).await {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(format!("{target:?} has no address")),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(format!("{target:?} has no address: {error}")),
        Err(_) => Err(format!("{target:?} could not be looked up in time")),
    }
}

fn begin_links(shared: &Arc<Shared>, address: SocketAddr, target: usize, hope: &Hope) -> JoinSet<()> {
    let mut links = JoinSet::new();
    for _ in 0..shared.plan.connection_count {
        links.spawn(link::keep(hope.clone(), address, target));
    }
    links
}

/// A tenth more or less.
fn with_jitter(interval: Duration) -> Duration {
    interval.mul_f64(rand::random_range(1.0 - JITTER..=1.0 + JITTER))
}
