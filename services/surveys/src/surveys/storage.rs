//! Surveys and their versions in the database.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{ProgramId, SurveyId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{FollowUp, PurchaseTrigger, Questions, Survey, SurveyTerms, SurveyVersion};

/// The survey that a page begins after.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct ListAfter {
    pub create_time: DateTime<Utc>,
    pub survey_id: Uuid,
}

/// Has those who make surveys of one program come one after the other, so that they can be counted.
pub(super) async fn lock_program_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
) -> Result<(), StorageError> {
    sqlx::query_scalar!(
        "SELECT program FROM program WHERE program = $1 FOR NO KEY UPDATE",
        program.as_uuid(),
    )
    .fetch_one(tx)
    .await?;
    Ok(())
}

pub(super) async fn count_not_closed_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
) -> Result<i64, StorageError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM survey WHERE program = $1 AND close_time IS NULL"#,
        program.as_uuid(),
    )
    .fetch_one(tx)
    .await?)
}

pub(super) async fn insert_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey: &Survey,
) -> Result<(), StorageError> {
    let trigger = survey.terms.purchase_trigger;
    sqlx::query!(
        "INSERT INTO survey (program, survey_id, display_name, topic, current_version, trigger_delay_seconds, \
         trigger_amount_minor_min, invitation_life_days, create_time) VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8)",
        program.as_uuid(),
        survey.survey_id.as_uuid(),
        survey.terms.display_name,
        survey.terms.topic.as_str(),
        trigger.map(|trigger| trigger.delay_seconds),
        trigger.map(|trigger| trigger.amount_minor_min),
        survey.terms.invitation_life_days,
        survey.create_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes how far a survey is.
pub(super) async fn update_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey: &Survey,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE survey SET current_version = $3, open_time = $4, close_time = $5 \
         WHERE program = $1 AND survey_id = $2",
        program.as_uuid(),
        survey.survey_id.as_uuid(),
        survey
            .current_version
            .as_ref()
            .map_or(0, |version| version.version),
        survey.open_time,
        survey.close_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes a survey's newest version.
pub(super) async fn insert_version_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey: &Survey,
) -> Result<(), StorageError> {
    let Some(version) = &survey.current_version else {
        return Ok(());
    };
    let follow_ups = &version.questions.follow_ups;
    let groups: Vec<String> = follow_ups.iter().map(|one| one.asked_of.to_string()).collect();
    let questions: Vec<String> = follow_ups.iter().map(|one| one.question.clone()).collect();
    let required: Vec<bool> = follow_ups.iter().map(|one| one.required).collect();
    sqlx::query!(
        "INSERT INTO survey_version (program, survey_id, version, score_question, follow_up_groups, \
         follow_up_questions, follow_up_required, publish_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        program.as_uuid(),
        survey.survey_id.as_uuid(),
        version.version,
        version.questions.score_question,
        &groups,
        &questions,
        &required,
        version.publish_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Keeps everybody else from changing a survey until the end of the transaction. False when there is none.
pub(super) async fn lock_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey_id: SurveyId,
) -> Result<bool, StorageError> {
    let locked = sqlx::query_scalar!(
        "SELECT survey_id FROM survey WHERE program = $1 AND survey_id = $2 FOR NO KEY UPDATE",
        program.as_uuid(),
        survey_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(locked.is_some())
}

pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey_id: SurveyId,
) -> Result<Option<Survey>, StorageError> {
    sqlx::query_as!(
        SurveyRow,
        r#"SELECT s.survey_id AS "survey_id: SurveyId", s.display_name, s.topic, s.open_time, s.close_time,
                  s.trigger_delay_seconds, s.trigger_amount_minor_min, s.invitation_life_days, s.create_time,
                  v.version AS "version?", v.score_question AS "score_question?",
                  v.follow_up_groups AS "follow_up_groups?", v.follow_up_questions AS "follow_up_questions?",
                  v.follow_up_required AS "follow_up_required?", v.publish_time AS "publish_time?"
           FROM survey AS s LEFT JOIN survey_version AS v
             ON v.program = s.program AND v.survey_id = s.survey_id AND v.version = s.current_version
           WHERE s.program = $1 AND s.survey_id = $2"#,
        program.as_uuid(),
        survey_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Survey::try_from)
    .transpose()
}

pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    after: Option<ListAfter>,
    count_max: i64,
) -> Result<Vec<Survey>, StorageError> {
    // Nil lies before every id.
    let after = after.unwrap_or(ListAfter {
        create_time: DateTime::UNIX_EPOCH,
        survey_id: Uuid::nil(),
    });
    sqlx::query_as!(
        SurveyRow,
        r#"SELECT s.survey_id AS "survey_id: SurveyId", s.display_name, s.topic, s.open_time, s.close_time,
                  s.trigger_delay_seconds, s.trigger_amount_minor_min, s.invitation_life_days, s.create_time,
                  v.version AS "version?", v.score_question AS "score_question?",
                  v.follow_up_groups AS "follow_up_groups?", v.follow_up_questions AS "follow_up_questions?",
                  v.follow_up_required AS "follow_up_required?", v.publish_time AS "publish_time?"
           FROM survey AS s LEFT JOIN survey_version AS v
             ON v.program = s.program AND v.survey_id = s.survey_id AND v.version = s.current_version
           WHERE s.program = $1 AND (s.create_time, s.survey_id) > ($2, $3)
           ORDER BY s.create_time, s.survey_id LIMIT $4"#,
        program.as_uuid(),
        after.create_time,
        after.survey_id,
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Survey::try_from)
    .collect()
}

/// The surveys that invite by a purchase. As few as may be open.
pub(super) async fn list_triggered_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
) -> Result<Vec<Survey>, StorageError> {
    sqlx::query_as!(
        SurveyRow,
        r#"SELECT s.survey_id AS "survey_id: SurveyId", s.display_name, s.topic, s.open_time, s.close_time,
                  s.trigger_delay_seconds, s.trigger_amount_minor_min, s.invitation_life_days, s.create_time,
                  v.version AS "version?", v.score_question AS "score_question?",
                  v.follow_up_groups AS "follow_up_groups?", v.follow_up_questions AS "follow_up_questions?",
                  v.follow_up_required AS "follow_up_required?", v.publish_time AS "publish_time?"
           FROM survey AS s JOIN survey_version AS v
             ON v.program = s.program AND v.survey_id = s.survey_id AND v.version = s.current_version
           WHERE s.program = $1 AND s.close_time IS NULL AND s.trigger_delay_seconds IS NOT NULL
           ORDER BY s.survey_id"#,
        program.as_uuid(),
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Survey::try_from)
    .collect()
}

pub(super) async fn find_version_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey_id: SurveyId,
    version: i32,
) -> Result<Option<SurveyVersion>, StorageError> {
    sqlx::query_as!(
        VersionRow,
        "SELECT version, score_question, follow_up_groups, follow_up_questions, follow_up_required, publish_time \
         FROM survey_version WHERE program = $1 AND survey_id = $2 AND version = $3",
        program.as_uuid(),
        survey_id.as_uuid(),
        version,
    )
    .fetch_optional(tx)
    .await?
    .map(SurveyVersion::try_from)
    .transpose()
}

struct SurveyRow {
    survey_id: SurveyId,
    display_name: String,
    topic: String,
    open_time: Option<DateTime<Utc>>,
    close_time: Option<DateTime<Utc>>,
    trigger_delay_seconds: Option<i32>,
    trigger_amount_minor_min: Option<i64>,
    invitation_life_days: i32,
    create_time: DateTime<Utc>,
    version: Option<i32>,
    score_question: Option<String>,
    follow_up_groups: Option<Vec<String>>,
    follow_up_questions: Option<Vec<String>>,
    follow_up_required: Option<Vec<bool>>,
    publish_time: Option<DateTime<Utc>>,
}

struct VersionRow {
    version: i32,
    score_question: String,
    follow_up_groups: Vec<String>,
    follow_up_questions: Vec<String>,
    follow_up_required: Vec<bool>,
    publish_time: DateTime<Utc>,
}

impl SurveyRow {
    /// The newest version, if one is published: then all of its columns are there.
    fn take_version(&mut self) -> Option<VersionRow> {
        Some(VersionRow {
            version: self.version?,
            score_question: self.score_question.take()?,
            follow_up_groups: self.follow_up_groups.take()?,
            follow_up_questions: self.follow_up_questions.take()?,
            follow_up_required: self.follow_up_required.take()?,
            publish_time: self.publish_time?,
        })
    }
}

impl TryFrom<SurveyRow> for Survey {
    type Error = StorageError;

    fn try_from(mut row: SurveyRow) -> Result<Self, StorageError> {
        let current_version = row.take_version().map(SurveyVersion::try_from).transpose()?;
        let trigger = row.trigger_delay_seconds.zip(row.trigger_amount_minor_min);
        Ok(Self {
            survey_id: row.survey_id,
            terms: SurveyTerms {
                display_name: row.display_name,
                topic: row
                    .topic
                    .parse()
                    .map_err(|error| StorageError::corrupt("survey.topic", error))?,
                purchase_trigger: trigger.map(|(delay_seconds, amount_minor_min)| PurchaseTrigger {
                    delay_seconds,
                    amount_minor_min,
                }),
                invitation_life_days: row.invitation_life_days,
            },
            current_version,
            open_time: row.open_time,
            close_time: row.close_time,
            create_time: row.create_time,
        })
    }
}

impl TryFrom<VersionRow> for SurveyVersion {
    type Error = StorageError;

    fn try_from(row: VersionRow) -> Result<Self, StorageError> {
        let parts = row.follow_up_groups.into_iter().zip(row.follow_up_questions);
        let follow_ups = parts
            .zip(row.follow_up_required)
            .map(|((group, question), required)| {
                let asked_of = group
                    .parse()
                    .map_err(|error| StorageError::corrupt("survey_version.follow_up_groups", error))?;
                Ok(FollowUp {
                    asked_of,
                    question,
                    required,
                })
            })
            .collect::<Result<_, StorageError>>()?;
        Ok(Self {
            version: row.version,
            questions: Questions {
                score_question: row.score_question,
                follow_ups,
            },
            publish_time: row.publish_time,
        })
    }
}
