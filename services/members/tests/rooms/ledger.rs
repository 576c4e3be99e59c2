//! A ledger that does what a test tells it to: the real one stands in the way of nobody's test of outages.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::owner_service_server::{OwnerService, OwnerServiceServer};
use fealty_rpc::access::PROGRAM_HEADER;
use fealty_runtime::Process;
use fealty_runtime::config::DrainConfig;
use tokio::net::TcpListener;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

/// The key with which members calls the ledger.
pub const LEDGER_KEY: &str = "fealty_key_of_members";

/// What the ledger does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Opens the owner.
    Answers,
    /// Opens nothing and says so.
    Fails(Code),
    /// Never answers.
    Hangs,
}

/// An owner that was opened, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opened {
    pub owner_id: String,
    pub kind: i32,
    pub program: String,
    pub authorization: String,
}

pub struct LedgerStandIn {
    address: SocketAddr,
    owners: Owners,
    process: Process,
}

#[derive(Debug, Clone)]
struct Owners {
    mood: Arc<Mutex<Mood>>,
    opened: Arc<Mutex<Vec<Opened>>>,
}

impl LedgerStandIn {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let owners = Owners {
            mood: Arc::new(Mutex::new(Mood::Answers)),
            opened: Arc::default(),
        };
        let process = Process::new(&DrainConfig::default());
        let service = OwnerServiceServer::new(owners.clone());
        let ending = process.tasks().soft_shutdown();
        process.tasks().spawn("ledger stand-in", async move {
            let serving = Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpIncoming::from(listener));
            tokio::select! {
                () = ending.cancelled() => {}
                served = serving => served.expect("it serves"),
            }
        });
        Self {
            address,
            owners,
            process,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set_mood(&self, mood: Mood) {
        *self.owners.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// The owners that are open, each as often as it was asked for.
    pub fn opened(&self) -> Vec<Opened> {
        let opened = self.owners.opened.lock();
        opened.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn has_opened(&self, owner_id: &str) -> bool {
        self.opened().iter().any(|opened| opened.owner_id == owner_id)
    }
}

impl Drop for LedgerStandIn {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}

#[tonic::async_trait]
impl OwnerService for Owners {
    async fn open_owner(
        &self,
        request: Request<pb::OpenOwnerRequest>,
    ) -> Result<Response<pb::OpenOwnerResponse>, Status> {
        let mood = *self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        match mood {
            Mood::Answers => {}
            Mood::Fails(code) => return Err(Status::new(code, "told to fail")),
            Mood::Hangs => pending::<()>().await,
        }
        let header = |metadata: &MetadataMap, name: &str| {
            let value = metadata.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (program, authorization) = (
            header(request.metadata(), PROGRAM_HEADER),
            header(request.metadata(), "authorization"),
        );
        let message = request.into_inner();
        let opened = Opened {
            owner_id: message.owner_id.clone(),
            kind: message.kind,
            program,
            authorization,
        };
        self.opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(opened);
        let owner = pb::Owner {
            owner_id: message.owner_id,
            kind: message.kind,
            ..Default::default()
        };
        Ok(Response::new(pb::OpenOwnerResponse { owner: Some(owner) }))
    }

    async fn get_owner(
        &self,
        _request: Request<pb::GetOwnerRequest>,
    ) -> Result<Response<pb::GetOwnerResponse>, Status> {
        Err(Status::unimplemented("members never asks"))
    }
}
