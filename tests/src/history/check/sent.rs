//! What was sent came, once, and nothing came or went that nobody asked for.

use std::collections::HashMap;

use super::{Found, Kind};
use crate::history::{Call, History, Record, Row, Sent};

/// A row and whose it is.
type Place<'a> = (&'a str, &'a Row);

pub(super) fn check(history: &History, record: &Record, found: &mut Found) {
    let calls: HashMap<&str, &Call> = history
        .calls
        .iter()
        .map(|call| (call.request_id.as_str(), call))
        .collect();
    let places = || {
        let owners = record.rows.iter();
        owners.flat_map(|(owner_id, rows)| rows.iter().map(move |row| (owner_id.as_str(), row)))
    };
    let by_transaction: HashMap<&str, Place> = places()
        .map(|(owner_id, row)| (row.transaction_id.as_str(), (owner_id, row)))
        .collect();
    for (owner_id, row) in places() {
        let call = row.request_id.as_deref().and_then(|id| calls.get(id));
        let other = row.counterpart.as_deref();
        let other = other.map(|id| by_transaction.get(id).filter(|(_, other)| names(other, row)));
        let wrong = match (call.and_then(|call| call.sent.as_ref()), other) {
            (Some(sent), Some(Some(other))) if is_what_was_sent(sent, other) => None,
            (Some(_), _) => Some("what was sent did not come so"),
            (None, Some(Some((_, other)))) if row.request_id.is_none() && other.request_id.is_some() => None,
            (None, Some(_)) => Some("it is one side of what nobody sent"),
            (None, None) => None,
        };
        let told = || format!("{}, version {} of {owner_id}", row.mark, row.version);
        if let Some(wrong) = wrong {
            found.add(Kind::HalfTransfer, format!("{}: {wrong}: {other:?}", told()));
        }
        if row.request_id.is_none() && other.is_none() && !row.brought().is_empty() {
            let what = format!("{}: nobody asked for {:?}", told(), row.effect());
            found.add(Kind::UnaskedWrite, what);
        }
    }
}

fn names(row: &Row, other: &Row) -> bool {
    row.counterpart.as_ref() == Some(&other.transaction_id)
}

fn is_what_was_sent(sent: &Sent, (owner_id, row): &Place) -> bool {
    *owner_id == sent.to && row.effect() == sent.effect && row.request_id.is_none()
}

/// As which version of whom it came what a call sent, if it did.
pub(super) fn arrived<'a>(call: &'a Call, record: &Record) -> Option<(&'a str, i64)> {
    let sent = call.sent.as_ref()?;
    let mut rows = record.rows.get(&call.owner_id)?.iter();
    let row = rows.find(|row| row.request_id.as_ref() == Some(&call.request_id))?;
    let mut others = record.rows.get(&sent.to)?.iter();
    let other = others.find(|other| names(other, row))?;
    Some((&sent.to, other.version))
}
