//! What counts for many members at once.

use std::collections::HashMap;

use chrono::NaiveDate;
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ladders::domain::{LIFETIME_DAY, Measure};

/// The members after one of them who can have tiers, by their ids.
pub(in crate::ladders) async fn list_climbers_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    after: Option<MemberId>,
    count_max: i64,
) -> Result<Vec<MemberId>, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT member_id AS "member_id: MemberId" FROM member
           WHERE program = $1 AND member_id > coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid)
             AND ledger_confirmed AND status IN ('ACTIVE', 'SUSPENDED')
           ORDER BY member_id LIMIT $3"#,
        program_id.as_uuid(),
        after.map(|member_id| member_id.as_uuid()),
        count_max,
    )
    .fetch_all(tx)
    .await?)
}

/// What counts for each of these members over some days, with what counts of the records that were merged into theirs.
pub(in crate::ladders) async fn load_balances_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[Uuid],
    measure: &Measure,
    (from, until): (NaiveDate, NaiveDate),
) -> Result<HashMap<MemberId, i64>, StorageError> {
    let key = measure.key();
    let rows = sqlx::query!(
        r#"SELECT c.counting AS "member_id!: MemberId",
                  LEAST(GREATEST(coalesce(sum(q.value) FILTER (WHERE q.measure = $3), 0), -9223372036854775807),
                        9223372036854775807)::bigint AS "sum!",
                  count(DISTINCT q.day) FILTER (WHERE q.measure = 'purchases' AND q.value > 0 AND q.day <> $6)
                      AS "day_count!"
           FROM (SELECT m.member_id AS counting, m.member_id FROM member m
                 WHERE m.program = $1 AND m.member_id = ANY($2)
                 UNION ALL
                 SELECT m.merged_into_member_id, m.member_id FROM member m
                 WHERE m.program = $1 AND m.merged_into_member_id = ANY($2)) AS c
           JOIN qualification_day q
             ON q.program = $1 AND q.member_id = c.member_id AND q.measure IN ($3, 'purchases')
                AND q.day BETWEEN $4 AND $5
           GROUP BY c.counting"#,
        program_id.as_uuid(),
        member_ids,
        key,
        from,
        until,
        LIFETIME_DAY,
    )
    .fetch_all(tx)
    .await?;
    let visits = *measure == Measure::Visits;
    let balance = |sum: i64, days: i64| if visits { sum.saturating_add(days) } else { sum };
    Ok(rows
        .into_iter()
        .map(|row| (row.member_id, balance(row.sum, row.day_count)))
        .collect())
}
