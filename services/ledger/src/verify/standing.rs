//! What the rows of an owner, their accounts and lots say, held to what their transactions came to.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::days::Days;
use super::finding::{Check, Finding, Findings};
use super::form::hex;
use super::history::{AVAILABLE, DEBT, HELD, History, PENDING};
use super::rows::{Account, Lot, Owner, SentDay};
use super::sliding::Known;

/// What is left and held in the rows of lots, by unit.
#[derive(Debug, Default)]
pub(super) struct LotRows {
    left: BTreeMap<String, i128>,
    pending: BTreeMap<String, i128>,
    held: BTreeMap<String, i128>,
    /// The last end of those that are open and slide.
    sliding: BTreeMap<String, DateTime<Utc>>,
}

impl LotRows {
    pub(super) fn add(&mut self, row: &Lot) {
        let left = if row.pending {
            &mut self.pending
        } else {
            &mut self.left
        };
        *left.entry(row.unit_code.clone()).or_default() += i128::from(row.value_left);
        *self.held.entry(row.unit_code.clone()).or_default() += i128::from(row.value_held);
        let counts = !row.pending && (row.value_left > 0 || row.value_held > 0);
        if let Some(end) = row.expire_time.filter(|_| row.slides && counts) {
            let known = self.sliding.entry(row.unit_code.clone()).or_insert(end);
            *known = end.max(*known);
        }
    }
}

/// Of one owner: all that there is.
#[derive(Debug)]
pub(super) struct Standing<'a> {
    pub(super) program: Uuid,
    pub(super) owner_id: Uuid,
    pub(super) owner: Option<&'a Owner>,
    pub(super) accounts: &'a [Account],
    pub(super) lots: Option<&'a LotRows>,
    pub(super) days: &'a [SentDay],
    pub(super) history: Option<&'a History>,
}

impl Standing<'_> {
    pub(super) fn check(&self, findings: &mut Findings) {
        match self.owner {
            Some(owner) => self.check_owner(owner, findings),
            None => findings.push(
                self.finding(Check::Owner, "row of the owner")
                    .differs("one", "none, but something that belongs to them"),
            ),
        }
        for unit in self.units() {
            self.check_unit(unit, findings);
            self.check_sliding_end(unit, findings);
        }
        let place = self.finding(Check::Transfer, "");
        match self.history {
            Some(history) => {
                history.holds.check_rest(findings);
                history.days.check(&place, findings);
            }
            None => Days::of(self.days).check(&place, findings),
        }
    }

    /// All that slides and has not ended has the account's end; else that is what was told, or no earlier.
    fn check_sliding_end(&self, unit: &str, findings: &mut Findings) {
        let account = self.accounts.iter().find(|account| account.unit_code == unit);
        let found = account.and_then(|account| account.sliding_end);
        let time = self.history.and_then(|history| history.record_time);
        let open = self.lots.and_then(|lots| lots.sliding.get(unit).copied());
        let shown = |end: Option<DateTime<Utc>>| end.map_or_else(|| "none".to_owned(), |end| end.to_string());
        let finding = || self.finding(Check::Account, format!("sliding_end of {unit}"));
        if let Some(end) = open.filter(|end| time.is_some_and(|time| time < *end)) {
            if found != Some(end) {
                findings.push(finding().differs(end, shown(found)));
            }
            return;
        }
        let known = self.history.map(|history| history.sliding.find(unit));
        match known.unwrap_or(Known::Exactly(None)) {
            Known::Exactly(end) if found != end => findings.push(finding().differs(shown(end), shown(found))),
            Known::NoEarlier(Some(end)) if found < Some(end) => {
                findings.push(finding().differs(format_args!("{end} or later"), shown(found)));
            }
            Known::Exactly(_) | Known::NoEarlier(_) => {}
        }
    }

    fn finding(&self, check: Check, what: impl Into<String>) -> Finding {
        Finding::of_owner(self.program, self.owner_id, check, what)
    }

    fn check_owner(&self, owner: &Owner, findings: &mut Findings) {
        let version = self.history.map_or(0, |history| history.version);
        if owner.version != version {
            let finding = Finding {
                version: Some(version),
                ..self.finding(Check::Version, "the owner's version, by the last transaction")
            };
            findings.push(finding.differs(version, owner.version));
        }
        let shown = |hash: Option<&Vec<u8>>| hash.map_or_else(|| "none".to_owned(), hex);
        let chain = self.history.and_then(|history| history.chain.as_ref());
        if owner.chain_head.as_ref() != chain {
            let finding = self.finding(Check::Chain, "chain_head, by the last transaction");
            findings.push(finding.differs(shown(chain), shown(owner.chain_head.as_ref())));
        }
        let time = self.history.and_then(|history| history.record_time);
        if let Some(time) = time.filter(|time| *time != owner.last_time) {
            let finding = self.finding(Check::Time, "last_time, by the last transaction");
            findings.push(finding.differs(time, owner.last_time));
        }
    }

    fn units(&self) -> BTreeSet<&str> {
        let accounts = self.accounts.iter().map(|account| account.unit_code.as_str());
        let lots = self.lots.iter();
        let lots = lots.flat_map(|lots| lots.left.keys().chain(lots.pending.keys()));
        let posted = self
            .history
            .iter()
            .flat_map(|history| history.balances.keys().map(|(unit, _)| unit));
        accounts.chain(lots.chain(posted).map(String::as_str)).collect()
    }

    fn check_unit(&self, unit: &str, findings: &mut Findings) {
        let mut must = |check, what: &str, expected: i128, found: i128| {
            if expected != found {
                let finding = self.finding(check, format!("{what} of {unit}"));
                findings.push(finding.differs(expected, found));
            }
        };
        let posted = |account: &str| {
            let balances = self.history.map(|history| &history.balances);
            let balance = balances.and_then(|all| all.get(&(unit.to_owned(), account.to_owned())));
            balance.copied().unwrap_or_default()
        };
        let account = self.accounts.iter().find(|account| account.unit_code == unit);
        let column = |value: fn(&Account) -> i64| account.map_or(0, |account| i128::from(value(account)));
        must(
            Check::Account,
            "available",
            posted(AVAILABLE),
            column(|it| it.available),
        );
        must(Check::Account, "held", posted(HELD), column(|it| it.held));
        must(
            Check::Account,
            "pending",
            posted(PENDING),
            column(|it| it.pending),
        );
        must(Check::Account, "debt", -posted(DEBT), column(|it| it.debt));

        let of = |sums: &BTreeMap<String, i128>| sums.get(unit).copied().unwrap_or_default();
        let left = self.lots.map_or(0, |lots| of(&lots.left));
        let pending = self.lots.map_or(0, |lots| of(&lots.pending));
        let held = self.lots.map_or(0, |lots| of(&lots.held));
        must(Check::Lot, "sum of all lots", posted(AVAILABLE), left);
        must(
            Check::Lot,
            "sum of what waits in all lots",
            posted(PENDING),
            pending,
        );
        must(Check::Lot, "sum of what is held in all lots", posted(HELD), held);
        let open = self.history.map_or(0, |history| of(&history.holds.held));
        must(Check::Hold, "sum of all open holds", posted(HELD), open);
    }
}
