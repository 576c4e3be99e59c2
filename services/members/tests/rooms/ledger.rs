//! A ledger that does what a test tells it to: the real one stands in the way of nobody's test of outages.

use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fealty_proto::events::v1::event_service_server::EventServiceServer;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::household_service_server::{HouseholdService, HouseholdServiceServer};
use fealty_proto::ledger::v1::owner_service_server::{OwnerService, OwnerServiceServer};
use fealty_proto::r#type::v1::ErrorReason;
use fealty_rpc::access::PROGRAM_HEADER;
use fealty_rpc::errors::ApiError;
use fealty_runtime::Process;
use fealty_runtime::config::DrainConfig;
use tokio::net::TcpListener;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

use crate::postings::Postings;

/// The key with which members calls the ledger.
pub const LEDGER_KEY: &str = "fealty_key_of_members";

/// What the ledger does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Does what it is asked.
    Answers,
    /// Does nothing and says so.
    Fails(Code),
    /// Does nothing and never answers.
    Hangs,
    /// Does what it is asked, and the answer is lost.
    LosesAnswer,
    /// Does nothing, and says that it will not.
    Refuses(ErrorReason),
}

/// What can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    Open,
    Status,
    Join,
    Leave,
    Merge,
    Limits,
    Dissolve,
}

/// An owner that was opened, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opened {
    pub owner_id: String,
    pub kind: i32,
    pub program: String,
    pub authorization: String,
}

/// An owner as the ledger has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    pub kind: i32,
    pub status: i32,
    pub status_revision: i64,
    /// Whose account it uses; empty for its own.
    pub account_owner_id: String,
    /// In its own account.
    pub points: i64,
    /// What it may spend of another's.
    pub limits: Vec<pb::SpendingLimit>,
    pub limits_revision: i64,
}

pub struct LedgerStandIn {
    address: SocketAddr,
    owners: Owners,
    /// What it tells of its transactions.
    pub postings: Postings,
    process: Process,
}

#[derive(Debug, Clone)]
struct Owners {
    mood: Arc<Mutex<Mood>>,
    /// Of single doors.
    moods: Arc<Mutex<BTreeMap<Door, Mood>>>,
    opened: Arc<Mutex<Vec<Opened>>>,
    accounts: Arc<Mutex<BTreeMap<String, Held>>>,
}

impl Owners {
    fn mood_of(&self, door: Door) -> Mood {
        let own = locked(&self.moods).get(&door).copied();
        own.unwrap_or_else(|| *locked(&self.mood))
    }

    /// Does something with the accounts, in the mood of the moment.
    async fn answer(
        &self,
        door: Door,
        act: impl FnOnce(&mut BTreeMap<String, Held>) -> Result<pb::Owner, Status>,
    ) -> Result<pb::Owner, Status> {
        let mood = self.mood_of(door);
        match mood {
            Mood::Answers | Mood::LosesAnswer => {}
            Mood::Fails(code) => return Err(Status::new(code, "told to fail")),
            Mood::Hangs => pending::<()>().await,
            Mood::Refuses(reason) => return Err(refused(reason)),
        }
        let owner = act(&mut locked(&self.accounts))?;
        if mood == Mood::LosesAnswer {
            // Of a code after which nobody asks again by themselves.
            return Err(Status::internal("the answer is lost"));
        }
        Ok(owner)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(reason: ErrorReason) -> Status {
    ApiError::refused(reason, "told to refuse").to_status()
}

fn account<'a>(accounts: &'a mut BTreeMap<String, Held>, owner_id: &str) -> Result<&'a mut Held, Status> {
    let found = accounts.get_mut(owner_id);
    found.ok_or_else(|| Status::not_found("no such owner"))
}

/// Moves all that lies in one account to another.
fn move_points(accounts: &mut BTreeMap<String, Held>, from: &str, into: &str) -> Result<(), Status> {
    let points = std::mem::take(&mut account(accounts, from)?.points);
    account(accounts, into)?.points += points;
    Ok(())
}

fn present(owner_id: &str, account: &Held) -> pb::Owner {
    pb::Owner {
        owner_id: owner_id.to_owned(),
        kind: account.kind,
        status: account.status,
        account_owner_id: account.account_owner_id.clone(),
        ..Default::default()
    }
}

impl LedgerStandIn {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let owners = Owners {
            mood: Arc::new(Mutex::new(Mood::Answers)),
            moods: Arc::default(),
            opened: Arc::default(),
            accounts: Arc::default(),
        };
        let process = Process::new(&DrainConfig::default());
        let service = OwnerServiceServer::new(owners.clone());
        let postings = Postings::default();
        let events = EventServiceServer::new(postings.clone());
        let households = HouseholdServiceServer::new(owners.clone());
        let ending = process.tasks().soft_shutdown();
        process.tasks().spawn("ledger stand-in", async move {
            let serving = Server::builder()
                .add_service(service)
                .add_service(events)
                .add_service(households)
                .serve_with_incoming(TcpIncoming::from(listener));
            tokio::select! {
                () = ending.cancelled() => {}
                served = serving => served.expect("it serves"),
            }
        });
        Self {
            address,
            owners,
            postings,
            process,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set_mood(&self, mood: Mood) {
        *locked(&self.owners.mood) = mood;
    }

    /// The mood of one door alone, or again that of all.
    pub fn set_mood_of(&self, door: Door, mood: Option<Mood>) {
        let mut moods = locked(&self.owners.moods);
        match mood {
            Some(mood) => moods.insert(door, mood),
            None => moods.remove(&door),
        };
    }

    /// An owner as the ledger has it.
    pub fn account(&self, owner_id: &str) -> Held {
        locked(&self.owners.accounts)
            .get(owner_id)
            .cloned()
            .expect("an owner")
    }

    /// Gives points to an owner: to whose account it uses.
    pub fn credit(&self, owner_id: &str, points: i64) {
        let mut accounts = locked(&self.owners.accounts);
        let uses = accounts.get(owner_id).expect("an owner").account_owner_id.clone();
        let into = if uses.is_empty() { owner_id } else { &uses };
        accounts.get_mut(into).expect("an account").points += points;
    }

    /// The owners that are open, each as often as it was asked for.
    pub fn opened(&self) -> Vec<Opened> {
        locked(&self.owners.opened).clone()
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
        let owner = self
            .answer(Door::Open, |accounts| {
                locked(&self.opened).push(opened);
                let account = accounts.entry(message.owner_id.clone()).or_insert(Held {
                    kind: message.kind,
                    status: pb::OwnerStatus::Active.into(),
                    ..Held::default()
                });
                Ok(present(&message.owner_id, account))
            })
            .await?;
        Ok(Response::new(pb::OpenOwnerResponse { owner: Some(owner) }))
    }

    async fn get_owner(
        &self,
        _request: Request<pb::GetOwnerRequest>,
    ) -> Result<Response<pb::GetOwnerResponse>, Status> {
        Err(Status::unimplemented("members never asks"))
    }

    async fn set_owner_status(
        &self,
        request: Request<pb::SetOwnerStatusRequest>,
    ) -> Result<Response<pb::SetOwnerStatusResponse>, Status> {
        let message = request.into_inner();
        let owner = self
            .answer(Door::Status, |accounts| {
                let account = account(accounts, &message.owner_id)?;
                if message.status_revision > account.status_revision {
                    account.status = message.status;
                    account.status_revision = message.status_revision;
                }
                Ok(present(&message.owner_id, account))
            })
            .await?;
        Ok(Response::new(pb::SetOwnerStatusResponse { owner: Some(owner) }))
    }

    async fn join_household(
        &self,
        request: Request<pb::JoinHouseholdRequest>,
    ) -> Result<Response<pb::JoinHouseholdResponse>, Status> {
        let message = request.into_inner();
        let owner = self
            .answer(Door::Join, |accounts| {
                let joining = account(accounts, &message.owner_id)?;
                let uses = joining.account_owner_id.clone();
                if uses.is_empty() {
                    joining.account_owner_id.clone_from(&message.household_owner_id);
                    move_points(accounts, &message.owner_id, &message.household_owner_id)?;
                } else if uses != message.household_owner_id {
                    return Err(refused(ErrorReason::OwnerUnsuitable));
                }
                Ok(present(&message.owner_id, account(accounts, &message.owner_id)?))
            })
            .await?;
        Ok(Response::new(pb::JoinHouseholdResponse { owner: Some(owner) }))
    }

    async fn leave_household(
        &self,
        request: Request<pb::LeaveHouseholdRequest>,
    ) -> Result<Response<pb::LeaveHouseholdResponse>, Status> {
        let message = request.into_inner();
        let owner = self
            .answer(Door::Leave, |accounts| {
                let leaving = account(accounts, &message.owner_id)?;
                if leaving.status == i32::from(pb::OwnerStatus::Merged) {
                    return Err(refused(ErrorReason::OwnerUnsuitable));
                }
                leaving.account_owner_id.clear();
                Ok(present(&message.owner_id, leaving))
            })
            .await?;
        Ok(Response::new(pb::LeaveHouseholdResponse { owner: Some(owner) }))
    }

    async fn merge_owners(
        &self,
        request: Request<pb::MergeOwnersRequest>,
    ) -> Result<Response<pb::MergeOwnersResponse>, Status> {
        let message = request.into_inner();
        let owner = self
            .answer(Door::Merge, |accounts| {
                let home = account(accounts, &message.from_owner_id)?
                    .account_owner_id
                    .clone();
                let into = account(accounts, &message.into_owner_id)?;
                if into.account_owner_id.is_empty() && home != message.into_owner_id && !home.is_empty() {
                    into.account_owner_id.clone_from(&home);
                    move_points(accounts, &message.into_owner_id, &home)?;
                }
                let into_uses = account(accounts, &message.into_owner_id)?
                    .account_owner_id
                    .clone();
                let uses = Some(into_uses).filter(|uses| !uses.is_empty());
                let uses = uses.unwrap_or_else(|| message.into_owner_id.clone());
                let ending = account(accounts, &message.from_owner_id)?;
                if ending.status != i32::from(pb::OwnerStatus::Merged) {
                    ending.status = pb::OwnerStatus::Merged.into();
                    let before = std::mem::replace(&mut ending.account_owner_id, uses.clone());
                    // What lies in a household's account is not one member's to take along.
                    if before.is_empty() {
                        move_points(accounts, &message.from_owner_id, &uses)?;
                    }
                }
                Ok(present(
                    &message.from_owner_id,
                    account(accounts, &message.from_owner_id)?,
                ))
            })
            .await?;
        let answer = pb::MergeOwnersResponse {
            from_owner: Some(owner),
            into_owner: None,
        };
        Ok(Response::new(answer))
    }
}

#[tonic::async_trait]
impl HouseholdService for Owners {
    async fn set_spending_limits(
        &self,
        request: Request<pb::SetSpendingLimitsRequest>,
    ) -> Result<Response<pb::SetSpendingLimitsResponse>, Status> {
        let message = request.into_inner();
        self.answer(Door::Limits, |accounts| {
            let account = account(accounts, &message.owner_id)?;
            if message.limits_revision > account.limits_revision {
                account.limits.clone_from(&message.limits);
                account.limits_revision = message.limits_revision;
            }
            Ok(present(&message.owner_id, account))
        })
        .await?;
        let limits = message.limits;
        Ok(Response::new(pb::SetSpendingLimitsResponse { limits }))
    }

    async fn get_spending(
        &self,
        _request: Request<pb::GetSpendingRequest>,
    ) -> Result<Response<pb::GetSpendingResponse>, Status> {
        Err(Status::unimplemented("members never asks"))
    }

    async fn dissolve_household(
        &self,
        request: Request<pb::DissolveHouseholdRequest>,
    ) -> Result<Response<pb::DissolveHouseholdResponse>, Status> {
        let message = request.into_inner();
        let household = &message.household_owner_id;
        let owner = self
            .answer(Door::Dissolve, |accounts| {
                let users = accounts
                    .values_mut()
                    .filter(|it| it.account_owner_id == *household);
                users.for_each(|user| user.account_owner_id.clear());
                move_points(accounts, household, &message.heir_owner_id)?;
                let ended = account(accounts, household)?;
                ended.status = pb::OwnerStatus::Closed.into();
                Ok(present(household, ended))
            })
            .await?;
        let household = Some(owner);
        Ok(Response::new(pb::DissolveHouseholdResponse { household }))
    }
}
