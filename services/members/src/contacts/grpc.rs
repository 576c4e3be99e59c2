//! `fealty.members.v1.ContactService`.

use std::mem;

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::contact_service_server::ContactService;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::{serve, serve_making};
use fealty_types::{MemberId, ProgramId};
use tonic::{Request, Response, Status};

use super::Contacts;
use super::domain::{Contact, Decision, Purpose, Topic, TopicOptOut};
use crate::consents;

const MAY_CONTACT: &str = "/fealty.members.v1.ContactService/MayContact";
const LIST: &str = "/fealty.members.v1.ContactService/ListTopicOptOuts";

/// The rpcs of contacts.
#[derive(Debug, Clone)]
pub struct ContactGrpc {
    contacts: Contacts,
}

impl ContactGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(contacts: Contacts) -> Self {
        Self { contacts }
    }
}

#[tonic::async_trait]
impl ContactService for ContactGrpc {
    async fn may_contact(
        &self,
        request: Request<pb::MayContactRequest>,
    ) -> Result<Response<pb::MayContactResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, member_id, contact) = parse_may_contact(program_id, message)?;
            let made = self
                .contacts
                .may_contact(program_id, &attempt, member_id, &contact)
                .await?;
            Ok(made.map(present_decision))
        })
        .await
    }

    async fn opt_out_topic(
        &self,
        request: Request<pb::OptOutTopicRequest>,
    ) -> Result<Response<pb::OptOutTopicResponse>, Status> {
        serve(request, async |caller, message| {
            let (member_id, topic) = parse_opt_out(&message)?;
            let opt_out_time = self
                .contacts
                .opt_out_topic(caller.program_id()?, member_id, &topic)
                .await?;
            Ok(pb::OptOutTopicResponse {
                opt_out_time: Some(timestamp(opt_out_time)),
            })
        })
        .await
    }

    async fn list_topic_opt_outs(
        &self,
        request: Request<pb::ListTopicOptOutsRequest>,
    ) -> Result<Response<pb::ListTopicOptOutsResponse>, Status> {
        serve(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (member_id, page) = parse_list(program_id, &message)?;
            let topics = self
                .contacts
                .list_topic_opt_outs(program_id, member_id, page.after().as_deref(), page.count_max())
                .await?;
            let (topics, next_page_token) = page.cut(topics, |opt_out| opt_out.topic.to_string())?;
            Ok(pb::ListTopicOptOutsResponse {
                topic_opt_outs: topics.iter().map(present_opt_out).collect(),
                next_page_token,
            })
        })
        .await
    }
}

fn parse_may_contact(
    program_id: ProgramId,
    mut message: pb::MayContactRequest,
) -> Result<(Attempt, MemberId, Contact), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(MAY_CONTACT, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let channel = v.check("channel", consents::grpc::channel(message.channel));
    let purpose = v.check("purpose", parse_purpose(message.purpose));
    let topic = v.check("topic", fields::parse::<Topic>(&message.topic));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, MAY_CONTACT, command_hash);
        let contact = Contact {
            channel: channel?,
            purpose: purpose?,
            topic: topic?,
        };
        Some((attempt, member_id?, contact))
    })
}

fn parse_purpose(number: i32) -> Result<Purpose, Problem> {
    Ok(match fields::enumeration(number)? {
        pb::ContactPurpose::Unspecified => return Err(Problem::required()),
        pb::ContactPurpose::ServiceQuality => Purpose::ServiceQuality,
        pb::ContactPurpose::ServiceMessage => Purpose::ServiceMessage,
        pb::ContactPurpose::Marketing => Purpose::Marketing,
    })
}

fn parse_opt_out(message: &pb::OptOutTopicRequest) -> Result<(MemberId, Topic), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    let topic = v.check("topic", fields::parse(&message.topic));
    v.finish_with(|| Some((member_id?, topic?)))
}

fn parse_list(
    program_id: ProgramId,
    message: &pb::ListTopicOptOutsRequest,
) -> Result<(MemberId, PageRequest<String>), ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse::<MemberId>(&message.member_id));
    let size = v.check("page_size", PageSize::parse(message.page_size));
    let (member_id, size) = v.finish_with(|| Some((member_id?, size?)))?;
    let tokens = PageTokens::try_new(LIST, Some(program_id), &member_id)?;
    let page = PageRequest::try_new(tokens, size, &message.page_token)?;
    Ok((member_id, page))
}

fn present_decision(decision: Decision) -> pb::MayContactResponse {
    use pb::{ContactDecision, ContactRule};
    let (answer, rule, not_before_time) = match decision {
        Decision::Allowed => (ContactDecision::Yes, ContactRule::Allowed, None),
        Decision::MemberNotActive => (ContactDecision::No, ContactRule::MemberNotActive, None),
        Decision::TopicOptOut => (ContactDecision::No, ContactRule::TopicOptOut, None),
        Decision::FrequencyCap { not_before_time } => (
            ContactDecision::NotBefore,
            ContactRule::FrequencyCap,
            Some(timestamp(not_before_time)),
        ),
    };
    pb::MayContactResponse {
        decision: answer.into(),
        rule: rule.into(),
        not_before_time,
    }
}

fn present_opt_out(opt_out: &TopicOptOut) -> pb::TopicOptOut {
    pb::TopicOptOut {
        topic: opt_out.topic.to_string(),
        opt_out_time: Some(timestamp(opt_out.opt_out_time)),
    }
}
