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
            from_pending: Points::ZERO,
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

/// Gives, and decides a step.
fn after(history: &mut History, step: &Step) -> Vec<(EntryAccount, i64, Option<Points>)> {
    history.decide(&history.command(step).unwrap()).unwrap();
    let change = history.changes.last().unwrap();
    let told = |entry: &Entry| (entry.account, entry.value.get(), entry.balance_after);
    change.entries.iter().map(told).collect()
}

fn credit(value: i64, life_hours: Option<i64>) -> Step {
    Step::Credit {
        unit: 0,
        value,
        life_hours,
    }
}

fn hold(value: i64, life_hours: i64) -> Step {
    Step::Hold {
        unit: 0,
        value,
        life_hours,
    }
}

/// The hold that was made last.
fn last(history: &History) -> Hold {
    history.holds.last().unwrap().clone()
}

fn lots_left(history: &History) -> Vec<i64> {
    let lots = &history.state.accounts[&unit(0)].lots;
    lots.iter().map(|lot| lot.value_left.get()).collect()
}

#[test]
fn a_part_is_captured_from_the_soonest_end_and_the_rest_lies_where_it_lay() {
    let mut history = History::new();
    after(&mut history, &credit(30, Some(50)));
    after(&mut history, &credit(100, None));
    let set_aside = after(&mut history, &hold(70, 20));
    let balance = |value| Some(Points::new(value));
    assert_eq!(
        set_aside,
        [
            (EntryAccount::OwnerAvailable, -70, balance(60)),
            (EntryAccount::OwnerHeld, 70, balance(70)),
        ]
    );
    assert_eq!(lots_left(&history), [0, 60]);
    let hold_id = last(&history).hold_id;
    let value = Points::new(50);
    history
        .decide(&Command::Capture(Captured { hold_id, value }))
        .unwrap();
    let change = history.changes.last().unwrap();
    let told = |entry: &Entry| (entry.account, entry.value.get(), entry.balance_after);
    let entries: Vec<_> = change.entries.iter().map(told).collect();
    assert_eq!(
        entries,
        [
            (EntryAccount::OwnerAvailable, 20, balance(80)),
            (EntryAccount::OwnerHeld, -70, balance(0)),
            (EntryAccount::ProgramRedeemed, 50, None),
        ]
    );
    assert_eq!(lots_left(&history), [80]);
    let hold = last(&history);
    assert_eq!(
        (hold.status, hold.captured),
        (HoldStatus::Captured, Points::new(50))
    );
    check(&history).unwrap();
}

#[test]
fn no_more_is_captured_than_is_held_and_a_hold_ends_once() {
    let mut history = History::new();
    after(&mut history, &credit(100, None));
    after(&mut history, &hold(70, 20));
    let hold_id = last(&history).hold_id;
    let (held, required) = (Points::new(70), Points::new(71));
    let too_much = Command::Capture(Captured {
        hold_id,
        value: required,
    });
    let refusal = Refusal::CaptureExceedsHold {
        hold_id,
        held,
        required,
    };
    assert_eq!(history.decide(&too_much), Err(refusal));
    history
        .decide(&Command::Capture(Captured { hold_id, value: held }))
        .unwrap();
    for again in [too_much, Command::Release(hold_id)] {
        let refusal = Refusal::not_found(Resource::Hold, hold_id);
        assert_eq!(history.decide(&again), Err(refusal));
    }
}

#[test]
fn what_a_hold_gives_back_is_gone_where_its_lot_has_ended_and_pays_off_debt_first() {
    let mut history = History::new();
    for (value, life_hours) in [(10, Some(5)), (20, Some(50)), (40, None)] {
        after(&mut history, &credit(value, life_hours));
    }
    after(&mut history, &hold(70, 20));
    let refund = Step::Refund {
        unit: 0,
        value: 25,
        debt_max: 100,
        lots: vec![],
    };
    after(&mut history, &refund);
    history.at += TimeDelta::hours(6);
    history.sweep();
    assert_eq!(history.changes.len(), 5, "what is held does not end with its lot");
    let hold_id = last(&history).hold_id;
    history.decide(&Command::Release(hold_id)).unwrap();
    let entries = &history.changes.last().unwrap().entries;
    let entries: Vec<_> = entries.iter().map(|e| (e.account, e.value.get())).collect();
    assert_eq!(
        entries,
        [
            (EntryAccount::OwnerAvailable, 35),
            (EntryAccount::OwnerDebt, 25),
            (EntryAccount::OwnerHeld, -70),
            (EntryAccount::ProgramExpired, 10),
        ]
    );
    assert_eq!(lots_left(&history), [35], "the soonest end pays off the debt");
    assert_eq!(last(&history).status, HoldStatus::Released);
    check(&history).unwrap();
}

#[test]
fn a_hold_ends_at_its_instant_whenever_that_is_written_down() {
    let mut history = History::new();
    after(&mut history, &credit(50, Some(10)));
    after(&mut history, &hold(50, 5));
    let refund = Step::Refund {
        unit: 0,
        value: 20,
        debt_max: 100,
        lots: vec![],
    };
    after(&mut history, &refund);
    let at = |hours| history.at + TimeDelta::hours(hours);
    let seen = |time| {
        let state = history.state.as_of(time);
        let account = &state.accounts[&unit(0)];
        (account.available.get(), account.held.get(), account.debt.get())
    };
    assert_eq!(seen(at(5) - TimeDelta::microseconds(1)), (0, 50, 20));
    assert_eq!(
        seen(at(5)),
        (30, 0, 0),
        "the points came back before their lot ended"
    );
    assert_eq!(seen(at(10)), (0, 0, 0), "and then it ended");
    let kinds = |history: &History| {
        history
            .changes
            .iter()
            .map(|it| it.kind)
            .skip(3)
            .collect::<Vec<_>>()
    };
    history.at += TimeDelta::hours(11);
    history.sweep();
    assert_eq!(
        kinds(&history),
        [TransactionKind::Release, TransactionKind::Expire]
    );
    assert_eq!(last(&history).status, HoldStatus::Expired);
    check(&history).unwrap();
}

#[test]
fn what_is_credited_leaves_room_for_what_may_come_back() {
    let mut history = History::new();
    after(&mut history, &credit(i64::MAX, None));
    after(&mut history, &hold(i64::MAX, 5));
    // Into a lot of its own: each of the two is not too large.
    let one_more = history.command(&credit(1, Some(9))).unwrap();
    assert_eq!(history.decide(&one_more), Err(Refusal::AmountOverflow(unit(0))));
    history.at += TimeDelta::hours(5);
    history.sweep();
    assert_eq!(history.state.available(&unit(0)).get(), i64::MAX);
    check(&history).unwrap();
}

#[test]
fn what_is_held_of_a_lot_is_not_told_to_end_with_it() {
    let mut history = History::new();
    after(&mut history, &credit(30, Some(5)));
    after(&mut history, &credit(20, Some(9)));
    after(&mut history, &hold(30, 2));
    let account = &history.state.accounts[&unit(0)];
    let at = |hours| history.at + TimeDelta::hours(hours);
    assert_eq!(account.next_end(history.at), Some((at(9), Points::new(20))));
    assert_eq!(account.next_hold_end(), Some(at(2)));
}

#[test]
fn so_many_holds_are_open_at_once_and_no_more() {
    let mut history = History::new();
    after(&mut history, &credit(1_000, None));
    for _ in 0..OPEN_HOLDS_MAX {
        after(&mut history, &hold(1, 20));
    }
    let one_more = history.command(&hold(1, 20)).unwrap();
    let refusal = Refusal::CountExceeded {
        resource: Resource::Hold,
        count_max: 100,
    };
    assert_eq!(history.decide(&one_more), Err(refusal));
    let hold_id = last(&history).hold_id;
    history.decide(&Command::Release(hold_id)).unwrap();
    assert_eq!(history.decide(&one_more), Ok(()));
    check(&history).unwrap();
}

#[test]
fn a_merged_lot_takes_along_what_holds_claim_of_it() {
    let mut history = History::new();
    let last_hours = i64::try_from(OPEN_LOTS_MAX).unwrap() * 2;
    // All but the last lie two hours apart; each is held.
    for place in 1..=OPEN_LOTS_MAX {
        after(&mut history, &credit(7, Some(i64::try_from(place).unwrap() * 2)));
    }
    after(
        &mut history,
        &hold(7 * i64::try_from(OPEN_LOTS_MAX).unwrap(), 10_000),
    );
    // Merges with the last: what is held there is held of the merged one.
    for life_hours in [last_hours + 1, last_hours + 2] {
        after(&mut history, &credit(5, Some(life_hours)));
        check(&history).unwrap();
    }
    let account = &history.state.accounts[&unit(0)];
    assert_eq!(account.lots.len(), OPEN_LOTS_MAX);
    let merged = account.lots.last().unwrap();
    assert_eq!(
        (merged.value_left.get(), merged.value_held.get()),
        (10, 7),
        "{merged:?}"
    );
    assert_eq!(last(&history), account.holds[0], "who merges tells of the hold");
    let hold_id = last(&history).hold_id;
    history.decide(&Command::Release(hold_id)).unwrap();
    let all = 7 * i64::try_from(OPEN_LOTS_MAX).unwrap() + 10;
    assert_eq!(history.state.available(&unit(0)).get(), all);
    check(&history).unwrap();
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
