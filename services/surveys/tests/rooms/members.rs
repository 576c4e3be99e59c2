//! A members service that decides as a test tells it to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use fealty_proto::access::v1::access_feed_service_server::{AccessFeedService, AccessFeedServiceServer};
use fealty_proto::access::v1::{ListAccessChangesRequest, ListAccessChangesResponse};
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::contact_service_server::{ContactService, ContactServiceServer};
use fealty_rpc::access::PROGRAM_HEADER;
use fealty_rpc::errors::ApiError;
use fealty_rpc::present::timestamp;
use fealty_runtime::Process;
use fealty_runtime::config::DrainConfig;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// What members says about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// They may be contacted.
    Yes,
    /// They have opted out of the topic.
    OptedOut,
    /// Not before then.
    NotBefore(DateTime<Utc>),
    /// There is no such member.
    Nobody,
    /// They may be contacted, and nothing to whoever reports on it.
    TakesNoReports,
    /// Nothing: it is down, and asked again for a while.
    Away,
    /// Nothing that anybody would ask again for.
    Broken,
}

/// A question, and who asked it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub program: String,
    pub authorization: String,
    pub question: pb::MayContactRequest,
}

/// It remembers what it answered to each request id, as the real one does.
pub struct MembersStandIn {
    address: SocketAddr,
    contacts: Contacts,
    process: Process,
}

#[derive(Debug, Clone)]
struct Contacts {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    says: Says,
    reserves_until: Option<DateTime<Utc>>,
    asked: Vec<Asked>,
    reported: Vec<pb::ReportDeliveryRequest>,
    answered: HashMap<String, (pb::MayContactRequest, pb::MayContactResponse)>,
}

impl MembersStandIn {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let contacts = Contacts {
            state: Arc::new(Mutex::new(State {
                says: Says::Yes,
                reserves_until: None,
                asked: Vec::new(),
                reported: Vec::new(),
                answered: HashMap::new(),
            })),
        };
        let process = Process::new(&DrainConfig::default());
        let router = Server::builder()
            .add_service(ContactServiceServer::new(contacts.clone()))
            .add_service(AccessFeedServiceServer::new(NoChanges));
        let ending = process.tasks().soft_shutdown();
        process.tasks().spawn("members stand-in", async move {
            tokio::select! {
                () = ending.cancelled() => {}
                served = router.serve_with_incoming(TcpIncoming::from(listener)) => served.expect("it serves"),
            }
        });
        Self {
            address,
            contacts,
            process,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it says from now on to what it was not asked before.
    pub fn say(&self, says: Says) {
        self.contacts.lock().says = says;
    }

    /// Until when it reserves the contacts that it allows from now on.
    pub fn reserve_until(&self, time: DateTime<Utc>) {
        self.contacts.lock().reserves_until = Some(time);
    }

    /// Every question, each as often as it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.contacts.lock().asked.clone()
    }

    /// Every report on a contact.
    pub fn reported(&self) -> Vec<pb::ReportDeliveryRequest> {
        self.contacts.lock().reported.clone()
    }

    /// The contacts that it has allowed.
    pub fn allowed(&self) -> Vec<String> {
        let state = self.contacts.lock();
        let ids = state
            .answered
            .values()
            .map(|(_, answer)| answer.contact_id.clone());
        ids.filter(|id| !id.is_empty()).collect()
    }

    /// How many contacts it has counted: a yes counts once for each request id.
    pub fn counted(&self) -> usize {
        let state = self.contacts.lock();
        let yes = i32::from(pb::ContactDecision::Yes);
        let answers = state.answered.values();
        answers.filter(|(_, answer)| answer.decision == yes).count()
    }
}

impl Drop for MembersStandIn {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}

impl Contacts {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tonic::async_trait]
impl ContactService for Contacts {
    async fn may_contact(
        &self,
        request: Request<pb::MayContactRequest>,
    ) -> Result<Response<pb::MayContactResponse>, Status> {
        let header = |name: &str| {
            let value = request.metadata().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let asked = Asked {
            program: header(PROGRAM_HEADER),
            authorization: header("authorization"),
            question: request.get_ref().clone(),
        };
        let question = request.into_inner();
        let mut state = self.lock();
        state.asked.push(asked);
        if let Some((before, answer)) = state.answered.get(&question.request_id) {
            return if *before == question {
                Ok(Response::new(answer.clone()))
            } else {
                Err(ApiError::request_id_reused(&question.request_id).into())
            };
        }
        let (decision, rule, not_before) = match state.says {
            Says::Yes | Says::TakesNoReports => (pb::ContactDecision::Yes, pb::ContactRule::Allowed, None),
            Says::OptedOut => (pb::ContactDecision::No, pb::ContactRule::TopicOptOut, None),
            Says::NotBefore(time) => (
                pb::ContactDecision::NotBefore,
                pb::ContactRule::FrequencyCap,
                Some(timestamp(time)),
            ),
            Says::Nobody => return Err(ApiError::not_found("member", &question.member_id).into()),
            Says::Away => return Err(Status::unavailable("told to be away")),
            Says::Broken => return Err(Status::internal("told to be broken")),
        };
        let contact_id = (decision == pb::ContactDecision::Yes).then(|| uuid::Uuid::now_v7().to_string());
        let answer = pb::MayContactResponse {
            decision: decision.into(),
            rule: rule.into(),
            not_before_time: not_before,
            reserve_until_time: contact_id
                .as_ref()
                .and_then(|_| state.reserves_until)
                .map(timestamp),
            contact_id: contact_id.unwrap_or_default(),
            ..pb::MayContactResponse::default()
        };
        state
            .answered
            .insert(question.request_id.clone(), (question, answer.clone()));
        Ok(Response::new(answer))
    }

    async fn report_delivery(
        &self,
        request: Request<pb::ReportDeliveryRequest>,
    ) -> Result<Response<pb::ReportDeliveryResponse>, Status> {
        let mut state = self.lock();
        if matches!(state.says, Says::Away | Says::TakesNoReports) {
            return Err(Status::unavailable("told to be away"));
        }
        state.reported.push(request.into_inner());
        Ok(Response::new(pb::ReportDeliveryResponse::default()))
    }

    async fn explain_contact(
        &self,
        _request: Request<pb::ExplainContactRequest>,
    ) -> Result<Response<pb::ExplainContactResponse>, Status> {
        Err(Status::unimplemented("surveys never asks"))
    }

    async fn set_contact_preferences(
        &self,
        _request: Request<pb::SetContactPreferencesRequest>,
    ) -> Result<Response<pb::SetContactPreferencesResponse>, Status> {
        Err(Status::unimplemented("surveys never asks"))
    }

    async fn get_contact_preferences(
        &self,
        _request: Request<pb::GetContactPreferencesRequest>,
    ) -> Result<Response<pb::GetContactPreferencesResponse>, Status> {
        Err(Status::unimplemented("surveys never asks"))
    }

    async fn get_contact_settings(
        &self,
        _request: Request<pb::GetContactSettingsRequest>,
    ) -> Result<Response<pb::GetContactSettingsResponse>, Status> {
        Err(Status::unimplemented("surveys never asks"))
    }

    async fn update_contact_settings(
        &self,
        _request: Request<pb::UpdateContactSettingsRequest>,
    ) -> Result<Response<pb::UpdateContactSettingsResponse>, Status> {
        Err(Status::unimplemented("surveys never asks"))
    }

    async fn opt_out_topic(
        &self,
        _request: Request<pb::OptOutTopicRequest>,
    ) -> Result<Response<pb::OptOutTopicResponse>, Status> {
        Err(Status::unimplemented("surveys never asks"))
    }

    async fn list_topic_opt_outs(
        &self,
        _request: Request<pb::ListTopicOptOutsRequest>,
    ) -> Result<Response<pb::ListTopicOptOutsResponse>, Status> {
        Err(Status::unimplemented("surveys never asks"))
    }
}

/// Tests plant programs and keys themselves.
struct NoChanges;

#[tonic::async_trait]
impl AccessFeedService for NoChanges {
    async fn list_access_changes(
        &self,
        _request: Request<ListAccessChangesRequest>,
    ) -> Result<Response<ListAccessChangesResponse>, Status> {
        Ok(Response::new(ListAccessChangesResponse::default()))
    }
}
