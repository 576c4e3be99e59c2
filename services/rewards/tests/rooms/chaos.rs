//! Many redemptions at once under crashes, outages and lost answers, over many seeds: when it is quiet again, the sums of
//! everybody's books agree.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fealty_client::RewardsClient;
use fealty_proto::rewards::v1 as pb;
use fealty_rewards::redemptions::fault::{Fault, Faults};
use fealty_testing::Proxy;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};
use tokio::time::sleep;

use crate::books::{Case, assert_codes_agree, assert_member_agrees, settle};
use crate::harness::{PAST_EVERY_LEASE, PRICE, World, coded_coffee, coffee, redemption_of};

/// What of all passes of a point is a crash.
const CRASH_SHARE: f64 = 0.08;

/// Members of one seed, each of whom tries several times.
const MEMBER_COUNT: usize = 24;

/// Of the reward: fewer than are wanted.
const STOCK: i64 = 15;

/// The ledger's answer to a call of one of its methods gets lost.
const LOSABLE: [&[u8]; 3] = [b"HoldPoints", b"CaptureHold", b"ReleaseHold"];

#[derive(Clone)]
struct Storm(Arc<Mutex<Option<StdRng>>>);

impl Storm {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Some(StdRng::seed_from_u64(seed)))))
    }

    fn faults(&self) -> Faults {
        let storm = self.clone();
        Faults::new(move |_point| {
            let mut random = storm.0.lock().unwrap_or_else(PoisonError::into_inner);
            let crashes = random
                .as_mut()
                .is_some_and(|random| random.random_bool(CRASH_SHARE));
            if crashes { Fault::Crash } else { Fault::None }
        })
    }

    fn calm(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A member tries until they know how it ended, or have had enough.
async fn try_to_redeem(clients: &[RewardsClient], case: &Case, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let request = redemption_of(&case.member_id, &case.reward_id);
    for _ in 0..random.random_range(1..6) {
        let client = &clients[random.random_range(0..clients.len())];
        let within = Duration::from_millis(random.random_range(20..2_000));
        if client.within(within).redeem_reward(request.clone()).await.is_ok() {
            return;
        }
    }
}

/// The rewards that are raced for: one that is counted, of which each member gets one, and one with codes.
async fn two_rewards(world: &World) -> [pb::Reward; 2] {
    let limited = pb::Reward {
        per_member_count_max: 1,
        ..coffee()
    };
    let counted = world.create(limited, STOCK).await;
    let pool = world.create(coded_coffee(), 0).await;
    let codes: Vec<String> = (0..STOCK).map(|number| format!("CODE-{number}")).collect();
    world.add_codes(&pool.reward_id, &codes).await.expect("added");
    [counted, pool]
}

/// Answers of the ledger get lost, the way to it is cut, and it is away, for a moment each.
async fn weather(world: &World, proxy: &Proxy, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..6 {
        sleep(Duration::from_millis(random.random_range(10..80))).await;
        match random.random_range(0..3) {
            0 => proxy.lose_answer_to(LOSABLE[random.random_range(0..LOSABLE.len())]),
            1 => world.ledger.set_away(true),
            _ => proxy.cut(),
        }
        sleep(Duration::from_millis(random.random_range(10..120))).await;
        world.ledger.set_away(false);
        proxy.restore();
    }
}

/// Answers how many redemptions were redeemed, and how many undone.
async fn play(seed: u64) -> (i64, i64) {
    let storm = Storm::new(seed);
    let world = World::start_with(storm.faults(), |config| config).await;
    let (proxy, endpoint) = Proxy::in_front_of(&world.config.ledger.endpoint).await;
    let mut behind_proxy = world.config.clone();
    behind_proxy.ledger.endpoint = endpoint;
    let replica = world.start_replica_with(&behind_proxy, storm.faults()).await;
    let clients = [world.client(), world.client_at(&replica)];
    let rewards = two_rewards(&world).await;
    let cases: Vec<Case> = (0..2 * MEMBER_COUNT)
        .map(|number| Case {
            label: format!("seed {seed}, member {number}"),
            member_id: world.member(PRICE),
            reward_id: rewards[number % 2].reward_id.clone(),
            funds: PRICE,
            priced: true,
        })
        .collect();

    let seeds = (0_u64..).map(|number| seed * 1_000 + number);
    let trying = cases
        .iter()
        .zip(seeds)
        .map(|(case, seed)| try_to_redeem(&clients, case, seed));
    futures::future::join(join_all(trying), weather(&world, &proxy, seed)).await;

    storm.calm();
    world.clock.advance(PAST_EVERY_LEASE);
    settle(&world).await;
    let mut redeemed = [0, 0];
    for (number, case) in cases.iter().enumerate() {
        redeemed[number % 2] += assert_member_agrees(&world, case).await;
    }
    for (reward, redeemed_count) in rewards.iter().zip(redeemed) {
        let stock_left = world.get_reward(&reward.reward_id).await.stock_left;
        assert_eq!(stock_left, STOCK - redeemed_count, "seed {seed}");
    }
    assert_codes_agree(&world).await;
    let undone_count = world
        .count("SELECT count(*) FROM redemption WHERE step = 'UNDONE'")
        .await;
    (redeemed.iter().sum(), undone_count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_storm_the_sums_of_all_books_agree() {
    let (mut redeemed_count, mut undone_count) = (0, 0);
    for seed in 0..8 {
        let (redeemed, undone) = play(seed).await;
        redeemed_count += redeemed;
        undone_count += undone;
    }
    assert!(
        redeemed_count > 0 && undone_count > 0,
        "a storm that lets both ends happen: {redeemed_count} redeemed, {undone_count} undone"
    );
}
