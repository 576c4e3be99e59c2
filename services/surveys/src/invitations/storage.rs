//! Invitations in the database.

mod contacts;
mod rows;

pub(super) use contacts::{find_contact_in_tx, keep_contact_in_tx};

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{AnswerId, InvitationId, MemberId, ProgramId, PurchaseId, SurveyId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tracing::Span;
use uuid::Uuid;

use super::domain::{ContactRule, Invitation, StoredStatus, TokenHash};
use crate::surveys::domain::Topic;
use rows::{InvitationRow, TakenRow};

/// The invitation that a page begins after, newest first.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ListBefore {
    pub create_time: DateTime<Utc>,
    pub invitation_id: InvitationId,
}

/// Whose invitations a list has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListOf {
    pub survey_id: SurveyId,
    /// None for all members.
    pub member_id: Option<MemberId>,
}

/// An invitation that a replica took to decide about it, and what it needs to know for that.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub program: ProgramId,
    pub invitation: Invitation,
    pub topic: Topic,
    pub survey_closed: bool,
    /// Where in which trace it was planned.
    pub trace_parent: Option<String>,
}

fn column<T>(invitations: &[Invitation], field: impl Fn(&Invitation) -> T) -> Vec<T> {
    invitations.iter().map(field).collect()
}

/// Writes new invitations in one statement, with the place of the current span in its trace. One of a purchase that its
/// survey has invited already is not written again.
pub(super) async fn insert_all_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    invitations: &[Invitation],
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO invitation (program, invitation_id, survey_id, survey_version, member_id, channel, \
         purchase_id, status, contact_rule, due_time, expire_time, decide_after, postponed_count, create_time, \
         trace_parent) \
         SELECT $1, u.*, $15 FROM unnest($2::uuid[], $3::uuid[], $4::integer[], $5::uuid[], $6::text[], \
             $7::uuid[], $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], \
             $13::integer[], $14::timestamptz[]) AS u \
         ON CONFLICT (program, survey_id, purchase_id) WHERE purchase_id IS NOT NULL DO NOTHING",
        program.as_uuid(),
        &column(invitations, |it| it.invitation_id.as_uuid()),
        &column(invitations, |it| it.survey_id.as_uuid()),
        &column(invitations, |it| it.survey_version),
        &column(invitations, |it| it.member_id.as_uuid()),
        &column(invitations, |it| it.channel.as_str().to_owned()),
        &column(invitations, |it| it.purchase_id.map(|id| id.as_uuid())) as &[Option<Uuid>],
        &column(invitations, |it| it.stored_status.as_str().to_owned()),
        &column(invitations, |it| it.contact_rule.map(|rule| rule.as_str().to_owned())) as &[Option<String>],
        &column(invitations, |it| it.due_time),
        &column(invitations, |it| it.expire_time),
        &column(invitations, |it| it.decide_after) as &[Option<DateTime<Utc>>],
        &column(invitations, |it| it.postponed_count),
        &column(invitations, |it| it.create_time),
        fealty_telemetry::trace_parent(&Span::current()),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes invitations whose time has come, the longest waiting first, and keeps others from them until `lease_end`. Those
/// that have passed their end meanwhile are set aside: nobody looks at them again. Across programs: needs the jobs' role.
///
/// What is locked is materialised: a subselect that locks could be run again, and would then take more than it may.
pub(super) async fn take_due_in_tx(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    lease_end: DateTime<Utc>,
    count_max: i64,
) -> Result<Vec<Taken>, StorageError> {
    sqlx::query!(
        "WITH ended AS MATERIALIZED ( \
             SELECT program, invitation_id FROM invitation WHERE decide_after <= $1 AND expire_time <= $1 \
             ORDER BY decide_after LIMIT $2 FOR UPDATE SKIP LOCKED) \
         UPDATE invitation AS i SET decide_after = NULL FROM ended AS e \
         WHERE i.program = e.program AND i.invitation_id = e.invitation_id",
        now,
        count_max,
    )
    .execute(&mut *tx)
    .await?;
    let rows = sqlx::query_as!(
        TakenRow,
        r#"WITH due AS MATERIALIZED (
               SELECT program, invitation_id FROM invitation WHERE decide_after <= $1 AND expire_time > $1
               ORDER BY decide_after LIMIT $3 FOR UPDATE SKIP LOCKED),
           taken AS (
               UPDATE invitation AS i SET decide_after = $2 FROM due AS d
               WHERE i.program = d.program AND i.invitation_id = d.invitation_id RETURNING i.*)
           SELECT t.program AS "program!: ProgramId", t.invitation_id AS "invitation_id!: InvitationId",
                  t.survey_id AS "survey_id!: SurveyId", t.survey_version AS "survey_version!",
                  t.member_id AS "member_id!: MemberId", t.channel AS "channel!",
                  t.purchase_id AS "purchase_id: PurchaseId", t.status AS "status!", t.contact_rule,
                  t.due_time AS "due_time!", t.expire_time AS "expire_time!", t.decide_after,
                  t.postponed_count AS "postponed_count!", t.answer_id AS "answer_id: AnswerId",
                  t.create_time AS "create_time!", t.trace_parent, s.topic AS "topic!",
                  s.close_time IS NOT NULL AS "survey_closed!"
           FROM taken AS t JOIN survey AS s ON s.program = t.program AND s.survey_id = t.survey_id"#,
        now,
        lease_end,
        count_max,
    )
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(Taken::try_from).collect()
}

/// Writes a decision over an invitation that is as far, and was put off as often, as when members was asked. False when
/// another replica has written one since.
pub(super) async fn write_decision_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    decided: &Invitation,
    (status_before, asked_count): (StoredStatus, i32),
) -> Result<bool, StorageError> {
    let written = sqlx::query!(
        "UPDATE invitation SET status = $4, contact_rule = $5, due_time = $6, expire_time = $7, decide_after = $8, \
         postponed_count = $9 \
         WHERE program = $1 AND invitation_id = $2 AND status = $10 AND postponed_count = $3",
        program.as_uuid(),
        decided.invitation_id.as_uuid(),
        asked_count,
        decided.stored_status.as_str(),
        decided.contact_rule.map(ContactRule::as_str),
        decided.due_time,
        decided.expire_time,
        decided.decide_after,
        decided.postponed_count,
        status_before.as_str(),
    )
    .execute(tx)
    .await?;
    Ok(written.rows_affected() == 1)
}

pub(super) async fn set_token_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    invitation_id: InvitationId,
    token: TokenHash,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE invitation SET status = 'SENT', token_sha256 = $3 WHERE program = $1 AND invitation_id = $2",
        program.as_uuid(),
        invitation_id.as_uuid(),
        token.as_bytes().as_slice(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn mark_answered_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    invitation_id: InvitationId,
    answer_id: AnswerId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE invitation SET status = 'ANSWERED', answer_id = $3 WHERE program = $1 AND invitation_id = $2",
        program.as_uuid(),
        invitation_id.as_uuid(),
        answer_id.as_uuid(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    invitation_id: InvitationId,
) -> Result<Option<Invitation>, StorageError> {
    sqlx::query_as!(
        InvitationRow,
        r#"SELECT invitation_id AS "invitation_id: InvitationId", survey_id AS "survey_id: SurveyId",
                  survey_version, member_id AS "member_id: MemberId", channel,
                  purchase_id AS "purchase_id: PurchaseId", status, contact_rule, due_time, expire_time,
                  decide_after, postponed_count, answer_id AS "answer_id: AnswerId", create_time
           FROM invitation WHERE program = $1 AND invitation_id = $2"#,
        program.as_uuid(),
        invitation_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Invitation::try_from)
    .transpose()
}

/// The same, keeping everybody else from changing it until the end of the transaction.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    invitation_id: InvitationId,
) -> Result<Option<Invitation>, StorageError> {
    // One row and no join: what is read after the wait for the lock is as the other one left it.
    sqlx::query_as!(
        InvitationRow,
        r#"SELECT invitation_id AS "invitation_id: InvitationId", survey_id AS "survey_id: SurveyId",
                  survey_version, member_id AS "member_id: MemberId", channel,
                  purchase_id AS "purchase_id: PurchaseId", status, contact_rule, due_time, expire_time,
                  decide_after, postponed_count, answer_id AS "answer_id: AnswerId", create_time
           FROM invitation WHERE program = $1 AND invitation_id = $2 FOR NO KEY UPDATE"#,
        program.as_uuid(),
        invitation_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Invitation::try_from)
    .transpose()
}

pub(super) async fn find_by_token_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    token: TokenHash,
) -> Result<Option<Invitation>, StorageError> {
    sqlx::query_as!(
        InvitationRow,
        r#"SELECT invitation_id AS "invitation_id: InvitationId", survey_id AS "survey_id: SurveyId",
                  survey_version, member_id AS "member_id: MemberId", channel,
                  purchase_id AS "purchase_id: PurchaseId", status, contact_rule, due_time, expire_time,
                  decide_after, postponed_count, answer_id AS "answer_id: AnswerId", create_time
           FROM invitation WHERE program = $1 AND token_sha256 = $2"#,
        program.as_uuid(),
        token.as_bytes().as_slice(),
    )
    .fetch_optional(tx)
    .await?
    .map(Invitation::try_from)
    .transpose()
}

/// The same, keeping everybody else from changing it until the end of the transaction. None also when another token was
/// made while this waited.
pub(super) async fn lock_by_token_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    token: TokenHash,
) -> Result<Option<Invitation>, StorageError> {
    sqlx::query_as!(
        InvitationRow,
        r#"SELECT invitation_id AS "invitation_id: InvitationId", survey_id AS "survey_id: SurveyId",
                  survey_version, member_id AS "member_id: MemberId", channel,
                  purchase_id AS "purchase_id: PurchaseId", status, contact_rule, due_time, expire_time,
                  decide_after, postponed_count, answer_id AS "answer_id: AnswerId", create_time
           FROM invitation WHERE program = $1 AND token_sha256 = $2 FOR NO KEY UPDATE"#,
        program.as_uuid(),
        token.as_bytes().as_slice(),
    )
    .fetch_optional(tx)
    .await?
    .map(Invitation::try_from)
    .transpose()
}

pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    of: ListOf,
    before: Option<ListBefore>,
    count_max: i64,
) -> Result<Vec<Invitation>, StorageError> {
    let before = before.map_or((LAST_TIME, Uuid::max()), |before| {
        (before.create_time, before.invitation_id.as_uuid())
    });
    // Two statements, each with an index of its own.
    match of.member_id {
        None => list_of_survey_in_tx(tx, program, of.survey_id, before, count_max).await,
        Some(member_id) => {
            let of = (of.survey_id, member_id);
            list_of_member_in_tx(tx, program, of, before, count_max).await
        }
    }
}

async fn list_of_survey_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey_id: SurveyId,
    (create_time, invitation_id): (DateTime<Utc>, Uuid),
    count_max: i64,
) -> Result<Vec<Invitation>, StorageError> {
    sqlx::query_as!(
        InvitationRow,
        r#"SELECT invitation_id AS "invitation_id: InvitationId", survey_id AS "survey_id: SurveyId",
                  survey_version, member_id AS "member_id: MemberId", channel,
                  purchase_id AS "purchase_id: PurchaseId", status, contact_rule, due_time, expire_time,
                  decide_after, postponed_count, answer_id AS "answer_id: AnswerId", create_time
           FROM invitation WHERE program = $1 AND survey_id = $2 AND (create_time, invitation_id) < ($3, $4)
           ORDER BY create_time DESC, invitation_id DESC LIMIT $5"#,
        program.as_uuid(),
        survey_id.as_uuid(),
        create_time,
        invitation_id,
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Invitation::try_from)
    .collect()
}

async fn list_of_member_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    (survey_id, member_id): (SurveyId, MemberId),
    (create_time, invitation_id): (DateTime<Utc>, Uuid),
    count_max: i64,
) -> Result<Vec<Invitation>, StorageError> {
    sqlx::query_as!(
        InvitationRow,
        r#"SELECT invitation_id AS "invitation_id: InvitationId", survey_id AS "survey_id: SurveyId",
                  survey_version, member_id AS "member_id: MemberId", channel,
                  purchase_id AS "purchase_id: PurchaseId", status, contact_rule, due_time, expire_time,
                  decide_after, postponed_count, answer_id AS "answer_id: AnswerId", create_time
           FROM invitation
           WHERE program = $1 AND survey_id = $2 AND member_id = $3 AND (create_time, invitation_id) < ($4, $5)
           ORDER BY create_time DESC, invitation_id DESC LIMIT $6"#,
        program.as_uuid(),
        survey_id.as_uuid(),
        member_id.as_uuid(),
        create_time,
        invitation_id,
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Invitation::try_from)
    .collect()
}

/// The year 9999: past every time that is stored, and within what Postgres and chrono can both express.
const LAST_TIME: DateTime<Utc> = DateTime::from_timestamp(253_370_764_800, 0).expect("within the calendar");
