//! Whom members brought, level by level.

use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::parse_state;
use crate::referrals::domain::State;

/// A member in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Who.
    pub member_id: MemberId,
    /// Who brought them.
    pub referrer_member_id: MemberId,
    /// How far from the first.
    pub depth: i32,
    /// What became of their referral.
    pub state: State,
    /// How many they brought themselves.
    pub referral_count: i64,
}

/// Whom some members brought: of each so many, and so many in all.
pub(in crate::referrals) async fn list_level_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (referrers, depth): (&[MemberId], i32),
    breadth_max: i64,
    count_max: i64,
) -> Result<Vec<Node>, StorageError> {
    let referrers: Vec<Uuid> = referrers.iter().map(MemberId::as_uuid).collect();
    let rows = sqlx::query!(
        r#"SELECT n.member_id AS "member_id!: MemberId", n.referrer_member_id AS "referrer_member_id!: MemberId",
                  n.state AS "state!",
                  (SELECT count(*) FROM referral c WHERE c.program = $1 AND c.referrer_member_id = n.member_id
                     AND c.state <> 'REJECTED') AS "referral_count!"
           FROM unnest($2::uuid[]) WITH ORDINALITY AS p (member_id, place)
           CROSS JOIN LATERAL (
               SELECT r.member_id, r.referrer_member_id, r.state, r.referral_id FROM referral r
               WHERE r.program = $1 AND r.referrer_member_id = p.member_id AND r.state <> 'REJECTED'
               ORDER BY r.referral_id LIMIT $3) n
           ORDER BY p.place, n.referral_id LIMIT $4"#,
        program_id.as_uuid(),
        &referrers,
        breadth_max,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Node {
                member_id: row.member_id,
                referrer_member_id: row.referrer_member_id,
                depth,
                state: parse_state(&row.state)?,
                referral_count: row.referral_count,
            })
        })
        .collect()
}

/// How many a member brought.
pub(in crate::referrals) async fn count_brought_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<i64, StorageError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM referral
           WHERE program = $1 AND referrer_member_id = $2 AND state <> 'REJECTED'"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(count)
}
