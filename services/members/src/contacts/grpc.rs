//! `fealty.members.v1.ContactService`.

mod parse;
mod present;

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::contact_service_server::ContactService;
use fealty_rpc::access::Caller;
use fealty_rpc::errors::ApiError;
use fealty_rpc::present::timestamp;
use fealty_service::call::{serve, serve_making};
use fealty_service::read_audit::{PersonalRead, ReadAudit};
use tonic::{Request, Response, Status};

use super::{Contacts, Where};

pub(crate) use parse::{channel, each_once};

const GET_PREFERENCES: &str = "/fealty.members.v1.ContactService/GetContactPreferences";

/// The rpcs of contacts.
#[derive(Debug, Clone)]
pub struct ContactGrpc {
    contacts: Contacts,
    audit: ReadAudit,
}

impl ContactGrpc {
    /// Over the use cases.
    #[must_use]
    pub const fn new(contacts: Contacts, audit: ReadAudit) -> Self {
        Self { contacts, audit }
    }
}

fn place_of(caller: &Caller) -> Result<Where, ApiError> {
    let program = caller.program()?;
    Ok(Where {
        program_id: program.program_id,
        zone: program.time_zone,
    })
}

#[tonic::async_trait]
impl ContactService for ContactGrpc {
    async fn may_contact(
        &self,
        request: Request<pb::MayContactRequest>,
    ) -> Result<Response<pb::MayContactResponse>, Status> {
        serve_making(request, async |caller, message| {
            let at = place_of(&caller)?;
            let (attempt, member_id, contact) = parse::may_contact(at.program_id, message)?;
            let made = self
                .contacts
                .may_contact(at, &attempt, member_id, &contact)
                .await?;
            Ok(made.map(|decided| present::decided(&decided)))
        })
        .await
    }

    async fn explain_contact(
        &self,
        request: Request<pb::ExplainContactRequest>,
    ) -> Result<Response<pb::ExplainContactResponse>, Status> {
        serve(request, async |caller, message| {
            let at = place_of(&caller)?;
            let (member_id, contact) = parse::explain(&message)?;
            let verdict = self.contacts.explain(at, member_id, &contact).await?;
            Ok(present::verdict(verdict))
        })
        .await
    }

    async fn report_delivery(
        &self,
        request: Request<pb::ReportDeliveryRequest>,
    ) -> Result<Response<pb::ReportDeliveryResponse>, Status> {
        serve(request, async |caller, message| {
            let (contact_id, outcome) = parse::report(&message)?;
            let report_time = self
                .contacts
                .report_delivery(caller.program_id()?, contact_id, outcome)
                .await?;
            Ok(pb::ReportDeliveryResponse {
                report_time: Some(timestamp(report_time)),
            })
        })
        .await
    }

    async fn set_contact_preferences(
        &self,
        request: Request<pb::SetContactPreferencesRequest>,
    ) -> Result<Response<pb::SetContactPreferencesResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program_id = caller.program_id()?;
            let (attempt, member_id, preferences) = parse::set_preferences(program_id, message)?;
            let made = self
                .contacts
                .set_preferences(program_id, &attempt, member_id, &preferences)
                .await?;
            Ok(made.map(|preferences| pb::SetContactPreferencesResponse {
                preferences: Some(present::preferences(member_id, &preferences)),
            }))
        })
        .await
    }

    async fn get_contact_preferences(
        &self,
        request: Request<pb::GetContactPreferencesRequest>,
    ) -> Result<Response<pb::GetContactPreferencesResponse>, Status> {
        serve(request, async |caller, message| {
            let member_id = parse::member_id(&message.member_id)?;
            let kept = self
                .contacts
                .get_preferences(caller.program_id()?, member_id)
                .await?;
            if !kept.addresses.is_empty() {
                let fields = vec!["preferences.addresses".to_owned()];
                let read = PersonalRead { member_id, fields };
                self.audit.note(&caller, GET_PREFERENCES, vec![read]).await?;
            }
            Ok(pb::GetContactPreferencesResponse {
                preferences: Some(present::preferences(member_id, &kept)),
            })
        })
        .await
    }

    async fn get_contact_settings(
        &self,
        request: Request<pb::GetContactSettingsRequest>,
    ) -> Result<Response<pb::GetContactSettingsResponse>, Status> {
        serve(request, async |caller, _message| {
            let settings = self.contacts.get_settings(caller.program_id()?).await?;
            Ok(pb::GetContactSettingsResponse {
                settings: Some(present::settings(&settings)),
            })
        })
        .await
    }

    async fn update_contact_settings(
        &self,
        request: Request<pb::UpdateContactSettingsRequest>,
    ) -> Result<Response<pb::UpdateContactSettingsResponse>, Status> {
        serve(request, async |caller, message| {
            let (meant_for, change) = parse::update_settings(&message)?;
            let settings = self
                .contacts
                .update_settings(caller.program_id()?, meant_for, &change)
                .await?;
            Ok(pb::UpdateContactSettingsResponse {
                settings: Some(present::settings(&settings)),
            })
        })
        .await
    }

    async fn opt_out_topic(
        &self,
        request: Request<pb::OptOutTopicRequest>,
    ) -> Result<Response<pb::OptOutTopicResponse>, Status> {
        serve(request, async |caller, message| {
            let (member_id, topic) = parse::opt_out(&message)?;
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
            let (member_id, page) = parse::list_opt_outs(program_id, &message)?;
            let topics = self
                .contacts
                .list_topic_opt_outs(program_id, member_id, page.after().as_deref(), page.count_max())
                .await?;
            let (topics, next_page_token) = page.cut(topics, |opt_out| opt_out.topic.to_string())?;
            Ok(pb::ListTopicOptOutsResponse {
                topic_opt_outs: topics.iter().map(present::opt_out).collect(),
                next_page_token,
            })
        })
        .await
    }
}
