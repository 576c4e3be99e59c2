//! Answers, and the keys of those who gave them, in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{AnswerId, InvitationId, MemberId, ProgramId, PurchaseId, SurveyId};
use fealty_vault::{MasterKeyId, SealedKey};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::domain::{NewAnswer, Span};
use crate::surveys::domain::Score;

/// The answer that a page begins after, newest first.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ListBefore {
    pub answer_time: DateTime<Utc>,
    pub answer_id: AnswerId,
}

/// Which answers a list has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListOf {
    pub survey_id: SurveyId,
    pub span: Span,
}

/// An answer as stored: its words are nobody's to read.
#[derive(Debug, Clone)]
pub(crate) struct SealedAnswer {
    pub answer: NewAnswer,
    pub text: Option<Vec<u8>>,
    /// None where nothing was ever written, and where the person was forgotten.
    pub key: Option<SealedKey>,
}

/// Gives a person the key, unless they have one. Answers the one that they have.
pub(super) async fn claim_key_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    member_id: MemberId,
    new: &SealedKey,
    now: DateTime<Utc>,
) -> Result<SealedKey, StorageError> {
    sqlx::query!(
        "INSERT INTO person_key (program, member_id, data_key, master_key_id, create_time) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (program, member_id) DO NOTHING",
        program.as_uuid(),
        member_id.as_uuid(),
        new.bytes.as_slice(),
        new.master_key_id.as_str(),
        now,
    )
    .execute(&mut *tx)
    .await?;
    // Locked, so that nobody forgets the person between this and the commit of what they wrote.
    let row = sqlx::query!(
        "SELECT data_key, master_key_id FROM person_key WHERE program = $1 AND member_id = $2 FOR KEY SHARE",
        program.as_uuid(),
        member_id.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(SealedKey {
        master_key_id: MasterKeyId::from_stored(row.master_key_id),
        bytes: row.data_key,
    })
}

pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    answer: &NewAnswer,
    text: Option<&[u8]>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO answer (program, answer_id, invitation_id, survey_id, survey_version, member_id, score, \
         follow_up_text, answer_time, purchase_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        program.as_uuid(),
        answer.answer_id.as_uuid(),
        answer.invitation_id.as_uuid(),
        answer.survey_id.as_uuid(),
        answer.survey_version,
        answer.member_id.as_uuid(),
        i16::from(answer.score.get()),
        text,
        answer.answer_time,
        answer.purchase_id.map(|id| id.as_uuid()),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    answer_id: AnswerId,
) -> Result<Option<SealedAnswer>, StorageError> {
    sqlx::query_as!(
        AnswerRow,
        r#"SELECT a.answer_id AS "answer_id: AnswerId", a.invitation_id AS "invitation_id: InvitationId",
                  a.survey_id AS "survey_id: SurveyId", a.survey_version, a.member_id AS "member_id: MemberId",
                  a.score, a.follow_up_text, a.answer_time, a.purchase_id AS "purchase_id: PurchaseId",
                  k.data_key AS "data_key?", k.master_key_id AS "master_key_id?"
           FROM answer AS a LEFT JOIN person_key AS k ON k.program = a.program AND k.member_id = a.member_id
           WHERE a.program = $1 AND a.answer_id = $2"#,
        program.as_uuid(),
        answer_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(SealedAnswer::try_from)
    .transpose()
}

pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    of: ListOf,
    before: Option<ListBefore>,
    count_max: i64,
) -> Result<Vec<SealedAnswer>, StorageError> {
    sqlx::query_as!(
        AnswerRow,
        r#"SELECT a.answer_id AS "answer_id: AnswerId", a.invitation_id AS "invitation_id: InvitationId",
                  a.survey_id AS "survey_id: SurveyId", a.survey_version, a.member_id AS "member_id: MemberId",
                  a.score, a.follow_up_text, a.answer_time, a.purchase_id AS "purchase_id: PurchaseId",
                  k.data_key AS "data_key?", k.master_key_id AS "master_key_id?"
           FROM answer AS a LEFT JOIN person_key AS k ON k.program = a.program AND k.member_id = a.member_id
           WHERE a.program = $1 AND a.survey_id = $2
             AND a.answer_time >= coalesce($3, '-infinity'::timestamptz)
             AND a.answer_time < coalesce($4, 'infinity'::timestamptz)
             AND (a.answer_time, a.answer_id) < (coalesce($5, 'infinity'::timestamptz), coalesce($6, $7::uuid))
           ORDER BY a.answer_time DESC, a.answer_id DESC LIMIT $8"#,
        program.as_uuid(),
        of.survey_id.as_uuid(),
        of.span.from,
        of.span.before,
        before.map(|before| before.answer_time),
        before.map(|before| before.answer_id.as_uuid()),
        uuid::Uuid::max(),
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(SealedAnswer::try_from)
    .collect()
}

struct AnswerRow {
    answer_id: AnswerId,
    invitation_id: InvitationId,
    survey_id: SurveyId,
    survey_version: i32,
    member_id: MemberId,
    score: i16,
    follow_up_text: Option<Vec<u8>>,
    answer_time: DateTime<Utc>,
    purchase_id: Option<PurchaseId>,
    data_key: Option<Vec<u8>>,
    master_key_id: Option<String>,
}

impl TryFrom<AnswerRow> for SealedAnswer {
    type Error = StorageError;

    fn try_from(row: AnswerRow) -> Result<Self, StorageError> {
        let score = Score::try_from(i32::from(row.score))
            .map_err(|error| StorageError::corrupt("answer.score", error))?;
        let key = row.data_key.zip(row.master_key_id);
        Ok(Self {
            answer: NewAnswer {
                answer_id: row.answer_id,
                invitation_id: row.invitation_id,
                survey_id: row.survey_id,
                survey_version: row.survey_version,
                member_id: row.member_id,
                score,
                answer_time: row.answer_time,
                purchase_id: row.purchase_id,
            },
            text: row.follow_up_text,
            key: key.map(|(bytes, master_key_id)| SealedKey {
                master_key_id: MasterKeyId::from_stored(master_key_id),
                bytes,
            }),
        })
    }
}
