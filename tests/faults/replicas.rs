//! Three ledgers behind one name: one is killed and one is added under load. That nobody pauses before another replica is
//! asked is shown by the client's own tests, where nothing else makes anybody wait.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fealty::services::ServiceName;
use fealty_client::{LedgerClient, Resolve, Resolving};
use fealty_tests::bounded::{eventually, within};
use fealty_tests::health::get;
use fealty_tests::replica::Replica;
use fealty_tests::shop::{Shop, config};
use fealty_tests::suite::{Options, Suite};

use crate::FEALTY;
use crate::load::Load;

const BOUND: Duration = Duration::from_mins(6);
/// Calls that are confirmed before the kill, after it, and after the addition.
const CALLS: u64 = 300;
/// What each replica gets of them at the least: its turn comes every third call.
const SHARE: u64 = 40;
/// A new address is asked for every half second here, and a busy machine takes its time.
const FOUND_BOUND: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn one_of_three_replicas_is_killed_and_one_is_added_without_a_failed_call() {
    within(BOUND, async {
        let suite = Suite::start(Options::kept(FEALTY));
        let mut replicas = tokio::task::block_in_place(|| {
            [(); 3].map(|()| Replica::start(&suite, ServiceName::Ledger, None))
        });
        let name = Name::of(&replicas);
        let shop = shop_at(&suite, &name).await;
        let load = Load::start(&shop).await;
        load.confirm(CALLS).await;
        for replica in &replicas {
            assert!(
                purchases_at(replica).await >= SHARE,
                "{} is left out",
                replica.url()
            );
        }

        // The name goes on to stand for it: what looks after names is the last to know.
        replicas[0].kill();
        load.confirm(CALLS).await;

        let added = tokio::task::block_in_place(|| Replica::start(&suite, ServiceName::Ledger, None));
        let [_, second, third] = replicas;
        name.stands_for(&[second.address(), third.address(), added.address()]);
        eventually("the added one gets its share", FOUND_BOUND, async || {
            (purchases_at(&added).await >= SHARE).then_some(())
        })
        .await;
        eprintln!("the slowest call took {:?}", load.finish().await);
    })
    .await;
}

/// A shop whose calls of the ledger go to a name.
async fn shop_at(suite: &Suite, name: &Name) -> Shop {
    let shop = Shop::open(suite).await;
    let mut config = config("dns:///ledger:7102", &shop.key);
    config.resolver = Arc::new(name.clone());
    config.resolve_interval = Duration::from_millis(500);
    Shop {
        ledger: LedgerClient::try_new(&config).expect("a client"),
        ..shop
    }
}

/// The purchases that a replica has answered, as its own metrics say.
async fn purchases_at(replica: &Replica) -> u64 {
    let admin = replica.admin_url();
    let scraped = tokio::task::spawn_blocking(move || get(&admin, "/metrics")).await;
    let (_, metrics) = scraped.expect("a scrape does not panic").expect("it answers");
    let counts = metrics
        .lines()
        .filter(|line| line.starts_with("rpc_server_call_duration_seconds_count"));
    counts
        .filter(|line| line.contains("/RecordPurchase\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// A name whose addresses move.
#[derive(Debug, Clone, Default)]
struct Name(Arc<Mutex<Vec<SocketAddr>>>);

impl Name {
    fn of(replicas: &[Replica]) -> Self {
        let name = Self::default();
        name.stands_for(&replicas.iter().map(Replica::address).collect::<Vec<_>>());
        name
    }

    fn stands_for(&self, addresses: &[SocketAddr]) {
        *self.0.lock().expect("lock") = addresses.to_vec();
    }
}

impl Resolve for Name {
    fn resolve<'a>(&'a self, host: &'a str, _port: u16) -> Resolving<'a> {
        let answer = match host {
            "ledger" => Ok(self.0.lock().expect("lock").clone()),
            _ => Err(io::Error::other("nobody has that name")),
        };
        Box::pin(async { answer })
    }
}
