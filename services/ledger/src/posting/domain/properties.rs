//! Random histories of thousands of steps, held to the rules and to the naive model.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{LotId, Points, UnitCode};
use proptest::prelude::*;

use super::history::{History, SLIDING, Step, UNITS, step, unit};
use super::model::{Grains, Model};
use super::*;

fn sums_by_unit<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeMap<UnitCode, i128> {
    let mut sums = BTreeMap::new();
    for entry in entries {
        *sums.entry(entry.unit_code.clone()).or_default() += i128::from(entry.value.get());
    }
    sums
}

/// The rules that hold after every step.
pub fn check(history: &History) -> Result<(), TestCaseError> {
    for (unit_code, account) in &history.state.accounts {
        prop_assert!(!account.available.is_negative() && !account.debt.is_negative());
        prop_assert!(!account.held.is_negative());
        prop_assert!(
            account.debt.is_zero() || account.available.is_zero(),
            "debt is paid off first"
        );
        prop_assert!(account.lots.len() <= OPEN_LOTS_MAX);
        let in_lots: i64 = account.lots.iter().map(|lot| lot.value_left.get()).sum();
        prop_assert_eq!(in_lots, account.available.get(), "the lots of {}", unit_code);
        prop_assert!(account.lots.is_sorted_by_key(Lot::spend_order));
        prop_assert!(account.lots.iter().all(Lot::is_open));
        for lot in &account.lots {
            let in_lot = i128::from(lot.value_left.get()) + i128::from(lot.value_held.get());
            prop_assert!(in_lot <= i128::from(lot.value_credited.get()), "{lot:?}");
        }
        check_pending(account)?;
        check_sliding(account, history.at)?;
        check_holds(account)?;
    }
    let Some(change) = history.changes.last() else {
        return Ok(());
    };
    prop_assert!(
        sums_by_unit(&change.entries).values().all(|sum| *sum == 0),
        "{:?}",
        change.entries
    );
    prop_assert!(
        change
            .lot_movements
            .iter()
            .all(|movement| !movement.value.is_zero() || movement.unit_code == unit(SLIDING)),
        "only where an end moved"
    );
    for entry in &change.entries {
        prop_assert!(!entry.value.is_zero());
        prop_assert_eq!(
            entry.balance_after,
            history.state.balance(&entry.unit_code, entry.account)
        );
    }
    check_movements(change)
}

/// What came to the lots that count came to what is available; of those that wait, to what is pending.
fn check_movements(change: &Change) -> Result<(), TestCaseError> {
    for (account, waits) in [
        (EntryAccount::OwnerAvailable, false),
        (EntryAccount::OwnerPending, true),
    ] {
        let entries = change.entries.iter().filter(|entry| entry.account == account);
        let mut posted = sums_by_unit(entries);
        for movement in change
            .lot_movements
            .iter()
            .filter(|it| it.begin.is_some() == waits)
        {
            *posted.entry(movement.unit_code.clone()).or_default() -= i128::from(movement.value.get());
        }
        prop_assert!(posted.values().all(|sum| *sum == 0), "{account:?}: {change:?}");
    }
    Ok(())
}

/// What is pending is what is left in the lots that wait.
fn check_pending(account: &Account) -> Result<(), TestCaseError> {
    let waiting = &account.pending_lots;
    let sum: i64 = waiting.iter().map(|lot| lot.value_left.get()).sum();
    prop_assert_eq!(sum, account.pending.get());
    prop_assert!(waiting.len() <= PENDING_LOTS_MAX);
    let all_wait = waiting
        .iter()
        .all(|lot| lot.wait.is_some() && lot.value_left.is_positive());
    prop_assert!(all_wait, "{:?}", waiting);
    prop_assert!(account.lots.iter().all(|lot| lot.wait.is_none()));
    let begins: Vec<_> = waiting.iter().map(Lot::begin_time).collect();
    prop_assert!(begins.is_sorted_by_key(|time| (time.is_none(), *time)));
    Ok(())
}

/// What slides and has not ended has one end, the account's.
fn check_sliding(account: &Account, at: DateTime<Utc>) -> Result<(), TestCaseError> {
    let lots = account.lots.iter().filter(|lot| lot.slides && !lot.has_ended(at));
    let ends: Vec<_> = lots.map(|lot| lot.expire_time).collect();
    prop_assert!(ends.len() <= 2, "one of each budget: {:?}", account.lots);
    prop_assert!(
        ends.iter().all(|end| *end == account.sliding_end),
        "{:?}",
        account
    );
    Ok(())
}

/// What is held is what the open holds claim, lot by lot.
fn check_holds(account: &Account) -> Result<(), TestCaseError> {
    prop_assert!(account.holds.len() <= OPEN_HOLDS_MAX);
    prop_assert!(account.holds.is_sorted_by_key(Hold::end_order));
    let mut claims: BTreeMap<LotId, i64> = BTreeMap::new();
    let mut held = 0;
    for hold in &account.holds {
        prop_assert_eq!((hold.status, hold.captured), (HoldStatus::Open, Points::ZERO));
        let claimed: i64 = hold.pins.iter().map(|pin| pin.value.get()).sum();
        prop_assert_eq!(
            claimed,
            hold.value.get(),
            "a hold claims what it holds: {:?}",
            hold
        );
        held += claimed;
        for pin in &hold.pins {
            prop_assert!(pin.value.is_positive());
            *claims.entry(pin.lot_id).or_default() += pin.value.get();
        }
    }
    prop_assert_eq!(held, account.held.get());
    let lots = account.lots.iter().filter(|lot| !lot.value_held.is_zero());
    let in_lots: BTreeMap<LotId, i64> = lots.map(|lot| (lot.lot_id, lot.value_held.get())).collect();
    prop_assert_eq!(claims, in_lots);
    Ok(())
}

/// The books of the whole history: what owners have is what the program has given and not got back.
pub fn check_books(history: &History) -> Result<(), TestCaseError> {
    let all = || history.changes.iter().flat_map(|change| &change.entries);
    for (unit_code, account) in &history.state.accounts {
        let of_unit = |owner: bool| {
            let entries = all().filter(|entry| entry.unit_code == *unit_code);
            let side = entries.filter(|entry| entry.account.is_owners() == owner);
            side.map(|entry| i128::from(entry.value.get())).sum::<i128>()
        };
        let has = i128::from(account.available.get())
            + i128::from(account.held.get())
            + i128::from(account.pending.get())
            - i128::from(account.debt.get());
        prop_assert_eq!(of_unit(true), has);
        prop_assert_eq!(of_unit(false), -has);
    }
    let versions: Vec<i64> = history
        .changes
        .iter()
        .map(|change| change.version.get())
        .collect();
    prop_assert!(
        versions.iter().copied().eq(1..=history.state.version.get()),
        "versions grow by one"
    );
    Ok(())
}

pub fn agrees(history: &History, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(history.state.version.get(), model.version);
    for place in 0..UNITS.len() {
        let unit = unit(place);
        prop_assert_eq!(
            i128::from(history.state.available(&unit).get()),
            model.available(&unit)
        );
        let debt = history
            .state
            .accounts
            .get(&unit)
            .map_or(0, |account| account.debt.get());
        prop_assert_eq!(i128::from(debt), model.debt(&unit));
        let pending = history.state.balance(&unit, EntryAccount::OwnerPending);
        prop_assert_eq!(pending.map(|it| i128::from(it.get())), Some(model.pending(&unit)));
        let held = history.state.balance(&unit, EntryAccount::OwnerHeld);
        prop_assert_eq!(held.map(|held| i128::from(held.get())), Some(model.held(&unit)));
    }
    let captured = history.holds.iter().map(|hold| i128::from(hold.captured.get()));
    prop_assert_eq!(captured.sum::<i128>(), model.captured);
    prop_assert!(
        history
            .holds
            .iter()
            .all(|hold| hold.captured.is_zero() || hold.status == HoldStatus::Captured)
    );
    Ok(())
}

/// Lots by end, as the model tells them.
pub fn grains(history: &History, place: usize) -> Grains {
    let mut grains = Grains::new();
    for lot in history
        .state
        .accounts
        .get(&unit(place))
        .map_or(&[][..], |account| &account.lots[..])
        .iter()
        .filter(|lot| !lot.value_left.is_zero())
    {
        *grains
            .entry((lot.expire_time.is_none(), lot.expire_time, lot.slides))
            .or_default() += i128::from(lot.value_left.get());
    }
    grains
}

/// The model knows no bounds.
const fn too_many(decided: &Result<(), Refusal>) -> bool {
    matches!(
        decided,
        Err(Refusal::CountExceeded {
            resource: Resource::Hold | Resource::PendingLot,
            ..
        })
    )
}

/// The model knows nothing of lots that are named.
pub fn forget_named(command: &mut Command) {
    match command {
        Command::Refund(all) => all.iter_mut().for_each(|back| back.lots_first.clear()),
        Command::Reverse(Reversal {
            how: Reversing::TakeBack(back),
            ..
        }) => back.lots_first.clear(),
        _ => {}
    }
}

/// Runs the steps against the model. `named_lots` says whether refunds may name lots, which the model knows nothing of.
pub fn run(steps: &[Step], named_lots: bool) -> Result<History, TestCaseError> {
    let (mut history, mut model) = (History::new(), Model::default());
    for step in steps {
        if let Step::Wait(hours) = step {
            history.at += TimeDelta::hours(*hours);
            continue;
        }
        let mut command = history.command(step).expect("all others are commands");
        if !named_lots {
            forget_named(&mut command);
        }
        let alone = history.state.as_of(history.at).into_owned();
        prop_assert_eq!(
            alone.version,
            history.state.version,
            "what time does is no version until it is written down"
        );
        history.sweep();
        model.sweep(history.at);
        check(&history)?;
        prop_assert_eq!(
            &alone.accounts,
            &history.state.accounts,
            "what time does counts before it is written down"
        );
        let before = history.state.clone();
        let slides = history.slides(&command);
        let accepted = history.decide(&command);
        prop_assert_eq!(
            accepted.is_ok(),
            if named_lots || too_many(&accepted) {
                accepted.is_ok()
            } else {
                model.apply(&command, &slides, history.at)
            }
        );
        if accepted.is_err() {
            prop_assert_eq!(&history.state, &before, "a refusal changes nothing");
        }
        for (unit_code, account) in &before.accounts {
            let after = &history.state.accounts[unit_code];
            prop_assert!(
                after.sliding_end >= account.sliding_end,
                "an end never comes nearer"
            );
        }
        check(&history)?;
        if !named_lots {
            agrees(&history, &model)?;
            for place in 0..UNITS.len() {
                let told = model.grains.get(&unit(place)).cloned().unwrap_or_default();
                prop_assert_eq!(grains(&history, place), told, "the soonest end is spent first");
            }
        }
    }
    check_books(&history)?;
    Ok(history)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_long_history_agrees_with_the_naive_model(steps in proptest::collection::vec(step(), 0..2_000)) {
        run(&steps, false)?;
    }

    #[test]
    fn a_long_history_with_named_lots_keeps_every_rule(steps in proptest::collection::vec(step(), 0..2_000)) {
        run(&steps, true)?;
    }

    #[test]
    fn deciding_again_gives_the_same_decision(steps in proptest::collection::vec(step(), 0..300)) {
        let (first, second) = (run(&steps, true)?, run(&steps, true)?);
        prop_assert_eq!(first.state, second.state);
        prop_assert_eq!(first.changes, second.changes);
    }

    #[test]
    fn taking_back_what_was_just_credited_restores_the_account(
        steps in proptest::collection::vec(step(), 0..200),
        value in 1_i64..500,
        life_hours in proptest::option::of(1_i64..40),
    ) {
        let mut history = run(&steps, true)?;
        history.sweep();
        let before = history.state.accounts.get(&unit(0)).cloned().unwrap_or_default();
        let credit = Step::Credit { unit: 0, value, life_hours };
        history.decide(&history.command(&credit).expect("a command")).expect("nothing overflows");
        let opened = history.changes.last().expect("just made").lot_movements.iter().map(|m| m.lot_id).collect();
        let take_back = TakeBack {
            unit_code: unit(0),
            value: Points::new(value),
            lots_first: opened,
            debt_max: Points::new(i64::MAX),
            budget_code: None,
        };
        history.decide(&Command::Refund(vec![take_back])).expect("nothing overflows");
        let after = &history.state.accounts[&unit(0)];
        prop_assert_eq!((after.available, after.debt), (before.available, before.debt));
        let left = |account: &Account| account.lots.iter().map(|lot| (lot.lot_id, lot.value_left)).collect::<Vec<_>>();
        prop_assert_eq!(&after.holds, &before.holds);
        prop_assert_eq!(left(after), left(&before));
    }

    #[test]
    fn releasing_what_was_just_held_restores_the_account(
        steps in proptest::collection::vec(step(), 0..200),
        value in 1_i64..300,
    ) {
        let mut history = run(&steps, true)?;
        history.sweep();
        let before = history.state.accounts.clone();
        let hold = Step::Hold { unit: 0, value, life_hours: 1 };
        let Command::Hold(new) = history.command(&hold).expect("a command") else { panic!("a hold") };
        let hold_id = new.hold_id;
        if history.decide(&Command::Hold(new)).is_ok() {
            history.decide(&Command::Release(hold_id)).expect("it is open");
        }
        prop_assert_eq!(&history.state.accounts, &before);
    }

    #[test]
    fn sums_at_the_edge_of_64_bits_are_refused_and_never_wrap(
        values in proptest::collection::vec(i64::MAX / 3..=i64::MAX, 1..8),
        spend in 1..=i64::MAX,
    ) {
        let mut history = History::new();
        for value in values {
            let step = Step::Credit { unit: 0, value, life_hours: None };
            if let Err(refusal) = history.decide(&history.command(&step).expect("a command")) {
                prop_assert_eq!(refusal, Refusal::AmountOverflow(unit(0)));
            }
            check(&history)?;
        }
        let refund = Step::Refund { unit: 0, value: i64::MAX, debt_max: i64::MAX, lots: vec![] };
        let hold = Step::Hold { unit: 0, value: spend, life_hours: 1 };
        let more = Step::Credit { unit: 0, value: i64::MAX, life_hours: None };
        for step in [hold, more, Step::Spend { unit: 0, value: spend }, refund.clone(), refund] {
            let _ = history.decide(&history.command(&step).expect("a command"));
            check(&history)?;
        }
        // What is held comes back whatever was credited meanwhile.
        history.at += TimeDelta::hours(1);
        history.sweep();
        check(&history)?;
        check_books(&history)?;
    }
}
