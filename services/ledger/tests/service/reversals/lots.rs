//! Which lots points come back to, and with which ends.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::ledger::v1 as pb;
use fealty_types::ManualClock;

use super::super::messages::{after_days, sliding_miles};
use super::super::sharing::{hold, points_of};
use super::super::support::{Ledger, credit, days, of_unit, timestamp};
use super::super::verify::assert_verified;
use super::{capture, give, parts, reverse, take};

fn clock() -> ManualClock {
    ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(9))
}

async fn lots(ledger: &Ledger, owner: &str, unit: &str) -> Vec<pb::Lot> {
    let request = pb::ListLotsRequest {
        owner_id: owner.to_owned(),
        unit_code: unit.to_owned(),
        ..pb::ListLotsRequest::default()
    };
    let page = ledger.balances().list_lots(ledger.call(request)).await;
    page.expect("a page").into_inner().lots
}

async fn give_until(ledger: &Ledger, owner: &str, value: i64, end: DateTime<Utc>) {
    let request = pb::CreditPointsRequest {
        lot_expire_time: Some(timestamp(end)),
        ..credit(owner, "points", value)
    };
    ledger.credit(request).await.expect("given");
}

fn left(lots: &[pb::Lot]) -> Vec<(i64, i64)> {
    lots.iter()
        .map(|lot| (lot.value_left, lot.value_credited))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn points_come_back_to_the_lots_they_came_from_the_last_taken_first() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    for (value, life) in [(10, 5), (20, 10), (30, 20)] {
        give_until(&ledger, &owner, value, clock_now(&clock) + days(life)).await;
    }
    let before = lots(&ledger, &owner, "points").await;
    let spent = take(&ledger, &owner, "points", 45).await;
    assert_eq!(left(&lots(&ledger, &owner, "points").await), [(15, 30)]);
    // Two of the lots are closed by now.
    clock.advance(days(1));
    reverse(&ledger, &spent, 20).await;
    assert_eq!(left(&lots(&ledger, &owner, "points").await), [(5, 20), (30, 30)]);
    reverse(&ledger, &spent, 16).await;
    assert_eq!(
        left(&lots(&ledger, &owner, "points").await),
        [(1, 10), (20, 20), (30, 30)]
    );
    reverse(&ledger, &spent, 0).await;
    assert_eq!(lots(&ledger, &owner, "points").await, before);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hold_captured_comes_back_to_the_lots_that_it_claimed() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    for (value, life) in [(10, 5), (20, 10)] {
        give_until(&ledger, &owner, value, clock_now(&clock) + days(life)).await;
    }
    let before = lots(&ledger, &owner, "points").await;
    let held = hold(&ledger, &owner, 25).await;
    let captured = capture(&ledger, &held, 18).await;
    assert_eq!(left(&lots(&ledger, &owner, "points").await), [(12, 20)]);
    let part = reverse(&ledger, &captured.transaction_id, 9).await;
    assert_eq!(part.reversible_value, 9);
    assert_eq!(left(&lots(&ledger, &owner, "points").await), [(1, 10), (20, 20)]);
    reverse(&ledger, &captured.transaction_id, 0).await;
    assert_eq!(lots(&ledger, &owner, "points").await, before);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_that_was_opened_since_with_the_same_end_takes_what_comes_back() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    let end = clock_now(&clock) + days(5);
    give_until(&ledger, &owner, 10, end).await;
    let spent = take(&ledger, &owner, "points", 10).await;
    give_until(&ledger, &owner, 4, end).await;
    reverse(&ledger, &spent, 0).await;
    assert_eq!(left(&lots(&ledger, &owner, "points").await), [(14, 14)]);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_whose_end_has_passed_are_gone_where_the_unit_says_nothing_else() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let owner = ledger.open_owner().await;
    give_until(&ledger, &owner, 10, clock_now(&clock) + days(1)).await;
    give_until(&ledger, &owner, 20, clock_now(&clock) + days(9)).await;
    let spent = take(&ledger, &owner, "points", 25).await;
    clock.advance(days(1));
    let back = reverse(&ledger, &spent, 0).await;
    assert_eq!(parts(&back), (15, 0, 10));
    let entries = back.transaction.expect("a transaction").entries;
    let ended = entries
        .iter()
        .find(|it| it.account() == pb::EntryAccount::ProgramExpired);
    assert_eq!(ended.expect("it is in the books").value, 10);
    assert_eq!(left(&lots(&ledger, &owner, "points").await), [(20, 20)]);
    // Nothing is left of it, gone or not.
    assert_eq!((back.reversible_value, points_of(&ledger, &owner).await), (0, 20));
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_whose_end_has_passed_begin_anew_where_the_unit_says_so() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    let unit = pb::Unit {
        expiry_policy: Some(after_days(10)),
        ended_lot_policy: pb::EndedLotPolicy::Unspecified.into(),
        ..sliding_miles()
    };
    ledger.define(unit).await;
    let request = pb::UpdateUnitRequest {
        unit: Some(pb::Unit {
            unit_code: "miles".to_owned(),
            ended_lot_policy: pb::EndedLotPolicy::AsEarnedNow.into(),
            ..pb::Unit::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["ended_lot_policy".to_owned()],
        }),
    };
    let changed = ledger.units().update_unit(ledger.call(request)).await;
    let changed = changed.expect("changed").into_inner().unit.expect("a unit");
    assert_eq!(changed.ended_lot_policy(), pb::EndedLotPolicy::AsEarnedNow);
    let owner = ledger.open_owner().await;
    give(&ledger, &owner, "miles", 30).await;
    let spent = take(&ledger, &owner, "miles", 30).await;
    clock.advance(days(4));
    reverse(&ledger, &spent, 10).await;
    assert_eq!(left(&lots(&ledger, &owner, "miles").await), [(10, 30)]);
    clock.advance(days(20));
    give(&ledger, &owner, "miles", 3).await;
    let back = reverse(&ledger, &spent, 0).await;
    assert_eq!(parts(&back), (20, 0, 0));
    let lots = lots(&ledger, &owner, "miles").await;
    assert_eq!(left(&lots), [(23, 23)], "they lie with what was earned today");
    let end = clock_now(&clock).date_naive() + days(11);
    let end = end.and_hms_opt(0, 0, 0).expect("midnight").and_utc();
    assert_eq!(lots[0].expire_time, Some(timestamp(end)));
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slides_has_the_end_to_which_activity_has_moved_it_meanwhile() {
    let clock = clock();
    let ledger = Ledger::start_at(&clock).await;
    ledger.define(sliding_miles()).await;
    let owner = ledger.open_owner().await;
    give(&ledger, &owner, "miles", 30).await;
    let spent = take(&ledger, &owner, "miles", 30).await;
    clock.advance(days(20));
    // An activity that leaves another lot open, in whose place what comes back lies.
    give(&ledger, &owner, "miles", 5).await;
    let end = lots(&ledger, &owner, "miles").await[0].expire_time;
    clock.advance(days(20));
    reverse(&ledger, &spent, 10).await;
    let now = lots(&ledger, &owner, "miles").await;
    assert_eq!(
        (now.len(), now[0].value_left, now[0].expire_time),
        (1, 15, end),
        "a reversal is no activity"
    );
    take(&ledger, &owner, "miles", 15).await;
    clock.advance(days(20));
    // The lot itself, which was never open since, at the end that it would have.
    reverse(&ledger, &spent, 10).await;
    let now = lots(&ledger, &owner, "miles").await;
    assert_eq!((now.len(), now[0].value_left, now[0].value_credited), (1, 10, 30));
    assert!(now[0].expire_time.expect("an end").seconds > end.expect("an end").seconds);
    clock.advance(days(20));
    let late = reverse(&ledger, &spent, 0).await;
    assert_eq!(parts(&late), (0, 0, 10));
    let balance = late.balance.expect("a balance");
    assert_eq!(of_unit(&balance, "miles").available, 0);
    assert_verified(&ledger.database).await;
}

fn clock_now(clock: &ManualClock) -> DateTime<Utc> {
    use fealty_types::Clock as _;
    clock.now()
}
