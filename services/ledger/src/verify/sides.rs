//! Rows beside a transaction: the hold that it made, the purchase or refund that it recorded.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::finding::{Check, Finding, Findings};
use super::history::{AVAILABLE, DEBT, HELD, ISSUED, REDEEMED, Read, WAIVED};
use super::rows::{Hold, Purchase, Refund, read};

const OPEN: &str = "open";
const CAPTURED: &str = "captured";
const RELEASED: &str = "released";
const EXPIRED: &str = "expired";

/// How a hold ended, as its row and as the transaction that ended it tell. A transaction does not name the hold, so the
/// two are told apart by all that both know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Ending {
    unit: String,
    status: String,
    value: i128,
    captured: i128,
    /// Of one that ended by itself.
    end: Option<DateTime<Utc>>,
}

/// The holds of an owner.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// Rows less transactions, with where the last of them was; those that come to nothing are forgotten.
    endings: BTreeMap<Ending, (i64, Finding)>,
    /// What is open, by unit.
    pub(super) held: BTreeMap<String, i128>,
    /// What open holds claim, by lot.
    pub(super) pinned: HashMap<Uuid, i128>,
    /// Units in which a claim moved from one lot to another.
    pub(super) repinned: BTreeSet<String>,
}

impl Holds {
    /// What a transaction says of holds.
    pub(super) fn add(&mut self, read: Read<'_>, place: &Finding, findings: &mut Findings) {
        let place = Finding {
            check: Check::Hold,
            ..place.clone()
        };
        match read.row.kind.as_str() {
            "hold" => {
                if let Some(hold) = side::<Hold>(read, &place, findings) {
                    self.open(read, &hold, &place, findings);
                }
            }
            "capture" | "release" => {
                check_named(read, &place, findings);
                self.end(read, &place);
            }
            _ => {}
        }
    }

    fn open(&mut self, read: Read<'_>, hold: &Hold, place: &Finding, findings: &mut Findings) {
        let unit = &hold.unit_code;
        let row = read.row;
        let mut must = Must { place, findings };
        must.be("owner_id", row.owner_id, hold.owner_id);
        must.be("value", read.posted(HELD, unit), i128::from(hold.value));
        must.be("source", &row.source, &hold.source);
        must.be("create_time", row.record_time, hold.create_time);
        let claimed: i128 = hold.pins.iter().map(|pin| i128::from(pin.value)).sum();
        must.be("sum of pins", i128::from(hold.value), claimed);

        let mut taken: BTreeMap<Uuid, i128> = BTreeMap::new();
        for moved in read.movements.iter().filter(|moved| moved.unit == *unit) {
            *taken.entry(moved.lot).or_default() -= i128::from(moved.value);
        }
        for pin in &hold.pins {
            *taken.entry(pin.lot).or_default() -= i128::from(pin.value);
        }
        if taken.values().any(|value| *value != 0) {
            self.repinned.insert(unit.clone());
        }
        if hold.status == OPEN {
            must.be("captured_value", 0, hold.captured_value);
            must.be("on_behalf_of", row.on_behalf_of, hold.on_behalf_of);
            *self.held.entry(unit.clone()).or_default() += i128::from(hold.value);
            for pin in &hold.pins {
                *self.pinned.entry(pin.lot).or_default() += i128::from(pin.value);
            }
            return;
        }
        let ending = Ending {
            unit: unit.clone(),
            status: hold.status.clone(),
            value: hold.value.into(),
            captured: hold.captured_value.into(),
            end: (hold.status == EXPIRED).then_some(hold.expire_time),
        };
        self.count(ending, 1, place);
    }

    fn end(&mut self, read: Read<'_>, place: &Finding) {
        let row = read.row;
        let units: BTreeSet<&str> = read
            .entries
            .iter()
            .filter(|entry| entry.account == HELD)
            .map(|entry| entry.unit.as_str())
            .collect();
        for unit in units {
            let status = match (row.kind.as_str(), row.request_id) {
                ("capture", _) => CAPTURED,
                (_, Some(_)) => RELEASED,
                (_, None) => EXPIRED,
            };
            let ending = Ending {
                unit: unit.to_owned(),
                status: status.to_owned(),
                value: -read.posted(HELD, unit),
                captured: read.posted(REDEEMED, unit),
                end: (status == EXPIRED).then_some(row.occur_time),
            };
            self.count(ending, -1, place);
        }
    }

    fn count(&mut self, ending: Ending, by: i64, place: &Finding) {
        match self.endings.entry(ending) {
            Entry::Vacant(new) => {
                new.insert((by, place.clone()));
            }
            Entry::Occupied(mut known) => {
                let (count, last) = known.get_mut();
                *count += by;
                last.clone_from(place);
                if *count == 0 {
                    known.remove();
                }
            }
        }
    }

    /// What has no counterpart.
    pub(super) fn check_rest(&self, findings: &mut Findings) {
        for (ending, (count, place)) in &self.endings {
            let Ending {
                unit,
                status,
                value,
                captured,
                ..
            } = ending;
            let finding = Finding {
                what: format!("hold of {value} {unit}, {status}, {captured} captured"),
                ..place.clone()
            };
            let (expected, found) = if *count > 0 {
                ("a transaction that ended it", "none")
            } else {
                ("a hold that ended so", "none")
            };
            findings.push(finding.differs(expected, found));
        }
    }
}

/// What ended a hold names it, unless it was recorded before that was told; and of what was captured, the hold says from
/// which lots.
fn check_named(read: Read<'_>, place: &Finding, findings: &mut Findings) {
    let row = read.row;
    if row.hold_id.is_none() {
        return;
    }
    let Some(hold) = side::<Hold>(read, place, findings) else {
        return;
    };
    let unit = &hold.unit_code;
    let mut must = Must { place, findings };
    must.be("owner_id of the hold", row.owner_id, hold.owner_id);
    must.be(
        "value of the hold",
        -read.posted(HELD, unit),
        i128::from(hold.value),
    );
    must.be(
        "captured of the hold",
        read.posted(REDEEMED, unit),
        i128::from(hold.captured_value),
    );
    // Of one that ended before holds kept it, neither says whom it was for.
    must.be("on_behalf_of of the hold", row.on_behalf_of, hold.on_behalf_of);
    let captured: i128 = hold.pins.iter().map(|pin| i128::from(pin.captured)).sum();
    must.be(
        "sum of what was captured of lots",
        i128::from(hold.captured_value),
        captured,
    );
    let is_part = hold
        .pins
        .iter()
        .all(|pin| (0..=pin.value).contains(&pin.captured));
    must.be("captured of a lot, as a part of its claim", true, is_part);
}

/// Checks the row of a purchase or refund.
pub(super) fn check(read: Read<'_>, place: &Finding, findings: &mut Findings) {
    let of = |check| Finding {
        check,
        ..place.clone()
    };
    match read.row.kind.as_str() {
        "purchase" => {
            let place = of(Check::Purchase);
            if let Some(purchase) = side::<Purchase>(read, &place, findings) {
                check_purchase(
                    read,
                    &purchase,
                    &mut Must {
                        place: &place,
                        findings,
                    },
                );
            }
        }
        "refund" => {
            let place = of(Check::Refund);
            if let Some(refund) = side::<Refund>(read, &place, findings) {
                check_refund(
                    read,
                    &refund,
                    &mut Must {
                        place: &place,
                        findings,
                    },
                );
            }
        }
        _ => {}
    }
}

fn check_purchase(read: Read<'_>, purchase: &Purchase, must: &mut Must<'_>) {
    let row = read.row;
    must.be("purchase_id", Some(row.transaction_id), row.purchase_id);
    must.be("owner_id", row.named_owner_id(), purchase.owner_id);
    must.be("version", row.version, purchase.version);
    must.be("source", &row.source, &purchase.source);
    must.be("receipt_id", row.receipt_id.as_ref(), Some(&purchase.receipt_id));
    must.be("money", row.money_minor, Some(purchase.money_minor));
    must.be(
        "currency",
        row.currency_code.as_ref(),
        Some(&purchase.currency_code),
    );
    must.be("occur_time", row.occur_time, purchase.occur_time);
    must.be("record_time", row.record_time, purchase.record_time);
    let (earned, repaid) = (
        by_unit(&purchase.unit_codes, &purchase.earned_values),
        by_unit(&purchase.unit_codes, &purchase.debt_repaid_values),
    );
    must.be("earned", by_account(read, ISSUED, -1), earned);
    must.be("debt repaid", by_account(read, DEBT, 1), repaid);
    // Lots that became one with others in the same transaction have gone again.
    let credited = read.movements.iter().filter(|moved| moved.value > 0);
    let credited: BTreeSet<Uuid> = credited.map(|moved| moved.lot).collect();
    let named: BTreeSet<Uuid> = purchase.lot_ids.iter().copied().collect();
    must.be("lots", credited, named);
}

fn check_refund(read: Read<'_>, refund: &Refund, must: &mut Must<'_>) {
    let row = read.row;
    must.be("purchase_id", row.purchase_id, refund.purchase_id);
    must.be("owner_id", row.named_owner_id(), refund.owner_id);
    must.be("source", &row.source, &refund.source);
    must.be("money", row.money_minor, Some(refund.money_minor));
    must.be(
        "currency",
        row.currency_code.as_ref(),
        Some(&refund.currency_code),
    );
    must.be("occur_time", row.occur_time, refund.occur_time);
    for (what, account, values) in [
        ("from available", AVAILABLE, &refund.from_available_values),
        ("as debt", DEBT, &refund.as_debt_values),
        ("waived", WAIVED, &refund.waived_values),
    ] {
        must.be(
            what,
            by_account(read, account, -1),
            by_unit(&refund.unit_codes, values),
        );
    }
}

/// What came to an account, by unit.
fn by_account<'a>(read: Read<'a>, account: &str, sign: i128) -> BTreeMap<&'a str, i128> {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for entry in read.entries.iter().filter(|entry| entry.account == account) {
        *sums.entry(&entry.unit).or_default() += sign * i128::from(entry.value);
    }
    sums.retain(|_, value| *value != 0);
    sums
}

/// Two columns as sums by unit.
fn by_unit<'a>(units: &'a [String], values: &[i64]) -> BTreeMap<&'a str, i128> {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for (unit, value) in units.iter().zip(values) {
        *sums.entry(unit).or_default() += i128::from(*value);
    }
    sums.retain(|_, value| *value != 0);
    sums
}

/// The row beside a transaction, or on the other side of it.
pub(super) fn side<T: DeserializeOwned>(of: Read<'_>, place: &Finding, findings: &mut Findings) -> Option<T> {
    let what = format!("row of the {}", of.row.kind);
    let finding = Finding {
        what,
        ..place.clone()
    };
    let Some(json) = &of.row.side else {
        findings.push(finding.differs("one", "none"));
        return None;
    };
    match read::<T>(json) {
        Ok(row) => Some(row),
        Err(error) => {
            findings.push(finding.differs("one that can be read", error));
            None
        }
    }
}

/// Holds values to what they must be.
pub(super) struct Must<'a> {
    pub(super) place: &'a Finding,
    pub(super) findings: &'a mut Findings,
}

impl Must<'_> {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a line for each value reads best without references"
    )]
    pub(super) fn be<T: PartialEq + Debug>(&mut self, what: &str, expected: T, found: T) {
        if expected != found {
            let finding = Finding {
                what: what.to_string(),
                ..self.place.clone()
            };
            self.findings
                .push(finding.differs(format_args!("{expected:?}"), format_args!("{found:?}")));
        }
    }
}
