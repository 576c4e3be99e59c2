//! A replica that can be killed: a server on a runtime of its own, which takes everything with it.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fealty_client::{Resolve, Resolving};
use fealty_proto::ledger::v1::owner_service_server::{OwnerService, OwnerServiceServer};
use fealty_proto::ledger::v1::{
    GetOwnerRequest, GetOwnerResponse, JoinHouseholdRequest, JoinHouseholdResponse, LeaveHouseholdRequest,
    LeaveHouseholdResponse, MergeOwnersRequest, MergeOwnersResponse, OpenOwnerRequest, OpenOwnerResponse,
    SetOwnerStatusRequest, SetOwnerStatusResponse,
};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// How long a call takes: enough for some to be in flight whenever something happens.
const CALL: Duration = Duration::from_millis(5);

/// A replica.
#[derive(Debug)]
pub struct Replica {
    pub address: SocketAddr,
    state: Arc<State>,
    runtime: Option<Runtime>,
    drain: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    call_count: AtomicUsize,
    is_unavailable: AtomicBool,
}

impl Replica {
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"))
    }

    pub fn start_at(address: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State::default());
        let drain = CancellationToken::new();
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (service, drained) = (Arc::clone(&state), drain.clone().cancelled_owned());
        runtime.spawn(async move {
            let incoming = TcpListenerStream::new(TcpListener::from_std(listener).expect("a listener"));
            let server = Server::builder().add_service(OwnerServiceServer::from_arc(service));
            server
                .serve_with_incoming_shutdown(incoming, drained)
                .await
                .expect("serves");
        });
        Self {
            address,
            state,
            runtime: Some(runtime),
            drain,
        }
    }

    /// Everything of it ends in the middle of what it does.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// It takes no more connections, says goodbye on those that it has, and finishes its calls.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// It goes on listening and refuses every call.
    pub fn refuse(&self) {
        self.state.is_unavailable.store(true, Ordering::SeqCst);
    }

    pub fn call_count(&self) -> usize {
        self.state.call_count.load(Ordering::SeqCst)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tonic::async_trait]
impl OwnerService for State {
    async fn open_owner(&self, _: Request<OpenOwnerRequest>) -> Result<Response<OpenOwnerResponse>, Status> {
        Err(Status::unimplemented("nobody asks for it here"))
    }

    async fn get_owner(&self, _: Request<GetOwnerRequest>) -> Result<Response<GetOwnerResponse>, Status> {
        self.call_count.fetch_add(1, Ordering::SeqCst);
        if self.is_unavailable.load(Ordering::SeqCst) {
            return Err(Status::unavailable("going away"));
        }
        tokio::time::sleep(CALL).await;
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
        Err(Status::unimplemented("nobody asks for it here"))
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

/// Addresses that move.
#[derive(Debug, Clone, Default)]
pub struct Moving {
    now: Arc<Mutex<Vec<SocketAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Moving {
    pub fn to<'a>(replicas: impl IntoIterator<Item = &'a Replica>) -> Self {
        let moving = Self::default();
        moving.move_to(replicas);
        moving
    }

    pub fn move_to<'a>(&self, replicas: impl IntoIterator<Item = &'a Replica>) {
        *self.now.lock().expect("lock") = replicas.into_iter().map(|replica| replica.address).collect();
    }

    pub fn asked_count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Moving {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = match (host, port) {
            ("ledger", 7102) => Ok(self.now.lock().expect("lock").clone()),
            _ => Err(io::Error::other("no such name")),
        };
        Box::pin(async { answer })
    }
}
