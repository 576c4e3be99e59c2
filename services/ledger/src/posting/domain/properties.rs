//! Random histories of thousands of steps, held to the rules and to the naive model.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{LotId, Points, UnitCode};
use proptest::prelude::*;
use proptest::sample::Index;
use uuid::Uuid;

use super::model::{Grains, Model};
use super::*;

const UNITS: [&str; 3] = ["points", "stamps", "roubles"];

#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Credit {
        unit: usize,
        value: i64,
        life_hours: Option<i64>,
    },
    Spend {
        unit: usize,
        value: i64,
    },
    Purchase {
        values: Vec<i64>,
        life_hours: Option<i64>,
    },
    Refund {
        unit: usize,
        value: i64,
        debt_max: i64,
        lots: Vec<Index>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let unit = || 0..UNITS.len();
    // Lives of a few hours among waits of a few hours: every history sees lots end, merge and come again. Negative
    // lives are points of a purchase that was delivered after they had ended.
    let life = || proptest::option::of(-2_i64..40);
    prop_oneof![
        1 => (0_i64..6).prop_map(Step::Wait),
        4 => (unit(), 1_i64..200, life()).prop_map(|(unit, value, life_hours)| Step::Credit { unit, value, life_hours }),
        4 => (unit(), 1_i64..400).prop_map(|(unit, value)| Step::Spend { unit, value }),
        3 => (proptest::collection::vec(0_i64..150, 0..=UNITS.len()), life())
            .prop_map(|(values, life_hours)| Step::Purchase { values, life_hours }),
        3 => (unit(), 0_i64..300, 0_i64..250, proptest::collection::vec(any::<Index>(), 0..3))
            .prop_map(|(unit, value, debt_max, lots)| Step::Refund { unit, value, debt_max, lots }),
    ]
}

fn unit(place: usize) -> UnitCode {
    UNITS[place].parse().unwrap()
}

/// An owner's history as the ledger would record it.
struct History {
    at: DateTime<Utc>,
    state: OwnerState,
    changes: Vec<Change>,
    lots_made: u128,
}

impl History {
    fn new() -> Self {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        Self {
            at,
            state: OwnerState::opened_at(at),
            changes: Vec::new(),
            lots_made: 0,
        }
    }

    fn sweep(&mut self) {
        if let Some(swept) = sweep(&self.state, self.at) {
            self.keep(swept);
        }
    }

    fn decide(&mut self, command: &Command) -> Result<(), Refusal> {
        let lots_made = &mut self.lots_made;
        let mut new_lot_id = || {
            *lots_made += 1;
            LotId::try_from(Uuid::from_u128(*lots_made)).unwrap()
        };
        let decision = decide(&self.state, command, self.at, &mut new_lot_id)?;
        self.keep(decision);
        Ok(())
    }

    fn keep(&mut self, decision: Decision) {
        self.state = decision.state;
        self.changes.push(decision.change);
    }

    fn command(&self, step: &Step) -> Option<Command> {
        let end = |hours: Option<i64>| hours.map(|hours| self.at + TimeDelta::hours(hours));
        let earned = |place, value: i64, hours| Earned {
            unit_code: unit(place),
            value: Points::new(value),
            expire_time: end(hours),
        };
        Some(match step {
            Step::Wait(_) => return None,
            Step::Credit {
                unit,
                value,
                life_hours,
            } => Command::Credit(earned(*unit, *value, *life_hours)),
            Step::Spend { unit: place, value } => Command::Spend(Spent {
                unit_code: unit(*place),
                value: Points::new(*value),
            }),
            Step::Purchase { values, life_hours } => Command::Purchase(
                values
                    .iter()
                    .enumerate()
                    .map(|(place, value)| earned(place, *value, *life_hours))
                    .collect(),
            ),
            Step::Refund {
                unit: place,
                value,
                debt_max,
                lots,
            } => {
                let open = self
                    .state
                    .accounts
                    .get(&unit(*place))
                    .map_or(&[][..], |account| &account.lots[..]);
                let lots_first = lots
                    .iter()
                    .filter(|_| !open.is_empty())
                    .map(|lot| lot.get(open).lot_id)
                    .collect();
                Command::Refund(vec![TakeBack {
                    unit_code: unit(*place),
                    value: Points::new(*value),
                    lots_first,
                    debt_max: Points::new(*debt_max),
                }])
            }
        })
    }
}

fn sums_by_unit<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeMap<UnitCode, i128> {
    let mut sums = BTreeMap::new();
    for entry in entries {
        *sums.entry(entry.unit_code.clone()).or_default() += i128::from(entry.value.get());
    }
    sums
}

/// The rules that hold after every step.
fn check(history: &History) -> Result<(), TestCaseError> {
    for (unit_code, account) in &history.state.accounts {
        prop_assert!(!account.available.is_negative() && !account.debt.is_negative());
        prop_assert!(
            account.debt.is_zero() || account.available.is_zero(),
            "debt is paid off first"
        );
        prop_assert!(account.lots.len() <= OPEN_LOTS_MAX);
        let in_lots: i64 = account.lots.iter().map(|lot| lot.value_left.get()).sum();
        prop_assert_eq!(in_lots, account.available.get(), "the lots of {}", unit_code);
        prop_assert!(account.lots.is_sorted_by_key(Lot::spend_order));
        prop_assert!(account.lots.iter().all(|lot| lot.value_left.is_positive()));
        prop_assert!(
            account
                .lots
                .iter()
                .all(|lot| lot.value_left <= lot.value_credited)
        );
    }
    let Some(change) = history.changes.last() else {
        return Ok(());
    };
    prop_assert!(
        sums_by_unit(&change.entries).values().all(|sum| *sum == 0),
        "{:?}",
        change.entries
    );
    for entry in &change.entries {
        prop_assert!(!entry.value.is_zero());
        prop_assert_eq!(
            entry.balance_after,
            history.state.balance(&entry.unit_code, entry.account)
        );
    }
    for (unit_code, sum) in sums_by_unit(
        change
            .entries
            .iter()
            .filter(|e| e.account == EntryAccount::OwnerAvailable),
    ) {
        let moved = change
            .lot_movements
            .iter()
            .filter(|movement| movement.unit_code == unit_code);
        prop_assert_eq!(
            moved
                .map(|movement| i128::from(movement.value.get()))
                .sum::<i128>(),
            sum
        );
    }
    Ok(())
}

/// The books of the whole history: what owners have is what the program has given and not got back.
fn check_books(history: &History) -> Result<(), TestCaseError> {
    let all = || history.changes.iter().flat_map(|change| &change.entries);
    for (unit_code, account) in &history.state.accounts {
        let of_unit = |owner: bool| {
            let entries = all().filter(|entry| entry.unit_code == *unit_code);
            let side = entries.filter(|entry| (entry.account <= EntryAccount::OwnerDebt) == owner);
            side.map(|entry| i128::from(entry.value.get())).sum::<i128>()
        };
        let has = i128::from(account.available.get()) - i128::from(account.debt.get());
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

fn agrees(history: &History, model: &Model) -> Result<(), TestCaseError> {
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
    }
    Ok(())
}

/// Lots by end, as the model tells them.
fn grains(history: &History, place: usize) -> Grains {
    let mut grains = Grains::new();
    for lot in history
        .state
        .accounts
        .get(&unit(place))
        .map_or(&[][..], |account| &account.lots[..])
    {
        *grains
            .entry((lot.expire_time.is_none(), lot.expire_time))
            .or_default() += i128::from(lot.value_left.get());
    }
    grains
}

/// Runs the steps against the model. `named_lots` says whether refunds may name lots, which the model knows nothing of.
fn run(steps: &[Step], named_lots: bool) -> Result<History, TestCaseError> {
    let (mut history, mut model) = (History::new(), Model::default());
    for step in steps {
        if let Step::Wait(hours) = step {
            history.at += TimeDelta::hours(*hours);
            continue;
        }
        let mut command = history.command(step).expect("all others are commands");
        if let (Command::Refund(all), false) = (&mut command, named_lots) {
            for back in all.iter_mut() {
                back.lots_first.clear();
            }
        }
        history.sweep();
        model.sweep(history.at);
        check(&history)?;
        let before = history.state.clone();
        let accepted = history.decide(&command);
        prop_assert_eq!(
            accepted.is_ok(),
            if named_lots {
                accepted.is_ok()
            } else {
                model.apply(&command)
            }
        );
        if accepted.is_err() {
            prop_assert_eq!(&history.state, &before, "a refusal changes nothing");
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
        };
        history.decide(&Command::Refund(vec![take_back])).expect("nothing overflows");
        let after = &history.state.accounts[&unit(0)];
        prop_assert_eq!((after.available, after.debt), (before.available, before.debt));
        let left = |account: &Account| account.lots.iter().map(|lot| (lot.lot_id, lot.value_left)).collect::<Vec<_>>();
        prop_assert_eq!(left(after), left(&before));
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
        for step in [Step::Spend { unit: 0, value: spend }, refund.clone(), refund] {
            let _ = history.decide(&history.command(&step).expect("a command"));
            check(&history)?;
        }
        check_books(&history)?;
    }
}

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
