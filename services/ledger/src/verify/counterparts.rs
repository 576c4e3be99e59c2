//! The two sides of a transfer: rows of two owners, from one commit, and so in every snapshot both or neither.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::finding::{Check, Finding, Findings};
use super::history::{MOVED, Read};
use super::rows::{Counterpart, Entry, read as parsed};
use super::sides::{Must, side};

const TRANSFER: &str = "transfer";

/// Holds a transfer to its other side, and all others to having none. Whoever is wrong, both sides say so.
pub(super) fn check(read: Read<'_>, place: &Finding, findings: &mut Findings) {
    let row = read.row;
    let place = Finding {
        check: Check::Transfer,
        ..place.clone()
    };
    if row.kind != TRANSFER {
        let mut must = Must {
            place: &place,
            findings,
        };
        let none = (None::<Uuid>, None::<Uuid>);
        must.be(
            "counterpart",
            none,
            (row.counterpart_transaction_id, row.counterpart_owner_id),
        );
        return;
    }
    let Some(other) = side::<Counterpart>(read, &place, findings) else {
        return;
    };
    let mut must = Must {
        place: &place,
        findings,
    };
    must.be("counterpart's kind", TRANSFER, other.kind.as_str());
    must.be(
        "counterpart's owner",
        row.counterpart_owner_id,
        Some(other.owner_id),
    );
    must.be(
        "counterpart's counterpart",
        (Some(row.transaction_id), Some(row.owner_id)),
        (other.counterpart_transaction_id, other.counterpart_owner_id),
    );
    must.be("counterpart's time", row.record_time, other.record_time);
    must.be("sides that a request asked for", 1, sides_asked_for(read, &other));
    // What cannot be read is found where it is walked.
    if let Ok(entries) = parsed::<Vec<Entry>>(&other.entries) {
        let sent = moved(read.entries, 1);
        must.be("points on their way", sent, moved(&entries, -1));
    }
}

fn sides_asked_for(read: Read<'_>, other: &Counterpart) -> usize {
    [read.row.request_id, other.request_id].iter().flatten().count()
}

/// What came into the account between the two, by unit.
fn moved(entries: &[Entry], sign: i128) -> BTreeMap<&str, i128> {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.account == MOVED) {
        *sums.entry(&entry.unit).or_default() += sign * i128::from(entry.value);
    }
    sums
}
