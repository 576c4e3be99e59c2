//! When points end by themselves: every policy of a unit, by the clock.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::TransactionKind as Kind;
use fealty_proto::ledger::v1::expiry_policy::Policy;
use fealty_proto::ledger::v1::lot_life::Length;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Amount, Date};
use fealty_types::ManualClock;

use super::harness::new_id;
use super::messages::{after_days, cashback, life, policy, purchase_of};
use super::postings::assert_books;
use super::support::{Ledger, credit, days, of_unit, spend, timestamp};

const MILES: &str = "miles";

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn miles(expiry_policy: Option<pb::ExpiryPolicy>) -> pb::Unit {
    pb::Unit {
        unit_code: MILES.to_owned(),
        display_name: "Miles".to_owned(),
        expiry_policy,
        shortfall_policy: pb::ShortfallPolicy::Waive.into(),
        ..pb::Unit::default()
    }
}

/// Thirty days after the last activity.
fn sliding() -> pb::ExpiryPolicy {
    policy(Policy::AfterActivity(life(Length::LifeDays(30))))
}

async fn define(ledger: &Ledger, expiry_policy: pb::ExpiryPolicy) -> pb::Unit {
    let request = pb::CreateUnitRequest {
        request_id: new_id(),
        unit: Some(miles(Some(expiry_policy))),
    };
    let made = ledger.units().create_unit(ledger.call(request)).await;
    made.expect("a unit").into_inner().unit.expect("a unit")
}

async fn change(ledger: &Ledger, expiry_policy: Option<pb::ExpiryPolicy>) {
    let request = pb::UpdateUnitRequest {
        unit: Some(miles(expiry_policy)),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["expiry_policy".to_owned()],
        }),
    };
    let changed = ledger.units().update_unit(ledger.call(request)).await;
    changed.expect("changed");
}

async fn give(ledger: &Ledger, owner: &str, value: i64) -> pb::Transaction {
    let given = ledger.credit(credit(owner, MILES, value)).await.expect("given");
    given.into_inner().transaction.expect("a transaction")
}

/// What is left of each lot, and when it ends.
async fn lots(ledger: &Ledger, owner: &str) -> Vec<(i64, Option<prost_types::Timestamp>)> {
    let request = pb::ListLotsRequest {
        owner_id: owner.to_owned(),
        unit_code: MILES.to_owned(),
        ..pb::ListLotsRequest::default()
    };
    let page = ledger.balances().list_lots(ledger.call(request)).await;
    let lots = page.expect("a page").into_inner().lots;
    lots.into_iter()
        .map(|lot| (lot.value_left, lot.expire_time))
        .collect()
}

fn ends(value: i64, end: &str) -> (i64, Option<prost_types::Timestamp>) {
    (value, Some(timestamp(time(end))))
}

async fn available(ledger: &Ledger, owner: &str) -> i64 {
    let strong = Some(Requirement::Strong(true));
    let balance = ledger.balance(owner, strong).await.expect("a balance");
    of_unit(&balance, MILES).available
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_of_months_ends_with_the_month_in_the_programs_time_zone() {
    let clock = ManualClock::new(time("2026-01-31T12:00:00Z"));
    let ledger = Ledger::start_at(&clock).await;
    let month = pb::LotLife {
        round_up_to: pb::CalendarPeriod::Quarter.into(),
        ..life(Length::LifeMonths(1))
    };
    let unit = define(&ledger, policy(Policy::AfterEarning(month))).await;
    assert_eq!(
        unit.expiry_policy,
        Some(policy(Policy::AfterEarning(month))),
        "as it was said"
    );
    let owner = ledger.open_owner().await;
    give(&ledger, &owner, 5).await;
    change(
        &ledger,
        Some(policy(Policy::AfterEarning(life(Length::LifeMonths(1))))),
    )
    .await;
    give(&ledger, &owner, 7).await;
    // What the credit says itself goes first.
    let own = pb::CreditPointsRequest {
        lot_expire_time: Some(timestamp(time("2026-02-03T04:05:06Z"))),
        ..credit(&owner, MILES, 1)
    };
    ledger.credit(own).await.expect("given");
    assert_eq!(
        lots(&ledger, &owner).await,
        [
            ends(1, "2026-02-03T04:05:06Z"),
            ends(7, "2026-03-01T00:00:00Z"),
            ends(5, "2026-04-01T00:00:00Z")
        ]
    );
    clock.set(time("2026-02-28T23:59:59.999999Z"));
    assert_eq!(available(&ledger, &owner).await, 12);
    clock.advance(TimeDelta::microseconds(1));
    assert_eq!(available(&ledger, &owner).await, 5);
    change(&ledger, None).await;
    give(&ledger, &owner, 9).await;
    assert_eq!(
        lots(&ledger, &owner).await,
        [ends(5, "2026-04-01T00:00:00Z"), (9, None)]
    );
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_points_of_a_year_end_on_one_day_of_the_next() {
    let clock = ManualClock::new(time("2026-02-01T12:00:00Z"));
    let ledger = Ledger::start_at(&clock).await;
    let yearly = pb::YearlyExpiry {
        month: 3,
        day: 31,
        years_later: 1,
    };
    define(&ledger, policy(Policy::EachYear(yearly))).await;
    let owner = ledger.open_owner().await;
    give(&ledger, &owner, 1).await;
    clock.set(time("2026-12-31T12:00:00Z"));
    give(&ledger, &owner, 2).await;
    clock.set(time("2027-01-01T12:00:00Z"));
    give(&ledger, &owner, 4).await;
    assert_eq!(
        lots(&ledger, &owner).await,
        [ends(3, "2027-04-01T00:00:00Z"), ends(4, "2028-04-01T00:00:00Z")]
    );
    clock.set(time("2027-04-01T00:00:00Z"));
    assert_eq!(available(&ledger, &owner).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_earned_after_the_one_date_is_gone_at_once_and_a_date_that_has_passed_is_refused() {
    let clock = ManualClock::new(time("2026-06-30T12:00:00Z"));
    let ledger = Ledger::start_at(&clock).await;
    let date = Date {
        year: 2026,
        month: 6,
        day: 30,
    };
    define(&ledger, policy(Policy::OnDate(date))).await;
    let owner = ledger.open_owner().await;
    give(&ledger, &owner, 5).await;
    assert_eq!(lots(&ledger, &owner).await, [ends(5, "2026-07-01T00:00:00Z")]);
    clock.set(time("2026-07-01T00:00:00Z"));
    assert_eq!(available(&ledger, &owner).await, 0);
    give(&ledger, &owner, 7).await;
    assert_eq!(available(&ledger, &owner).await, 0, "earned too late");
    let status = ledger
        .spend(spend(&owner, MILES, 1))
        .await
        .expect_err("nothing is there");
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    let kinds: Vec<Kind> = ledger
        .statement(&owner)
        .await
        .iter()
        .map(pb::Transaction::kind)
        .collect();
    assert_eq!(kinds, [Kind::Expire, Kind::Credit, Kind::Expire, Kind::Credit]);
    assert_books(&ledger, &owner).await;

    // The policy that it has stays, also where the mask names it; another that has passed is refused.
    change(&ledger, Some(policy(Policy::OnDate(date)))).await;
    let passed = policy(Policy::OnDate(Date { day: 29, ..date }));
    let request = pb::UpdateUnitRequest {
        unit: Some(miles(Some(passed))),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["expiry_policy".to_owned()],
        }),
    };
    let refused = ledger.units().update_unit(ledger.call(request)).await;
    assert_eq!(refused.expect_err("passed").code(), tonic::Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slides_ends_together_so_long_after_the_last_activity_and_statements_tell_each_move() {
    let clock = ManualClock::new(time("2026-03-01T12:00:00Z"));
    let ledger = Ledger::start_at(&clock).await;
    define(&ledger, sliding()).await;
    let owner = ledger.open_owner().await;
    give(&ledger, &owner, 50).await;
    assert_eq!(lots(&ledger, &owner).await, [ends(50, "2026-04-01T00:00:00Z")]);

    clock.advance(days(10));
    let given = give(&ledger, &owner, 20).await;
    assert_eq!(lots(&ledger, &owner).await, [ends(70, "2026-04-11T00:00:00Z")]);
    let moves: Vec<_> = given
        .lot_movements
        .iter()
        .map(|movement| (movement.value, movement.expire_time))
        .collect();
    assert_eq!(
        moves,
        [ends(0, "2026-04-11T00:00:00Z"), ends(20, "2026-04-11T00:00:00Z")]
    );

    clock.advance(days(10));
    ledger.spend(spend(&owner, MILES, 30)).await.expect("spent");
    assert_eq!(lots(&ledger, &owner).await, [ends(40, "2026-04-21T00:00:00Z")]);

    clock.set(time("2026-04-21T00:00:00Z"));
    assert_eq!(available(&ledger, &owner).await, 0);
    give(&ledger, &owner, 1).await;
    assert_eq!(
        lots(&ledger, &owner).await,
        [ends(1, "2026-05-22T00:00:00Z")],
        "what has ended stays ended"
    );
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_an_activity_from_when_it_happened_whatever_it_earned() {
    let clock = ManualClock::new(time("2026-03-01T12:00:00Z"));
    let ledger = Ledger::start_at(&clock).await;
    define(&ledger, sliding()).await;
    let owner = ledger.open_owner().await;
    give(&ledger, &owner, 40).await;
    clock.advance(days(30));
    let rule = pb::CreateEarningRuleRequest {
        request_id: new_id(),
        earning_rule: Some(cashback("points", "0.01")),
    };
    ledger
        .rules()
        .create_earning_rule(ledger.call(rule))
        .await
        .expect("a rule");
    // The second is told later, and brings no end nearer.
    for ago in [3, 20] {
        let late = pb::RecordPurchaseRequest {
            occur_time: Some(timestamp(ledger.now() - days(ago))),
            ..purchase_of(&owner, 10_000)
        };
        ledger
            .purchases()
            .record_purchase(ledger.call(late))
            .await
            .expect("bought");
        assert_eq!(lots(&ledger, &owner).await, [ends(40, "2026-04-28T00:00:00Z")]);
    }
    let request = pb::ListTransactionsRequest {
        owner_id: owner.clone(),
        unit_code: MILES.to_owned(),
        ..pb::ListTransactionsRequest::default()
    };
    let page = ledger
        .transactions()
        .list_transactions(ledger.call(request))
        .await;
    let told = page.expect("a page").into_inner().transactions;
    let told: Vec<Kind> = told.iter().map(pb::Transaction::kind).collect();
    assert_eq!(
        told,
        [Kind::Purchase, Kind::Credit],
        "the purchase that moved the end is told, and the one that did not is not"
    );
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_and_refunds_are_no_activity_and_a_capture_is() {
    let clock = ManualClock::new(time("2026-03-01T12:00:00Z"));
    let ledger = Ledger::start_at(&clock).await;
    define(&ledger, sliding()).await;
    let owner = ledger.open_owner().await;
    give(&ledger, &owner, 50).await;
    clock.advance(days(5));
    let request = pb::HoldPointsRequest {
        request_id: new_id(),
        owner_id: owner.clone(),
        amount: Some(Amount {
            unit_code: MILES.to_owned(),
            value: 20,
        }),
        duration_seconds: 2_592_000,
        ..pb::HoldPointsRequest::default()
    };
    let held = ledger
        .holds()
        .hold_points(ledger.call(request))
        .await
        .expect("held");
    let hold_id = held.into_inner().hold.expect("a hold").hold_id;
    assert_eq!(lots(&ledger, &owner).await, [ends(30, "2026-04-01T00:00:00Z")]);
    clock.advance(days(5));
    let request = pb::CaptureHoldRequest {
        request_id: new_id(),
        hold_id,
        value: 15,
        ..pb::CaptureHoldRequest::default()
    };
    ledger
        .holds()
        .capture_hold(ledger.call(request))
        .await
        .expect("captured");
    assert_eq!(lots(&ledger, &owner).await, [ends(35, "2026-04-11T00:00:00Z")]);
    assert_books(&ledger, &owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c17_what_was_promised_stays_when_a_unit_ends_its_points_otherwise() {
    let clock = ManualClock::new(time("2026-03-01T12:00:00Z"));
    let ledger = Ledger::start_at(&clock).await;
    define(&ledger, sliding()).await;
    let owner = ledger.open_owner().await;
    give(&ledger, &owner, 50).await;
    clock.advance(days(1));
    change(&ledger, Some(after_days(5))).await;
    give(&ledger, &owner, 7).await;
    let kept = [ends(7, "2026-03-08T00:00:00Z"), ends(50, "2026-04-01T00:00:00Z")];
    assert_eq!(lots(&ledger, &owner).await, kept);
    // A shorter life brings nobody's end nearer.
    let shorter = policy(Policy::AfterActivity(life(Length::LifeDays(2))));
    change(&ledger, Some(shorter)).await;
    give(&ledger, &owner, 1).await;
    let kept = [ends(7, "2026-03-08T00:00:00Z"), ends(51, "2026-04-01T00:00:00Z")];
    assert_eq!(lots(&ledger, &owner).await, kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_become_one_share_the_later_end() {
    let clock = ManualClock::new(time("2026-03-01T12:00:00Z"));
    let ledger = Ledger::start_at(&clock).await;
    define(&ledger, sliding()).await;
    let (from, into) = (ledger.open_owner().await, ledger.open_owner().await);
    give(&ledger, &into, 50).await;
    clock.advance(days(5));
    give(&ledger, &from, 7).await;
    let request = pb::MergeOwnersRequest {
        request_id: new_id(),
        from_owner_id: from.clone(),
        into_owner_id: into.clone(),
    };
    ledger
        .owners()
        .merge_owners(ledger.call(request))
        .await
        .expect("merged");
    assert_eq!(lots(&ledger, &into).await, [ends(57, "2026-04-06T00:00:00Z")]);
    assert_books(&ledger, &into).await;
}
