//! The door to the members service, which alone knows whether somebody may be contacted.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fealty_client::{CallError, ClientConfig, ConnectError, MembersClient};
use fealty_postgres::Deadline;
use fealty_proto::members::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::fields::{self, TimeRange};
use fealty_service::config::PeerConfig;
use fealty_types::{ContactId, InvitationId, MemberId, ProgramId, RequestId};
use prost_types::Timestamp;
use sha2::{Digest, Sha256};
use tonic::Code;
use uuid::{Builder, Uuid};

use crate::invitations::domain::{Channel, Contact, ContactDecision, ContactRule};
use crate::refusal::{Refusal, Resource, SurveysError};
use crate::surveys::domain::Topic;

/// Longest wait for members: a restart of it takes less.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// What of a caller's time members may take, in quarters: the rest is for writing the decision down, or saying why not.
const WAIT_QUARTERS: u32 = 3;

/// Connections to members. It takes a hundred calls at once on each.
const CONNECTION_COUNT: usize = 2;

/// What the ids of questions are derived under: they meet no other ids that are made from the same things.
const QUESTION_LABEL: &[u8] = b"fealty/surveys/may-contact/1/";

/// Asks members.
#[derive(Debug, Clone)]
pub struct MembersDoor {
    client: MembersClient,
}

/// Whether a member may be contacted about something.
#[derive(Debug, Clone)]
pub struct Question {
    /// The same question has the same id, whoever asks it and however often: members answers it as the first time, and
    /// counts one contact.
    pub id: RequestId,
    /// Whom.
    pub member_id: MemberId,
    /// How.
    pub channel: Channel,
    /// What about.
    pub topic: Topic,
    /// The contact that was reserved for it before, which ends.
    pub replaces: Option<ContactId>,
}

/// What members said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A decision.
    Contact(Contact),
    /// It knows no such member.
    NobodyThere,
}

impl Question {
    /// The id of the question about an invitation that was put off so often: each time is a question of its own.
    #[must_use]
    pub fn id_of_invitation(invitation_id: InvitationId, postponed_count: i32) -> RequestId {
        derived_id(&[
            b"invitation/",
            invitation_id.as_uuid().as_bytes(),
            &postponed_count.to_be_bytes(),
        ])
    }

    /// The id of the question before an invitation is sent for which a contact was reserved: one for each that is.
    #[must_use]
    pub fn id_of_sending(invitation_id: InvitationId, reserved: Option<ContactId>) -> RequestId {
        let reserved = reserved.map_or(Uuid::nil(), |contact_id| contact_id.as_uuid());
        derived_id(&[
            b"sending/",
            invitation_id.as_uuid().as_bytes(),
            reserved.as_bytes(),
        ])
    }

    /// The id of the question behind an attempt to invite somebody by hand.
    #[must_use]
    pub fn id_of_attempt(program: ProgramId, request_id: RequestId, command_hash: &[u8; 32]) -> RequestId {
        derived_id(&[
            b"attempt/",
            program.as_uuid().as_bytes(),
            request_id.as_uuid().as_bytes(),
            command_hash,
        ])
    }
}

/// An id made from what it stands for: UUID version 8, over SHA-256. The parts have fixed lengths after the first.
fn derived_id(parts: &[&[u8]]) -> RequestId {
    let mut hash = Sha256::new_with_prefix(QUESTION_LABEL);
    for part in parts {
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let (bytes, _) = digest
        .split_first_chunk::<16>()
        .expect("a digest is longer than a UUID");
    RequestId::try_from(Builder::from_custom_bytes(*bytes).into_uuid()).expect("its version is not zero")
}

impl MembersDoor {
    /// Prepares the door. It connects with its first call.
    pub fn try_new<const PORT: u16>(config: &PeerConfig<PORT>) -> Result<Self, ConnectError> {
        let client = MembersClient::try_new(&ClientConfig {
            connection_count: CONNECTION_COUNT,
            ..config.client()
        })?;
        Ok(Self { client })
    }

    /// Asks whether a member may be contacted.
    pub async fn may_contact(&self, program: ProgramId, question: &Question) -> Result<Heard, SurveysError> {
        let request = pb::MayContactRequest {
            request_id: question.id.to_string(),
            member_id: question.member_id.to_string(),
            channel: channel_number(question.channel).into(),
            purpose: pb::ContactPurpose::ServiceQuality.into(),
            topic: question.topic.as_str().to_owned(),
            replaces_contact_id: question.replaces.map(|id| id.to_string()).unwrap_or_default(),
            ..pb::MayContactRequest::default()
        };
        let members = self.client.for_program(program).within(wait());
        match members.may_contact(request).await {
            Ok(answer) => read(&answer.message).map(Heard::Contact).ok_or_else(|| {
                tracing::error!(answer = ?answer.message, "members decided something that this build does not know");
                SurveysError::MembersAway
            }),
            // Members was restored to a time before it.
            Err(error) if is_missing(&error, "contact") && question.replaces.is_some() => {
                let anew = Question {
                    replaces: None,
                    ..question.clone()
                };
                Box::pin(self.may_contact(program, &anew)).await
            }
            Err(error) if is_missing(&error, "member") => Ok(Heard::NobodyThere),
            Err(error) => {
                log(&error, question.id);
                Err(SurveysError::MembersAway)
            }
        }
    }
}

impl MembersDoor {
    /// Reports that a contact was sent. Again changes nothing. One that members was told the opposite of is nothing that
    /// whoever sends can mend.
    pub async fn report_sent(&self, program: ProgramId, contact_id: ContactId) -> Result<(), SurveysError> {
        let request = pb::ReportDeliveryRequest {
            contact_id: contact_id.to_string(),
            outcome: pb::DeliveryOutcome::Delivered.into(),
        };
        let members = self.client.for_program(program).within(wait());
        match members.report_delivery(request).await {
            Ok(_) => Ok(()),
            Err(error) if error.reason == Some(ErrorReason::DeliveryReported) => {
                tracing::warn!(%error, %contact_id, "members was told before that a contact was not sent");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, %contact_id, "members was not told that a contact was sent");
                Err(SurveysError::MembersAway)
            }
        }
    }
}

/// How long members may take: most of what is left of the caller's time.
fn wait() -> Duration {
    let left = Deadline::current().map_or(WAIT_MAX, Deadline::remaining);
    WAIT_MAX.min(left / 4 * WAIT_QUARTERS)
}

impl Heard {
    /// The decision, where somebody who is not there is somebody who cannot be contacted.
    #[must_use]
    pub const fn as_contact(self) -> Contact {
        match self {
            Self::Contact(contact) => contact,
            Self::NobodyThere => Contact {
                decision: ContactDecision::No,
                rule: ContactRule::MemberNotActive,
                contact_id: None,
                reserve_until: None,
            },
        }
    }

    /// The decision about a member whom a caller named.
    pub fn of_member(self, member_id: MemberId) -> Result<Contact, SurveysError> {
        match self {
            Self::Contact(contact) => Ok(contact),
            Self::NobodyThere => Err(Refusal::not_found(Resource::Member, member_id).into()),
        }
    }
}

fn read(answer: &pb::MayContactResponse) -> Option<Contact> {
    let decision = match answer.decision() {
        pb::ContactDecision::Yes => ContactDecision::Yes,
        pb::ContactDecision::No => ContactDecision::No,
        pb::ContactDecision::NotBefore => {
            ContactDecision::NotBefore(time_of(answer.not_before_time.as_ref())?)
        }
        pb::ContactDecision::Unspecified => return None,
    };
    let rule = match answer.rule() {
        pb::ContactRule::Allowed => ContactRule::Allowed,
        pb::ContactRule::MemberNotActive => ContactRule::MemberNotActive,
        pb::ContactRule::TopicOptOut => ContactRule::TopicOptOut,
        pb::ContactRule::NoConsent => ContactRule::NoConsent,
        pb::ContactRule::PolicyNotAccepted => ContactRule::PolicyNotAccepted,
        pb::ContactRule::ChannelNotWanted => ContactRule::ChannelNotWanted,
        pb::ContactRule::AddressMissing => ContactRule::AddressMissing,
        pb::ContactRule::FrequencyCap => ContactRule::FrequencyCap,
        pb::ContactRule::Mix => ContactRule::Mix,
        pb::ContactRule::QuietHours => ContactRule::QuietHours,
        pb::ContactRule::Unspecified => return None,
    };
    let contact_id = match decision {
        ContactDecision::Yes => Some(answer.contact_id.parse().ok()?),
        ContactDecision::No | ContactDecision::NotBefore(_) => None,
    };
    Some(Contact {
        decision,
        rule,
        contact_id,
        reserve_until: time_of(answer.reserve_until_time.as_ref()),
    })
}

fn is_missing(error: &CallError, resource: &str) -> bool {
    error.reason == Some(ErrorReason::ResourceNotFound) && error.value("resource") == Some(resource)
}

fn time_of(time: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    fields::timestamp(time, TimeRange::any()).ok()
}

const fn channel_number(channel: Channel) -> pb::ContactChannel {
    match channel {
        Channel::Email => pb::ContactChannel::Email,
        Channel::Sms => pb::ContactChannel::Sms,
        Channel::Messenger => pb::ContactChannel::Messenger,
        Channel::Push => pb::ContactChannel::Push,
        Channel::Call => pb::ContactChannel::Call,
        Channel::Paper => pb::ContactChannel::Paper,
        Channel::Viber => pb::ContactChannel::Viber,
        Channel::Fax => pb::ContactChannel::Fax,
    }
}

/// Members that does not answer is the operator's to know of; one that refuses us has to be set right by them.
fn log(error: &CallError, question_id: RequestId) {
    match error.code {
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted => {
            tracing::warn!(%error, %question_id, "members has not said whether a member may be contacted");
        }
        _ => {
            tracing::error!(%error, %question_id, "members refuses to say whether a member may be contacted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_id_and_each_postponement_another() {
        let one = InvitationId::generate_at(DateTime::UNIX_EPOCH);
        let other = InvitationId::generate_at(DateTime::UNIX_EPOCH);
        let id = Question::id_of_invitation(one, 0);
        assert_eq!(id, Question::id_of_invitation(one, 0));
        assert_ne!(id, Question::id_of_invitation(one, 1));
        assert_ne!(id, Question::id_of_invitation(other, 0));
    }

    #[test]
    fn an_attempt_that_is_used_for_another_command_is_another_question() {
        let program = ProgramId::generate_at(DateTime::UNIX_EPOCH);
        let request = RequestId::generate_at(DateTime::UNIX_EPOCH);
        let id = Question::id_of_attempt(program, request, &[1; 32]);
        assert_eq!(id, Question::id_of_attempt(program, request, &[1; 32]));
        assert_ne!(id, Question::id_of_attempt(program, request, &[2; 32]));
    }

    #[test]
    fn a_decision_that_this_build_does_not_know_is_none() {
        let yes = || pb::MayContactResponse {
            decision: pb::ContactDecision::Yes.into(),
            rule: pb::ContactRule::Allowed.into(),
            contact_id: ContactId::generate_at(DateTime::UNIX_EPOCH).to_string(),
            ..pb::MayContactResponse::default()
        };
        assert!(read(&yes()).is_some());
        assert_eq!(
            read(&pb::MayContactResponse {
                decision: 99,
                ..yes()
            }),
            None
        );
        assert_eq!(read(&pb::MayContactResponse { rule: 99, ..yes() }), None);
        let nothing_to_report_on = pb::MayContactResponse {
            contact_id: String::new(),
            ..yes()
        };
        assert_eq!(read(&nothing_to_report_on), None);
        let not_before = pb::ContactDecision::NotBefore.into();
        // "Not yet" without saying until when.
        assert_eq!(
            read(&pb::MayContactResponse {
                decision: not_before,
                ..yes()
            }),
            None
        );
    }
}
