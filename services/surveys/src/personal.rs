//! Every table of this service that names people: what is told of it in an export, and what becomes of it when they are
//! erased. Both go by this list; a test holds that no table is missing.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_service::erasing::ErasePerson;
use fealty_service::personal::{AtErasure, PersonalTable, Sealed, erase_in_tx};
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

/// Where a person's key is.
pub const KEY_STATEMENT: &str =
    "SELECT data_key, master_key_id FROM person_key WHERE program = $1 AND member_id = $2";

/// The tables. Invitations come first: whoever answers holds theirs, so nothing is written behind the erasure.
pub const PERSONAL_TABLES: &[PersonalTable] = &[
    PersonalTable {
        hidden: &["token_sha256", "trace_parent", "decide_after"],
        // Nobody answers any more by a link that is still about.
        at_erasure: AtErasure::Blank(
            "status = CASE WHEN status = 'ANSWERED' THEN status ELSE 'SUPPRESSED' END, \
             token_sha256 = CASE WHEN status = 'ANSWERED' THEN token_sha256 END, decide_after = NULL",
        ),
        ..PersonalTable::of("invitation", "invitation_id::text")
    },
    PersonalTable {
        exported: false,
        at_erasure: AtErasure::Delete,
        ..PersonalTable::of("person_key", "member_id::text")
    },
    PersonalTable {
        sealed: &[Sealed {
            column: "follow_up_text",
            field: "answer/{answer_id}/follow_up_text",
            names: None,
        }],
        // The score stays in the sums that were reported; what was written goes.
        at_erasure: AtErasure::Blank("follow_up_text = NULL"),
        ..PersonalTable::of("answer", "answer_id::text")
    },
    PersonalTable {
        // It tells of those who read, and each page of an export would add to it.
        exported: false,
        at_erasure: AtErasure::Keep("who read which fields when; no value"),
        ..PersonalTable::of("personal_read", "read_id::text")
    },
    PersonalTable {
        exported: false,
        at_erasure: AtErasure::Keep("that it was done"),
        ..PersonalTable::of("person_erasure", "member_id::text")
    },
];

/// Erases what people wrote.
#[derive(Debug, Clone, Copy)]
pub struct EraseAnswers;

impl ErasePerson for EraseAnswers {
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
