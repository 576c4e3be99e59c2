//! An owner's transactions, walked in the order of their versions.
//!
//! After something was found, the walk goes on from what the row says: each wrong row is named once, and what follows
//! from it is not.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::days::Days;
use super::finding::{Check, Finding, Findings};
use super::form::{self, Hash};
use super::lots::LotSums;
use super::rows::{Entry, Movement, Transaction, read};
use super::sides::Holds;
use super::sliding::SlidingEnds;

/// The owner's accounts, as entries name them.
pub(super) const AVAILABLE: &str = "owner_available";
pub(super) const DEBT: &str = "owner_debt";
pub(super) const HELD: &str = "owner_held";
pub(super) const PENDING: &str = "owner_pending";
/// The program's.
pub(super) const ISSUED: &str = "program_issued";
pub(super) const REDEEMED: &str = "program_redeemed";
pub(super) const EXPIRED: &str = "program_expired";
pub(super) const WAIVED: &str = "program_waived";
pub(super) const MOVED: &str = "program_moved";
pub(super) const ADJUSTED: &str = "program_adjusted";

const OWNERS: [&str; 4] = [AVAILABLE, DEBT, HELD, PENDING];
const PROGRAMS: [&str; 6] = [ISSUED, REDEEMED, EXPIRED, WAIVED, MOVED, ADJUSTED];

/// What an owner's transactions came to.
#[derive(Debug)]
pub(super) struct History {
    pub(super) program: Uuid,
    pub(super) owner_id: Uuid,
    /// Of the last transaction.
    pub(super) version: i64,
    pub(super) record_time: Option<DateTime<Utc>>,
    /// The last hash.
    pub(super) chain: Option<Vec<u8>>,
    /// Transactions before the first hash.
    pub(super) unchained: u64,
    /// By unit and account: the owner's.
    pub(super) balances: BTreeMap<(String, String), i128>,
    pub(super) lots: LotSums,
    pub(super) holds: Holds,
    pub(super) days: Days,
    pub(super) sliding: SlidingEnds,
    /// What came into `program_moved`, by unit.
    pub(super) moved: BTreeMap<String, i128>,
    /// What budgets gave, by code.
    pub(super) funded: BTreeMap<String, i128>,
}

/// A transaction, read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) row: &'a Transaction,
    pub(super) entries: &'a [Entry],
    pub(super) movements: &'a [Movement],
}

impl Read<'_> {
    /// What came to an account of a unit.
    pub(super) fn posted(&self, account: &str, unit: &str) -> i128 {
        let entries = self.entries.iter();
        let posted = entries.filter(|entry| entry.account == account && entry.unit == unit);
        posted.map(|entry| i128::from(entry.value)).sum()
    }

    /// The units of its entries and movements.
    fn units(&self) -> BTreeSet<&str> {
        let entries = self.entries.iter().map(|entry| entry.unit.as_str());
        entries
            .chain(self.movements.iter().map(|moved| moved.unit.as_str()))
            .collect()
    }
}

impl History {
    pub(super) fn new(program: Uuid, owner_id: Uuid, lots: LotSums, days: Days) -> Self {
        Self {
            program,
            owner_id,
            version: 0,
            record_time: None,
            chain: None,
            unchained: 0,
            balances: BTreeMap::new(),
            lots,
            holds: Holds::default(),
            days,
            sliding: SlidingEnds::default(),
            moved: BTreeMap::new(),
            funded: BTreeMap::new(),
        }
    }

    /// The next transaction. `is_before_mark` says whether the same is true of it in every snapshot.
    pub(super) fn add(&mut self, row: &Transaction, is_before_mark: bool, findings: &mut Findings) {
        self.check_version(row, findings);
        self.check_time(row, findings);
        let entries = read::<Vec<Entry>>(&row.entries);
        let movements = read::<Vec<Movement>>(&row.lot_movements);
        let (entries, movements) = match (entries, movements) {
            (Ok(entries), Ok(movements)) => (entries, movements),
            (entries, movements) => {
                for (what, error) in [("entries", entries.err()), ("lot_movements", movements.err())] {
                    if let Some(error) = error {
                        let finding = self.finding(row, Check::Form, what);
                        findings.push(finding.differs("a list that can be read", error));
                    }
                }
                self.chain.clone_from(&row.chain_hash);
                return;
            }
        };
        let read = Read {
            row,
            entries: &entries,
            movements: &movements,
        };
        self.check_chain(read, findings);
        self.check_sums(read, findings);
        self.check_balances(read, findings);
        self.check_units(read, findings);
        self.lots.add(read);
        self.days.add(read);
        self.sliding.add(read);
        let place = self.place(row);
        self.holds.add(read, &place, findings);
        super::sides::check(read, &place, findings);
        super::counterparts::check(read, &place, findings);
        super::reversals::check(read, &place, findings);
        if is_before_mark {
            for entry in &entries {
                let value = i128::from(entry.value);
                if entry.account == MOVED {
                    *self.moved.entry(entry.unit.clone()).or_default() += value;
                }
                if let Some(budget) = &entry.budget {
                    *self.funded.entry(budget.clone()).or_default() -= value;
                }
            }
        }
    }

    /// Where findings about a row are.
    fn place(&self, row: &Transaction) -> Finding {
        Finding {
            version: Some(row.version),
            transaction_id: Some(row.transaction_id),
            ..Finding::of_owner(self.program, self.owner_id, Check::Form, "")
        }
    }

    fn finding(&self, row: &Transaction, check: Check, what: impl Into<String>) -> Finding {
        Finding {
            check,
            what: what.into(),
            ..self.place(row)
        }
    }

    fn check_version(&mut self, row: &Transaction, findings: &mut Findings) {
        let expected = self.version + 1;
        if row.version != expected {
            let finding = self.finding(row, Check::Version, "the transaction after the one before");
            findings.push(finding.differs(expected, row.version));
        }
        self.version = row.version;
    }

    fn check_time(&mut self, row: &Transaction, findings: &mut Findings) {
        if let Some(before) = self.record_time.filter(|before| *before > row.record_time) {
            let finding = self.finding(row, Check::Time, "record_time");
            findings.push(finding.differs(format_args!("{before} or later"), row.record_time));
        }
        self.record_time = Some(row.record_time);
    }

    fn check_chain(&mut self, read: Read<'_>, findings: &mut Findings) {
        let row = read.row;
        let Some(found) = &row.chain_hash else {
            if self.chain.is_some() {
                let finding = self.finding(row, Check::Chain, "chain_hash");
                findings.push(finding.differs("a hash, as the transactions before have", "none"));
            } else {
                self.unchained += 1;
            }
            return;
        };
        let before = self.chain.as_deref().and_then(|hash| Hash::try_from(hash).ok());
        let before = before.unwrap_or_else(|| form::root(self.program, self.owner_id));
        let expected = form::next(&before, self.program, row, (read.entries, read.movements));
        if expected.as_slice() != found.as_slice() {
            let finding = self.finding(row, Check::Chain, "the row and the hash before it, hashed");
            findings.push(finding.differs(form::hex(expected), form::hex(found)));
        }
        self.chain = Some(found.clone());
    }

    /// Entries sum to zero, and what came to or left the lots is what came to or left what is available, or pending.
    fn check_sums(&self, read: Read<'_>, findings: &mut Findings) {
        for unit in read.units() {
            let entries = read.entries.iter().filter(|entry| entry.unit == unit);
            let sum: i128 = entries.map(|entry| i128::from(entry.value)).sum();
            if sum != 0 {
                let finding = self.finding(read.row, Check::Sum, format!("entries of {unit}"));
                findings.push(finding.differs(0, sum));
            }
            for (account, waits) in [(AVAILABLE, false), (PENDING, true)] {
                let moved = read.movements.iter();
                let moved = moved.filter(|moved| moved.unit == unit && moved.begin.is_some() == waits);
                let moved: i128 = moved.map(|moved| i128::from(moved.value)).sum();
                let posted = read.posted(account, unit);
                if moved != posted {
                    let what = format!("lot movements of {unit}, to {account}");
                    findings.push(self.finding(read.row, Check::Sum, what).differs(posted, moved));
                }
            }
        }
    }

    fn check_balances(&mut self, read: Read<'_>, findings: &mut Findings) {
        for entry in read.entries {
            let what = || format!("{} of {}", entry.account, entry.unit);
            let finding = || self.finding(read.row, Check::Balance, what());
            if let Some(budget) = entry.budget.as_ref().filter(|_| entry.account != ISSUED) {
                findings.push(finding().differs("no budget", budget));
            }
            if PROGRAMS.contains(&entry.account.as_str()) {
                if let Some(balance) = entry.balance {
                    findings.push(finding().differs("none, as for all of the program's", balance));
                }
                continue;
            }
            if !OWNERS.contains(&entry.account.as_str()) {
                findings.push(finding().differs("an account", &entry.account));
                continue;
            }
            let key = (entry.unit.clone(), entry.account.clone());
            let before = self.balances.get(&key).copied().unwrap_or_default();
            let expected = before + i128::from(entry.value);
            let Some(found) = entry.balance.map(i128::from) else {
                findings.push(finding().differs(expected, "none"));
                self.balances.insert(key, expected);
                continue;
            };
            if found != expected {
                findings.push(finding().differs(expected, found));
            }
            let is_debt = entry.account == DEBT;
            if (is_debt && found > 0) || (!is_debt && found < 0) {
                let bound = if is_debt { "0 or less" } else { "0 or more" };
                findings.push(finding().differs(bound, found));
            }
            self.balances.insert(key, found);
        }
    }

    fn check_units(&self, read: Read<'_>, findings: &mut Findings) {
        let expected = read.units();
        let found: BTreeSet<&str> = read.row.unit_codes.iter().map(String::as_str).collect();
        if expected != found {
            let finding = self.finding(read.row, Check::Form, "unit_codes");
            findings.push(finding.differs(format_args!("{expected:?}"), format_args!("{found:?}")));
        }
    }
}
