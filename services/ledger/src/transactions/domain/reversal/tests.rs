use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::UnitScale;

use super::*;
use crate::posting::domain::{Decision, Earned, LotEnd, OwnerState, Spent, decide};
use crate::units::domain::{EndedLotPolicy, ExpiryPolicy, ShortfallPolicy};

fn time() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn owner_id() -> OwnerId {
    "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978".parse().unwrap()
}

fn points() -> UnitCode {
    "points".parse().unwrap()
}

fn id(number: u128) -> TransactionId {
    TransactionId::try_from(uuid::Uuid::from_u128(number)).unwrap()
}

fn moment() -> Moment {
    Moment {
        owner_id: owner_id(),
        account_owner_id: owner_id(),
        transaction_id: id(900),
        occur_time: time(),
        record_time: time(),
    }
}

fn ground() -> Ground {
    let terms = UnitTerms {
        code: points(),
        scale: UnitScale::ZERO,
        expiry_policy: ExpiryPolicy::Never,
        shortfall_policy: ShortfallPolicy::Debt,
        debt_max: Points::new(7),
        transfer_rules: None,
        ended_lot_policy: EndedLotPolicy::Gone,
    };
    Ground {
        units: vec![terms],
        waiting: Waiting {
            named: HashSet::from([id(1), id(2)]),
            ..Waiting::default()
        },
        ..Ground::default()
    }
}

fn work(number: u128, value: Option<i64>) -> ReversalWork {
    ReversalWork {
        transaction_id: id(number),
        value: value.map(Points::new),
        zone: Tz::UTC,
    }
}

/// Decides it as the batch would, and tells the ground.
fn post(ground: &mut Ground, state: &mut OwnerState, number: u128, command: &Command) -> Decision {
    let mut new_lot_id = || LotId::generate_at(time());
    let decision = decide(state, command, &[], time(), &mut new_lot_id).expect("it is accepted");
    ground.see(&Seen {
        transaction_id: id(number),
        owner_id: owner_id(),
        decision: &decision,
    });
    state.clone_from(&decision.state);
    decision
}

fn credit(value: i64, days: i64) -> Command {
    Command::Credit(Earned {
        unit_code: points(),
        value: Points::new(value),
        end: LotEnd::Fixed(Some(time() + TimeDelta::days(days))),
        budget_code: None,
        wait: None,
    })
}

fn spend(value: i64) -> Command {
    Command::Spend(Spent {
        unit_code: points(),
        value: Points::new(value),
    })
}

#[test]
fn a_spend_that_was_decided_before_in_the_same_batch_comes_back_as_its_lots_are_by_then() {
    let (mut ground, mut state) = (ground(), OwnerState::opened_at(time()));
    post(&mut ground, &mut state, 10, &credit(10, 1));
    post(&mut ground, &mut state, 11, &credit(20, 2));
    post(&mut ground, &mut state, 1, &spend(30));
    // Its last lot is credited again, and emptied again.
    post(&mut ground, &mut state, 12, &credit(5, 3));
    let (command, new) = work(1, Some(25)).plan(&ground, &moment()).unwrap();
    assert_eq!((new.value_before, new.left), (Points::ZERO, Points::new(5)));
    post(&mut ground, &mut state, 13, &command);
    ground.settle(&new);
    let account = &state.accounts[&points()];
    let left: Vec<(i64, i64)> = account
        .lots
        .iter()
        .map(|lot| (lot.value_left.get(), lot.value_credited.get()))
        .collect();
    assert_eq!(left, [(5, 10), (20, 20), (5, 5)]);

    let (command, new) = work(1, None).plan(&ground, &moment()).unwrap();
    assert_eq!(
        (new.value_before, new.value, new.left),
        (Points::new(25), Points::new(5), Points::ZERO)
    );
    post(&mut ground, &mut state, 14, &command);
    ground.settle(&new);
    assert_eq!(state.available(&points()).get(), 35);
    let refusal = work(1, None).plan(&ground, &moment()).unwrap_err();
    let exceeds = |reversible, required| Refusal::ReversalExceedsTransaction {
        transaction_id: id(1),
        reversible: Points::new(reversible),
        required: Points::new(required),
    };
    assert_eq!(refusal, exceeds(0, 1));
    let refusal = work(1, Some(i64::MAX)).plan(&ground, &moment()).unwrap_err();
    assert_eq!(refusal, exceeds(0, i64::MAX));
}

#[test]
fn a_credit_is_taken_back_from_its_own_lots_first_and_owed_as_the_unit_says() {
    let (mut ground, mut state) = (ground(), OwnerState::opened_at(time()));
    post(&mut ground, &mut state, 10, &credit(10, 1));
    let credited = post(&mut ground, &mut state, 1, &credit(20, 2));
    let (command, _) = work(1, None).plan(&ground, &moment()).unwrap();
    let expected = TakeBack {
        unit_code: points(),
        value: Points::new(20),
        lots_first: vec![credited.lots[0].1.lot_id],
        debt_max: Points::new(7),
        budget_code: None,
    };
    let transaction_id = id(1);
    let how = Reversing::TakeBack(expected);
    assert_eq!(command, Command::Reverse(Reversal { transaction_id, how }));
}

#[test]
fn what_nobody_made_or_somebody_else_is_not_found_and_a_reversal_stays() {
    let (mut ground, mut state) = (ground(), OwnerState::opened_at(time()));
    post(&mut ground, &mut state, 1, &credit(20, 2));
    let unknown = work(3, None).plan(&ground, &moment()).unwrap_err();
    assert_eq!(unknown, Refusal::not_found(Resource::Transaction, id(3)));
    let (command, new) = work(1, Some(5)).plan(&ground, &moment()).unwrap();
    post(&mut ground, &mut state, 2, &command);
    ground.settle(&new);
    let refusal = work(2, None).plan(&ground, &moment()).unwrap_err();
    let kind = TransactionKind::Reverse;
    let transaction_id = id(2);
    assert_eq!(
        refusal,
        Refusal::TransactionNotReversible { transaction_id, kind }
    );
    ground.transactions.get_mut(&id(1)).unwrap().owner_id = OwnerId::generate_at(time());
    let others = work(1, None).plan(&ground, &moment()).unwrap_err();
    assert_eq!(others, Refusal::not_found(Resource::Transaction, id(1)));
}
