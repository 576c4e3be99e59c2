//! `kill -9` under load: of the suite, of Postgres, of Redis.

use std::time::{Duration, Instant};

use fealty::services::ServiceName;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_tests::bounded::{eventually, within};
use fealty_tests::health::get;
use fealty_tests::killed::Server;
use fealty_tests::shop::{Shop, purchase};
use fealty_tests::suite::{Options, Suite};

use crate::FEALTY;
use crate::load::Load;

const BOUND: Duration = Duration::from_mins(6);
/// Calls that are confirmed before, and again afterwards.
const CALLS: u64 = 200;
/// A probe finds out within that time, both ways.
const PROBE_BOUND: Duration = Duration::from_secs(30);
/// A balance with Redis gone: within what a till waits for an answer, on a machine that is busy with everything else.
const BALANCE_BOUND: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_survives_a_kill_of_the_suite() {
    within(BOUND, async {
        let mut suite = Suite::start(Options::kept(FEALTY));
        let shop = Shop::open(&suite).await;
        let load = Load::start(&shop).await;
        for _ in 0..2 {
            load.confirm(CALLS).await;
            tokio::task::block_in_place(|| {
                suite.kill();
                suite.start_again();
            });
        }
        load.confirm(CALLS).await;
        eprintln!("the slowest call took {:?}", load.finish().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_of_postgres_is_told_by_readiness_and_waited_out() {
    within(BOUND, async {
        let suite = Suite::start(Options::kept(FEALTY));
        let shop = Shop::open(&suite).await;
        let load = Load::start(&shop).await;
        load.confirm(CALLS).await;

        let killed = tokio::task::block_in_place(|| Server::Postgres.kill(suite.data_dir()));
        let addresses = suite.addresses();
        let admins = ServiceName::ALL.map(|service| addresses.admin_of(service));
        for admin in admins {
            until_ready_is(admin, false).await;
            let (code, said) = probe(admin, "/livez").await.expect("it answers");
            assert_eq!(code, 200, "it lives without Postgres, but says {said}");
        }
        eventually("the end of Postgres is told", PROBE_BOUND, async || {
            suite
                .stderr()
                .contains("the private postgres has ended")
                .then_some(())
        })
        .await;
        let _postgres = tokio::task::block_in_place(|| killed.start_again());
        for admin in admins {
            until_ready_is(admin, true).await;
        }
        load.confirm(CALLS).await;
        eprintln!("the slowest call took {:?}", load.finish().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_are_answered_and_right_with_redis_gone_and_back() {
    within(BOUND, async {
        let suite = Suite::start(Options::kept(FEALTY));
        let shop = Shop::open(&suite).await;
        let owner_id = shop.enrol(vec![]).await.member_id;
        let load = Load::start(&shop).await;
        load.confirm(CALLS).await;
        let mut bought = 0;
        assert_balances_follow(&shop, &owner_id, &mut bought).await;

        let killed = tokio::task::block_in_place(|| Server::Redis.kill(suite.data_dir()));
        assert_balances_follow(&shop, &owner_id, &mut bought).await;
        load.confirm(CALLS).await;
        let addresses = suite.addresses();
        for admin in ServiceName::ALL.map(|service| addresses.admin_of(service)) {
            let (code, said) = probe(admin, "/livez").await.expect("it answers");
            assert_eq!(code, 200, "nobody needs Redis to live, but it says {said}");
            // Not at once: under load the check may have to wait for one of Postgres's connections.
            until_ready_is(admin, true).await;
        }

        let _redis = tokio::task::block_in_place(|| killed.start_again());
        assert_balances_follow(&shop, &owner_id, &mut bought).await;
        load.confirm(CALLS).await;
        eprintln!("the slowest call took {:?}", load.finish().await);
    })
    .await;
}

/// Buys, and reads what was bought with each consistency; none takes longer for want of Redis.
async fn assert_balances_follow(shop: &Shop, owner_id: &str, bought: &mut i64) {
    for _ in 0..10 {
        *bought += 1;
        let request = purchase(owner_id, &format!("r{bought}"), 10_000);
        shop.ledger.record_purchase(request).await.expect("a purchase");
        for requirement in [
            None,
            Some(Requirement::AtLeastVersion(*bought)),
            Some(Requirement::Strong(true)),
        ] {
            let begun = Instant::now();
            let (version, unit) = shop.balance(owner_id, requirement).await;
            assert_eq!((version, unit.available), (*bought, *bought), "{requirement:?}");
            assert!(
                begun.elapsed() < BALANCE_BOUND,
                "{requirement:?} took {:?}",
                begun.elapsed()
            );
        }
        // What lags may be older, but is one of the versions that there were.
        let (version, unit) = shop.balance(owner_id, Some(Requirement::Eventual(true))).await;
        assert!(
            version <= *bought && unit.available == version,
            "{version}: {unit:?}"
        );
    }
}

async fn until_ready_is(admin: &str, wanted: bool) {
    eventually("readiness tells", PROBE_BOUND, async || {
        let ready = probe(admin, "/readyz").await.is_some_and(|(code, _)| code == 200);
        (ready == wanted).then_some(())
    })
    .await;
}

async fn probe(admin: &str, path: &'static str) -> Option<(u16, String)> {
    let admin = admin.to_owned();
    let probed = tokio::task::spawn_blocking(move || get(&admin, path)).await;
    probed.expect("a probe does not panic")
}
