//! Households in the database.

use fealty_postgres::StorageError;
use fealty_types::{HouseholdId, MemberId, ProgramId};
use sqlx::PgConnection;

use super::domain::Household;

/// A household that the ledger knows, with its members.
pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
) -> Result<Option<Household>, StorageError> {
    // In one statement, and so as of one instant.
    let found = sqlx::query!(
        r#"SELECT h.create_time,
                  ARRAY(SELECT m.member_id FROM member m
                        WHERE m.program = h.program AND m.household_id = h.household_id
                        ORDER BY m.household_join_time, m.member_id) AS "member_ids!: Vec<MemberId>"
           FROM household h WHERE h.program = $1 AND h.household_id = $2 AND h.ledger_confirmed"#,
        program_id.as_uuid(),
        household_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(found.map(|row| Household {
        household_id,
        member_ids: row.member_ids,
        create_time: row.create_time,
    }))
}
