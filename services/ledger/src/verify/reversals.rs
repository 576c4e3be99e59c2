//! Reversals: held to what they took back, which is read beside them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::finding::{Check, Finding, Findings};
use super::history::{AVAILABLE, DEBT, EXPIRED, ISSUED, PENDING, REDEEMED, Read, WAIVED};
use super::rows::{Movement, Reversed, read};
use super::sides::Must;

/// What can be reversed.
const CREDIT: &str = "credit";
const SPENDS: [&str; 2] = ["spend", "capture"];

/// Points that come back to a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Coming {
    lot: Uuid,
    value: i128,
    end: End,
    slides: bool,
}

/// The end that a lot had when points were taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Told(Option<DateTime<Utc>>),
    /// A hold's claim does not say.
    Untold,
}

impl End {
    /// Whether it may be that one.
    fn may_be(self, end: Option<DateTime<Utc>>) -> bool {
        match self {
            Self::Told(told) => told == end,
            Self::Untold => true,
        }
    }

    /// Whether it may have passed.
    fn may_have_passed(self, at: DateTime<Utc>) -> bool {
        match self {
            Self::Told(end) => end.is_some_and(|end| end <= at),
            Self::Untold => true,
        }
    }
}

/// Checks what names another transaction, and that nothing else does.
pub(super) fn check(read: Read<'_>, place: &Finding, findings: &mut Findings) {
    let place = Finding {
        check: Check::Reversal,
        ..place.clone()
    };
    let row = read.row;
    if row.kind != "reverse" {
        let mut must = Must {
            place: &place,
            findings,
        };
        must.be("reversed_transaction_id", None, row.reversed_transaction_id);
        return;
    }
    let finding = Finding {
        what: "what was reversed".to_owned(),
        ..place.clone()
    };
    match reversed(read) {
        None => findings.push(finding.differs("a transaction", "none")),
        Some(Err(error)) => findings.push(finding.differs("one that can be read", error)),
        Some(Ok(reversed)) => {
            let mut must = Must {
                place: &place,
                findings,
            };
            check_reversed(read, &reversed, &mut must);
        }
    }
}

fn reversed(of: Read<'_>) -> Option<Result<Reversed, String>> {
    of.row.side.as_ref().map(read::<Reversed>)
}

fn check_reversed(read: Read<'_>, reversed: &Reversed, must: &mut Must<'_>) {
    let units: BTreeSet<&str> = read.entries.iter().map(|entry| entry.unit.as_str()).collect();
    must.be("units", 1, units.len());
    let Some(unit) = units.into_iter().next() else {
        return;
    };
    let is_credit = reversed.kind == CREDIT;
    must.be(
        "kind of what was reversed",
        true,
        is_credit || SPENDS.contains(&reversed.kind.as_str()),
    );
    let (account, sign) = if is_credit { (ISSUED, 1) } else { (REDEEMED, -1) };
    let value = sign * read.posted(account, unit);
    let whole = -sign * reversed.posted(account, unit);
    must.be("reverses something", true, value > 0);
    let Some(reversal) = &reversed.reversal else {
        must.be("row of the reversal", "one", "none");
        return;
    };
    must.be("value", value, i128::from(reversal.value));
    let upto = i128::from(reversal.value_before) + i128::from(reversal.value);
    must.be(
        "no more than was given",
        true,
        reversal.value_before >= 0 && upto <= whole,
    );
    let posted = |account: &str| read.posted(account, unit);
    if is_credit {
        let taken = posted(AVAILABLE) + posted(DEBT) + posted(WAIVED) + posted(PENDING);
        must.be("taken, owed and waived", -value, taken);
        let gave = read.movements.iter().any(|moved| moved.value > 0);
        must.be("lots that were given something", false, gave);
    } else {
        let given = posted(AVAILABLE) + posted(DEBT) + posted(EXPIRED);
        must.be("given back, paid off and ended", value, given);
        check_lots(read, reversed, must);
    }
}

/// What was given back lies in the lots from which it was taken, or in one of the same end; what had ended is gone, or has an
/// end that is still to come.
fn check_lots(read: Read<'_>, reversed: &Reversed, must: &mut Must<'_>) {
    let coming = coming(reversed);
    let at = read.row.record_time;
    let any_ended = coming.iter().any(|it| it.end.may_have_passed(at));
    if read.posted(EXPIRED, unit_of(read)) != 0 {
        must.be("lots that have ended", true, any_ended);
    }
    // Where lots became one, what was in them moved on.
    let merged = read.movements.iter().any(|moved| moved.value < 0);
    for moved in read.movements.iter().filter(|moved| moved.value > 0 && !merged) {
        let is_origin = coming.iter().any(|it| it.lot == moved.lot);
        let has_its_end = coming
            .iter()
            .any(|it| it.end.may_be(moved.end) || (it.slides && moved.slides));
        let is_anew = any_ended && moved.end.is_none_or(|end| end > at);
        must.be(
            &format!("lot {} is one of origin, or by policy", moved.lot),
            true,
            is_origin || has_its_end || is_anew,
        );
    }
}

fn unit_of(read: Read<'_>) -> &str {
    read.entries.first().map_or("", |entry| entry.unit.as_str())
}

/// What comes back to which lot: what was taken last comes first, after what came back earlier.
fn coming(reversed: &Reversed) -> Vec<Coming> {
    let Some(reversal) = &reversed.reversal else {
        return Vec::new();
    };
    let taken: Vec<Coming> = if reversed.kind == "capture" {
        let pins = reversed.pins.iter().flatten();
        pins.map(|pin| Coming {
            lot: pin.lot,
            value: pin.captured.into(),
            end: End::Untold,
            slides: false,
        })
        .collect()
    } else {
        let went = reversed.lot_movements.iter().filter(|moved| moved.value < 0);
        went.map(|moved| Coming {
            lot: moved.lot,
            value: -i128::from(moved.value),
            end: End::Told(moved.end),
            slides: moved.slides,
        })
        .collect()
    };
    let (begin, end) = (
        i128::from(reversal.value_before),
        i128::from(reversal.value_before) + i128::from(reversal.value),
    );
    let mut upto = 0;
    let mut coming = Vec::new();
    for it in taken.into_iter().rev() {
        let from = upto;
        upto += it.value;
        let value = upto.min(end) - from.max(begin);
        if value > 0 {
            coming.push(Coming { value, ..it });
        }
    }
    coming
}

/// How much of what a transaction put into lots had been credited to them before: of a reversal, what lies again where it
/// lay. What paid off debt came first.
pub(super) fn came_back(read: Read<'_>) -> BTreeMap<Uuid, i128> {
    let Some(Ok(reversed)) = reversed(read).filter(|_| read.row.kind == "reverse") else {
        return BTreeMap::new();
    };
    // To another account nothing of it was ever credited.
    if reversed.owner_id != read.row.owner_id || reversed.kind == CREDIT {
        return BTreeMap::new();
    }
    let unit = unit_of(read);
    let is_gone = read.posted(EXPIRED, unit) != 0;
    let mut debt = if is_gone { 0 } else { read.posted(DEBT, unit) };
    let mut back = BTreeMap::new();
    for it in coming(&reversed) {
        let repaid = debt.clamp(0, it.value);
        debt -= repaid;
        *back.entry(it.lot).or_default() += it.value - repaid;
    }
    back
}

impl Reversed {
    fn posted(&self, account: &str, unit: &str) -> i128 {
        let entries = self.entries.iter();
        let posted = entries.filter(|entry| entry.account == account && entry.unit == unit);
        posted.map(|entry| i128::from(entry.value)).sum()
    }
}

/// How much of a movement into a lot is new to it.
pub(super) fn credited(moved: &Movement, came_back: &mut BTreeMap<Uuid, i128>) -> i128 {
    let value = i128::from(moved.value);
    let Some(left) = came_back.get_mut(&moved.lot) else {
        return value;
    };
    let back = value.min(*left);
    *left -= back;
    value - back
}
