//! Two owners who send each other points while all else happens to them, held to the rules and to two naive models.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use fealty_types::{LotId, Points, UnitCode};
use proptest::prelude::*;
use uuid::Uuid;

use super::history::{History, Step, UNITS, step, unit};
use super::model::Model;
use super::properties::{agrees, check, forget_named, grains};
use super::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Turn {
    /// To one of the two.
    Own { second: bool, step: Step },
    /// From one to the other.
    Transfer { back: bool, unit: usize, value: i64 },
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        3 => (any::<bool>(), step()).prop_map(|(second, step)| Turn::Own { second, step }),
        1 => (any::<bool>(), 0..UNITS.len(), 1_i64..300)
            .prop_map(|(back, unit, value)| Turn::Transfer { back, unit, value }),
    ]
}

/// An owner, and what is told of them in the plainest way.
struct Told {
    history: History,
    model: Model,
}

impl Told {
    fn new() -> Self {
        Self {
            history: History::new(),
            model: Model::default(),
        }
    }

    fn sweep(&mut self) {
        self.history.sweep();
        self.model.sweep(self.history.at);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        check(&self.history)?;
        agrees(&self.history, &self.model)?;
        for place in 0..UNITS.len() {
            let told = self.model.grains.get(&unit(place)).cloned().unwrap_or_default();
            prop_assert_eq!(
                grains(&self.history, place),
                told,
                "the soonest end goes first, and stays"
            );
        }
        Ok(())
    }

    /// Without the bounds that the model knows nothing of.
    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.sweep();
        let mut command = self.history.command(step).expect("a command");
        forget_named(&mut command);
        let slides = self.history.slides(&command);
        let decided = self.history.decide(&command);
        if !matches!(decided, Err(Refusal::CountExceeded { .. })) {
            let told = self.model.apply(&command, &slides, self.history.at);
            prop_assert_eq!(decided.is_ok(), told);
        }
        Ok(())
    }
}

/// By unit: what both have, less what they owe.
fn net(both: &[Told; 2]) -> BTreeMap<UnitCode, i128> {
    let mut sums = BTreeMap::new();
    for (unit_code, account) in both.iter().flat_map(|told| &told.history.state.accounts) {
        *sums.entry(unit_code.clone()).or_default() += i128::from(account.available.get())
            + i128::from(account.held.get())
            + i128::from(account.pending.get())
            - i128::from(account.debt.get());
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// What is on its way after all that happened.
fn on_the_way<'a>(changes: impl IntoIterator<Item = &'a Change>) -> i128 {
    let entries = changes.into_iter().flat_map(|change| &change.entries);
    let moved = entries.filter(|entry| entry.account == EntryAccount::ProgramMoved);
    moved.map(|entry| i128::from(entry.value.get())).sum()
}

fn spent(place: usize, value: i64) -> Spent {
    Spent {
        unit_code: unit(place),
        value: Points::new(value),
    }
}

fn new_ids(from: u128) -> impl FnMut() -> LotId {
    let mut next = from;
    move || {
        next += 1;
        LotId::try_from(Uuid::from_u128(next)).expect("an id")
    }
}

/// Sends points, and whether that was accepted.
fn send(
    from: &mut Told,
    into: &mut Told,
    spent: &Spent,
    new_lot_id: &mut impl FnMut() -> LotId,
) -> Result<(), TestCaseError> {
    from.sweep();
    into.sweep();
    let at = from.history.at;
    let before = (from.history.state.clone(), into.history.state.clone());
    let decided = transfer(&before.0, &before.1, spent, at, new_lot_id);
    let told = from.model.send(&spent.unit_code, spent.value.get().into());
    prop_assert_eq!(decided.is_ok(), told.is_some());
    let (Ok(moved), Some(told)) = (decided, told) else {
        return Ok(());
    };
    for grain in told {
        into.model.receive(&spent.unit_code, grain, at);
    }
    from.model.version += 1;
    into.model.version += 1;
    prop_assert_eq!(on_the_way([&moved.from.change, &moved.into.change]), 0);
    let kinds = [moved.from.change.kind, moved.into.change.kind];
    prop_assert_eq!(kinds, [TransactionKind::Transfer; 2]);
    let left: i64 = moved
        .from
        .change
        .lot_movements
        .iter()
        .map(|it| it.value.get())
        .sum();
    prop_assert_eq!(left, -spent.value.get());
    prop_assert!(
        moved.into.state.holds().eq(before.1.holds()),
        "what is set aside stays"
    );
    from.history.keep(moved.from);
    into.history.keep(moved.into);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn two_owners_who_send_each_other_points_agree_with_two_naive_models(
        turns in proptest::collection::vec(turn(), 0..1_000),
    ) {
        let mut both = [Told::new(), Told::new()];
        let mut new_lot_id = new_ids(1 << 100);
        for turn in turns {
            match turn {
                Turn::Own { step: Step::Wait(hours), .. } => {
                    for told in &mut both {
                        told.history.at += TimeDelta::hours(hours);
                    }
                }
                // The other half of these would be somebody else's.
                Turn::Own { step: Step::Send { .. } | Step::Receive { .. }, .. } => {}
                Turn::Own { second, step } => both[usize::from(second)].step(&step)?,
                Turn::Transfer { back, unit, value } => {
                    both.iter_mut().for_each(Told::sweep);
                    let before = net(&both);
                    let [first, second] = &mut both;
                    let (from, into) = if back { (second, first) } else { (first, second) };
                    send(from, into, &spent(unit, value), &mut new_lot_id)?;
                    prop_assert_eq!(net(&both), before, "nothing is made and nothing is lost");
                }
            }
            both.iter().try_for_each(Told::check)?;
        }
        let changes = both.iter().flat_map(|told| &told.history.changes);
        prop_assert_eq!(on_the_way(changes), 0);
    }
}

fn credit(value: i64, life_hours: Option<i64>) -> Step {
    Step::Credit {
        unit: 0,
        value,
        life_hours,
    }
}

fn after(steps: &[Step]) -> History {
    let mut history = History::new();
    for step in steps {
        history
            .decide(&history.command(step).expect("a command"))
            .expect("accepted");
    }
    history
}

/// What is left, how much was ever credited, the hours it has yet, and the hours it is old.
fn lots(state: &OwnerState, at: DateTime<Utc>) -> Vec<(i64, i64, Option<i64>, i64)> {
    let account = &state.accounts[&unit(0)];
    let lots = account.lots.iter();
    lots.map(|lot| {
        let end = lot.expire_time.map(|end| (end - at).num_hours());
        let age = (at - lot.create_time).num_hours();
        (lot.value_left.get(), lot.value_credited.get(), end, age)
    })
    .collect()
}

#[test]
fn lots_arrive_with_their_ends_and_their_age_and_meet_those_of_the_same_end() {
    let mut from = after(&[credit(10, Some(20)), credit(20, Some(30)), credit(40, None)]);
    let into = after(&[credit(5, Some(30))]);
    from.at += TimeDelta::hours(3);
    let moved = transfer(
        &from.state,
        &into.state,
        &spent(0, 45),
        from.at,
        &mut new_ids(100),
    )
    .unwrap();
    assert_eq!(lots(&moved.from.state, from.at), [(25, 40, None, 3)]);
    assert_eq!(
        lots(&moved.into.state, from.at),
        [(10, 10, Some(17), 3), (25, 25, Some(27), 3), (15, 15, None, 3)]
    );
    let ids = |state: &OwnerState| -> Vec<LotId> {
        let lots = state.accounts.values().flat_map(|account| &account.lots);
        lots.map(|lot| lot.lot_id).collect()
    };
    assert_eq!(
        ids(&moved.into.state)[1],
        ids(&into.state)[0],
        "what it meets keeps its id"
    );
    assert!(
        ids(&moved.into.state)[0] > ids(&from.state)[2],
        "the others have new ones"
    );
}

#[test]
fn the_soonest_end_pays_off_what_the_receiver_owes() {
    let from = after(&[credit(10, Some(20)), credit(20, None)]);
    let owes = Step::Adjust {
        unit: 0,
        value: -15,
        life_hours: None,
        debt_max: 15,
    };
    let into = after(&[owes]);
    let moved = transfer(
        &from.state,
        &into.state,
        &spent(0, 25),
        from.at,
        &mut new_ids(100),
    )
    .unwrap();
    assert_eq!(lots(&moved.into.state, from.at), [(10, 10, None, 0)]);
    let account = &moved.into.state.accounts[&unit(0)];
    assert_eq!((account.available.get(), account.debt.get()), (10, 0));
    let entries: Vec<_> = moved
        .into
        .change
        .entries
        .iter()
        .map(|it| (it.account, it.value.get()))
        .collect();
    assert_eq!(
        entries,
        [
            (EntryAccount::OwnerAvailable, 10),
            (EntryAccount::OwnerDebt, 15),
            (EntryAccount::ProgramMoved, -25)
        ]
    );
}

#[test]
fn all_or_nothing_is_sent_and_what_does_not_fit_is_refused() {
    let (from, into) = (after(&[credit(i64::MAX, None)]), after(&[credit(1, Some(5))]));
    let sent = |from: &History, into: &History, value| {
        transfer(
            &from.state,
            &into.state,
            &spent(0, value),
            from.at,
            &mut new_ids(100),
        )
    };
    assert_eq!(
        sent(&from, &into, i64::MAX),
        Err(Refusal::AmountOverflow(unit(0)))
    );
    assert!(sent(&from, &into, i64::MAX - 1).is_ok());
    let insufficient = Refusal::InsufficientBalance {
        unit_code: unit(0),
        available: Points::new(1),
        required: Points::new(2),
    };
    assert_eq!(sent(&into, &from, 2), Err(insufficient));
}

#[test]
fn a_correction_downwards_owes_what_is_allowed_and_else_changes_nothing() {
    let history = after(&[credit(10, None)]);
    let down = |value, debt_max| {
        let step = Step::Adjust {
            unit: 0,
            value,
            life_hours: None,
            debt_max,
        };
        let command = history.command(&step).expect("a command");
        decide(&history.state, &command, &[], history.at, &mut new_ids(100))
    };
    let decision = down(-30, 20).expect("so much may be owed");
    let account = &decision.state.accounts[&unit(0)];
    assert_eq!((account.available.get(), account.debt.get()), (0, 20));
    assert_eq!(decision.change.kind, TransactionKind::Adjust);
    for (value, debt_max) in [(-31, 20), (-11, 0), (-i64::MAX, 20)] {
        let refused = down(value, debt_max).expect_err("more than may be owed");
        assert!(matches!(refused, Refusal::InsufficientBalance { .. }));
    }
    assert!(down(-10, 0).is_ok());
}
