//! Invitations: who is asked, whether they may be, and the tokens by which they answer.
//!
//! An invitation is planned, by a purchase or by hand; then the members service decides whether the member may be
//! contacted. For purchases the decision is a job's ([`Invitations::decide_some`]): it takes what is due, asks, and writes
//! the decision together with the event that tells whoever sends. For invitations by hand the caller waits for it.

pub mod domain;
pub mod grpc;
mod sending;
mod storage;

use std::slice;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{
    Claim, ClaimError, Made, Request, claim_in_tx, find_in_tx as find_request_in_tx,
};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_service::ground::Ground;
use fealty_types::{AnswerId, ContactId, InvitationId, MemberId, ProgramId, SharedClock, SurveyId};
use futures::future::join_all;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::events::invitation_decided;
use crate::members_door::{MembersDoor, Question};
use crate::refusal::{Refusal, Resource, SurveysError};
use crate::surveys;
use crate::surveys::domain::Survey;
use domain::{
    Channel, Contact, DECISION_LEASE, Invitation, InvitationStatus, Purchase, StoredStatus, TokenHash,
};
use storage::Taken;
pub(crate) use storage::{ListBefore, ListOf};

/// The use cases of invitations.
#[derive(Debug, Clone)]
pub struct Invitations {
    service: PgPool,
    jobs: PgPool,
    clock: SharedClock,
    members: MembersDoor,
    waker: FeedWaker,
}

/// Whom to invite to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invite {
    /// To which survey.
    pub survey_id: SurveyId,
    /// Whom.
    pub member_id: MemberId,
    /// How they are to be contacted.
    pub channel: Channel,
}

impl Invitations {
    /// Over both roles: jobs take what is due across programs.
    #[must_use]
    pub fn new(ground: &Ground, members: MembersDoor, waker: FeedWaker) -> Self {
        Self {
            service: ground.service.clone(),
            jobs: ground.jobs.clone(),
            clock: ground.clock.clone(),
            members,
            waker,
        }
    }

    /// Invites a member, for other reasons than a purchase.
    ///
    /// Members is asked before anything is written, so that there is nothing to take back when it refuses. Whoever dies
    /// in between has counted a contact; the next attempt asks the same question, and finds it answered.
    pub async fn invite(
        &self,
        program: ProgramId,
        request: &Request,
        invite: Invite,
    ) -> Result<Made<Invitation>, SurveysError> {
        let survey = match self.find_made_or_open(program, request, invite.survey_id).await? {
            Known::Made(invitation) => return Ok(Made::before(invitation)),
            Known::Open(survey) => survey,
        };
        let question = Question {
            id: Question::id_of_attempt(program, request.request_id, &request.command_hash),
            member_id: invite.member_id,
            channel: invite.channel,
            topic: survey.terms.topic,
            replaces: None,
        };
        let heard = self.members.may_contact(program, &question).await?;
        let contact = heard.of_member(invite.member_id)?;
        let made = self.store_decided(program, request, invite, contact).await?;
        self.waker.wake();
        Ok(made)
    }

    /// What an earlier attempt made, or else the survey, if it invites.
    async fn find_made_or_open(
        &self,
        program: ProgramId,
        request: &Request,
        survey_id: SurveyId,
    ) -> Result<Known, SurveysError> {
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only();
        transact(&self.service, "begin_invitation", scope, options, |tx| {
            in_tx(async move {
                match find_request_in_tx(&mut *tx, request).await? {
                    Some(Claim::Replay { resource_id }) => {
                        Ok(Known::Made(get_made_in_tx(tx, program, resource_id).await?))
                    }
                    Some(Claim::Reused) => Err(ClaimError::Reused(request.request_id).into()),
                    Some(Claim::New) | None => {
                        let survey = surveys::get_in_tx(tx, program, survey_id).await?;
                        if survey.inviting_version().is_none() {
                            return Err(Refusal::SurveyNotOpen(survey_id).into());
                        }
                        Ok(Known::Open(survey))
                    }
                }
            })
        })
        .await
    }

    async fn store_decided(
        &self,
        program: ProgramId,
        request: &Request,
        invite: Invite,
        contact: Contact,
    ) -> Result<Made<Invitation>, SurveysError> {
        let now = self.clock.now();
        let invitation_id = InvitationId::generate_at(now);
        let scope = Scope::Program(program);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "invite_member", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, invitation_id.as_uuid(), now).await?;
                if let Some(made) = claimed {
                    return Ok(Made::before(get_made_in_tx(tx, program, made).await?));
                }
                let survey = surveys::get_in_tx(&mut *tx, program, invite.survey_id).await?;
                let planned = Invitation::plan_by_hand(&survey, invite.member_id, invite.channel, now)
                    .ok_or(Refusal::SurveyNotOpen(invite.survey_id))?;
                let planned = Invitation {
                    invitation_id,
                    ..planned
                };
                let invitation = planned.decided(contact, now);
                storage::insert_all_in_tx(&mut *tx, program, slice::from_ref(&invitation)).await?;
                if let Some(contact_id) = contact.contact_id {
                    storage::keep_contact_in_tx(&mut *tx, program, invitation_id, contact_id).await?;
                }
                append_decided_in_tx(tx, program, &invitation, now).await?;
                Ok(Made::now(invitation))
            })
        })
        .await
    }

    /// One invitation.
    pub async fn get(
        &self,
        program: ProgramId,
        invitation_id: InvitationId,
    ) -> Result<Invitation, SurveysError> {
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only();
        transact(&self.service, "get_invitation", scope, options, |tx| {
            in_tx(async move {
                let found = storage::find_in_tx(tx, program, invitation_id).await?;
                found.ok_or_else(|| Refusal::not_found(Resource::Invitation, invitation_id).into())
            })
        })
        .await
    }

    /// Invitations of a survey made before one, newest first; of all its members or of one.
    pub(crate) async fn list(
        &self,
        program: ProgramId,
        of: ListOf,
        before: Option<ListBefore>,
        count_max: i64,
    ) -> Result<Vec<Invitation>, SurveysError> {
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only();
        transact(&self.service, "list_invitations", scope, options, |tx| {
            in_tx(async move {
                surveys::get_in_tx(&mut *tx, program, of.survey_id).await?;
                Ok(storage::list_in_tx(tx, program, of, before, count_max).await?)
            })
        })
        .await
    }

    /// The time by which an invitation's status is told.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Decides about invitations whose time has come, at most so many. Answers how many it took on and how many of those
    /// are decided. What is not, because members did not answer, comes back after its lease.
    pub async fn decide_some(&self, count_max: i64) -> Result<(usize, usize), SurveysError> {
        let now = self.clock.now();
        let options = TransactOptions::default();
        let taken = transact(&self.jobs, "take_due_invitations", Scope::Suite, options, |tx| {
            in_tx(async move {
                Ok::<_, SurveysError>(
                    storage::take_due_in_tx(tx, now, now + DECISION_LEASE, count_max).await?,
                )
            })
        })
        .await?;
        let count = taken.len();
        let ends = join_all(taken.into_iter().map(|taken| {
            let span = span_of(&taken);
            self.decide(taken).instrument(span)
        }));
        let ends = ends.await;
        let decided_count = ends.iter().filter(|end| end.is_ok()).count();
        if decided_count > 0 {
            self.waker.wake();
        }
        Ok((count, decided_count))
    }

    async fn decide(&self, taken: Taken) -> Result<(), SurveysError> {
        let (program, invitation) = (taken.program, taken.invitation);
        let invitation_id = invitation.invitation_id;
        let asked_count = invitation.postponed_count;
        let (decided, contact_id) = if taken.survey_closed {
            (invitation.called_off(), None)
        } else {
            let question = Question {
                id: Question::id_of_invitation(invitation_id, asked_count),
                member_id: invitation.member_id,
                channel: invitation.channel,
                topic: taken.topic,
                replaces: None,
            };
            let contact = self.members.may_contact(program, &question).await?.as_contact();
            (invitation.decided(contact, self.clock.now()), contact.contact_id)
        };
        let outcome = self
            .write_decision(program, &decided, asked_count, contact_id)
            .await;
        if let Err(error) = &outcome {
            tracing::warn!(%error, %invitation_id, "a decision could not be written; it is made again");
        }
        outcome
    }

    /// Writes a decision, unless another replica has written one since: members gave both the same answer.
    async fn write_decision(
        &self,
        program: ProgramId,
        decided: &Invitation,
        asked_count: i32,
        contact_id: Option<ContactId>,
    ) -> Result<(), SurveysError> {
        let now = self.clock.now();
        let scope = Scope::Program(program);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "decide_invitation", scope, options, |tx| {
            in_tx(async move {
                let before = (StoredStatus::Planned, asked_count);
                if storage::write_decision_in_tx(&mut *tx, program, decided, before).await? {
                    if let Some(contact_id) = contact_id {
                        storage::keep_contact_in_tx(&mut *tx, program, decided.invitation_id, contact_id)
                            .await?;
                    }
                    append_decided_in_tx(tx, program, decided, now).await?;
                }
                Ok(())
            })
        })
        .await
    }
}

/// The decision about an invitation goes on with the trace in which it was planned: that of the purchase.
fn span_of(taken: &Taken) -> Span {
    let span = tracing::info_span!(
        "job",
        otel.name = "decide_invitations",
        fealty.program_id = %taken.program,
        fealty.invitation_id = %taken.invitation.invitation_id,
    );
    if let Some(trace_parent) = &taken.trace_parent {
        fealty_telemetry::continue_stored_trace(&span, trace_parent);
    }
    span
}

/// What is known of an attempt before members is asked.
enum Known {
    /// It was made before.
    Made(Invitation),
    /// It was not, and the survey invites.
    Open(Survey),
}

/// Plans invitations of whoever made a purchase to the surveys that ask about it: one to each, however often the purchase
/// is heard of. Writes rows and nothing else; whether the member may be contacted is decided when the time has come.
pub(crate) async fn plan_for_purchase_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    purchase: &Purchase,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let surveys = surveys::list_triggered_in_tx(&mut *tx, program).await?;
    let planned = surveys
        .iter()
        .filter_map(|survey| Invitation::plan_for_purchase(survey, purchase, now));
    let planned: Vec<Invitation> = planned.collect();
    if planned.is_empty() {
        return Ok(());
    }
    storage::insert_all_in_tx(tx, program, &planned).await
}

/// The invitation of a token.
pub(crate) async fn get_by_token_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    token: TokenHash,
) -> Result<Invitation, SurveysError> {
    let found = storage::find_by_token_in_tx(tx, program, token).await?;
    found.ok_or_else(|| Refusal::TokenUnknown.into())
}

/// The invitation of a token, if it can be answered now; nobody else answers it, or makes another token for it, until the
/// end of the transaction.
pub(crate) async fn lock_answerable_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    token: TokenHash,
    now: DateTime<Utc>,
) -> Result<Invitation, SurveysError> {
    let found = storage::lock_by_token_in_tx(tx, program, token).await?;
    let invitation = found.ok_or(Refusal::TokenUnknown)?;
    require_status(&invitation, &[InvitationStatus::Sent], now)?;
    Ok(invitation)
}

/// Notes the answer to an invitation that is locked.
pub(crate) async fn mark_answered_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    invitation_id: InvitationId,
    answer_id: AnswerId,
) -> Result<(), StorageError> {
    storage::mark_answered_in_tx(tx, program, invitation_id, answer_id).await
}

fn require_status(
    invitation: &Invitation,
    allowed: &[InvitationStatus],
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let status = invitation.status_at(now);
    let invitation_id = invitation.invitation_id;
    if allowed.contains(&status) {
        Ok(())
    } else if status == InvitationStatus::Answered {
        Err(Refusal::AlreadyAnswered(invitation_id))
    } else {
        Err(Refusal::InvitationNotOpen {
            invitation_id,
            status: status.as_str(),
        })
    }
}

/// Invitations are never deleted, so what a request made is there.
async fn get_made_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    made: Uuid,
) -> Result<Invitation, SurveysError> {
    let corrupt = |reason: &str| StorageError::corrupt("request.resource_id", reason);
    let invitation_id = InvitationId::try_from(made).map_err(|_| corrupt("is no invitation's id"))?;
    let found = storage::find_in_tx(tx, program, invitation_id).await?;
    found.ok_or_else(|| corrupt("names no invitation").into())
}

/// Tells whoever listens of a decision. One that was put off is told when it is made.
async fn append_decided_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    invitation: &Invitation,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let Some(event) = invitation_decided(invitation, now) else {
        return Ok(());
    };
    fealty_postgres::events::append_in_tx(tx, program, &[event]).await
}
