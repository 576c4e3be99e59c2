//! Batches are held to calls one by one, over tables in memory.

mod calls;
mod tables;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::posting::domain::HoldStatus;
use crate::refusal::Resource;
use calls::{any_batches, call, credit, hold, hold_id, owner_id, points, spend, start, transfer};
use tables::{Tables, told};

proptest! {
    #[test]
    fn a_batch_is_answered_as_its_calls_one_by_one(batches in any_batches()) {
        let (mut together, mut singly) = (Tables::with_owners(3), Tables::with_owners(3));
        let mut now = start();
        for (hours, calls) in batches {
            now += TimeDelta::hours(hours);
            let answers = together.post(now, &calls);
            let one_by_one: Vec<_> = calls.iter().flat_map(|call| singly.post(now, std::slice::from_ref(call))).collect();
            prop_assert_eq!(answers, one_by_one);
            prop_assert_eq!(together.told(), singly.told());
        }
    }

    #[test]
    fn replays_change_nothing(batches in any_batches()) {
        // With the fourth owner: what finds nobody is not remembered, and has no replay.
        let mut tables = Tables::with_owners(4);
        let first: Vec<_> = batches.iter().map(|(_, calls)| tables.post(start(), calls)).collect();
        let before = tables.clone();
        for ((_, calls), first) in batches.iter().zip(first) {
            // What found no hold may find one now.
            let no_hold = |answer: &_| matches!(answer, &Err(Refusal::NotFound { resource: Resource::Hold, .. }));
            let (calls, first): (Vec<_>, Vec<_>) =
                calls.iter().cloned().zip(first).filter(|(_, first)| !no_hold(first)).unzip();
            for (again, first) in tables.post(start() + TimeDelta::days(9), &calls).into_iter().zip(first) {
                match (again, first) {
                    (Ok(again), Ok(first)) => {
                        prop_assert!(again.replayed);
                        prop_assert_eq!((again.message, again.accepted), (first.message, first.accepted));
                    }
                    (again, first) => prop_assert_eq!(again, first),
                }
            }
            prop_assert_eq!(&tables, &before);
        }
    }
}

#[test]
fn the_second_of_a_slice_with_the_same_request_id_gets_the_firsts_answer() {
    let mut tables = Tables::with_owners(1);
    let first = call(1, 1, None, credit(5, None));
    let other = call(1, 1, None, credit(6, None));
    let answers = tables.post(start(), &[first.clone(), first.clone(), other]);
    let (Ok(one), Ok(two)) = (&answers[0], &answers[1]) else {
        panic!("{answers:?}")
    };
    assert!(!one.replayed && two.replayed && one.message == two.message);
    assert_eq!(answers[2], Err(Refusal::RequestIdReused(first.request_id)));
    assert_eq!(tables.versions.len(), 1);
}

#[test]
fn a_receipt_is_recorded_once_within_a_slice_but_may_be_tried_again_after_a_refusal() {
    let mut tables = Tables::with_owners(1);
    let answers = tables.post(
        start(),
        &[
            call(1, 1, Some(1), spend(5)),
            call(2, 1, Some(1), credit(5, None)),
            call(3, 1, Some(1), credit(5, None)),
        ],
    );
    let accepted: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().unwrap().accepted)
        .collect();
    assert_eq!(accepted, [false, true, false]);
}

#[test]
fn an_owners_time_does_not_run_backwards_when_the_clock_does() {
    let mut tables = Tables::with_owners(1);
    tables
        .post(
            start() + TimeDelta::hours(1),
            &[call(1, 1, None, credit(5, None))],
        )
        .remove(0)
        .unwrap();
    tables
        .post(start(), &[call(2, 1, None, credit(5, None))])
        .remove(0)
        .unwrap();
    assert_eq!(tables.owners[&owner_id(1)].1, start() + TimeDelta::hours(1));
}

#[test]
fn what_a_call_before_set_aside_is_not_there_for_the_next() {
    let mut tables = Tables::with_owners(1);
    let end = start() + TimeDelta::hours(1);
    let answers = tables.post(
        start(),
        &[
            call(1, 1, None, credit(50, None)),
            call(2, 1, None, hold(2, 30, end)),
            call(3, 1, None, hold(3, 30, end)),
            call(4, 1, None, spend(20)),
        ],
    );
    let accepted: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().unwrap().accepted)
        .collect();
    assert_eq!(accepted, [true, true, false, true]);
}

#[test]
fn a_hold_that_has_ended_is_written_off_before_a_call_is_decided() {
    let mut tables = Tables::with_owners(1);
    let end = start() + TimeDelta::hours(1);
    let first = [
        call(1, 1, None, credit(50, None)),
        call(2, 1, None, hold(2, 50, end)),
    ];
    tables.post(start(), &first);
    let spent = tables
        .post(end, &[call(3, 1, None, spend(50))])
        .remove(0)
        .unwrap();
    assert!(spent.accepted);
    let kinds: Vec<_> = tables.versions.values().copied().collect();
    let expected = [
        TransactionKind::Credit,
        TransactionKind::Hold,
        TransactionKind::Release,
        TransactionKind::Spend,
    ];
    assert_eq!(kinds, expected);
    let (_, hold) = &tables.holds[&hold_id(2)];
    assert_eq!(hold.status, HoldStatus::Expired);
}

#[test]
fn a_transfer_is_two_transactions_that_name_each_other_and_what_it_brought_is_there_for_the_next_call() {
    let mut tables = Tables::with_owners(2);
    let answers = tables.post(
        start(),
        &[
            call(1, 1, None, credit(50, None)),
            transfer(2, (1, 2), Some(1), 30),
            call(3, 2, None, spend(30)),
            transfer(2, (1, 2), Some(1), 30),
            transfer(4, (1, 2), Some(2), 21),
        ],
    );
    let told: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().map(|it| (it.accepted, it.replayed)).unwrap())
        .collect();
    let done = (true, false);
    assert_eq!(told, [done, done, done, (true, true), (false, false)]);
    let kinds: Vec<_> = tables
        .versions
        .iter()
        .map(|((owner, _), kind)| (*owner, *kind))
        .collect();
    let (one, other) = (owner_id(1), owner_id(2));
    assert_eq!(
        kinds,
        [
            (one, TransactionKind::Credit),
            (one, TransactionKind::Transfer),
            (other, TransactionKind::Transfer),
            (other, TransactionKind::Spend)
        ]
    );
    let left = |owner| tables.accounts[&(owner, points())].available.get();
    assert_eq!((left(one), left(other)), (20, 0));
}

#[test]
fn a_transfer_to_oneself_or_to_nobody_moves_nothing() {
    let mut tables = Tables::with_owners(2);
    tables
        .post(start(), &[call(1, 1, None, credit(50, None))])
        .remove(0)
        .unwrap();
    let answers = tables.post(
        start(),
        &[
            transfer(2, (1, 1), None, 5),
            transfer(3, (1, 4), None, 5),
            transfer(4, (4, 1), None, 5),
        ],
    );
    let refused = told(&Refusal::TransferToSelf(owner_id(1)));
    assert_eq!(answers[0].as_ref().unwrap().message, refused, "it is remembered");
    for answer in &answers[1..] {
        let nobody = Refusal::not_found(Resource::Owner, owner_id(4));
        assert_eq!(answer, &Err(nobody), "who is nobody now may be somebody later");
    }
    assert_eq!(tables.versions.len(), 1);
}

#[test]
fn what_has_ended_of_either_is_written_off_before_a_transfer() {
    use TransactionKind as Kind;

    let mut tables = Tables::with_owners(2);
    let end = start() + TimeDelta::hours(1);
    let given = [
        call(1, 1, None, credit(50, None)),
        call(2, 1, None, credit(5, Some(end))),
        call(3, 2, None, credit(7, Some(end))),
    ];
    tables.post(start(), &given);
    tables
        .post(end, &[transfer(4, (1, 2), None, 50)])
        .remove(0)
        .unwrap();
    let kinds: Vec<_> = tables.versions.values().copied().collect();
    assert_eq!(
        kinds,
        [
            Kind::Credit,
            Kind::Credit,
            Kind::Expire,
            Kind::Transfer,
            Kind::Credit,
            Kind::Expire,
            Kind::Transfer
        ]
    );
}
