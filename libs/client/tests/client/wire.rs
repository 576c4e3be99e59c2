//! One server: what a call does with its failures.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fealty_client::{ClientConfig, LedgerClient};
use fealty_proto::ledger::v1::balance_service_server::{BalanceService, BalanceServiceServer};
use fealty_proto::ledger::v1::owner_service_server::{OwnerService, OwnerServiceServer};
use fealty_proto::ledger::v1::{
    GetBalanceRequest, GetBalanceResponse, GetOwnerRequest, GetOwnerResponse, JoinHouseholdRequest,
    JoinHouseholdResponse, LeaveHouseholdRequest, LeaveHouseholdResponse, ListLotsRequest, ListLotsResponse,
    MergeOwnersRequest, MergeOwnersResponse, OpenOwnerRequest, OpenOwnerResponse, Owner, OwnerBalance,
    SetOwnerStatusRequest, SetOwnerStatusResponse,
};
use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// What the server does with its next call.
#[derive(Debug, Clone)]
enum Next {
    Fail(Status),
    Hang,
    Answer { replayed: bool },
}

#[derive(Debug, Clone, Default)]
struct Server {
    script: Arc<Mutex<VecDeque<Next>>>,
    request_ids: Arc<Mutex<Vec<String>>>,
    headers: Arc<Mutex<Vec<(String, String)>>>,
    asked: Arc<Mutex<Vec<Option<Requirement>>>>,
    /// Whose versions were asked for.
    asked_of: Arc<Mutex<Vec<String>>>,
    /// Whose account it answers with; the owner's own if there is none.
    account: Arc<Mutex<Option<String>>>,
    version: Arc<Mutex<i64>>,
}

#[tonic::async_trait]
impl OwnerService for Server {
    async fn open_owner(
        &self,
        request: Request<OpenOwnerRequest>,
    ) -> Result<Response<OpenOwnerResponse>, Status> {
        for name in ["authorization", "fealty-program-id", "grpc-timeout"] {
            let value = request
                .metadata()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            self.headers
                .lock()
                .expect("lock")
                .push((name.to_owned(), value.to_owned()));
        }
        self.request_ids
            .lock()
            .expect("lock")
            .push(request.into_inner().request_id);
        let next = self.script.lock().expect("lock").pop_front();
        match next.unwrap_or(Next::Answer { replayed: false }) {
            Next::Fail(status) => Err(status),
            Next::Hang => std::future::pending().await,
            Next::Answer { replayed } => {
                let mut response = Response::new(OpenOwnerResponse::default());
                if replayed {
                    response
                        .metadata_mut()
                        .insert("fealty-replayed", "true".parse().expect("ascii"));
                }
                Ok(response)
            }
        }
    }

    async fn get_owner(&self, _: Request<GetOwnerRequest>) -> Result<Response<GetOwnerResponse>, Status> {
        Ok(Response::new(GetOwnerResponse::default()))
    }

    async fn set_owner_status(
        &self,
        _: Request<SetOwnerStatusRequest>,
    ) -> Result<Response<SetOwnerStatusResponse>, Status> {
        Err(Status::unimplemented("nobody asks for it here"))
    }

    async fn join_household(
        &self,
        _: Request<JoinHouseholdRequest>,
    ) -> Result<Response<JoinHouseholdResponse>, Status> {
        let account_owner_id = self.account.lock().expect("lock").clone();
        let owner = Owner {
            owner_id: "o".into(),
            version: *self.version.lock().expect("lock"),
            account_owner_id: account_owner_id.unwrap_or_default(),
            ..Owner::default()
        };
        Ok(Response::new(JoinHouseholdResponse { owner: Some(owner) }))
    }

    async fn leave_household(
        &self,
        _: Request<LeaveHouseholdRequest>,
    ) -> Result<Response<LeaveHouseholdResponse>, Status> {
        Err(Status::unimplemented("nobody asks for it here"))
    }

    async fn merge_owners(
        &self,
        _: Request<MergeOwnersRequest>,
    ) -> Result<Response<MergeOwnersResponse>, Status> {
        Err(Status::unimplemented("nobody asks for it here"))
    }
}

#[tonic::async_trait]
impl BalanceService for Server {
    async fn get_balance(
        &self,
        request: Request<GetBalanceRequest>,
    ) -> Result<Response<GetBalanceResponse>, Status> {
        let request = request.into_inner();
        let asked = request
            .consistency
            .and_then(|consistency| consistency.requirement);
        self.asked.lock().expect("lock").push(asked);
        self.asked_of.lock().expect("lock").push(request.version_owner_id);
        let version = *self.version.lock().expect("lock");
        if matches!(asked, Some(Requirement::AtLeastVersion(wanted)) if wanted > version) {
            let details = ErrorDetails::with_error_info("VERSION_AHEAD", "fealty", []);
            return Err(Status::with_error_details(Code::OutOfRange, "ahead", details));
        }
        let account = self.account.lock().expect("lock").clone();
        let balance = OwnerBalance {
            owner_id: account.unwrap_or(request.owner_id),
            version: *self.version.lock().expect("lock"),
            ..OwnerBalance::default()
        };
        Ok(Response::new(GetBalanceResponse {
            balance: Some(balance),
        }))
    }

    async fn list_lots(&self, _: Request<ListLotsRequest>) -> Result<Response<ListLotsResponse>, Status> {
        Ok(Response::new(ListLotsResponse::default()))
    }
}

impl Server {
    /// Serves on a free port for as long as the tasks live.
    async fn start(&self, script: impl IntoIterator<Item = Next>) -> (SocketAddr, JoinSet<()>) {
        self.script.lock().expect("lock").extend(script);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        (address, self.serve(listener))
    }

    fn serve(&self, listener: TcpListener) -> JoinSet<()> {
        let (owners, balances) = (self.clone(), self.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            tonic::transport::Server::builder()
                .add_service(OwnerServiceServer::new(owners))
                .add_service(BalanceServiceServer::new(balances))
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .expect("serves");
        });
        tasks
    }

    fn request_ids(&self) -> Vec<String> {
        self.request_ids.lock().expect("lock").clone()
    }
}

fn client(address: SocketAddr, change: impl FnOnce(&mut ClientConfig)) -> LedgerClient {
    let mut config = ClientConfig::new(format!("http://{address}"), "fealty_k_s");
    change(&mut config);
    LedgerClient::try_new(&config).expect("a client")
}

#[tokio::test]
async fn an_unavailable_service_is_tried_again_under_the_same_request_id() {
    let server = Server::default();
    let away = || Next::Fail(Status::unavailable("restarting"));
    let (address, _tasks) = server
        .start([away(), away(), Next::Answer { replayed: true }])
        .await;
    let answer = client(address, |_| {})
        .open_owner(OpenOwnerRequest::default())
        .await
        .expect("an answer");
    assert!(answer.replayed);
    let ids = server.request_ids();
    assert_eq!(ids.len(), 3);
    assert!(
        !ids[0].is_empty() && ids.iter().all(|id| *id == ids[0]),
        "{ids:?}"
    );
}

#[tokio::test]
async fn a_request_id_of_the_callers_own_is_kept() {
    let server = Server::default();
    let (address, _tasks) = server.start([]).await;
    let request = OpenOwnerRequest {
        request_id: "0193a0f0-0000-7000-8000-000000000001".into(),
        ..OpenOwnerRequest::default()
    };
    client(address, |_| {})
        .open_owner(request)
        .await
        .expect("an answer");
    assert_eq!(server.request_ids(), ["0193a0f0-0000-7000-8000-000000000001"]);
}

#[tokio::test]
async fn a_refusal_is_final_and_is_taken_apart() {
    let server = Server::default();
    let mut details = ErrorDetails::with_error_info(
        "RECEIPT_ALREADY_USED",
        "fealty",
        [("transaction_id".to_owned(), "t".to_owned())],
    );
    details.add_bad_request_violation("receipt_id", "is used");
    let refusal = Status::with_error_details(Code::AlreadyExists, "the receipt is recorded", details);
    let (address, _tasks) = server.start([Next::Fail(refusal)]).await;
    let error = client(address, |_| {})
        .open_owner(OpenOwnerRequest::default())
        .await
        .expect_err("refused");
    assert_eq!(error.code, Code::AlreadyExists);
    assert_eq!(error.reason, Some(ErrorReason::ReceiptAlreadyUsed));
    assert_eq!(error.value("transaction_id"), Some("t"));
    assert_eq!(error.fields[0].field, "receipt_id");
    assert_eq!(error.attempt_count, 1);
    assert!(error.to_string().contains("RECEIPT_ALREADY_USED"), "{error}");
}

#[tokio::test]
async fn the_deadline_ends_a_call_that_hangs() {
    let server = Server::default();
    let (address, _tasks) = server.start([Next::Hang]).await;
    let client = client(address, |config| config.deadline = Duration::from_millis(300));
    let error = client
        .open_owner(OpenOwnerRequest::default())
        .await
        .expect_err("too late");
    assert_eq!(error.code, Code::DeadlineExceeded);
    let headers = server.headers.lock().expect("lock").clone();
    let timeout = headers
        .iter()
        .find(|(name, _)| name == "grpc-timeout")
        .expect("sent");
    assert!(!timeout.1.is_empty(), "the server learns what is left");
    assert!(headers.contains(&("authorization".to_owned(), "Bearer fealty_k_s".to_owned())));
}

#[tokio::test]
async fn a_connection_that_breaks_under_a_call_is_made_again() {
    let server = Server::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let behind = server.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // The first two connections are taken and cut, one before and one after the call has arrived.
        let (first, _) = listener.accept().await.expect("a caller");
        drop(first);
        let (mut second, _) = listener.accept().await.expect("a caller");
        let mut begun = [0_u8; 64];
        second.read_exact(&mut begun).await.expect("a call begins");
        drop(second);
        let mut serving = behind.serve(listener);
        serving.join_next().await;
    });
    client(address, |_| {})
        .open_owner(OpenOwnerRequest::default())
        .await
        .expect("an answer in the end");
}

#[tokio::test]
async fn nobody_listening_is_tried_until_somebody_does() {
    let server = Server::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let behind = server.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let listener = TcpListener::bind(address).await.expect("still free");
        behind.serve(listener).join_next().await;
    });
    client(address, |_| {})
        .open_owner(OpenOwnerRequest::default())
        .await
        .expect("an answer in the end");
}

#[tokio::test]
async fn a_balance_read_asks_for_the_newest_version_seen() {
    let server = Server::default();
    *server.version.lock().expect("lock") = 7;
    let (address, _tasks) = server.start([]).await;
    let client = client(address, |_| {});
    let request = GetBalanceRequest {
        owner_id: "o".into(),
        ..GetBalanceRequest::default()
    };
    client.get_balance(request.clone()).await.expect("an answer");
    client.clone().get_balance(request).await.expect("an answer");
    let asked = server.asked.lock().expect("lock").clone();
    assert_eq!(asked, [None, Some(Requirement::AtLeastVersion(7))]);
}

#[tokio::test]
async fn a_ledger_that_was_restored_is_read_as_it_is_now() {
    let server = Server::default();
    *server.version.lock().expect("lock") = 12;
    let (address, _tasks) = server.start([]).await;
    let client = client(address, |_| {});
    let request = GetBalanceRequest {
        owner_id: "o".into(),
        ..GetBalanceRequest::default()
    };
    client.get_balance(request.clone()).await.expect("an answer");
    *server.version.lock().expect("lock") = 10;
    let restored = client.get_balance(request.clone()).await.expect("an answer");
    assert_eq!(restored.balance.as_ref().map(|balance| balance.version), Some(10));
    client.get_balance(request).await.expect("an answer");
    let asked = server.asked.lock().expect("lock").clone();
    assert_eq!(asked.last(), Some(&Some(Requirement::AtLeastVersion(10))));
}

#[tokio::test]
async fn who_uses_anothers_account_is_asked_for_by_that_accounts_version() {
    let server = Server::default();
    *server.version.lock().expect("lock") = 12;
    let (address, _tasks) = server.start([]).await;
    let client = client(address, |_| {});
    let read = async || {
        let request = GetBalanceRequest {
            owner_id: "o".into(),
            ..GetBalanceRequest::default()
        };
        client.get_balance(request).await.expect("an answer")
    };
    read().await;
    read().await;
    // The owner joins a household, whose versions are fewer: the ledger of record says how things are.
    *server.account.lock().expect("lock") = Some("home".to_owned());
    client
        .join_household(JoinHouseholdRequest::default())
        .await
        .expect("joined");
    *server.version.lock().expect("lock") = 3;
    read().await;
    read().await;
    // The owner leaves it, and this client learns of it by an answer only.
    *server.account.lock().expect("lock") = None;
    *server.version.lock().expect("lock") = 14;
    read().await;
    read().await;
    read().await;
    let asked = server.asked.lock().expect("lock").clone();
    let of = server.asked_of.lock().expect("lock").clone();
    let asked: Vec<_> = asked.into_iter().zip(of.iter().map(String::as_str)).collect();
    let at_least = |version| Some(Requirement::AtLeastVersion(version));
    let strong = Some(Requirement::Strong(true));
    assert_eq!(
        asked,
        [
            (None, ""),
            (at_least(12), "o"),
            (strong, ""),
            (at_least(3), "home"),
            (at_least(3), "home"),
            (strong, ""),
            (at_least(14), "o"),
        ]
    );
}

#[test]
fn settings_that_cannot_work_are_named() {
    for endpoint in ["127.0.0.1:7102", "ftp://host", "not a url", ""] {
        let error = LedgerClient::try_new(&ClientConfig::new(endpoint, "k")).expect_err("refused");
        assert!(error.to_string().contains("http://host:port"), "{error}");
    }
    let error = LedgerClient::try_new(&ClientConfig::new("http://127.0.0.1:1", "a\nb")).expect_err("refused");
    assert!(error.to_string().contains("key"), "{error}");
}
