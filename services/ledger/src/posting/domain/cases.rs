//! Single rules, shown by numbers.

use chrono::TimeDelta;
use fealty_types::Points;

use super::history::{History, Step, unit};
use super::properties::check;
use super::*;

#[test]
fn a_spend_beyond_the_balance_names_both_numbers() {
    let mut history = History::new();
    let credit = Step::Credit {
        unit: 0,
        value: 30,
        life_hours: None,
    };
    history.decide(&history.command(&credit).unwrap()).unwrap();
    let spend = history.command(&Step::Spend { unit: 0, value: 50 }).unwrap();
    let refusal = Refusal::InsufficientBalance {
        unit_code: unit(0),
        available: Points::new(30),
        required: Points::new(50),
    };
    assert_eq!(history.decide(&spend), Err(refusal));
}

#[test]
fn the_soonest_end_is_spent_first_and_never_last() {
    let mut history = History::new();
    for life_hours in [None, Some(30), Some(10), Some(20)] {
        let credit = Step::Credit {
            unit: 0,
            value: 10,
            life_hours,
        };
        history.decide(&history.command(&credit).unwrap()).unwrap();
    }
    let spend = history.command(&Step::Spend { unit: 0, value: 25 }).unwrap();
    history.decide(&spend).unwrap();
    let taken: Vec<_> = history
        .changes
        .last()
        .unwrap()
        .lot_movements
        .iter()
        .map(|movement| {
            (
                movement.expire_time.map(|end| (end - history.at).num_hours()),
                movement.value.get(),
            )
        })
        .collect();
    assert_eq!(taken, [(Some(10), -10), (Some(20), -10), (Some(30), -5)]);
}

#[test]
fn what_a_refund_cannot_take_is_owed_up_to_the_bound_and_then_waived() {
    let mut history = History::new();
    let credit = Step::Credit {
        unit: 0,
        value: 10,
        life_hours: None,
    };
    history.decide(&history.command(&credit).unwrap()).unwrap();
    let refund = Step::Refund {
        unit: 0,
        value: 100,
        debt_max: 60,
        lots: vec![],
    };
    history.decide(&history.command(&refund).unwrap()).unwrap();
    let change = history.changes.last().unwrap();
    assert_eq!(
        change.taken_back,
        [TakenBack {
            unit_code: unit(0),
            from_available: Points::new(10),
            as_debt: Points::new(60),
            waived: Points::new(30),
        }]
    );
    let entries: Vec<_> = change
        .entries
        .iter()
        .map(|e| (e.account, e.value.get(), e.balance_after))
        .collect();
    assert_eq!(
        entries,
        [
            (EntryAccount::OwnerAvailable, -10, Some(Points::ZERO)),
            (EntryAccount::OwnerDebt, -60, Some(Points::new(-60))),
            (EntryAccount::ProgramIssued, 100, None),
            (EntryAccount::ProgramWaived, -30, None),
        ]
    );
}

#[test]
fn the_lot_beyond_the_bound_merges_the_closest_neighbours_into_the_later_one() {
    let mut history = History::new();
    // Ends every two hours, but for the last but one, which lies an hour before the last.
    let last = i64::try_from(OPEN_LOTS_MAX).unwrap() * 2;
    for hours in (1..=OPEN_LOTS_MAX)
        .map(|place| i64::try_from(place).unwrap() * 2)
        .chain([last - 1])
    {
        let credit = Step::Credit {
            unit: 0,
            value: 7,
            life_hours: Some(hours),
        };
        history.decide(&history.command(&credit).unwrap()).unwrap();
    }
    let account = &history.state.accounts[&unit(0)];
    assert_eq!(account.lots.len(), OPEN_LOTS_MAX);
    let end = history.at + TimeDelta::hours(last);
    let lot = account
        .lots
        .iter()
        .find(|lot| lot.expire_time == Some(end))
        .unwrap();
    assert_eq!(lot.value_left.get(), 14);
    check(&history).unwrap();
}
