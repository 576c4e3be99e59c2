//! Reversals restore: what was taken back is as if it had not been, in any history.

use fealty_types::Points;
use proptest::prelude::*;
use proptest::sample::Index;

use super::history::{History, Step, UNITS, step, unit};
use super::properties::{check, check_books, run};
use super::*;

/// One of which the ends do not move with activity: a spend does not change the ends of what is left.
fn unit_that_stays() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0_usize), Just(UNITS.len() - 1)]
}

fn decide_step(history: &mut History, step: &Step) -> bool {
    let command = history.command(step).expect("a command");
    history.decide(&command).is_ok()
}

fn reverse(history: &mut History, place: usize, value: i64) -> GivenBack {
    let command = history.reversal(place, value);
    history.decide(&command).expect("nothing overflows");
    let change = history.changes.last().expect("just made");
    change.given_back.clone().expect("it gave something back")
}

/// After some history, of an owner to whom nothing more happens by itself now.
fn begin(steps: &[Step]) -> Result<History, TestCaseError> {
    let mut history = run(steps, true)?;
    history.sweep();
    Ok(history)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_spend_taken_back_at_once_leaves_every_lot_as_it_was(
        steps in proptest::collection::vec(step(), 0..200),
        place in unit_that_stays(),
        value in 1_i64..300,
    ) {
        let mut history = begin(&steps)?;
        let before = history.state.accounts.clone();
        if decide_step(&mut history, &Step::Spend { unit: place, value }) {
            let last = history.done.len() - 1;
            let given = reverse(&mut history, last, value);
            prop_assert_eq!((given.to_lots.get(), given.debt_repaid.get(), given.ended.get()), (value, 0, 0));
        }
        prop_assert_eq!(&history.state.accounts, &before);
        check(&history)?;
        check_books(&history)?;
    }

    #[test]
    fn a_captured_hold_taken_back_at_once_leaves_every_lot_as_it_was(
        steps in proptest::collection::vec(step(), 0..200),
        place in unit_that_stays(),
        value in 1_i64..300,
        part in 1_i64..300,
    ) {
        let mut history = begin(&steps)?;
        let before = history.state.accounts.clone();
        let hold = history.command(&Step::Hold { unit: place, value, life_hours: 1 }).expect("a command");
        let Command::Hold(new) = &hold else { panic!("a hold") };
        let hold_id = new.hold_id;
        if history.decide(&hold).is_ok() {
            let captured = Captured { hold_id, value: Points::new(part.min(value)) };
            history.decide(&Command::Capture(captured)).expect("it is open");
            let last = history.done.len() - 1;
            reverse(&mut history, last, part.min(value));
        }
        prop_assert_eq!(&history.state.accounts, &before);
        check(&history)?;
    }

    #[test]
    fn parts_in_any_split_come_to_the_whole(
        steps in proptest::collection::vec(step(), 0..200),
        more in proptest::collection::vec(step(), 0..20),
        place in 0..UNITS.len(),
        value in 1_i64..300,
        cuts in proptest::collection::vec(1_i64..100, 0..8),
        hours in 0_i64..40,
    ) {
        let mut history = begin(&steps)?;
        if !decide_step(&mut history, &Step::Spend { unit: place, value }) {
            return Ok(());
        }
        let last = history.done.len() - 1;
        // Debts are made, lots are emptied, credited and end.
        for step in more.iter().filter(|step| !matches!(step, Step::Reverse { .. })) {
            if history.command(step).is_some() {
                decide_step(&mut history, step);
            }
        }
        history.at += chrono::TimeDelta::hours(hours);
        history.sweep();
        let mut whole = history.clone();
        let at_once = reverse(&mut whole, last, value);
        let (mut left, mut sums) = (value, [0_i64; 3]);
        for cut in cuts.into_iter().chain([value]) {
            let part = cut.min(left);
            if part > 0 {
                left -= part;
                let given = reverse(&mut history, last, part);
                for (sum, it) in sums.iter_mut().zip([given.to_lots, given.debt_repaid, given.ended]) {
                    *sum += it.get();
                }
                check(&history)?;
            }
        }
        prop_assert_eq!(sums, [at_once.to_lots, at_once.debt_repaid, at_once.ended].map(Points::get));
        prop_assert_eq!(sums.iter().sum::<i64>(), value, "never more than was given");
        let lots = |history: &History| {
            let account = &history.state.accounts[&unit(place)];
            let left = account.lots.iter().map(|lot| (lot.expire_time, lot.slides, lot.value_left, lot.value_credited));
            (account.available, account.debt, left.collect::<Vec<_>>())
        };
        prop_assert_eq!(lots(&history), lots(&whole));
        check_books(&history)?;
    }

    #[test]
    fn what_is_left_after_a_part_came_back_is_what_a_smaller_spend_leaves(
        steps in proptest::collection::vec(step(), 0..200),
        place in unit_that_stays(),
        value in 2_i64..300,
        part in any::<Index>(),
    ) {
        let mut history = begin(&steps)?;
        let mut smaller = history.clone();
        let part = 1 + i64::try_from(part.index(usize::try_from(value - 1).unwrap())).unwrap();
        if decide_step(&mut history, &Step::Spend { unit: place, value }) {
            let last = history.done.len() - 1;
            reverse(&mut history, last, part);
            let less = Step::Spend { unit: place, value: value - part };
            prop_assert!(decide_step(&mut smaller, &less));
        }
        prop_assert_eq!(&history.state.accounts, &smaller.state.accounts);
    }

    #[test]
    fn a_credit_taken_back_at_once_leaves_what_was_there(
        steps in proptest::collection::vec(step(), 0..200),
        place in unit_that_stays(),
        value in 1_i64..300,
    ) {
        let mut history = begin(&steps)?;
        let had = |history: &History| history.state.accounts.get(&unit(place)).map_or((0, 0, Vec::new()), |account| {
            let lots = account.lots.iter().filter(|lot| lot.value_left.is_positive());
            let left = lots.map(|lot| (lot.lot_id, lot.value_left)).collect();
            (account.available.get(), account.debt.get(), left)
        });
        let before = had(&history);
        prop_assume!(before.1 == 0);
        let credit = Step::Credit { unit: place, value, life_hours: Some(5) };
        prop_assert!(decide_step(&mut history, &credit));
        let last = history.done.len() - 1;
        let command = history.reversal(last, value);
        history.decide(&command).expect("nothing overflows");
        prop_assert_eq!(had(&history), before);
    }
}
