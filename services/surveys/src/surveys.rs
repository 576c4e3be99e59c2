//! Surveys: what is asked of members, of whom and when. What a version asks never changes.

pub mod domain;
pub mod grpc;
mod storage;

use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{ProgramId, SharedClock, SurveyId};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::refusal::{Refusal, Resource, SurveysError};
use domain::{OPEN_SURVEYS_PER_PROGRAM_MAX, Questions, Survey, SurveyStatus, SurveyTerms, SurveyVersion};
pub(crate) use storage::ListAfter;

/// The use cases of surveys.
#[derive(Debug, Clone)]
pub struct Surveys {
    pool: PgPool,
    clock: SharedClock,
}

impl Surveys {
    /// Over the service's own role.
    #[must_use]
    pub const fn new(pool: PgPool, clock: SharedClock) -> Self {
        Self { pool, clock }
    }

    /// Makes a survey. It asks nobody yet.
    pub async fn create(
        &self,
        program: ProgramId,
        request: &Request,
        terms: &SurveyTerms,
    ) -> Result<Made<Survey>, SurveysError> {
        let now = self.clock.now();
        let survey_id = SurveyId::generate_at(now);
        let scope = Scope::Program(program);
        let options = TransactOptions::default().repeatable();
        transact(&self.pool, "create_survey", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, survey_id.as_uuid(), now).await? {
                    return Ok(Made::before(get_made_in_tx(tx, program, made).await?));
                }
                storage::lock_program_in_tx(&mut *tx, program).await?;
                if storage::count_not_closed_in_tx(&mut *tx, program).await? >= OPEN_SURVEYS_PER_PROGRAM_MAX {
                    return Err(too_many().into());
                }
                let survey = Survey::draft(survey_id, terms.clone(), now);
                storage::insert_in_tx(tx, program, &survey).await?;
                Ok(Made::now(survey))
            })
        })
        .await
    }

    /// One survey, with its newest version.
    pub async fn get(&self, program: ProgramId, survey_id: SurveyId) -> Result<Survey, SurveysError> {
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only();
        transact(&self.pool, "get_survey", scope, options, |tx| {
            in_tx(async move { get_in_tx(tx, program, survey_id).await })
        })
        .await
    }

    /// The surveys after one, in the order in which they were made.
    pub(crate) async fn list(
        &self,
        program: ProgramId,
        after: Option<ListAfter>,
        count_max: i64,
    ) -> Result<Vec<Survey>, SurveysError> {
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only();
        transact(&self.pool, "list_surveys", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_in_tx(tx, program, after, count_max).await?) })
        })
        .await
    }

    /// Publishes what is asked from now on.
    pub async fn publish(
        &self,
        program: ProgramId,
        request: &Request,
        survey_id: SurveyId,
        questions: &Questions,
    ) -> Result<Made<Survey>, SurveysError> {
        let now = self.clock.now();
        let scope = Scope::Program(program);
        let options = TransactOptions::default().repeatable();
        transact(&self.pool, "publish_survey_version", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, survey_id.as_uuid(), now).await? {
                    return Ok(Made::before(get_made_in_tx(tx, program, made).await?));
                }
                let survey = lock_in_tx(&mut *tx, program, survey_id).await?;
                if survey.status() == SurveyStatus::Closed {
                    return Err(Refusal::SurveyNotOpen(survey_id).into());
                }
                let survey = survey.published(questions.clone(), now);
                storage::insert_version_in_tx(&mut *tx, program, &survey).await?;
                storage::update_in_tx(tx, program, &survey).await?;
                Ok(Made::now(survey))
            })
        })
        .await
    }

    /// Any version of a survey.
    pub async fn get_version(
        &self,
        program: ProgramId,
        survey_id: SurveyId,
        version: i32,
    ) -> Result<SurveyVersion, SurveysError> {
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only();
        transact(&self.pool, "get_survey_version", scope, options, |tx| {
            in_tx(async move {
                get_in_tx(&mut *tx, program, survey_id).await?;
                let found = storage::find_version_in_tx(tx, program, survey_id, version).await?;
                found.ok_or_else(|| Refusal::not_found(Resource::SurveyVersion, version).into())
            })
        })
        .await
    }

    /// Ends a survey: nobody is invited any more. Ending it again changes nothing.
    pub async fn close(&self, program: ProgramId, survey_id: SurveyId) -> Result<Survey, SurveysError> {
        let now = self.clock.now();
        let scope = Scope::Program(program);
        let options = TransactOptions::default().repeatable();
        transact(&self.pool, "close_survey", scope, options, |tx| {
            in_tx(async move {
                let survey = lock_in_tx(&mut *tx, program, survey_id).await?.closed(now);
                storage::update_in_tx(tx, program, &survey).await?;
                Ok(survey)
            })
        })
        .await
    }
}

/// One survey, as seen in the caller's transaction.
pub(crate) async fn get_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey_id: SurveyId,
) -> Result<Survey, SurveysError> {
    let found = storage::find_in_tx(tx, program, survey_id).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::Survey, survey_id).into())
}

/// A version that something refers to: versions are never deleted.
pub(crate) async fn get_version_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey_id: SurveyId,
    version: i32,
) -> Result<SurveyVersion, StorageError> {
    let found = storage::find_version_in_tx(tx, program, survey_id, version).await?;
    found.ok_or_else(|| StorageError::corrupt("survey_version", "there is no such version"))
}

/// The surveys that invite whoever has bought something. At most [`OPEN_SURVEYS_PER_PROGRAM_MAX`].
pub(crate) async fn list_triggered_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
) -> Result<Vec<Survey>, StorageError> {
    storage::list_triggered_in_tx(tx, program).await
}

async fn lock_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    survey_id: SurveyId,
) -> Result<Survey, SurveysError> {
    if !storage::lock_in_tx(&mut *tx, program, survey_id).await? {
        return Err(Refusal::not_found(Resource::Survey, survey_id).into());
    }
    // In a statement of its own: the wait for the lock does not refresh the view of the one that waited.
    get_in_tx(tx, program, survey_id).await
}

/// Surveys are never deleted, so what a request made is there.
async fn get_made_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    made: Uuid,
) -> Result<Survey, SurveysError> {
    let survey_id = SurveyId::try_from(made)
        .map_err(|_| StorageError::corrupt("request.resource_id", "is no survey's id"))?;
    get_in_tx(tx, program, survey_id).await
}

const fn too_many() -> Refusal {
    Refusal::CountExceeded {
        resource: Resource::Survey,
        count_max: OPEN_SURVEYS_PER_PROGRAM_MAX,
    }
}
