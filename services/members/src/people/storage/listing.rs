//! Pages of members, each found by an index.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::people::domain::{MemberStatus, PartyKind, TierCode};

/// Where a list of members goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::people) struct ListAfter {
    pub create_time: DateTime<Utc>,
    pub member_id: Uuid,
}

/// Which members a list has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::people) struct ListFilter {
    pub enrolled_from_time: DateTime<Utc>,
    pub enrolled_before_time: DateTime<Utc>,
    pub status: Option<MemberStatus>,
    pub party_kind: Option<PartyKind>,
    pub tier_code: Option<TierCode>,
    pub guardian_member_id: Option<MemberId>,
}

/// The filter with a condition that names the index to go by: a condition on a value that may be missing names none.
macro_rules! ids_by {
    ($tx:expr, $program_id:expr, $filter:expr, $after:expr, $count_max:expr, $condition:literal) => {
        sqlx::query_scalar!(
            r#"SELECT member_id AS "member_id: MemberId" FROM member
               WHERE program = $1 AND ledger_confirmed AND create_time >= $2 AND create_time < $3
                 AND (create_time, member_id) > ($4, $5)
                 AND ($7::text IS NULL OR status = $7)
                 AND ($8::text IS NULL OR party_kind = $8)
                 AND ($9::text IS NULL OR tier_code = $9)
                 AND ($10::uuid IS NULL OR guardian_member_id = $10)
                 AND "#
                + $condition
                + r#"
               ORDER BY create_time, member_id LIMIT $6"#,
            $program_id.as_uuid(),
            $filter.enrolled_from_time,
            $filter.enrolled_before_time,
            $after.create_time,
            $after.member_id,
            $count_max,
            $filter.status.map(MemberStatus::as_str),
            $filter.party_kind.map(PartyKind::as_str),
            $filter.tier_code.as_ref().map(TierCode::as_str),
            $filter.guardian_member_id.map(|id| id.as_uuid()),
        )
        .fetch_all($tx)
        .await?
    };
}

/// The ids of a page of members, in the order of their enrolment.
pub(in crate::people) async fn list_ids_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    filter: &ListFilter,
    after: Option<ListAfter>,
    count_max: i64,
) -> Result<Vec<MemberId>, StorageError> {
    // Nil lies before every id.
    let after = after.unwrap_or(ListAfter {
        create_time: DateTime::UNIX_EPOCH,
        member_id: Uuid::nil(),
    });
    let is_rare_status = filter.status.is_some_and(|status| status != MemberStatus::Active);
    let is_rare_kind = filter
        .party_kind
        .is_some_and(|kind| kind != PartyKind::NaturalPerson);
    // By what the fewest have.
    Ok(if filter.guardian_member_id.is_some() {
        ids_by!(
            tx,
            program_id,
            filter,
            after,
            count_max,
            "guardian_member_id = $10 AND guardian_member_id IS NOT NULL"
        )
    } else if is_rare_status {
        ids_by!(
            tx,
            program_id,
            filter,
            after,
            count_max,
            "status = $7 AND status <> 'ACTIVE'"
        )
    } else if is_rare_kind {
        ids_by!(
            tx,
            program_id,
            filter,
            after,
            count_max,
            "party_kind = $8 AND party_kind <> 'NATURAL_PERSON'"
        )
    } else if filter.tier_code.is_some() {
        ids_by!(
            tx,
            program_id,
            filter,
            after,
            count_max,
            "tier_code = $9 AND tier_code IS NOT NULL"
        )
    } else {
        ids_by!(tx, program_id, filter, after, count_max, "true")
    })
}
