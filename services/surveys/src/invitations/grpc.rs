//! `InvitationService`: parse, call, present.

use chrono::{DateTime, Utc};
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1::{ContactChannel, ContactRule as PbContactRule};
use fealty_proto::surveys::v1 as pb;
use fealty_proto::surveys::v1::invitation_service_server::InvitationService;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::{serve, serve_making};
use fealty_types::{InvitationId, MemberId, ProgramId, RequestId, SurveyId};
use tonic::{Request, Response, Status};

use super::domain::{Channel, ContactRule, Invitation, InvitationStatus};
use super::{Invitations, Invite, ListBefore, ListOf};

const INVITE_MEMBER: &str = "/fealty.surveys.v1.InvitationService/InviteMember";
const LIST_INVITATIONS: &str = "/fealty.surveys.v1.InvitationService/ListInvitations";

#[tonic::async_trait]
impl InvitationService for Invitations {
    async fn invite_member(
        &self,
        request: Request<pb::InviteMemberRequest>,
    ) -> Result<Response<pb::InviteMemberResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program = caller.program_id()?;
            let (attempt, invite) = parse_invite(program, &message)?;
            let made = self.invite(program, &attempt, invite).await?;
            Ok(made.map(|invitation| pb::InviteMemberResponse {
                invitation: Some(present(&invitation, self.now())),
            }))
        })
        .await
    }

    async fn issue_invitation_token(
        &self,
        request: Request<pb::IssueInvitationTokenRequest>,
    ) -> Result<Response<pb::IssueInvitationTokenResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let invitation_id = parse_id(&message.invitation_id)?;
            let (invitation, token) = self.issue_token(program, invitation_id).await?;
            Ok(pb::IssueInvitationTokenResponse {
                invitation: Some(present(&invitation, self.now())),
                token: token.expose(),
            })
        })
        .await
    }

    async fn get_invitation(
        &self,
        request: Request<pb::GetInvitationRequest>,
    ) -> Result<Response<pb::GetInvitationResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let invitation = self.get(program, parse_id(&message.invitation_id)?).await?;
            Ok(pb::GetInvitationResponse {
                invitation: Some(present(&invitation, self.now())),
            })
        })
        .await
    }

    async fn list_invitations(
        &self,
        request: Request<pb::ListInvitationsRequest>,
    ) -> Result<Response<pb::ListInvitationsResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let (of, page) = parse_list(program, &message)?;
            let read = self.list(program, of, page.after(), page.count_max()).await?;
            let (invitations, next_page_token) = page.cut(read, |invitation| ListBefore {
                create_time: invitation.create_time,
                invitation_id: invitation.invitation_id,
            })?;
            let now = self.now();
            Ok(pb::ListInvitationsResponse {
                invitations: invitations
                    .iter()
                    .map(|invitation| present(invitation, now))
                    .collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_invite(
    program: ProgramId,
    message: &pb::InviteMemberRequest,
) -> Result<(Attempt, Invite), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let survey_id = v.check("survey_id", fields::parse::<SurveyId>(&message.survey_id));
    let member_id = v.check("member_id", fields::parse::<MemberId>(&message.member_id));
    let channel = v.check("channel", parse_channel(message.channel));
    let hash = command_hash(
        INVITE_MEMBER,
        &pb::InviteMemberRequest {
            request_id: String::new(),
            ..message.clone()
        },
    );
    v.finish_with(|| {
        let invite = Invite {
            survey_id: survey_id?,
            member_id: member_id?,
            channel: channel?,
        };
        Some((
            Attempt::of_program(program, request_id?, INVITE_MEMBER, hash),
            invite,
        ))
    })
}

fn parse_channel(number: i32) -> Result<Channel, Problem> {
    if number == 0 {
        return Ok(Channel::Email);
    }
    match fields::enumeration::<ContactChannel>(number)? {
        ContactChannel::Email | ContactChannel::Unspecified => Ok(Channel::Email),
        ContactChannel::Sms => Ok(Channel::Sms),
        ContactChannel::Messenger => Ok(Channel::Messenger),
        ContactChannel::Push => Ok(Channel::Push),
        ContactChannel::Call => Ok(Channel::Call),
        ContactChannel::Paper => Ok(Channel::Paper),
        ContactChannel::Viber => Ok(Channel::Viber),
        ContactChannel::Fax => Ok(Channel::Fax),
    }
}

fn parse_id(text: &str) -> Result<InvitationId, ApiError> {
    let mut v = Violations::default();
    let invitation_id = v.check("invitation_id", fields::parse::<InvitationId>(text));
    v.finish_with(|| invitation_id)
}

fn parse_list(
    program: ProgramId,
    message: &pb::ListInvitationsRequest,
) -> Result<(ListOf, PageRequest<ListBefore>), ApiError> {
    let mut v = Violations::default();
    let survey_id = v.check("survey_id", fields::parse::<SurveyId>(&message.survey_id));
    let member_id = v.check("member_id", fields::optional::<MemberId>(&message.member_id));
    let size = v.check("page_size", PageSize::parse(message.page_size));
    let (survey_id, member_id, size) = v.finish_with(|| Some((survey_id?, member_id?, size?)))?;
    let tokens = PageTokens::try_new(LIST_INVITATIONS, Some(program), &(survey_id, member_id))?;
    let of = ListOf { survey_id, member_id };
    Ok((of, PageRequest::try_new(tokens, size, &message.page_token)?))
}

fn present(invitation: &Invitation, now: DateTime<Utc>) -> pb::Invitation {
    let status = match invitation.status_at(now) {
        InvitationStatus::Planned => pb::InvitationStatus::Planned,
        InvitationStatus::Due => pb::InvitationStatus::Due,
        InvitationStatus::Sent => pb::InvitationStatus::Sent,
        InvitationStatus::Answered => pb::InvitationStatus::Answered,
        InvitationStatus::Suppressed => pb::InvitationStatus::Suppressed,
        InvitationStatus::Expired => pb::InvitationStatus::Expired,
    };
    let contact_rule = match invitation.contact_rule {
        None => PbContactRule::Unspecified,
        Some(ContactRule::Allowed) => PbContactRule::Allowed,
        Some(ContactRule::MemberNotActive) => PbContactRule::MemberNotActive,
        Some(ContactRule::TopicOptOut) => PbContactRule::TopicOptOut,
        Some(ContactRule::NoConsent) => PbContactRule::NoConsent,
        Some(ContactRule::PolicyNotAccepted) => PbContactRule::PolicyNotAccepted,
        Some(ContactRule::ChannelNotWanted) => PbContactRule::ChannelNotWanted,
        Some(ContactRule::AddressMissing) => PbContactRule::AddressMissing,
        Some(ContactRule::FrequencyCap) => PbContactRule::FrequencyCap,
        Some(ContactRule::Mix) => PbContactRule::Mix,
        Some(ContactRule::QuietHours) => PbContactRule::QuietHours,
    };
    pb::Invitation {
        invitation_id: invitation.invitation_id.to_string(),
        survey_id: invitation.survey_id.to_string(),
        survey_version: invitation.survey_version,
        member_id: invitation.member_id.to_string(),
        status: status.into(),
        contact_rule: contact_rule.into(),
        purchase_id: invitation
            .purchase_id
            .map(|id| id.to_string())
            .unwrap_or_default(),
        due_time: Some(timestamp(invitation.due_time)),
        expire_time: Some(timestamp(invitation.expire_time)),
        create_time: Some(timestamp(invitation.create_time)),
        answer_id: invitation.answer_id.map(|id| id.to_string()).unwrap_or_default(),
    }
}
