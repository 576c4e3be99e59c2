//! Redemptions that crash at each point, and how they come to their end: by the retry of their caller, or by the job of
//! another replica.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use fealty_client::RewardsClient;
use fealty_proto::rewards::v1 as pb;
use fealty_rewards::redemptions::fault::{Act, Fault, FaultPoint, Faults};
use tokio::runtime::Handle;
use tonic::Code;
use uuid::Uuid;

use crate::books::{Case, assert_codes_agree, assert_member_agrees, redemptions_of, settle};
use crate::harness::{
    PAST_EVERY_LEASE, PRICE, World, coded_coffee, coffee, eventually, new_id, redemption_of,
};

/// Crashes once at the point that is set.
#[derive(Debug, Clone, Default)]
struct Trap {
    set: Arc<Mutex<Option<FaultPoint>>>,
    sprung: Arc<Mutex<HashSet<FaultPoint>>>,
}

impl Trap {
    fn faults(&self) -> Faults {
        let trap = self.clone();
        Faults::new(move |point| trap.pass(point))
    }

    fn pass(&self, point: FaultPoint) -> Fault {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        if set.take_if(|at| *at == point).is_none() {
            return Fault::None;
        }
        self.sprung
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(point);
        Fault::Crash
    }

    fn set(&self, point: Option<FaultPoint>) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = point;
    }

    fn is_set(&self) -> bool {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn sprung(&self) -> HashSet<FaultPoint> {
        self.sprung.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What surrounds a redemption when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// Everything is there.
    Plenty,
    /// A code of a pool is there.
    Pool,
    /// It costs nothing.
    Free,
    /// The member has too few points.
    Poor,
    /// Nothing is left by the time that it is to be set aside.
    LastGone,
    /// The hold ends before it is captured.
    HoldEnds,
}

const SCENES: [Scene; 6] = [
    Scene::Plenty,
    Scene::Pool,
    Scene::Free,
    Scene::Poor,
    Scene::LastGone,
    Scene::HoldEnds,
];

/// Who brings it to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recovery {
    Retry,
    TakeOver,
}

fn points() -> impl Iterator<Item = FaultPoint> {
    Act::ALL
        .into_iter()
        .flat_map(|act| [FaultPoint::Before(act), FaultPoint::After(act)])
}

/// A reward and a member, as the scene has them.
async fn set_scene(world: &World, scene: Scene, label: String) -> Case {
    let (reward, stock_count) = match scene {
        Scene::Pool => (coded_coffee(), 0),
        Scene::Free => (
            pb::Reward {
                price: None,
                ..coffee()
            },
            1,
        ),
        Scene::Plenty | Scene::Poor | Scene::LastGone | Scene::HoldEnds => (coffee(), 1),
    };
    let reward = world.create(reward, stock_count).await;
    if scene == Scene::Pool {
        let code = format!("POOL-{}", new_id());
        world.add_codes(&reward.reward_id, &[code]).await.expect("added");
    }
    let funds = if scene == Scene::Poor { PRICE - 1 } else { PRICE };
    Case {
        label,
        member_id: world.funded_member(funds).await,
        reward_id: reward.reward_id,
        funds,
        priced: scene != Scene::Free,
    }
}

/// The case that is played, for what happens around its redemption at the same points of every attempt.
#[derive(Clone, Default)]
struct Stage(Arc<Mutex<Option<Playing>>>);

#[derive(Clone)]
struct Playing {
    world: Weak<World>,
    scene: Scene,
    case: Case,
}

impl Stage {
    fn play(&self, world: &Arc<World>, scene: Scene, case: &Case) {
        let playing = Playing {
            world: Arc::downgrade(world),
            scene,
            case: case.clone(),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(playing);
    }

    fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Without crashes, or with those of a trap.
    fn faults(&self, trap: Option<&Trap>) -> Faults {
        let (stage, trap) = (self.clone(), trap.cloned());
        Faults::new(move |point| {
            stage.pass(point);
            trap.as_ref().map_or(Fault::None, |trap| trap.pass(point))
        })
    }

    fn pass(&self, point: FaultPoint) {
        let playing = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(playing) = playing else { return };
        let Some(world) = playing.world.upgrade() else {
            return;
        };
        match (playing.scene, point) {
            (Scene::HoldEnds, FaultPoint::Before(Act::CallCapture)) => {
                world.end_holds_of(&playing.case.member_id);
            }
            // Somebody else gets the last one, between the look at the stock and the moment when it is set aside.
            (Scene::LastGone, FaultPoint::Before(Act::Reserve)) => {
                let gone = empty_stock(&world, &playing.case.reward_id);
                tokio::task::block_in_place(|| Handle::current().block_on(gone));
            }
            _ => {}
        }
    }
}

async fn empty_stock(world: &World, reward_id: &str) {
    sqlx::query("UPDATE reward_stock SET stock_left = 0 WHERE program = $1 AND reward_id = $2")
        .bind(world.program.as_uuid())
        .bind(reward_id.parse::<Uuid>().expect("an id"))
        .execute(&world.database.owner)
        .await
        .expect("emptied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crash_at_any_point_leads_to_one_of_two_ends_and_the_books_agree() {
    let stage = Stage::default();
    let world = World::start_with(stage.faults(None), |config| config).await;
    crash_everywhere(world, &stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crash_at_any_point_leaves_the_books_of_the_real_ledger_in_agreement() {
    let stage = Stage::default();
    let world = World::start_beside_real_ledger(stage.faults(None)).await;
    crash_everywhere(world, &stage).await;
}

/// Every scene, crashed at every point, brought to its end in both ways.
async fn crash_everywhere(world: World, stage: &Stage) {
    let (world, trap) = (Arc::new(world), Trap::default());
    let crashing = world.start_replica(stage.faults(Some(&trap))).await;
    let client = world.client_at(&crashing);
    let recoveries = [Recovery::Retry, Recovery::TakeOver];
    let mut played = Vec::new();
    for scene in SCENES {
        for (point, recovery) in points().flat_map(|point| recoveries.map(|recovery| (point, recovery))) {
            let case = set_scene(&world, scene, format!("{scene:?} {point:?} {recovery:?}")).await;
            stage.play(&world, scene, &case);
            trap.set(Some(point));
            begin_and_crash(&world, &client, &trap, &case, recovery).await;
            played.push((scene, recovery, case));
        }
    }
    stage.clear();
    drop(crashing);
    world.clock.advance(PAST_EVERY_LEASE);
    settle(&world).await;

    let mut taken_over_count = 0;
    for (scene, recovery, case) in &played {
        let redeemed_count = assert_member_agrees(&world, case).await;
        let stock_left = world.get_reward(&case.reward_id).await.stock_left;
        let expected = [1 - redeemed_count, 0];
        let one_of = if *scene == Scene::LastGone {
            &expected[..]
        } else {
            &expected[..1]
        };
        assert!(one_of.contains(&stock_left), "{}: {stock_left} left", case.label);
        match (scene, recovery) {
            (Scene::Plenty | Scene::Pool | Scene::Free, Recovery::Retry) => {
                assert_eq!(redeemed_count, 1, "{}", case.label);
            }
            (_, Recovery::Retry) => assert_eq!(redeemed_count, 0, "{}", case.label),
            (_, Recovery::TakeOver) => taken_over_count += redeemed_count,
        }
    }
    assert!(
        taken_over_count > 0,
        "what was past the point of no return was finished"
    );
    assert_codes_agree(&world).await;
    // All points but those that only a takeover comes past.
    let sprung = trap.sprung();
    let missed: Vec<FaultPoint> = points().filter(|point| !sprung.contains(point)).collect();
    let by_takeover = [Act::CallLearnHold, Act::WriteLearntHold];
    assert_eq!(
        missed,
        by_takeover
            .map(|act| [FaultPoint::Before(act), FaultPoint::After(act)])
            .concat()
    );
}

/// The first attempt, and where the caller recovers, its retries until the end.
async fn begin_and_crash(
    world: &World,
    client: &RewardsClient,
    trap: &Trap,
    case: &Case,
    recovery: Recovery,
) {
    let request = redemption_of(&case.member_id, &case.reward_id);
    let first = client.redeem_reward(request.clone()).await;
    let crashed = !trap.is_set();
    trap.set(None);
    if let Err(error) = &first {
        // Where a hold ends because time passes, leases do too: then it can be the job that falls into the trap.
        let cut_off = crashed && error.code == Code::Unavailable;
        assert!(
            cut_off || error.code == Code::FailedPrecondition,
            "{}: {error:?}",
            case.label
        );
    }
    if !crashed || recovery == Recovery::TakeOver {
        return;
    }
    let again = world.client().redeem_reward(request.clone()).await;
    let once_more = world.client().redeem_reward(request).await;
    match (again, once_more) {
        (Ok(again), Ok(once_more)) => {
            assert_eq!(again.message, once_more.message, "{}", case.label);
            assert!(once_more.replayed, "{}", case.label);
        }
        (Err(again), Err(once_more)) => {
            assert_eq!(again.code, Code::FailedPrecondition, "{}: {again:?}", case.label);
            assert_eq!(
                (again.reason, again.metadata),
                (once_more.reason, once_more.metadata),
                "{}",
                case.label
            );
        }
        (again, once_more) => panic!("{}: {again:?}, then {once_more:?}", case.label),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_takes_over_and_crashes_too_is_taken_over() {
    let trap = Trap::default();
    let world = World::start_with(trap.faults(), |config| config).await;
    let client = world.client();
    let of_undoing = [
        Act::TurnBack,
        Act::CallLearnHold,
        Act::WriteLearntHold,
        Act::CallRelease,
        Act::EndUndone,
    ];
    let points = of_undoing
        .map(|act| [FaultPoint::Before(act), FaultPoint::After(act)])
        .concat();
    for point in points {
        let case = set_scene(&world, Scene::Plenty, format!("{point:?}")).await;
        // The ledger has set the points aside, and nobody here knows.
        trap.set(Some(FaultPoint::After(Act::CallHold)));
        let crashed = client
            .redeem_reward(redemption_of(&case.member_id, &case.reward_id))
            .await;
        assert_eq!(crashed.unwrap_err().code, Code::Unavailable);
        assert_eq!(world.ledger.balance(&case.member_id), (0, PRICE));

        trap.set(Some(point));
        world.clock.advance(PAST_EVERY_LEASE);
        eventually("a crash while undoing", async || (!trap.is_set()).then_some(())).await;
        world.clock.advance(PAST_EVERY_LEASE);
        settle(&world).await;
        assert_eq!(assert_member_agrees(&world, &case).await, 0, "{point:?}");
        let undone = &redemptions_of(&world, &case.member_id).await[0];
        assert_eq!(undone.failure_reason, "REDEMPTION_ABANDONED");
        assert_eq!(world.get_reward(&case.reward_id).await.stock_left, 1);
    }
}

#[tokio::test]
async fn what_a_takeover_undid_stays_undone_for_the_caller_who_comes_back() {
    let trap = Trap::default();
    let world = World::start_with(trap.faults(), |config| config).await;
    let case = set_scene(&world, Scene::Plenty, "come back".to_owned()).await;
    let request = redemption_of(&case.member_id, &case.reward_id);
    trap.set(Some(FaultPoint::After(Act::Reserve)));
    let crashed = world.client().redeem_reward(request.clone()).await;
    assert_eq!(crashed.unwrap_err().code, Code::Unavailable);
    assert_eq!(world.get_reward(&case.reward_id).await.stock_left, 0);

    world.clock.advance(PAST_EVERY_LEASE);
    settle(&world).await;
    for _ in 0..2 {
        let refused = world.client().redeem_reward(request.clone()).await.unwrap_err();
        assert_eq!(refused.code, Code::FailedPrecondition);
        assert_eq!(
            refused.reason.map(|reason| reason.as_str_name()),
            Some("ERROR_REASON_REDEMPTION_ABANDONED")
        );
    }
    // Nothing stands in the way of a new attempt.
    world.redeem(&case.member_id, &case.reward_id).await.unwrap();
    let redeemed_count = assert_member_agrees(&world, &case).await;
    assert_eq!(redeemed_count, 1);
}

/// Where a redemption is left, and how many are redeemed in the end.
const LEFT_AT: [(Act, i64); 3] = [(Act::CallHold, 0), (Act::WriteHeld, 0), (Act::CallCapture, 1)];

#[tokio::test]
async fn a_program_that_is_not_active_for_a_while_ends_no_redemption_against_the_books() {
    let trap = Trap::default();
    let world = World::start_with(trap.faults(), |config| config).await;
    for (act, redeemed_count) in LEFT_AT {
        let case = set_scene(&world, Scene::Plenty, format!("{act:?}")).await;
        trap.set(Some(FaultPoint::After(act)));
        let crashed = world.redeem(&case.member_id, &case.reward_id).await;
        assert!(crashed.is_err() && !trap.is_set(), "{act:?}");
        // The ledger has done what it was asked for, and says nothing about it any more.
        world.ledger.set_program_inactive(true);
        let before = world.ledger.call_count();
        world.clock.advance(PAST_EVERY_LEASE);
        eventually("a takeover", async || {
            (world.ledger.call_count() > before).then_some(())
        })
        .await;
        world.ledger.set_program_inactive(false);
        world.clock.advance(PAST_EVERY_LEASE);
        settle(&world).await;
        let agreed = assert_member_agrees(&world, &case).await;
        assert_eq!(agreed, redeemed_count, "{act:?}");
    }
}
