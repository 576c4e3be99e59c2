//! Topics that are ended, in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;

use crate::contacts::domain::{Topic, TopicOptOut};

/// Since when a member wants nothing of a topic.
pub(in crate::contacts) async fn find_opt_out_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    topic: &Topic,
) -> Result<Option<DateTime<Utc>>, StorageError> {
    Ok(sqlx::query_scalar!(
        "SELECT min(opt_out_time) FROM topic_opt_out WHERE program = $1 AND topic = $3 AND member_id IN ( \
             SELECT member_id FROM member \
             WHERE program = $1 AND (member_id = $2 OR merged_into_member_id = $2))",
        program_id.as_uuid(),
        member_id.as_uuid(),
        topic.as_str(),
    )
    .fetch_one(tx)
    .await?)
}

/// How many topics a member has opted out of.
pub(in crate::contacts) async fn count_opt_outs_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<usize, StorageError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(DISTINCT topic) AS "count!" FROM topic_opt_out WHERE program = $1 AND member_id IN (
               SELECT member_id FROM member
               WHERE program = $1 AND (member_id = $2 OR merged_into_member_id = $2))"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Ends a topic for a member, for whom it is not ended. Answers the time as it is stored.
pub(in crate::contacts) async fn insert_opt_out_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    topic: &Topic,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, StorageError> {
    Ok(sqlx::query_scalar!(
        "INSERT INTO topic_opt_out (program, member_id, topic, opt_out_time) VALUES ($1, $2, $3, $4) \
         RETURNING opt_out_time",
        program_id.as_uuid(),
        member_id.as_uuid(),
        topic.as_str(),
        now,
    )
    .fetch_one(tx)
    .await?)
}

/// The topics after one.
pub(in crate::contacts) async fn list_opt_outs_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    after: Option<&str>,
    count_max: i64,
) -> Result<Vec<TopicOptOut>, StorageError> {
    sqlx::query!(
        r#"SELECT topic, min(opt_out_time) AS "opt_out_time!" FROM topic_opt_out
           WHERE program = $1 AND topic > $3 AND member_id IN (
               SELECT member_id FROM member
               WHERE program = $1 AND (member_id = $2 OR merged_into_member_id = $2))
           GROUP BY topic ORDER BY topic LIMIT $4"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        // Nothing lies before the empty text.
        after.unwrap_or_default(),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(|row| {
        let topic = row.topic.parse();
        Ok(TopicOptOut {
            topic: topic.map_err(|error| StorageError::corrupt("topic_opt_out.topic", error))?,
            opt_out_time: row.opt_out_time,
        })
    })
    .collect()
}
