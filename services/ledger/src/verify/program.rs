//! What is about a whole program, and no page of owners can show.

use std::collections::BTreeMap;

use fealty_postgres::transact::Isolation;
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use futures::TryStreamExt as _;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use super::add_all;
use super::finding::{Check, Finding, Findings};
use super::history::MOVED;
use super::rows::{Entry, read};
use super::storage::{self, Mark, Suspect};

/// Asked of each program, in a statement and a snapshot of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Does a receipt come twice?
    Receipts,
    /// Does a request id come twice?
    Requests,
    /// Is there a hold that no transaction made?
    Holds,
    /// Is there a purchase that no transaction recorded?
    Purchases,
    /// Is there a refund that no transaction recorded?
    Refunds,
    /// Was more or less refunded of a purchase than it says?
    Refunded,
    /// Is there a reversal that no transaction made?
    Reversals,
    /// Was something taken back twice, or left out?
    Reversed,
    /// Does more or less wait of a credit than it gave, less what was taken back of it?
    Waiting,
}

impl Question {
    pub(super) const ALL: [Self; 9] = [
        Self::Receipts,
        Self::Requests,
        Self::Holds,
        Self::Purchases,
        Self::Refunds,
        Self::Refunded,
        Self::Reversals,
        Self::Reversed,
        Self::Waiting,
    ];

    pub(super) async fn ask_in_tx(
        self,
        tx: &mut PgConnection,
        program: Uuid,
        findings: &mut Findings,
    ) -> Result<(), StorageError> {
        let suspects = match self {
            Self::Receipts => storage::find_double_receipts_in_tx(tx, program).await?,
            Self::Requests => storage::find_double_requests_in_tx(tx, program).await?,
            Self::Holds => storage::find_lone_holds_in_tx(tx, program).await?,
            Self::Purchases => storage::find_lone_purchases_in_tx(tx, program).await?,
            Self::Refunds => storage::find_lone_refunds_in_tx(tx, program).await?,
            Self::Refunded => storage::find_refunded_otherwise_in_tx(tx, program).await?,
            Self::Reversals => storage::find_lone_reversals_in_tx(tx, program).await?,
            Self::Reversed => storage::find_reversed_otherwise_in_tx(tx, program).await?,
            Self::Waiting => storage::find_waiting_otherwise_in_tx(tx, program).await?,
        };
        let (check, what) = match self {
            Self::Receipts => (Check::Receipt, "transactions of the receipt"),
            Self::Requests => (Check::Request, "transactions of the request"),
            Self::Holds => (Check::Hold, "transaction of the hold"),
            Self::Purchases => (Check::Purchase, "transaction of the purchase"),
            Self::Refunds => (Check::Refund, "transaction of the refund"),
            Self::Refunded => (Check::Refund, "refunded of the purchase"),
            Self::Reversals => (Check::Reversal, "transaction of the reversal"),
            Self::Reversed => (Check::Reversal, "where a reversal begins of the transaction"),
            Self::Waiting => (Check::Waiting, "waits of the credit"),
        };
        for suspect in suspects {
            let Suspect {
                owner_id,
                name,
                expected,
                found,
            } = suspect;
            let finding = Finding {
                owner_id,
                ..Finding::of_program(program, check, format!("{what} {name}"))
            };
            findings.push(finding.differs(expected, found));
        }
        Ok(())
    }
}

/// What the program's accounts came to, owner by owner: the two sides of a move, and who takes from one budget, are rows of
/// several owners, which may have been read in several snapshots. What was recorded before the mark is in every snapshot,
/// and what was not is read here, in one.
#[derive(Debug, Default)]
pub(super) struct Sides {
    /// By program and unit: what is on its way between owners.
    moved: BTreeMap<(Uuid, String), i128>,
    /// By program and budget: what it gave.
    funded: BTreeMap<(Uuid, String), i128>,
}

impl Sides {
    /// What was found in pages of a program.
    pub(super) fn add(
        &mut self,
        program: Uuid,
        moved: BTreeMap<String, i128>,
        funded: BTreeMap<String, i128>,
    ) {
        for (unit, value) in moved {
            *self.moved.entry((program, unit)).or_default() += value;
        }
        for (code, value) in funded {
            *self.funded.entry((program, code)).or_default() += value;
        }
    }

    /// What left owners came to others, and what budgets gave is what their rows say.
    pub(super) async fn check(
        mut self,
        pool: &PgPool,
        programs: &[Uuid],
        mark: Mark,
        findings: &mut Findings,
    ) -> Result<(), StorageError> {
        let options = || {
            TransactOptions::read_only()
                .isolation(Isolation::RepeatableRead)
                .duration_max(super::SNAPSHOT_DURATION_MAX)
        };
        for program in programs {
            let (since, budgets) = transact(pool, "verify_sides", Scope::Suite, options(), |tx| {
                in_tx(async move {
                    let mut since = Self::default();
                    let mut rows = storage::stream_sides_since_in_tx(&mut *tx, *program, mark);
                    while let Some(entries) = rows.try_next().await? {
                        since.add_entries(*program, &entries);
                    }
                    drop(rows);
                    Ok::<_, StorageError>((since, storage::find_budgets_in_tx(tx, *program).await?))
                })
            })
            .await?;
            add_all(&mut self.moved, &since.moved);
            add_all(&mut self.funded, &since.funded);
            for (code, used) in budgets {
                self.check_budget(*program, code, used.into(), findings);
            }
        }
        self.check_rest(findings);
        Ok(())
    }

    /// What cannot be read was found in its page.
    fn add_entries(&mut self, program: Uuid, entries: &Value) {
        for entry in read::<Vec<Entry>>(entries).into_iter().flatten() {
            self.add_entry(program, entry);
        }
    }

    fn add_entry(&mut self, program: Uuid, entry: Entry) {
        let value = i128::from(entry.value);
        if entry.account == MOVED {
            *self.moved.entry((program, entry.unit)).or_default() += value;
        }
        if let Some(code) = entry.budget {
            *self.funded.entry((program, code)).or_default() -= value;
        }
    }

    fn check_budget(&mut self, program: Uuid, code: String, used: i128, findings: &mut Findings) {
        let what = format!("value_used of budget {code}");
        let gave = self.funded.remove(&(program, code)).unwrap_or_default();
        if gave != used {
            findings.push(Finding::of_program(program, Check::Budget, what).differs(gave, used));
        }
    }

    fn check_rest(self, findings: &mut Findings) {
        for ((program, unit), sum) in self.moved {
            if sum != 0 {
                let finding = Finding::of_program(program, Check::Moved, format!("sum of {MOVED} of {unit}"));
                findings.push(finding.differs(0, sum));
            }
        }
        for ((program, code), _) in self.funded {
            let finding = Finding::of_program(program, Check::Budget, format!("row of budget {code}"));
            findings.push(finding.differs("one", "none"));
        }
    }
}
