//! Households in the database.

mod invitations;
mod limits;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{HouseholdId, MemberId, ProgramId};
use sqlx::PgConnection;

use super::domain::{Household, HouseholdMember, Terms};

pub(super) use invitations::{
    InvitationsOf, close_open_in_tx, count_open_in_tx, find_invitation_in_tx, insert_in_tx, list_in_tx,
};
pub(crate) use invitations::{lock_invitation_in_tx, set_status_in_tx, withdraw_all_in_tx};
pub(crate) use limits::{LimitRows, limit_rows, limits_of, parse_role};

/// A household that the ledger knows, with its members.
pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    household_id: HouseholdId,
) -> Result<Option<Household>, StorageError> {
    // In one statement, and so as of one instant.
    let rows = sqlx::query!(
        r#"SELECT h.create_time, h.dissolve_time, m.member_id AS "member_id?: MemberId",
                  m.household_role AS "household_role?", m.household_join_time AS "household_join_time?",
                  m.household_limits AS "household_limits: LimitRows"
           FROM household h
           LEFT JOIN member m ON m.program = h.program AND m.household_id = h.household_id
           WHERE h.program = $1 AND h.household_id = $2 AND h.ledger_confirmed
           ORDER BY m.household_join_time, m.member_id"#,
        program_id.as_uuid(),
        household_id.as_uuid(),
    )
    .fetch_all(tx)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let (create_time, dissolve_time) = (first.create_time, first.dissolve_time);
    let members = rows.into_iter().filter_map(|row| {
        let (member_id, role, join_time) = (row.member_id?, row.household_role?, row.household_join_time?);
        Some(member_of(member_id, &role, row.household_limits, join_time))
    });
    Ok(Some(Household {
        household_id,
        members: members.collect::<Result<_, _>>()?,
        create_time,
        dissolve_time,
    }))
}

fn member_of(
    member_id: MemberId,
    role: &str,
    limits: Option<LimitRows>,
    join_time: DateTime<Utc>,
) -> Result<HouseholdMember, StorageError> {
    Ok(HouseholdMember {
        member_id,
        terms: Terms {
            role: parse_role(role)?,
            limits: limits_of(limits),
        },
        join_time,
    })
}
