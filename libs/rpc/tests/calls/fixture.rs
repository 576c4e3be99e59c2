//! A server with all layers, over records that a test makes up.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::access::v1::access_feed_service_client::AccessFeedServiceClient;
use fealty_proto::access::v1::access_feed_service_server::{AccessFeedService, AccessFeedServiceServer};
use fealty_proto::access::v1::{ListAccessChangesRequest, ListAccessChangesResponse, Scope};
use fealty_proto::ledger::v1::balance_service_server::{BalanceService, BalanceServiceServer};
use fealty_proto::ledger::v1::{
    GetBalanceRequest, GetBalanceResponse, ListLotsRequest, ListLotsResponse, OwnerBalance,
};
use fealty_proto::members::v1::policy_service_client::PolicyServiceClient;
use fealty_proto::members::v1::policy_service_server::{PolicyService, PolicyServiceServer};
use fealty_proto::members::v1::{
    GetPolicyRequest, GetPolicyResponse, ListPoliciesRequest, ListPoliciesResponse, PublishPolicyRequest,
    PublishPolicyResponse,
};
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::access::{
    AccessRecords, ApiKeySecret, Authenticator, Caller, KeyRecord, Lookup, Nudge, ProgramRecord,
};
use fealty_rpc::deadline::Deadline;
use fealty_rpc::errors::reason_of;
use fealty_rpc::limited;
use fealty_rpc::server::{ServerBuilder, ServerConfig};
use fealty_types::{ApiKeyId, ManualClock, ProgramId};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

/// Longest that a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The access records of a test.
#[derive(Default)]
pub struct Records {
    pub keys: Mutex<HashMap<String, KeyRecord>>,
    pub programs: Mutex<HashMap<ProgramId, ProgramRecord>>,
    /// Whether look-ups fail.
    pub down: AtomicBool,
    pub lookup_count: AtomicUsize,
}

impl AccessRecords for Records {
    fn find_key<'a>(&'a self, short_id: &'a str) -> Lookup<'a, KeyRecord> {
        Box::pin(async move {
            self.lookup_count.fetch_add(1, Ordering::SeqCst);
            if self.down.load(Ordering::SeqCst) {
                return Err("the database is gone".into());
            }
            Ok(self.keys.lock().expect("not poisoned").get(short_id).cloned())
        })
    }

    fn find_program(&self, program_id: ProgramId) -> Lookup<'_, ProgramRecord> {
        Box::pin(async move {
            Ok(self
                .programs
                .lock()
                .expect("not poisoned")
                .get(&program_id)
                .cloned())
        })
    }
}

/// A running server. Dropped, it ends.
pub struct Server {
    pub address: SocketAddr,
    pub records: Arc<Records>,
    pub clock: ManualClock,
    pub program_id: ProgramId,
    pub shutdown: Option<oneshot::Sender<()>>,
    pub running: JoinSet<()>,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(ServerConfig::default(), |_| Nudge::none()).await
    }

    pub async fn start_with(config: ServerConfig, nudge: impl FnOnce(Arc<Records>) -> Nudge) -> Self {
        crate::log::listen();
        let records = Arc::new(Records::default());
        let clock = ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        let authenticator = Authenticator::new(
            records.clone(),
            Arc::new(clock.clone()),
            nudge(Arc::clone(&records)),
        );
        let builder = ServerBuilder::new(config, Arc::new(authenticator));
        let policies = limited!(builder.config(), PolicyServiceServer::new(Policies));
        let feed = limited!(builder.config(), AccessFeedServiceServer::new(Feed));
        let balances = limited!(builder.config(), BalanceServiceServer::new(Balances));
        let (_reporter, health) = tonic_health::server::health_reporter();
        let server = builder
            .add_service(policies)
            .add_service(feed)
            .add_service(balances)
            .add_health(health)
            .build()
            .expect("a server");

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (shutdown, shut) = oneshot::channel::<()>();
        let mut running = JoinSet::new();
        running.spawn(server.serve(listener, async {
            let _ = shut.await;
        }));
        let mut server = Self {
            address,
            records,
            clock,
            program_id: id(1),
            shutdown: Some(shutdown),
            running,
        };
        server.add_program(server.program_id, true);
        server
    }

    pub fn add_program(&mut self, program_id: ProgramId, active: bool) {
        let record = ProgramRecord {
            program_id,
            time_zone: chrono_tz::Europe::London,
            currency: "GBP".parse().expect("a currency"),
            active,
        };
        self.records
            .programs
            .lock()
            .expect("not poisoned")
            .insert(program_id, record);
    }

    /// A key of the program with the scopes that the test service needs.
    pub fn key(&self) -> ApiKeySecret {
        self.key_with(|_| ())
    }

    pub fn key_with(&self, change: impl FnOnce(&mut KeyRecord)) -> ApiKeySecret {
        let key = ApiKeySecret::generate(&mut rand::rng());
        let mut record = record_of(&key, self.program_id);
        change(&mut record);
        self.records
            .keys
            .lock()
            .expect("not poisoned")
            .insert(key.short_id().to_owned(), record);
        key
    }

    pub fn now(&self) -> DateTime<Utc> {
        fealty_types::Clock::now(&self.clock)
    }

    pub async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address))
            .expect("a URI")
            .connect()
            .await
            .expect("a connection")
    }

    pub async fn policies(&self) -> PolicyServiceClient<Channel> {
        PolicyServiceClient::new(self.channel().await)
    }

    /// Calls the test service, which does what `wish` says.
    pub async fn wish(&self, key: &ApiKeySecret, wish: &str) -> Result<String, Status> {
        let answer = self
            .policies()
            .await
            .list_policies(with_key(list(wish), key))
            .await?;
        Ok(answer.into_inner().next_page_token)
    }

    pub async fn feed(&self, request: Request<ListAccessChangesRequest>) -> Result<String, Status> {
        let answer = AccessFeedServiceClient::new(self.channel().await)
            .list_access_changes(request)
            .await?;
        Ok(answer.into_inner().next_resume_token)
    }
}

pub fn record_of(key: &ApiKeySecret, program_id: ProgramId) -> KeyRecord {
    KeyRecord {
        api_key_id: id(7),
        program_id: Some(program_id),
        staff: None,
        secret_sha256: key.secret_sha256(),
        token_public_key: Some(key.token_public_key()),
        scopes: vec![Scope::PoliciesRead, Scope::AccessFeed],
        revoke_time: None,
        expire_time: None,
    }
}

/// An id for tests.
pub fn id<T: TryFrom<uuid::Uuid, Error: std::fmt::Debug>>(number: u128) -> T {
    T::try_from(uuid::Uuid::from_u128(number)).expect("not nil")
}

pub fn list(wish: &str) -> Request<ListPoliciesRequest> {
    Request::new(ListPoliciesRequest {
        page_size: 0,
        page_token: wish.to_owned(),
    })
}

pub fn with_key<T>(request: Request<T>, key: &ApiKeySecret) -> Request<T> {
    with_header(request, "authorization", &format!("Bearer {}", key.expose()))
}

pub fn with_header<T>(mut request: Request<T>, name: &'static str, value: &str) -> Request<T> {
    request
        .metadata_mut()
        .insert(name, value.parse().expect("a header"));
    request
}

/// Holds that a call was refused with exactly that, and that `ErrorInfo` says so.
#[track_caller]
pub fn assert_refused<T: std::fmt::Debug>(
    answer: Result<T, Status>,
    code: Code,
    reason: ErrorReason,
) -> Status {
    let status = answer.expect_err("a refusal");
    assert_eq!(
        (status.code(), reason_of(&status)),
        (code, Some(reason)),
        "{status:?}"
    );
    status
}

/// Does what the page token wishes.
struct Policies;

#[tonic::async_trait]
impl PolicyService for Policies {
    async fn publish_policy(
        &self,
        _: Request<PublishPolicyRequest>,
    ) -> Result<Response<PublishPolicyResponse>, Status> {
        Ok(Response::new(PublishPolicyResponse::default()))
    }

    async fn get_policy(&self, _: Request<GetPolicyRequest>) -> Result<Response<GetPolicyResponse>, Status> {
        Ok(Response::new(GetPolicyResponse::default()))
    }

    async fn list_policies(
        &self,
        request: Request<ListPoliciesRequest>,
    ) -> Result<Response<ListPoliciesResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let next_page_token = match request.get_ref().page_token.as_str() {
            "hang" => std::future::pending().await,
            "panic" => panic!("the handler's secret is 1234"),
            "bare" => return Err(Status::unknown("the database's password is 1234")),
            "actor" => caller.actor(),
            "deadline" => {
                let deadline = Deadline::from_request(&request).expect("the deadline layer");
                deadline.remaining().as_millis().to_string()
            }
            "slow" => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                "done".to_owned()
            }
            _ => caller.program_id()?.to_string(),
        };
        Ok(Response::new(ListPoliciesResponse {
            next_page_token,
            ..Default::default()
        }))
    }
}

struct Feed;

#[tonic::async_trait]
impl AccessFeedService for Feed {
    async fn list_access_changes(
        &self,
        request: Request<ListAccessChangesRequest>,
    ) -> Result<Response<ListAccessChangesResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let next_resume_token = caller
            .find_program()
            .map_or_else(|| "none".to_owned(), |program| program.program_id.to_string());
        Ok(Response::new(ListAccessChangesResponse {
            next_resume_token,
            ..Default::default()
        }))
    }
}

/// Says who asks, and for what.
struct Balances;

#[tonic::async_trait]
impl BalanceService for Balances {
    async fn get_balance(
        &self,
        request: Request<GetBalanceRequest>,
    ) -> Result<Response<GetBalanceResponse>, Status> {
        let actor = Caller::from_request(&request)?.actor();
        let whose = request.into_inner().version_owner_id;
        let balance = OwnerBalance {
            owner_id: format!("{actor} {whose}"),
            ..Default::default()
        };
        Ok(Response::new(GetBalanceResponse {
            balance: Some(balance),
        }))
    }

    async fn list_lots(&self, _: Request<ListLotsRequest>) -> Result<Response<ListLotsResponse>, Status> {
        Ok(Response::new(ListLotsResponse::default()))
    }
}

/// A key id for tests.
pub fn key_id(number: u128) -> ApiKeyId {
    id(number)
}
