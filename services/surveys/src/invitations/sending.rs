//! What is sent: members is asked once more before a token is made, for what was allowed yesterday may not be today.

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{ContactId, InvitationId, ProgramId};

use super::domain::{Contact, Invitation, InvitationStatus, StoredStatus, Token};
use super::{Invitations, append_decided_in_tx, require_status, storage};
use crate::members_door::Question;
use crate::refusal::{Refusal, Resource, SurveysError};
use crate::surveys;
use crate::surveys::domain::Topic;

/// How often members is asked before one token is made: an answer that was given to an earlier attempt, and was lost, may
/// be too old by now, and then the next question is a new one.
const QUESTIONS_MAX: usize = 3;

/// An invitation that can be sent.
struct Sendable {
    invitation: Invitation,
    topic: Topic,
    reserved: Option<ContactId>,
}

impl Invitations {
    /// Makes a token for an invitation that is to be sent. The one before it is good for nothing any more.
    ///
    /// Before the first one members decides anew, in the place of what it has reserved, and is told that the contact takes
    /// place: from then on it counts, however long the sender needs. Should nothing come of the token, the next call makes
    /// another.
    pub async fn issue_token(
        &self,
        program: ProgramId,
        invitation_id: InvitationId,
    ) -> Result<(Invitation, Token), SurveysError> {
        let sendable = self.find_sendable(program, invitation_id).await?;
        if sendable.invitation.stored_status == StoredStatus::Due {
            let contact_id = self.ask_again(program, &sendable).await?;
            self.members.report_sent(program, contact_id).await?;
        }
        let token = Token::generate();
        let hash = token.hash();
        let now = self.clock.now();
        let scope = Scope::Program(program);
        // Not repeatable: a token whose commit nobody has heard of was shown to nobody, and the next call makes another.
        let options = TransactOptions::default();
        let issued = transact(&self.service, "issue_invitation_token", scope, options, |tx| {
            in_tx(async move {
                let found = storage::lock_in_tx(&mut *tx, program, invitation_id).await?;
                let invitation =
                    found.ok_or_else(|| Refusal::not_found(Resource::Invitation, invitation_id))?;
                require_status(&invitation, &[InvitationStatus::Due, InvitationStatus::Sent], now)?;
                storage::set_token_in_tx(tx, program, invitation_id, hash).await?;
                Ok::<_, SurveysError>(Invitation {
                    stored_status: StoredStatus::Sent,
                    ..invitation
                })
            })
        })
        .await?;
        Ok((issued, token))
    }

    async fn find_sendable(
        &self,
        program: ProgramId,
        invitation_id: InvitationId,
    ) -> Result<Sendable, SurveysError> {
        let now = self.clock.now();
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only();
        transact(&self.service, "find_sendable_invitation", scope, options, |tx| {
            in_tx(async move {
                let found = storage::find_in_tx(&mut *tx, program, invitation_id).await?;
                let invitation =
                    found.ok_or_else(|| Refusal::not_found(Resource::Invitation, invitation_id))?;
                require_status(&invitation, &[InvitationStatus::Due, InvitationStatus::Sent], now)?;
                let survey = surveys::get_in_tx(&mut *tx, program, invitation.survey_id).await?;
                Ok(Sendable {
                    reserved: storage::find_contact_in_tx(tx, program, invitation_id).await?,
                    topic: survey.terms.topic,
                    invitation,
                })
            })
        })
        .await
    }

    /// The contact as members allows it now. Where it does not, that is what becomes of the invitation.
    async fn ask_again(
        &self,
        program: ProgramId,
        Sendable {
            invitation,
            topic,
            reserved,
        }: &Sendable,
    ) -> Result<ContactId, SurveysError> {
        let mut reserved = *reserved;
        for _ in 0..QUESTIONS_MAX {
            let question = Question {
                id: Question::id_of_sending(invitation.invitation_id, reserved),
                member_id: invitation.member_id,
                channel: invitation.channel,
                topic: topic.clone(),
                replaces: reserved,
            };
            let contact = self.members.may_contact(program, &question).await?.as_contact();
            let now = self.clock.now();
            self.keep(program, invitation, contact, now).await?;
            reserved = contact.contact_id;
            if let Some(contact_id) = reserved.filter(|_| contact.is_reserved_at(now)) {
                return Ok(contact_id);
            }
        }
        tracing::warn!(invitation_id = %invitation.invitation_id, "members gave old answers only");
        Err(SurveysError::MembersAway)
    }

    /// Keeps what members said of an invitation that was due, and refuses what is not to be sent now.
    async fn keep(
        &self,
        program: ProgramId,
        due: &Invitation,
        contact: Contact,
        now: DateTime<Utc>,
    ) -> Result<(), SurveysError> {
        let invitation_id = due.invitation_id;
        let decided = &due.clone().decided(contact, now);
        let before = (StoredStatus::Due, due.postponed_count);
        let scope = Scope::Program(program);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "keep_invitation_contact", scope, options, |tx| {
            in_tx(async move {
                if let Some(contact_id) = contact.contact_id {
                    storage::keep_contact_in_tx(tx, program, invitation_id, contact_id).await?;
                } else if storage::write_decision_in_tx(&mut *tx, program, decided, before).await? {
                    append_decided_in_tx(tx, program, decided, now).await?;
                }
                Ok::<_, SurveysError>(())
            })
        })
        .await?;
        if contact.contact_id.is_none() {
            self.waker.wake();
        }
        Ok(require_status(decided, &[InvitationStatus::Due], now)?)
    }
}
