//! Two random histories that meet in a move.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{LotId, Points, UnitCode};
use proptest::prelude::*;
use uuid::Uuid;

use super::history::{History, SLIDING, Step, UNITS, step, unit};
use super::*;

fn new_id() -> LotId {
    LotId::generate_at(DateTime::UNIX_EPOCH)
}

/// By unit: what is available or pending, less what is owed.
fn net(states: [&OwnerState; 2]) -> BTreeMap<UnitCode, i128> {
    let mut sums = BTreeMap::new();
    for (unit_code, account) in states.into_iter().flat_map(|state| &state.accounts) {
        *sums.entry(unit_code.clone()).or_default() += i128::from(account.available.get())
            + i128::from(account.pending.get())
            - i128::from(account.debt.get());
    }
    sums
}

/// A unit, and how its points end: when, and whether that moves.
type Ending = (UnitCode, Option<DateTime<Utc>>, bool);

/// What is available, end by end.
fn by_end(states: [&OwnerState; 2]) -> BTreeMap<Ending, i64> {
    let mut sums = BTreeMap::new();
    for (unit_code, account) in states.into_iter().flat_map(|state| &state.accounts) {
        for lot in &account.lots {
            let ending = (unit_code.clone(), lot.expire_time, lot.slides);
            *sums.entry(ending).or_default() += lot.value_left.get();
        }
    }
    sums.retain(|_, sum| *sum > 0);
    sums
}

/// The same once what slides has met: at the later of the two ends, if anything came along.
fn by_end_together(from: &OwnerState, into: &OwnerState) -> BTreeMap<Ending, i64> {
    let sliding = unit(SLIDING);
    let (given, taken) = (from.accounts.get(&sliding), into.accounts.get(&sliding));
    let comes = |account: &&Account| {
        !account.lots.is_empty() || !account.pending_lots.is_empty() || account.debt.is_positive()
    };
    let given = given.filter(comes);
    let ends = [given, taken].into_iter().flatten();
    let end = ends.filter_map(|account| account.sliding_end).max();
    let mut sums = BTreeMap::new();
    for ((unit_code, own, slides), sum) in by_end([from, into]) {
        let end = if slides { end } else { own };
        *sums.entry((unit_code, end, slides)).or_default() += sum;
    }
    sums
}

fn sum_of(change: &Change, unit_code: &UnitCode, account: Option<EntryAccount>) -> i128 {
    let entries = change.entries.iter();
    entries
        .filter(|entry| {
            entry.unit_code == *unit_code && account.is_none_or(|account| entry.account == account)
        })
        .map(|entry| i128::from(entry.value.get()))
        .sum()
}

/// An owner after some steps, without anything held or ended.
fn owner(steps: &[Step]) -> History {
    let mut history = History::new();
    for step in steps {
        if let Step::Wait(hours) = step {
            history.at += TimeDelta::hours(*hours);
        } else if let Some(command) = history.command(step) {
            history.sweep();
            let _ = history.decide(&command);
        }
    }
    history
}

fn give_back_holds(history: &mut History) {
    let held: Vec<_> = history.state.holds().map(|hold| hold.hold_id).collect();
    for hold_id in held {
        history
            .decide(&Command::Release(hold_id))
            .expect("what is held comes back");
    }
}

/// Two owners' histories know nothing of each other's ids.
fn renumber(state: &mut OwnerState) {
    let lots = state.accounts.values_mut();
    for lot in lots.flat_map(|account| account.lots.iter_mut().chain(&mut account.pending_lots)) {
        let other = lot.lot_id.as_uuid().as_u128() | (1 << 100);
        lot.lot_id = LotId::try_from(Uuid::from_u128(other)).expect("an id");
    }
}

/// Two owners at one instant, the first with nothing held.
fn meet(from: &[Step], into: &[Step]) -> (OwnerState, OwnerState, DateTime<Utc>) {
    let (mut from, mut into) = (owner(from), owner(into));
    let at = from.at.max(into.at);
    (from.at, into.at) = (at, at);
    from.sweep();
    give_back_holds(&mut from);
    from.sweep();
    into.sweep();
    renumber(&mut from.state);
    (from.state, into.state, at)
}

/// The rules of an owner's accounts.
fn check(state: &OwnerState) -> Result<(), TestCaseError> {
    for account in state.accounts.values() {
        prop_assert!(!account.available.is_negative() && !account.debt.is_negative());
        prop_assert!(account.debt.is_zero() || account.available.is_zero());
        prop_assert!(account.lots.len() <= OPEN_LOTS_MAX);
        prop_assert!(account.lots.is_sorted_by_key(Lot::spend_order));
        let left: i64 = account.lots.iter().map(|lot| lot.value_left.get()).sum();
        prop_assert_eq!(left, account.available.get());
        let pending: i64 = account.pending_lots.iter().map(|lot| lot.value_left.get()).sum();
        prop_assert_eq!(pending, account.pending.get());
        let held: i64 = account.lots.iter().map(|lot| lot.value_held.get()).sum();
        prop_assert_eq!(held, account.held.get());
    }
    Ok(())
}

fn check_books(unit_code: &UnitCode, moved: &Moved) -> Result<(), TestCaseError> {
    let (from, into) = (&moved.from.change, &moved.into.change);
    for change in [from, into] {
        prop_assert_eq!(sum_of(change, unit_code, None), 0, "double entry");
    }
    let on_the_way = Some(EntryAccount::ProgramMoved);
    prop_assert_eq!(
        sum_of(from, unit_code, on_the_way) + sum_of(into, unit_code, on_the_way),
        0,
        "nothing stays on the way"
    );
    for decision in [&moved.from, &moved.into] {
        let movements = decision.change.lot_movements.iter();
        let in_lots: i128 = movements
            .filter(|movement| movement.unit_code == *unit_code && movement.begin.is_none())
            .map(|movement| i128::from(movement.value.get()))
            .sum();
        let available = Some(EntryAccount::OwnerAvailable);
        prop_assert_eq!(in_lots, sum_of(&decision.change, unit_code, available));
        for entry in &decision.change.entries {
            prop_assert_eq!(
                entry.balance_after,
                decision.state.balance(&entry.unit_code, entry.account)
            );
        }
    }
    Ok(())
}

/// As if all lots of an owner had been at the other's before, and so much had been credited to each there.
fn were_there(state: &OwnerState, value: i64) -> BTreeMap<LotId, Points> {
    let lots = state.accounts.values().flat_map(|account| &account.lots);
    lots.map(|lot| (lot.lot_id, Points::new(value))).collect()
}

/// What came to a lot, whatever left it again.
fn came_to(change: &Change, lot_id: LotId) -> i64 {
    let movements = change.lot_movements.iter();
    let came = movements.filter(|moved| moved.lot_id == lot_id && moved.value.is_positive());
    came.map(|moved| moved.value.get()).sum()
}

fn credit(unit: usize, value: i64, life_hours: Option<i64>) -> Step {
    Step::Credit {
        unit,
        value,
        life_hours,
    }
}

fn refund(value: i64) -> Step {
    Step::Refund {
        unit: 0,
        value,
        debt_max: 1_000,
        lots: vec![],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_move_neither_makes_nor_loses_anything(
        from in proptest::collection::vec(step(), 0..200),
        into in proptest::collection::vec(step(), 0..200),
    ) {
        let (from, into, at) = meet(&from, &into);
        let closed = were_there(&from, 100);
        let moved = move_all(&from, &into, &closed, at, &mut new_id).expect("nothing overflows");
        let (left, has) = (&moved.from.state, &moved.into.state);
        for (_, lot) in moved.into.lots.iter().filter(|(_, lot)| closed.contains_key(&lot.lot_id)) {
            let came = came_to(&moved.into.change, lot.lot_id);
            prop_assert_eq!(lot.value_credited.get(), 100 + came, "all that ever came to it");
        }
        check(left)?;
        check(has)?;
        prop_assert_eq!(net([&from, &into]), net([left, has]));
        for account in left.accounts.values() {
            prop_assert_eq!(account, &Account::default(), "nothing is left behind");
        }
        for place in 0..UNITS.len() {
            check_books(&unit(place), &moved)?;
        }
        prop_assert_eq!(left.version, from.version.next().unwrap());
        prop_assert_eq!(has.version, into.version.next().unwrap());
        let held = |state: &OwnerState| state.holds().cloned().collect::<Vec<_>>();
        prop_assert_eq!(held(&into), held(has), "what the other has set aside stays");
    }

    #[test]
    fn every_point_keeps_its_end_and_the_soonest_pay_off_what_is_owed(
        from in proptest::collection::vec(step(), 0..100),
        into in proptest::collection::vec(step(), 0..100),
    ) {
        let (from, into, at) = meet(&from, &into);
        let moved = move_all(&from, &into, &BTreeMap::new(), at, &mut new_id).expect("nothing overflows");
        let mut expected = by_end_together(&from, &into);
        for place in 0..UNITS.len() {
            let unit_code = unit(place);
            let mut owed: i64 = [&from, &into]
                .into_iter()
                .filter_map(|state| state.accounts.get(&unit_code))
                .map(|account| account.debt.get())
                .sum();
            // Ends sort with "never" first, and it is spent last.
            let mut ends: Vec<_> = expected.iter_mut().filter(|((of, ..), _)| *of == unit_code).collect();
            ends.sort_by_key(|((_, end, slides), _)| (end.is_none(), *end, *slides));
            for (_, left) in ends {
                let paid = owed.min(*left);
                *left -= paid;
                owed -= paid;
            }
        }
        expected.retain(|_, left| *left > 0);
        prop_assert_eq!(by_end([&moved.from.state, &moved.into.state]), expected);
    }
}

#[test]
fn a_lot_keeps_its_id_unless_the_other_has_one_of_the_same_end() {
    let (from, into, at) = meet(
        &[credit(0, 10, Some(20)), credit(0, 7, Some(30))],
        &[credit(0, 5, Some(20))],
    );
    let known = into.accounts[&unit(0)].lots[0].lot_id;
    let kept = from.accounts[&unit(0)].lots[1].lot_id;
    let moved = move_all(&from, &into, &BTreeMap::new(), at, &mut new_id).unwrap();
    let lots: Vec<_> = moved.into.state.accounts[&unit(0)]
        .lots
        .iter()
        .map(|lot| (lot.lot_id, lot.value_left.get(), lot.value_credited.get()))
        .collect();
    assert_eq!(lots, [(known, 15, 15), (kept, 7, 7)]);
}

#[test]
fn debts_add_up_and_are_paid_off_with_the_points_of_both() {
    // Ten owed on the one side, thirty there on the other; then ten owed on both sides.
    let (owes, has, at) = meet(&[credit(0, 1, None), refund(11)], &[credit(0, 30, None)]);
    let moved = move_all(&owes, &has, &BTreeMap::new(), at, &mut new_id).unwrap();
    let account = &moved.into.state.accounts[&unit(0)];
    assert_eq!((account.available.get(), account.debt.get()), (20, 0));
    let moved = move_all(&has, &owes, &BTreeMap::new(), at, &mut new_id).unwrap();
    let account = &moved.into.state.accounts[&unit(0)];
    assert_eq!((account.available.get(), account.debt.get()), (20, 0));
    let moved = move_all(&owes, &owes, &BTreeMap::new(), at, &mut new_id).unwrap();
    let account = &moved.into.state.accounts[&unit(0)];
    assert_eq!((account.available.get(), account.debt.get()), (0, 20));
}

#[test]
fn lots_of_both_beyond_the_bound_merge() {
    let half = i64::try_from(OPEN_LOTS_MAX).unwrap() / 2 + 50;
    let lots = |first: i64| -> Vec<Step> {
        (0..half)
            .map(|place| credit(0, 3, Some(first + 2 * place)))
            .collect()
    };
    let (from, into, at) = meet(&lots(1), &lots(2));
    let moved = move_all(&from, &into, &BTreeMap::new(), at, &mut new_id).unwrap();
    let account = &moved.into.state.accounts[&unit(0)];
    assert_eq!(account.lots.len(), OPEN_LOTS_MAX);
    assert_eq!(account.available.get(), 2 * half * 3);
    check(&moved.into.state).unwrap();
}

#[test]
fn what_does_not_fit_is_refused() {
    let huge = [credit(0, i64::MAX, None)];
    let (from, into, at) = meet(&huge, &huge);
    assert_eq!(
        move_all(&from, &into, &BTreeMap::new(), at, &mut new_id),
        Err(Refusal::AmountOverflow(unit(0)))
    );
    assert_eq!(from.available(&unit(0)), Points::new(i64::MAX));
}

/// The same lot is open at both, on other terms: its owner left, something was given back to it, and the owner joins again.
#[test]
fn a_lot_that_comes_while_the_first_is_open_is_called_otherwise() {
    let mut first = owner(&[credit(0, 60, Some(5))]);
    let second = owner(&[credit(0, 40, Some(9))]);
    let at = first.at;
    let hold = Step::Hold {
        unit: 0,
        value: 60,
        life_hours: 100,
    };
    first.decide(&first.command(&hold).unwrap()).unwrap();
    let lot_id = |history: &History| history.state.accounts[&unit(0)].lots[0].lot_id;
    assert_eq!(lot_id(&first), lot_id(&second));
    let moved = move_all(&second.state, &first.state, &BTreeMap::new(), at, &mut new_id).unwrap();
    check(&moved.into.state).unwrap();
    let lots = &moved.into.state.accounts[&unit(0)].lots;
    assert_eq!(lots.len(), 2);
    assert_ne!(lots[0].lot_id, lots[1].lot_id);
    assert_eq!(lots.iter().map(|lot| lot.value_held.get()).sum::<i64>(), 60);
}

#[test]
fn a_lot_that_comes_again_counts_what_came_before_unless_no_number_holds_it() {
    let (from, into, at) = meet(&[credit(0, 10, Some(9))], &[]);
    let lot_id = from.accounts[&unit(0)].lots[0].lot_id;
    let lot_of = |before| {
        let closed = were_there(&from, before);
        let moved = move_all(&from, &into, &closed, at, &mut new_id).unwrap();
        let lot = moved.into.state.accounts[&unit(0)].lots[0].clone();
        (lot.lot_id == lot_id, lot.value_credited.get())
    };
    assert_eq!(lot_of(7), (true, 17));
    assert_eq!(lot_of(i64::MAX - 10), (true, i64::MAX));
    assert_eq!(lot_of(i64::MAX - 9), (false, 10));
}

#[test]
fn a_lot_that_comes_again_and_becomes_one_with_another_counts_all_that_ever_came_to_it() {
    let most = i64::try_from(OPEN_LOTS_MAX).unwrap();
    let lots: Vec<Step> = (1..=most).map(|place| credit(0, 3, Some(10 * place))).collect();
    let (from, into, at) = meet(&[credit(0, 3, Some(9))], &lots);
    let lot_id = from.accounts[&unit(0)].lots[0].lot_id;
    let moved = move_all(&from, &into, &were_there(&from, 7), at, &mut new_id).unwrap();
    let (_, lot) = moved
        .into
        .lots
        .iter()
        .find(|(_, lot)| lot.lot_id == lot_id)
        .unwrap();
    assert_eq!((lot.value_left.get(), lot.value_credited.get()), (0, 10));
}
