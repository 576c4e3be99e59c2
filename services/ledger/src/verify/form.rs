//! Hashes rows, by `services/ledger/CHAIN.md` and nothing else: not by the code that wrote them.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::rows::{Begin, Entry, Movement, Transaction};

const ROOT_TAG: &[u8] = b"fealty.ledger.chain.v1";
const TRANSACTION_TAG: &[u8] = b"fealty.ledger.transaction.v1";

/// A hash in a chain.
pub(super) type Hash = [u8; 32];

/// What stands before an owner's first transaction.
pub(super) fn root(program: Uuid, owner_id: Uuid) -> Hash {
    let mut form = value(ROOT_TAG);
    form.extend(value(program.as_bytes()));
    form.extend(value(owner_id.as_bytes()));
    Sha256::digest(form).into()
}

/// What stands after one more transaction.
pub(super) fn next(
    before: &Hash,
    program: Uuid,
    row: &Transaction,
    (entries, movements): (&[Entry], &[Movement]),
) -> Hash {
    let answer = row.answer.as_deref().map(Sha256::digest);
    let entries: Vec<u8> = entries.iter().flat_map(|it| value(&entry_form(it))).collect();
    let movements: Vec<u8> = movements
        .iter()
        .flat_map(|it| value(&movement_form(it)))
        .collect();
    let named = [
        ("counterpart_transaction_id", row.counterpart_transaction_id),
        ("counterpart_owner_id", row.counterpart_owner_id),
        ("reversed_transaction_id", row.reversed_transaction_id),
        ("hold_id", row.hold_id),
    ];
    let named = named
        .iter()
        .filter_map(|(name, id)| Some([value(name.as_bytes()), value(id.as_ref()?.as_bytes())].concat()));
    let values = [
        value(TRANSACTION_TAG),
        value(program.as_bytes()),
        value(row.owner_id.as_bytes()),
        number(row.version),
        value(row.transaction_id.as_bytes()),
        value(row.kind.as_bytes()),
        optional(row.request_id.as_ref().map(Uuid::as_bytes)),
        optional(row.command_hash.as_ref()),
        optional(answer),
        value(row.source.as_bytes()),
        optional(row.receipt_id.as_ref()),
        optional(row.purchase_id.as_ref().map(Uuid::as_bytes)),
        row.money_minor.map_or_else(absent, number),
        optional(row.currency_code.as_ref()),
        value(row.actor.as_bytes()),
        value(row.reason.as_bytes()),
        optional(row.on_behalf_of.as_ref().map(Uuid::as_bytes)),
        time(row.occur_time),
        time(row.record_time),
        value(&entries),
        value(&movements),
    ];
    let mut hasher = Sha256::new_with_prefix(before);
    for value in values.into_iter().chain(named) {
        hasher.update(value);
    }
    hasher.finalize().into()
}

fn entry_form(entry: &Entry) -> Vec<u8> {
    [
        value(entry.account.as_bytes()),
        value(entry.unit.as_bytes()),
        number(entry.value),
        entry.balance.map_or_else(absent, number),
        budget_form(entry.budget.as_deref()),
    ]
    .concat()
}

fn movement_form(movement: &Movement) -> Vec<u8> {
    [
        value(movement.lot.as_bytes()),
        value(movement.unit.as_bytes()),
        number(movement.value),
        movement.end.map_or_else(absent, time),
        if movement.slides { number(1) } else { Vec::new() },
        budget_form(movement.budget.as_deref()),
        movement.begin.as_ref().map_or_else(Vec::new, begin_form),
    ]
    .concat()
}

fn budget_form(code: Option<&str>) -> Vec<u8> {
    let form = |code: &str| [value(b"budget"), value(code.as_bytes())].concat();
    code.map_or_else(Vec::new, form)
}

fn begin_form(begin: &Begin) -> Vec<u8> {
    [value(b"begin"), begin.time().map_or_else(absent, time)].concat()
}

fn value(content: &[u8]) -> Vec<u8> {
    // What does not fit was never written so: its hash differs.
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), content].concat()
}

fn absent() -> Vec<u8> {
    vec![0xff; 4]
}

fn optional(content: Option<impl AsRef<[u8]>>) -> Vec<u8> {
    content.map_or_else(absent, |content| value(content.as_ref()))
}

fn number(number: i64) -> Vec<u8> {
    value(&number.to_be_bytes())
}

fn time(time: DateTime<Utc>) -> Vec<u8> {
    number(time.timestamp_micros())
}

/// As findings show it.
pub(super) fn hex(hash: impl AsRef<[u8]>) -> String {
    hash.as_ref().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
