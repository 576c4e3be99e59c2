use chrono::TimeDelta;
use fealty_types::HoldId;

use super::*;
use crate::posting::domain::{Account, Captured, Hold, HoldStatus, Spent as Taken};

fn owner(number: u128) -> OwnerId {
    OwnerId::try_from(uuid::Uuid::from_u128(number)).unwrap()
}

fn points() -> UnitCode {
    "points".parse().unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn limits(day: Option<i64>, month: Option<i64>) -> SpendingLimits {
    let limit = SpendingLimit {
        day_value_max: day.map(Points::new),
        month_value_max: month.map(Points::new),
    };
    BTreeMap::from([(points(), limit)])
}

const fn spender(limits: Option<&SpendingLimits>, account: OwnerId, owner: OwnerId) -> Spender<'_> {
    Spender {
        account_owner_id: account,
        named_owner_id: owner,
        owner_id: owner,
        limits,
    }
}

fn spend(value: i64) -> Command {
    Command::Spend(Taken {
        unit_code: points(),
        value: Points::new(value),
    })
}

fn holding(value: i64, at: DateTime<Utc>) -> (OwnerState, HoldId) {
    let hold_id = HoldId::generate_at(at);
    let hold = Hold {
        hold_id,
        unit_code: points(),
        value: Points::new(value),
        captured: Points::ZERO,
        status: HoldStatus::Open,
        expire_time: at + TimeDelta::days(60),
        create_time: at,
        source: String::new(),
        on_behalf_of: Some(owner(1)),
        pins: Vec::new(),
    };
    let mut state = OwnerState::opened_at(at);
    let mut account = Account::default();
    account.holds.push(hold);
    state.accounts.insert(points(), account);
    (state, hold_id)
}

fn reached(refused: Result<Option<Counted>, Refusal>) -> (Period, i64) {
    match refused {
        Err(Refusal::SpendingLimitReached { period, used, .. }) => (period, used.get()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_day_ends_in_the_programs_zone_and_a_month_with_its_last_day() {
    let mut spending = Spending::of(Tz::Pacific__Auckland, BTreeMap::new());
    let (limits, empty) = (
        limits(Some(10), Some(25)),
        OwnerState::opened_at(DateTime::UNIX_EPOCH),
    );
    let child = spender(Some(&limits), owner(9), owner(1));
    // Noon UTC is past midnight in Auckland.
    for (at, value) in [("2026-11-28T10:00:00Z", 10), ("2026-11-28T12:00:00Z", 10)] {
        let counted = spending.plan(child, &empty, &spend(value), time(at)).unwrap();
        spending.count(counted.unwrap());
    }
    let late = spending.plan(child, &empty, &spend(1), time("2026-11-29T10:00:00Z"));
    assert_eq!(reached(late), (Period::Day, 10));
    let next = spending.plan(child, &empty, &spend(6), time("2026-11-29T12:00:00Z"));
    assert_eq!(reached(next), (Period::Month, 20));
    let december = spending.plan(child, &empty, &spend(10), time("2026-11-30T12:00:00Z"));
    assert!(december.unwrap().is_some());
}

#[test]
fn what_is_set_aside_counts_until_it_is_given_back_and_is_captured_whatever_the_limit_is() {
    let at = time("2026-11-23T10:00:00Z");
    let mut spending = Spending::of(Tz::UTC, BTreeMap::new());
    let limits = limits(Some(10), None);
    let child = spender(Some(&limits), owner(9), owner(1));
    let (state, hold_id) = holding(8, at);
    assert_eq!(
        reached(spending.plan(child, &state, &spend(3), at)),
        (Period::Day, 8)
    );
    assert!(spending.plan(child, &state, &spend(2), at).is_ok());
    // Another's hold is not theirs.
    let other = spender(Some(&limits), owner(9), owner(2));
    assert!(spending.plan(other, &state, &spend(10), at).is_ok());
    let capture = Command::Capture(Captured {
        hold_id,
        value: Points::new(8),
    });
    let lowered = self::limits(Some(1), None);
    let lowered = spender(Some(&lowered), owner(9), owner(1));
    let counted = spending.plan(lowered, &state, &capture, at).unwrap().unwrap();
    spending.count(counted);
    let empty = OwnerState::opened_at(at);
    assert_eq!(
        reached(spending.plan(child, &empty, &spend(3), at)),
        (Period::Day, 8)
    );
    assert_eq!(spending.touched().count(), 1);
}

#[test]
fn who_has_no_limit_or_an_account_of_their_own_is_not_counted() {
    let at = time("2026-11-23T10:00:00Z");
    let spending = Spending::of(Tz::UTC, BTreeMap::new());
    let (limits, empty) = (limits(Some(1), None), OwnerState::opened_at(at));
    let free = spender(None, owner(9), owner(1));
    assert_eq!(spending.plan(free, &empty, &spend(50), at), Ok(None));
    let alone = spender(Some(&limits), owner(1), owner(1));
    assert_eq!(spending.plan(alone, &empty, &spend(50), at), Ok(None));
}
