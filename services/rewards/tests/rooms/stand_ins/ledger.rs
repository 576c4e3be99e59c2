//! A ledger of balances and holds: it remembers what it did for a request, as the real one does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_server::{BalanceService, BalanceServiceServer};
use fealty_proto::ledger::v1::hold_service_server::{HoldService, HoldServiceServer};
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::ApiError;
use fealty_runtime::Process;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::lock;

pub struct LedgerStandIn {
    pub address: SocketAddr,
    books: Books,
    process: Process,
}

#[derive(Debug, Clone, Default)]
struct Books(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    available: HashMap<String, i64>,
    holds: HashMap<String, HeldPoints>,
    /// What was done for a request: the hold, or a refusal.
    remembered: HashMap<String, Result<String, Status>>,
    away: bool,
    /// Whether the program may not be worked in.
    program_inactive: bool,
    /// Calls of the holds, however they were answered.
    call_count: usize,
}

#[derive(Debug, Clone)]
struct HeldPoints {
    owner_id: String,
    value: i64,
    as_what: HeldAs,
}

/// What became of held points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldAs {
    Open,
    Captured,
    Released,
    Expired,
}

impl LedgerStandIn {
    pub async fn start() -> Self {
        let books = Books::default();
        let router = Server::builder()
            .add_service(HoldServiceServer::new(books.clone()))
            .add_service(BalanceServiceServer::new(books.clone()));
        let (address, process) = super::serve("ledger stand-in", router).await;
        Self {
            address,
            books,
            process,
        }
    }

    pub fn credit(&self, owner_id: &str, value: i64) {
        *lock(&self.books.0)
            .available
            .entry(owner_id.to_owned())
            .or_default() += value;
    }

    pub fn set_away(&self, away: bool) {
        lock(&self.books.0).away = away;
    }

    /// Turns everybody away before it looks at what they ask for.
    pub fn set_program_inactive(&self, program_inactive: bool) {
        lock(&self.books.0).program_inactive = program_inactive;
    }

    pub fn call_count(&self) -> usize {
        lock(&self.books.0).call_count
    }

    /// What is held of an owner's ends by itself, as when its time has passed.
    pub fn end_holds_of(&self, owner_id: &str) {
        let mut state = lock(&self.books.0);
        let open = |hold: &HeldPoints| hold.owner_id == owner_id && hold.as_what == HeldAs::Open;
        let open: Vec<String> = state
            .holds
            .iter()
            .filter(|(_, hold)| open(hold))
            .map(|(hold_id, _)| hold_id.clone())
            .collect();
        for hold_id in open {
            state.give_back(&hold_id, HeldAs::Expired);
        }
    }

    /// What an owner can spend, and what is held of theirs.
    pub fn balance(&self, owner_id: &str) -> (i64, i64) {
        let state = lock(&self.books.0);
        let open = |hold: &&HeldPoints| hold.owner_id == owner_id && hold.as_what == HeldAs::Open;
        let held = state.holds.values().filter(open).map(|hold| hold.value).sum();
        (state.available.get(owner_id).copied().unwrap_or_default(), held)
    }

    /// What became of everything that was ever held of an owner's.
    pub fn holds(&self, owner_id: &str) -> Vec<HeldAs> {
        let state = lock(&self.books.0);
        let of_owner = state.holds.values().filter(|hold| hold.owner_id == owner_id);
        of_owner.map(|hold| hold.as_what).collect()
    }
}

impl Drop for LedgerStandIn {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}

impl State {
    fn enter(&mut self) -> Result<(), Status> {
        self.call_count += 1;
        if self.away {
            Err(Status::unavailable("told to be away"))
        } else if self.program_inactive {
            Err(ApiError::program_inactive(Uuid::nil()).to_status())
        } else {
            Ok(())
        }
    }

    fn hold(&mut self, request: &pb::HoldPointsRequest) -> Result<String, Status> {
        let value = request.amount.as_ref().expect("an amount").value;
        let available = self.available.get_mut(&request.owner_id);
        let available =
            available.ok_or_else(|| ApiError::not_found("owner", &request.owner_id).to_status())?;
        if *available < value {
            let refused = ApiError::refused(ErrorReason::InsufficientBalance, "too few")
                .with("unit_code", "points")
                .with("available", *available)
                .with("required", value);
            return Err(refused.to_status());
        }
        *available -= value;
        let hold_id = Uuid::now_v7().to_string();
        let hold = HeldPoints {
            owner_id: request.owner_id.clone(),
            value,
            as_what: HeldAs::Open,
        };
        self.holds.insert(hold_id.clone(), hold);
        Ok(hold_id)
    }

    fn capture(&mut self, hold_id: &str) -> Result<String, Status> {
        let hold = self.holds.get_mut(hold_id).expect("a hold of this ledger");
        if hold.as_what != HeldAs::Open {
            return Err(not_open(hold_id, hold.as_what));
        }
        hold.as_what = HeldAs::Captured;
        Ok(hold_id.to_owned())
    }

    fn release(&mut self, hold_id: &str) -> Result<String, Status> {
        let as_what = self.holds.get(hold_id).expect("a hold of this ledger").as_what;
        match as_what {
            HeldAs::Open => self.give_back(hold_id, HeldAs::Released),
            HeldAs::Captured => return Err(not_open(hold_id, as_what)),
            HeldAs::Released | HeldAs::Expired => {}
        }
        Ok(hold_id.to_owned())
    }

    fn give_back(&mut self, hold_id: &str, as_what: HeldAs) {
        let hold = self.holds.get_mut(hold_id).expect("a hold of this ledger");
        hold.as_what = as_what;
        *self.available.entry(hold.owner_id.clone()).or_default() += hold.value;
    }

    /// The first answer to a request, again and again.
    fn remember(
        &mut self,
        request_id: &str,
        act: impl FnOnce(&mut Self) -> Result<String, Status>,
    ) -> Result<pb::Hold, Status> {
        self.enter()?;
        let earlier = self.remembered.get(request_id).cloned();
        let answer = earlier.unwrap_or_else(|| act(self));
        self.remembered.insert(request_id.to_owned(), answer.clone());
        answer.map(|hold_id| pb::Hold {
            hold_id,
            ..pb::Hold::default()
        })
    }
}

fn not_open(hold_id: &str, as_what: HeldAs) -> Status {
    let status = match as_what {
        HeldAs::Open => "OPEN",
        HeldAs::Captured => "CAPTURED",
        HeldAs::Released => "RELEASED",
        HeldAs::Expired => "EXPIRED",
    };
    ApiError::refused(ErrorReason::HoldNotOpen, "not open")
        .with("hold_id", hold_id)
        .with("status", status)
        .to_status()
}

#[tonic::async_trait]
impl HoldService for Books {
    async fn hold_points(
        &self,
        request: Request<pb::HoldPointsRequest>,
    ) -> Result<Response<pb::HoldPointsResponse>, Status> {
        let request = request.into_inner();
        let hold = lock(&self.0).remember(&request.request_id, |state| state.hold(&request))?;
        Ok(Response::new(pb::HoldPointsResponse {
            hold: Some(hold),
            ..pb::HoldPointsResponse::default()
        }))
    }

    async fn capture_hold(
        &self,
        request: Request<pb::CaptureHoldRequest>,
    ) -> Result<Response<pb::CaptureHoldResponse>, Status> {
        let request = request.into_inner();
        let hold = lock(&self.0).remember(&request.request_id, |state| state.capture(&request.hold_id))?;
        Ok(Response::new(pb::CaptureHoldResponse {
            hold: Some(hold),
            ..pb::CaptureHoldResponse::default()
        }))
    }

    async fn release_hold(
        &self,
        request: Request<pb::ReleaseHoldRequest>,
    ) -> Result<Response<pb::ReleaseHoldResponse>, Status> {
        let request = request.into_inner();
        let hold = lock(&self.0).remember(&request.request_id, |state| state.release(&request.hold_id))?;
        Ok(Response::new(pb::ReleaseHoldResponse {
            hold: Some(hold),
            ..pb::ReleaseHoldResponse::default()
        }))
    }

    async fn get_hold(
        &self,
        _request: Request<pb::GetHoldRequest>,
    ) -> Result<Response<pb::GetHoldResponse>, Status> {
        Err(Status::unimplemented("rewards never asks"))
    }
}

#[tonic::async_trait]
impl BalanceService for Books {
    async fn get_balance(
        &self,
        request: Request<pb::GetBalanceRequest>,
    ) -> Result<Response<pb::GetBalanceResponse>, Status> {
        let owner_id = request.into_inner().owner_id;
        let mut state = lock(&self.0);
        state.enter()?;
        let available = state.available.get(&owner_id);
        let available = *available.ok_or_else(|| ApiError::not_found("owner", &owner_id).to_status())?;
        let balance = pb::UnitBalance {
            unit_code: "points".to_owned(),
            available,
            ..pb::UnitBalance::default()
        };
        Ok(Response::new(pb::GetBalanceResponse {
            balance: Some(pb::OwnerBalance {
                owner_id,
                version: 1,
                balances: vec![balance],
            }),
        }))
    }

    async fn list_lots(
        &self,
        _request: Request<pb::ListLotsRequest>,
    ) -> Result<Response<pb::ListLotsResponse>, Status> {
        Err(Status::unimplemented("rewards never asks"))
    }
}
