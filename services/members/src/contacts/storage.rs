//! Decisions and opt-outs in the database. What was said and done under a record that was merged into another counts
//! for that one.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Contact, Decision, History, Purpose, Topic, TopicOptOut};

/// A decision as it is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decided<'a> {
    pub decision_id: Uuid,
    pub member_id: MemberId,
    pub contact: &'a Contact,
    pub decision: Decision,
    pub decide_time: DateTime<Utc>,
}

/// What has been with a member so far.
pub(super) async fn load_history_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    contact: &Contact,
    now: DateTime<Utc>,
) -> Result<History, StorageError> {
    let opt_out_time = find_opt_out_in_tx(&mut *tx, program_id, member_id, &contact.topic).await?;
    let contact_times = contact_times_in_tx(tx, program_id, member_id, contact.purpose, now).await?;
    Ok(History {
        opted_out: opt_out_time.is_some(),
        contact_times,
    })
}

async fn contact_times_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>, StorageError> {
    let Some(cap) = purpose.cap() else {
        return Ok(Vec::new());
    };
    Ok(sqlx::query_scalar!(
        "SELECT decide_time FROM contact_decision \
         WHERE program = $1 AND rule = 'ALLOWED' AND purpose = $3 AND decide_time > $4 AND member_id IN ( \
             SELECT member_id FROM member \
             WHERE program = $1 AND (member_id = $2 OR merged_into_member_id = $2)) \
         ORDER BY decide_time DESC LIMIT $5",
        program_id.as_uuid(),
        member_id.as_uuid(),
        purpose.as_str(),
        now - cap.window,
        i64::try_from(cap.count_max).unwrap_or(i64::MAX),
    )
    .fetch_all(tx)
    .await?)
}

/// Keeps a decision, which is a contact if it is a yes.
pub(super) async fn insert_decision_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    decided: &Decided<'_>,
) -> Result<(), StorageError> {
    let (rule, not_before_time) = to_columns(decided.decision);
    sqlx::query!(
        "INSERT INTO contact_decision \
         (program, decision_id, member_id, channel, purpose, topic, rule, not_before_time, decide_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        program_id.as_uuid(),
        decided.decision_id,
        decided.member_id.as_uuid(),
        decided.contact.channel.as_str(),
        decided.contact.purpose.as_str(),
        decided.contact.topic.as_str(),
        rule,
        not_before_time,
        decided.decide_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A decision that was made before.
pub(super) async fn find_decision_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    decision_id: Uuid,
) -> Result<Option<Decision>, StorageError> {
    sqlx::query!(
        "SELECT rule, not_before_time FROM contact_decision WHERE program = $1 AND decision_id = $2",
        program_id.as_uuid(),
        decision_id,
    )
    .fetch_optional(tx)
    .await?
    .map(|row| from_columns(&row.rule, row.not_before_time))
    .transpose()
}

fn to_columns(decision: Decision) -> (&'static str, Option<DateTime<Utc>>) {
    match decision {
        Decision::Allowed => ("ALLOWED", None),
        Decision::MemberNotActive => ("MEMBER_NOT_ACTIVE", None),
        Decision::TopicOptOut => ("TOPIC_OPT_OUT", None),
        Decision::FrequencyCap { not_before_time } => ("FREQUENCY_CAP", Some(not_before_time)),
    }
}

fn from_columns(rule: &str, not_before_time: Option<DateTime<Utc>>) -> Result<Decision, StorageError> {
    match (rule, not_before_time) {
        ("ALLOWED", None) => Ok(Decision::Allowed),
        ("MEMBER_NOT_ACTIVE", None) => Ok(Decision::MemberNotActive),
        ("TOPIC_OPT_OUT", None) => Ok(Decision::TopicOptOut),
        ("FREQUENCY_CAP", Some(not_before_time)) => Ok(Decision::FrequencyCap { not_before_time }),
        _ => Err(StorageError::corrupt("contact_decision.rule", rule)),
    }
}

/// Since when a member wants nothing of a topic.
pub(super) async fn find_opt_out_in_tx(
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
pub(super) async fn count_opt_outs_in_tx(
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
pub(super) async fn insert_opt_out_in_tx(
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
pub(super) async fn list_opt_outs_in_tx(
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
