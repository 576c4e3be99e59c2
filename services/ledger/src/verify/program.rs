//! What is about a whole program, and no page of owners can show.

use std::collections::BTreeMap;

use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

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
}

impl Question {
    pub(super) const ALL: [Self; 6] = [
        Self::Receipts,
        Self::Requests,
        Self::Holds,
        Self::Purchases,
        Self::Refunds,
        Self::Refunded,
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
        };
        let (check, what) = match self {
            Self::Receipts => (Check::Receipt, "transactions of the receipt"),
            Self::Requests => (Check::Request, "transactions of the request"),
            Self::Holds => (Check::Hold, "transaction of the hold"),
            Self::Purchases => (Check::Purchase, "transaction of the purchase"),
            Self::Refunds => (Check::Refund, "transaction of the refund"),
            Self::Refunded => (Check::Refund, "refunded of the purchase"),
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

/// What left owners came to others: the program's account between them is empty. The two sides of a move are rows of two
/// owners, which may have been read in two snapshots. What was recorded before the mark is in every snapshot, and what was
/// not is read here, in one.
pub(super) async fn check_moved(
    pool: &PgPool,
    programs: &[Uuid],
    mark: Mark,
    mut moved: BTreeMap<(Uuid, String), i128>,
    findings: &mut Findings,
) -> Result<(), StorageError> {
    for program in programs {
        let since = transact(
            pool,
            "verify_moved",
            Scope::Suite,
            TransactOptions::read_only().duration_max(super::SNAPSHOT_DURATION_MAX),
            |tx| in_tx(storage::find_moves_since_in_tx(tx, *program, mark)),
        )
        .await?;
        // What cannot be read was found in its page.
        let entries = since
            .iter()
            .filter_map(|entries| read::<Vec<Entry>>(entries).ok());
        for entry in entries.flatten().filter(|entry| entry.account == MOVED) {
            *moved.entry((*program, entry.unit)).or_default() += i128::from(entry.value);
        }
    }
    for ((program, unit), sum) in moved {
        if sum != 0 {
            let finding = Finding::of_program(program, Check::Moved, format!("sum of {MOVED} of {unit}"));
            findings.push(finding.differs(0, sum));
        }
    }
    Ok(())
}
