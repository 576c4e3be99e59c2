//! Every table of this service that names people: what is told of it in an export. None of it says who they are, so all of
//! it stays when they are erased; a test holds that no table is missing.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_service::erasing::ErasePerson;
use fealty_service::personal::{AtErasure, PersonalTable, erase_in_tx};
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

/// The tables.
pub const PERSONAL_TABLES: &[PersonalTable] = &[
    PersonalTable {
        at_erasure: AtErasure::Keep("how often a reward was redeemed"),
        ..PersonalTable::of("member_reward", "reward_id::text")
    },
    PersonalTable {
        hidden: &["lease_time", "hold_unknown"],
        at_erasure: AtErasure::Keep(
            "what was redeemed for which points: the other side of the ledger's postings",
        ),
        ..PersonalTable::of("redemption", "redemption_id::text")
    },
    PersonalTable {
        hidden: &["code_key"],
        at_erasure: AtErasure::Keep("what was redeemed; whoever holds the code can use it to its end"),
        ..PersonalTable::of("voucher", "voucher_id::text")
    },
    PersonalTable {
        exported: false,
        at_erasure: AtErasure::Keep("that it was done"),
        ..PersonalTable::of("person_erasure", "member_id::text")
    },
];

/// Erases what there is of people: by the list nothing yet, but what a new table adds.
#[derive(Debug, Clone, Copy)]
pub struct EraseRedemptions;

impl ErasePerson for EraseRedemptions {
    async fn erase_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        member_ids: &[MemberId],
        _now: DateTime<Utc>,
    ) -> Result<(), StorageError> {
        erase_in_tx(tx, PERSONAL_TABLES, program_id, member_ids).await
    }
}
