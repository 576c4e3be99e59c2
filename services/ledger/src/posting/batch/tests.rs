//! Batches are held to calls one by one, over tables in memory.

mod calls;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use fealty_postgres::StorageError;
use fealty_types::{HoldId, Points, RequestId, TransactionId, UnitCode, Version};
use proptest::prelude::*;
use sqlx::PgConnection;

use super::*;
use crate::budgets::Funds;
use crate::posting::domain::{Account, ChainHash, Command, Hold, HoldStatus, Link, Lot, TransactionKind};
use crate::refusal::Resource;
use calls::{
    any_batches, call, credit, hold, hold_id, owner_id, points, program, slides, spend, start, transfer,
};

/// A room whose works are commands.
struct Plain;

impl Room for Plain {
    type Work = Command;
    type Loaded = ();
    type Draft = ();
    type Row = Version;

    async fn load_in_tx(_: &mut PgConnection, _: ProgramId, _: &[&Command]) -> Result<(), StorageError> {
        Ok(())
    }

    fn plan((): &(), work: &Command, moment: &Moment) -> Result<Plan<()>, Refusal> {
        Ok(Plan {
            command: Some(work.clone()),
            slides: slides(work, moment),
            purchase_id: None,
            draft: (),
        })
    }

    fn settle((): &mut (), _work: &Command, (): (), posted: &Posted) -> Version {
        posted.transaction.version
    }

    async fn write_in_tx(_: &mut PgConnection, _: ProgramId, _: Vec<Version>) -> Result<(), StorageError> {
        Ok(())
    }

    fn present(_work: &Command, posted: &Posted, row: &Version) -> Vec<u8> {
        format!("{row} {:?}", posted.balance.balances).into_bytes()
    }
}

/// What the tables hold.
#[derive(Debug, Clone, Default, PartialEq)]
struct Tables {
    owners: BTreeMap<OwnerId, (Version, DateTime<Utc>)>,
    chains: BTreeMap<OwnerId, ChainHash>,
    accounts: BTreeMap<(OwnerId, UnitCode), Account>,
    lots: BTreeMap<(OwnerId, LotId), (UnitCode, Lot)>,
    holds: BTreeMap<HoldId, (OwnerId, Hold)>,
    requests: BTreeMap<RequestId, (Vec<u8>, bool, Vec<u8>)>,
    receipts: BTreeMap<(String, String), TransactionId>,
    versions: BTreeMap<(OwnerId, Version), TransactionKind>,
}

impl Tables {
    fn with_owners(count: u128) -> Self {
        let owners = (1..=count).map(|number| (owner_id(number), (Version::ZERO, start())));
        Self {
            owners: owners.collect(),
            ..Self::default()
        }
    }

    /// One commit.
    fn post(&mut self, now: DateTime<Utc>, calls: &[Call<Command>]) -> Vec<Result<Answer, Refusal>> {
        let ground = Ground::<Plain> {
            program: program(),
            now,
            owners: self
                .owners
                .keys()
                .map(|owner_id| (*owner_id, self.state(*owner_id)))
                .collect(),
            funds: Funds::default(),
            earlier: self.earlier(),
            room: (),
            encode_refusal: told,
        };
        let decided = decide(ground, calls);
        let heads: BTreeMap<_, _> = decided
            .owners
            .iter()
            .map(|owner| (owner.owner_id, owner.chain_head))
            .collect();
        for owner in decided.owners {
            self.write_owner(owner);
        }
        for transaction in decided.transactions {
            self.write_transaction(transaction);
        }
        for (owner_id, head) in heads {
            assert_eq!(
                head,
                self.chains.get(&owner_id).copied(),
                "the owner's chain ends with the newest"
            );
        }
        decided.answers
    }

    fn state(&self, owner_id: OwnerId) -> OwnerState {
        let (version, last_time) = self.owners[&owner_id];
        let mut state = OwnerState {
            version,
            chain_head: self.chains.get(&owner_id).copied(),
            ..OwnerState::opened_at(last_time)
        };
        let accounts = self.accounts.iter().filter(|((owner, _), _)| *owner == owner_id);
        for ((_, unit_code), account) in accounts {
            state.accounts.insert(unit_code.clone(), account.clone());
        }
        let lots = self.lots.iter().filter(|((owner, _), _)| *owner == owner_id);
        for (unit_code, lot) in lots
            .map(|(_, lot)| lot)
            .filter(|(_, lot)| lot.value_left.is_positive() || lot.value_held.is_positive())
        {
            state
                .accounts
                .get_mut(unit_code)
                .expect("an account")
                .lots
                .push(lot.clone());
        }
        let holds = self.holds.values().filter(|(owner, _)| *owner == owner_id);
        for (_, hold) in holds.filter(|(_, hold)| hold.status == HoldStatus::Open) {
            let account = state.accounts.get_mut(&hold.unit_code).expect("an account");
            account.holds.push(hold.clone());
        }
        for account in state.accounts.values_mut() {
            account.holds.sort_by_key(|hold| (hold.expire_time, hold.hold_id));
            account.lots.sort_by_key(|lot| {
                (
                    lot.expire_time.is_none(),
                    lot.expire_time,
                    lot.slides,
                    lot.create_time,
                    lot.lot_id,
                )
            });
        }
        state
    }

    fn earlier(&self) -> Earlier {
        let request = |(id, (hash, accepted, answer)): (&RequestId, &(Vec<u8>, bool, Vec<u8>))| {
            let request = EarlierRequest {
                command_hash: hash.clone(),
                accepted: *accepted,
                answer: answer.clone(),
            };
            (*id, request)
        };
        Earlier {
            requests: self.requests.iter().map(request).collect(),
            receipts: self.receipts.clone().into_iter().collect(),
        }
    }

    fn write_owner(&mut self, owner: OwnerChange) {
        let row = self.owners.get_mut(&owner.owner_id).expect("an owner");
        assert_eq!(row.0, owner.version_before);
        assert!(row.1 <= owner.last_time, "an owner's time never runs backwards");
        *row = (owner.version, owner.last_time);
        for account in owner.accounts {
            let key = (owner.owner_id, account.unit_code.clone());
            assert_eq!(account.is_new, !self.accounts.contains_key(&key));
            self.accounts.insert(key, account.account());
        }
        for (unit_code, lot) in owner.new_lots {
            let before = self.lots.insert((owner.owner_id, lot.lot_id), (unit_code, lot));
            assert_eq!(before, None, "a new lot has no row yet");
        }
        for (unit_code, lot) in owner.lots {
            let before = self.lots.insert((owner.owner_id, lot.lot_id), (unit_code, lot));
            assert!(
                before.is_some_and(|(_, lot)| lot.is_open()),
                "an open lot has a row"
            );
        }
        for (unit_code, lot) in owner.returned_lots {
            self.lots.insert((owner.owner_id, lot.lot_id), (unit_code, lot));
        }
        for hold in owner.holds {
            self.holds.insert(hold.hold_id, (owner.owner_id, hold));
        }
    }

    fn write_transaction(&mut self, new: NewTransaction) {
        self.chain(&new);
        let it = new.transaction;
        if let (Some(request_id), Some(hash), Some(answer)) = (it.request_id, new.command_hash, new.answer) {
            let request = (hash.to_vec(), new.outcome != Outcome::Refused, answer);
            assert!(
                self.requests.insert(request_id, request).is_none(),
                "the net of request ids"
            );
        }
        if new.outcome != Outcome::Posted {
            return;
        }
        if let Some(receipt_id) = it.receipt_id {
            let before = self.receipts.insert((it.source, receipt_id), it.transaction_id);
            assert!(before.is_none(), "the net of receipts");
        }
        assert!(
            self.versions.insert((it.owner_id, it.version), it.kind).is_none(),
            "the net of versions"
        );
    }

    /// Holds a hash to what it says it is of, as it is written.
    fn chain(&mut self, new: &NewTransaction) {
        if new.outcome != Outcome::Posted {
            assert_eq!(new.chain_hash, None);
            return;
        }
        let owner_id = new.transaction.owner_id;
        let before = self.chains.get(&owner_id).copied();
        let expected = before
            .unwrap_or_else(|| ChainHash::root(program(), owner_id))
            .then(&Link {
                program: program(),
                transaction: &new.transaction,
                command_hash: new.command_hash.as_ref().map(<[u8; 32]>::as_slice),
                answer: new.answer.as_deref(),
            });
        assert_eq!(new.chain_hash, Some(expected));
        self.chains.insert(owner_id, expected);
    }

    /// Everything but the ids that are drawn.
    fn told(&self) -> String {
        let mut lots: Vec<_> = self
            .lots
            .iter()
            .map(|((owner, _), (unit, lot))| {
                let values = (lot.value_left, lot.value_held, lot.value_credited);
                (owner, unit, lot.expire_time, lot.slides, values)
            })
            .collect();
        lots.sort_unstable();
        let receipts: Vec<_> = self.receipts.keys().collect();
        let holds = self.holds.values().map(|(owner, hold)| {
            let pins: Vec<Points> = hold.pins.iter().map(|pin| pin.value).collect();
            (owner, hold.hold_id, hold.status, hold.captured, pins)
        });
        let holds: Vec<_> = holds.collect();
        format!(
            "{:?} {:?} {lots:?} {holds:?} {:?} {receipts:?} {:?}",
            self.owners, self.accounts, self.requests, self.versions
        )
    }
}

/// A refusal without the ids that are drawn.
fn told(refusal: &Refusal) -> Vec<u8> {
    match refusal {
        Refusal::ReceiptAlreadyUsed { receipt_id, .. } => format!("used {receipt_id}"),
        other => format!("{other:?}"),
    }
    .into_bytes()
}

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
