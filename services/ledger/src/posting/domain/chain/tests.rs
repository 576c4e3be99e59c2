//! The canonical form is what was promised, to the bit, and leaves nothing out.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use fealty_types::{HoldId, LotId, Money, Points, PurchaseId, RequestId, TransactionId, UnitCode, Version};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::posting::domain::{Begin, Counterpart, EntryAccount, TransactionKind};

/// Also computed by `tests/python/chain.py`, and by the checker's own code.
const GOLDEN_ROOT: &str = "7b57442574def2a476fcb72819074e612bcd11ed73cd4cba13018375ae72410b";
const GOLDEN: &str = "7271835a8345d5caa77c1bbb3c75a44db85b4fcac086688b1208ba1c8650461b";

/// The same with another side.
const GOLDEN_TRANSFER: &str = "8ec9167b029cf5692b55255baba9125104b48d65d948ba863be751e65fc35e3b";

const COMMAND_HASH: [u8; 32] = [7; 32];
const ANSWER: &[u8] = b"answer";

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | number)
}

fn program() -> ProgramId {
    ProgramId::try_from(id(1)).unwrap()
}

fn owner_id(number: u128) -> OwnerId {
    OwnerId::try_from(id(number)).unwrap()
}

fn unit(code: &str) -> UnitCode {
    code.parse().unwrap()
}

fn entry(account: EntryAccount, value: i64, balance_after: Option<i64>) -> Entry {
    Entry {
        account,
        unit_code: unit("points"),
        value: Points::new(value),
        budget_code: None,
        balance_after: balance_after.map(Points::new),
    }
}

/// Everything is set that was there from the beginning.
fn transaction() -> Transaction {
    let time = DateTime::UNIX_EPOCH + TimeDelta::microseconds(1_790_000_000_123_456);
    Transaction {
        transaction_id: TransactionId::try_from(id(3)).unwrap(),
        owner_id: owner_id(2),
        on_behalf_of: Some(owner_id(7)),
        version: Version::try_new(41).unwrap(),
        kind: TransactionKind::Purchase,
        entries: vec![
            entry(EntryAccount::OwnerAvailable, 150, Some(1_150)),
            entry(EntryAccount::ProgramIssued, -150, None),
        ],
        lot_movements: vec![LotMovement {
            lot_id: LotId::try_from(id(6)).unwrap(),
            unit_code: unit("points"),
            value: Points::new(150),
            expire_time: Some(time + TimeDelta::days(365)),
            slides: false,
            budget_code: None,
            begin: None,
        }],
        source: "till".to_owned(),
        receipt_id: Some("R-17".to_owned()),
        purchase_id: Some(PurchaseId::try_from(id(5)).unwrap()),
        money: Some(Money::new("GBP".parse().unwrap(), 1_500)),
        actor: "key:test".to_owned(),
        reason: "a purchase in Zürich".to_owned(),
        request_id: Some(RequestId::try_from(id(4)).unwrap()),
        occur_time: time - TimeDelta::hours(1),
        record_time: time,
        counterpart: None,
        reversed_transaction_id: None,
        hold_id: None,
    }
}

fn counterpart(transaction: u128, owner: u128) -> Counterpart {
    Counterpart {
        transaction_id: TransactionId::try_from(id(transaction)).unwrap(),
        owner_id: owner_id(owner),
    }
}

fn link(transaction: &Transaction) -> Link<'_> {
    Link {
        program: program(),
        transaction,
        command_hash: Some(&COMMAND_HASH),
        answer: Some(ANSWER),
    }
}

fn root() -> ChainHash {
    ChainHash::root(program(), owner_id(2))
}

fn hash_of(transaction: &Transaction) -> ChainHash {
    root().then(&link(transaction))
}

/// What is only there where it is set.
fn additions() -> BTreeMap<&'static str, fn(&mut Transaction)> {
    let mut all: BTreeMap<&'static str, fn(&mut Transaction)> = BTreeMap::new();
    all.insert("reversed_transaction_id", |it| {
        it.reversed_transaction_id = Some(TransactionId::try_from(id(99)).unwrap());
    });
    all.insert("hold_id", |it| {
        it.hold_id = Some(HoldId::try_from(id(99)).unwrap());
    });
    all.insert("both", |it| {
        it.reversed_transaction_id = Some(TransactionId::try_from(id(99)).unwrap());
        it.hold_id = Some(HoldId::try_from(id(99)).unwrap());
    });
    all
}

/// One change of each thing that is recorded.
fn alterations() -> BTreeMap<&'static str, fn(&mut Transaction)> {
    let mut all: BTreeMap<&'static str, fn(&mut Transaction)> = BTreeMap::new();
    all.insert("transaction_id", |it| {
        it.transaction_id = TransactionId::try_from(id(99)).unwrap();
    });
    all.insert("owner_id", |it| it.owner_id = owner_id(99));
    all.insert("on_behalf_of", |it| it.on_behalf_of = Some(owner_id(99)));
    all.insert("on_behalf_of gone", |it| it.on_behalf_of = None);
    all.insert("version", |it| it.version = Version::try_new(42).unwrap());
    all.insert("kind", |it| it.kind = TransactionKind::Credit);
    all.insert("source", |it| it.source.push('x'));
    all.insert("receipt_id", |it| it.receipt_id = Some("R-18".to_owned()));
    all.insert("receipt_id gone", |it| it.receipt_id = None);
    all.insert("receipt_id empty", |it| it.receipt_id = Some(String::new()));
    all.insert("purchase_id", |it| it.purchase_id = None);
    all.insert("money", |it| {
        it.money = Some(Money::new("GBP".parse().unwrap(), 1_501));
    });
    all.insert("currency", |it| {
        it.money = Some(Money::new("EUR".parse().unwrap(), 1_500));
    });
    all.insert("money gone", |it| it.money = None);
    all.insert("actor", |it| it.actor = "key:other".to_owned());
    all.insert("reason", |it| it.reason.clear());
    all.insert("request_id", |it| {
        it.request_id = Some(RequestId::try_from(id(99)).unwrap());
    });
    all.insert("request_id gone", |it| it.request_id = None);
    all.insert("occur_time", |it| it.occur_time += TimeDelta::microseconds(1));
    all.insert("record_time", |it| it.record_time += TimeDelta::microseconds(1));
    add_of_lists(&mut all);
    all
}

/// In the entries and the movements.
fn add_of_lists(all: &mut BTreeMap<&'static str, fn(&mut Transaction)>) {
    all.insert("entry account", |it| {
        it.entries[0].account = EntryAccount::OwnerHeld;
    });
    all.insert("entry unit", |it| it.entries[0].unit_code = unit("stamps"));
    all.insert("entry value", |it| it.entries[0].value = Points::new(151));
    all.insert("entry balance", |it| {
        it.entries[0].balance_after = Some(Points::new(1_151));
    });
    all.insert("entry balance gone", |it| it.entries[0].balance_after = None);
    all.insert("the program's entry", |it| {
        it.entries[1].value = Points::new(-151);
    });
    all.insert("entries swapped", |it| it.entries.swap(0, 1));
    all.insert("an entry gone", |it| drop(it.entries.pop()));
    all.insert("an entry more", |it| it.entries.push(it.entries[1].clone()));
    all.insert("movement lot", |it| {
        it.lot_movements[0].lot_id = LotId::try_from(id(99)).unwrap();
    });
    all.insert("movement unit", |it| {
        it.lot_movements[0].unit_code = unit("stamps");
    });
    all.insert("movement value", |it| {
        it.lot_movements[0].value = Points::new(149);
    });
    all.insert("movement slides", |it| {
        it.lot_movements[0].slides = true;
    });
    all.insert("movement budget", |it| {
        it.lot_movements[0].budget_code = Some("summer".parse().unwrap());
    });
    all.insert("movement begins", |it| {
        it.lot_movements[0].begin = Some(Begin::At(it.record_time));
    });
    all.insert("movement begins by a call", |it| {
        it.lot_movements[0].begin = Some(Begin::OnCall);
    });
    all.insert("entry budget", |it| {
        it.entries[1].budget_code = Some("summer".parse().unwrap());
    });
    all.insert("movement end", |it| it.lot_movements[0].expire_time = None);
    all.insert("a movement gone", |it| it.lot_movements.clear());
    all.insert("counterpart", |it| it.counterpart = Some(counterpart(8, 9)));
    all.insert("counterpart's transaction", |it| {
        it.counterpart = Some(counterpart(99, 9));
    });
    all.insert("counterpart's owner", |it| {
        it.counterpart = Some(counterpart(8, 99));
    });
    all.insert("text moved to the next field", |it| {
        it.actor.push_str("a ");
        it.reason = it.reason.replacen("a ", "", 1);
    });
}

#[test]
fn the_form_is_the_one_that_was_promised() {
    assert_eq!(format!("{:?}", root()), GOLDEN_ROOT);
    assert_eq!(format!("{:?}", hash_of(&transaction())), GOLDEN);
    let transfer = Transaction {
        counterpart: Some(counterpart(8, 9)),
        ..transaction()
    };
    assert_eq!(format!("{:?}", hash_of(&transfer)), GOLDEN_TRANSFER);
}

#[test]
fn whatever_is_altered_alters_the_hash_and_no_two_alterations_are_hidden_by_each_other() {
    let mut seen = BTreeMap::from([(format!("{:?}", hash_of(&transaction())), "nothing")]);
    for (what, alter) in alterations().into_iter().chain(additions()) {
        let mut altered = transaction();
        alter(&mut altered);
        let before = seen.insert(format!("{:?}", hash_of(&altered)), what);
        assert_eq!(before, None, "{what}");
    }
    let it = transaction();
    let whole = link(&it);
    let other = ProgramId::try_from(id(99)).unwrap();
    for (what, altered) in [
        (
            "program",
            Link {
                program: other,
                ..whole
            },
        ),
        (
            "command_hash",
            Link {
                command_hash: Some(&[8; 32]),
                ..whole
            },
        ),
        (
            "command_hash gone",
            Link {
                command_hash: None,
                ..whole
            },
        ),
        (
            "answer",
            Link {
                answer: Some(b"another"),
                ..whole
            },
        ),
        (
            "answer gone",
            Link {
                answer: None,
                ..whole
            },
        ),
    ] {
        let before = seen.insert(format!("{:?}", root().then(&altered)), what);
        assert_eq!(before, None, "{what}");
    }
}

#[test]
fn each_owner_of_each_program_has_a_chain_of_its_own() {
    let other = ProgramId::try_from(id(99)).unwrap();
    assert_ne!(ChainHash::root(program(), owner_id(3)), root());
    assert_ne!(ChainHash::root(other, owner_id(2)), root());
}

#[test]
fn a_hash_is_read_as_it_was_written() {
    assert_eq!(ChainHash::try_from(root().as_bytes().to_vec()), Ok(root()));
    assert_eq!(ChainHash::try_from(vec![0; 31]), Err(ChainHashError));
}

#[test]
fn an_account_has_one_name_in_the_database_and_in_the_form() {
    for account in [
        EntryAccount::OwnerAvailable,
        EntryAccount::OwnerDebt,
        EntryAccount::OwnerHeld,
        EntryAccount::OwnerPending,
        EntryAccount::ProgramIssued,
        EntryAccount::ProgramRedeemed,
        EntryAccount::ProgramExpired,
        EntryAccount::ProgramWaived,
        EntryAccount::ProgramMoved,
        EntryAccount::ProgramAdjusted,
    ] {
        assert_eq!(serde_json::to_value(account).unwrap(), account.as_str());
    }
}

/// A transaction with other texts and amounts.
fn any_transaction() -> impl Strategy<Value = Transaction> {
    (
        ".{0,8}",
        ".{0,8}",
        proptest::option::of(".{0,4}"),
        any::<i64>(),
        any::<i64>(),
    )
        .prop_map(|(actor, reason, receipt_id, value, micros)| {
            let mut it = transaction();
            it.occur_time = DateTime::UNIX_EPOCH + TimeDelta::microseconds(micros % (1 << 52));
            it.entries[0].value = Points::new(value);
            Transaction {
                receipt_id,
                actor,
                reason,
                ..it
            }
        })
}

proptest! {
    #[test]
    fn equal_hashes_are_of_equal_transactions(one in any_transaction(), other in any_transaction()) {
        prop_assert_eq!(hash_of(&one) == hash_of(&other), one == other);
    }

    #[test]
    fn the_order_of_two_transactions_is_in_the_hash(one in any_transaction(), other in any_transaction()) {
        prop_assume!(one != other);
        let forth = root().then(&link(&one)).then(&link(&other));
        let back = root().then(&link(&other)).then(&link(&one));
        prop_assert_ne!(forth, back);
    }
}
