//! Answers: each given once, by whoever has an invitation's token. What somebody wrote lies under a key of their own.

pub mod domain;
pub mod grpc;
mod seal;
mod storage;

use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_service::ground::Ground;
use fealty_service::read_audit::ReadAudit;
use fealty_types::{AnswerId, ProgramId, SharedClock};
use fealty_vault::Vault;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::events::survey_answered;
use crate::invitations;
use crate::invitations::domain::{Invitation, TokenHash};
use crate::refusal::{Refusal, Resource, SurveysError};
use crate::surveys;
use crate::surveys::domain::{Survey, SurveyVersion};
use domain::{Answer, NewAnswer, Reply};
pub(crate) use storage::{ListBefore, ListOf, SealedAnswer};

/// The use cases of answers.
#[derive(Debug, Clone)]
pub struct Answers {
    pool: PgPool,
    vault: Vault,
    clock: SharedClock,
    waker: FeedWaker,
    audit: ReadAudit,
}

/// What an invitation asks.
#[derive(Debug, Clone)]
pub struct Questionnaire {
    /// The invitation.
    pub invitation: Invitation,
    /// Its survey, as it is now.
    pub survey: Survey,
    /// What it asks: the invitation's version, whatever was published since.
    pub version: SurveyVersion,
}

impl Answers {
    /// Over the service's own role.
    #[must_use]
    pub fn new(ground: &Ground, vault: Vault, waker: FeedWaker, audit: ReadAudit) -> Self {
        Self {
            pool: ground.service.clone(),
            vault,
            clock: ground.clock.clone(),
            waker,
            audit,
        }
    }

    /// What the invitation of a token asks.
    pub async fn questionnaire(
        &self,
        program: ProgramId,
        token: TokenHash,
    ) -> Result<Questionnaire, SurveysError> {
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only();
        transact(&self.pool, "get_questionnaire", scope, options, |tx| {
            in_tx(async move {
                let invitation = invitations::get_by_token_in_tx(&mut *tx, program, token).await?;
                let survey = surveys::get_in_tx(&mut *tx, program, invitation.survey_id).await?;
                let version = version_in_tx(tx, program, &invitation).await?;
                Ok(Questionnaire {
                    invitation,
                    survey,
                    version,
                })
            })
        })
        .await
    }

    /// Answers. Of two who answer with one token at once, the one who comes first has answered.
    pub async fn submit(
        &self,
        program: ProgramId,
        request: &Request,
        token: TokenHash,
        reply: &Reply,
    ) -> Result<Made<NewAnswer>, SurveysError> {
        let request = &seal::keyed(&self.vault, program, request);
        let now = self.clock.now();
        let answer_id = AnswerId::generate_at(now);
        let scope = Scope::Program(program);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.pool, "submit_answer", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, answer_id.as_uuid(), now).await? {
                    return Ok(Made::before(get_made_in_tx(tx, program, made).await?.answer));
                }
                let invitation = invitations::lock_answerable_in_tx(&mut *tx, program, token, now).await?;
                let version = version_in_tx(&mut *tx, program, &invitation).await?;
                domain::check_reply(&version.questions, reply)?;
                let answer = NewAnswer::to(&invitation, answer_id, reply.score, now);
                let text = self.sealed_text_in_tx(&mut *tx, program, &answer, reply).await?;
                storage::insert_in_tx(&mut *tx, program, &answer, text.as_deref()).await?;
                invitations::mark_answered_in_tx(&mut *tx, program, invitation.invitation_id, answer_id)
                    .await?;
                let event = survey_answered(&answer);
                fealty_postgres::events::append_in_tx(tx, program, &[event]).await?;
                Ok::<_, SurveysError>(Made::now(answer))
            })
        })
        .await?;
        self.waker.wake();
        Ok(made)
    }

    /// What somebody wrote, under their own key: made now, if these are their first words.
    async fn sealed_text_in_tx(
        &self,
        tx: &mut PgConnection,
        program: ProgramId,
        answer: &NewAnswer,
        reply: &Reply,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        let Some(text) = &reply.text else {
            return Ok(None);
        };
        let (_, new) = seal::create_key(&self.vault, program, answer.member_id);
        let stored =
            storage::claim_key_in_tx(tx, program, answer.member_id, &new, answer.answer_time).await?;
        let key = seal::open_key(&self.vault, program, answer.member_id, &stored)?;
        Ok(Some(seal::seal_text(&key, answer.answer_id, text)))
    }

    /// One answer.
    pub async fn get(&self, program: ProgramId, answer_id: AnswerId) -> Result<Answer, SurveysError> {
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only();
        let sealed = transact(&self.pool, "get_answer", scope, options, |tx| {
            in_tx(async move {
                let found = storage::find_in_tx(tx, program, answer_id).await?;
                found.ok_or_else(|| SurveysError::from(Refusal::not_found(Resource::Answer, answer_id)))
            })
        })
        .await?;
        Ok(seal::open(&self.vault, program, &sealed)?)
    }

    /// Answers to a survey within a span of time given before one, newest first, as they are stored.
    pub(crate) async fn list_sealed(
        &self,
        program: ProgramId,
        of: ListOf,
        before: Option<ListBefore>,
        count_max: i64,
    ) -> Result<Vec<SealedAnswer>, SurveysError> {
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only();
        transact(&self.pool, "list_answers", scope, options, |tx| {
            in_tx(async move {
                surveys::get_in_tx(&mut *tx, program, of.survey_id).await?;
                Ok(storage::list_in_tx(tx, program, of, before, count_max).await?)
            })
        })
        .await
    }

    /// Opens answers that are stored.
    pub(crate) fn open(
        &self,
        program: ProgramId,
        sealed: &[SealedAnswer],
    ) -> Result<Vec<Answer>, SurveysError> {
        sealed
            .iter()
            .map(|sealed| Ok(seal::open(&self.vault, program, sealed)?))
            .collect()
    }
}

async fn version_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    invitation: &Invitation,
) -> Result<SurveyVersion, StorageError> {
    surveys::get_version_in_tx(tx, program, invitation.survey_id, invitation.survey_version).await
}

/// Answers are never deleted, so what a request made is there.
async fn get_made_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    made: Uuid,
) -> Result<SealedAnswer, StorageError> {
    let corrupt = |reason: &str| StorageError::corrupt("request.resource_id", reason);
    let answer_id = AnswerId::try_from(made).map_err(|_| corrupt("is no answer's id"))?;
    let found = storage::find_in_tx(tx, program, answer_id).await?;
    found.ok_or_else(|| corrupt("names no answer"))
}
