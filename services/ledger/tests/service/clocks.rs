//! Two replicas whose processes are two hours apart: Postgres's clock decides for both, and what is shown goes by it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::TransactionKind as Kind;
use fealty_proto::types::v1::Amount;
use fealty_proto::types::v1::consistency::Requirement::{self, Strong};
use fealty_types::{Clock, SharedClock, SystemClock};
use tokio::time::sleep;

use super::harness::{new_id, until};
use super::held::Held;
use super::support::{Ledger, credit, of_unit, spend, timestamp};
use super::verify::assert_verified;

/// Until lots and holds of these tests end: long enough to look at them before on a busy machine.
const LIFE: Duration = Duration::from_secs(4);

/// From working out how long a value is true until Redis counts, in milliseconds. Readers look at the end itself, too.
const WAY_MS: i64 = 500;

const HOUR: TimeDelta = TimeDelta::hours(1);

/// The operating system's clock, set wrongly.
#[derive(Debug)]
struct Wrong(TimeDelta);

impl Clock for Wrong {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + self.0
    }
}

/// A ledger whose clock is right, one an hour ahead, and one an hour behind.
async fn apart() -> [Ledger; 3] {
    let ledger = Ledger::start().await;
    let clock = |apart| -> SharedClock { Arc::new(Wrong(apart)) };
    let ahead = ledger.replica_at(clock(HOUR)).await;
    let behind = ledger.replica_at(clock(-HOUR)).await;
    [ledger, ahead, behind]
}

/// Available and held.
async fn points(ledger: &Ledger, owner: &str, requirement: Option<Requirement>) -> (i64, i64) {
    let balance = ledger.balance(owner, requirement).await.expect("a balance");
    let points = of_unit(&balance, "points");
    (points.available, points.held)
}

async fn give_for_a_moment(ledger: &Ledger, owner: &str, value: i64) -> DateTime<Utc> {
    let end = SystemClock.now() + LIFE;
    let request = pb::CreditPointsRequest {
        lot_expire_time: Some(timestamp(end)),
        ..credit(owner, "points", value)
    };
    ledger.credit(request).await.expect("credited");
    end
}

async fn pass(end: DateTime<Utc>) {
    let left = end - SystemClock.now() + TimeDelta::milliseconds(50);
    sleep(left.to_std().unwrap_or_default()).await;
}

/// What every replica says, however it is asked, and whoever wrote to the cache before.
async fn assert_all_say(replicas: &[Ledger], owner: &str, expected: (i64, i64)) {
    let mut held = Held::of(&replicas[0]).await;
    for writer in replicas {
        held.forget(owner).await;
        // What this one fills is what the others are shown.
        assert_eq!(points(writer, owner, None).await, expected, "filled");
        for replica in replicas {
            for requirement in [None, Some(Requirement::AtLeastVersion(1)), Some(Strong(true))] {
                assert_eq!(
                    points(replica, owner, requirement).await,
                    expected,
                    "{requirement:?}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lots_end_at_the_same_instant_for_everybody_and_once() {
    let replicas = apart().await;
    for writer in &replicas {
        let owner = writer.open_owner().await;
        writer.give(&owner, 100).await;
        let end = give_for_a_moment(writer, &owner, 10).await;
        if SystemClock.now() + TimeDelta::seconds(1) < end {
            assert_all_say(&replicas, &owner, (110, 0)).await;
        }
        pass(end).await;
        assert_all_say(&replicas, &owner, (100, 0)).await;
        for replica in &replicas {
            let lots = pb::ListLotsRequest {
                owner_id: owner.clone(),
                ..pb::ListLotsRequest::default()
            };
            let lots = replica
                .balances()
                .list_lots(replica.call(lots))
                .await
                .expect("lots");
            assert_eq!(lots.into_inner().lots.len(), 1, "what has ended is nobody's");
            replica.spend(spend(&owner, "points", 1)).await.expect("spent");
        }
        let expired = writer.statement(&owner).await;
        let expired = expired.iter().filter(|it| it.kind() == Kind::Expire).count();
        assert_eq!(expired, 1);
    }
    assert_verified(&replicas[0].database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_end_at_the_same_instant_for_everybody_and_once() {
    let replicas = apart().await;
    for writer in &replicas {
        let owner = writer.open_owner().await;
        writer.give(&owner, 100).await;
        let hold = pb::HoldPointsRequest {
            request_id: new_id(),
            owner_id: owner.clone(),
            amount: Some(Amount {
                unit_code: "points".to_owned(),
                value: 30,
            }),
            duration_seconds: i32::try_from(LIFE.as_secs()).expect("a few"),
            ..pb::HoldPointsRequest::default()
        };
        let answer = writer.holds().hold_points(writer.call(hold)).await.expect("held");
        let hold = answer.into_inner().hold.expect("a hold");
        let end = hold.expire_time.expect("an end");
        let end = DateTime::from_timestamp(end.seconds, u32::try_from(end.nanos).expect("positive"));
        let end = end.expect("a time");
        assert!(
            (end - SystemClock.now()).abs() < TimeDelta::seconds(10),
            "by Postgres's clock"
        );
        if SystemClock.now() + TimeDelta::seconds(1) < end {
            assert_all_say(&replicas, &owner, (70, 30)).await;
        }
        pass(end).await;
        assert_all_say(&replicas, &owner, (100, 0)).await;
        for replica in &replicas {
            let request = pb::GetHoldRequest {
                hold_id: hold.hold_id.clone(),
            };
            let shown = replica
                .holds()
                .get_hold(replica.call(request))
                .await
                .expect("a hold");
            let shown = shown.into_inner().hold.expect("a hold").status();
            assert_eq!(shown, pb::HoldStatus::Expired);
            replica.spend(spend(&owner, "points", 1)).await.expect("spent");
        }
        let statement = writer.statement(&owner).await;
        let released = statement.iter().filter(|it| it.kind() == Kind::Release).count();
        assert_eq!(released, 1);
    }
    assert_verified(&replicas[0].database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_times_do_not_run_backwards_and_nothing_is_credited_twice() {
    let replicas = apart().await;
    let owners = [
        replicas[0].open_owner().await,
        replicas[1].open_owner().await,
        replicas[2].open_owner().await,
    ];
    for owner in &owners {
        for (round, replica) in replicas.iter().cycle().take(9).enumerate() {
            let request = credit(owner, "points", 10);
            let first = replica
                .credit(request.clone())
                .await
                .expect("credited")
                .into_inner();
            assert_eq!(
                first.balance.as_ref().expect("a balance").version,
                1 + i64::try_from(round).expect("few")
            );
            for other in &replicas {
                let again = other.credit(request.clone()).await.expect("the same answer");
                assert_eq!(again.into_inner(), first);
            }
        }
        let mut statement = replicas[0].statement(owner).await;
        statement.reverse();
        assert_eq!(statement.len(), 9);
        let mut before = SystemClock.now() - TimeDelta::minutes(5);
        for transaction in statement {
            let time = transaction.record_time.expect("a time");
            let time = DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).expect("positive"));
            let time = time.expect("a time");
            assert!(before <= time, "{before} {time}");
            assert!(
                time <= SystemClock.now() + TimeDelta::minutes(5),
                "by Postgres's clock: {time}"
            );
            before = time;
        }
    }
    assert_verified(&replicas[0].database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_writes_through_is_true_for_the_other_until_just_then() {
    let replicas = apart().await;
    for (writer, reader) in [(1, 2), (2, 1), (1, 0), (2, 0)] {
        let (writer, reader) = (&replicas[writer], &replicas[reader]);
        let owner = writer.open_owner().await;
        let end = give_for_a_moment(writer, &owner, 10).await;
        let mut held = Held::of(writer).await;
        until("it is written through", async || {
            held.get(&owner).await.is_some() || SystemClock.now() > end
        })
        .await;
        let (before, left_ms) = (SystemClock.now(), held.left_ms(&owner).await);
        let true_for_ms = (end - before).num_milliseconds();
        assert!(
            left_ms <= true_for_ms + WAY_MS,
            "it does not outlive its truth: {left_ms} {true_for_ms}"
        );
        if true_for_ms > 1_000 {
            assert!(left_ms > 0, "and is there until then");
            assert_eq!(points(reader, &owner, None).await, (10, 0));
            assert!(held.get(&owner).await.is_some(), "it served");
        }
        pass(end).await;
        assert_eq!(points(reader, &owner, None).await, (0, 0));
    }
}
