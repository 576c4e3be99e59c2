//! Who calls, and what.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_client::BalanceServiceClient;
use fealty_proto::ledger::v1::hold_service_client::HoldServiceClient;
use fealty_proto::ledger::v1::transaction_service_client::TransactionServiceClient;
use tonic::Status;

use crate::connections::{Connection, Connections};
use crate::ground::{BUDGET, REASON, SOURCE, amount, credit, new_id};
use crate::load::{Caller, Kind};

/// What a post credits.
const POINTS: i64 = 10;
/// Of a hundred calls of a shop: balances that are read.
const READ_PERCENT: u32 = 80;
/// Those, and points that are earned. The rest is redeemed.
const READ_OR_EARN_PERCENT: u32 = 95;

/// What a caller does for a member.
#[derive(Debug, Clone, Copy)]
pub enum Errand {
    /// Credits points.
    Post,
    /// Credits points that the budget pays for.
    FundedPost,
    /// Spends so many points.
    Spend(i64),
    /// Sets a point aside and spends it: two calls, counted as one.
    HoldAndCapture,
    /// Reads the balance, however old.
    Read,
    /// What a shop does: of a hundred 80 reads, 15 posts, 5 that spend a point.
    Mixed,
}

/// The members that are called for.
#[derive(Debug, Clone)]
pub struct Members {
    ids: Arc<[String]>,
    /// How many have had their turn, where each has one.
    taken: Option<Arc<AtomicUsize>>,
}

impl Members {
    /// Any of them, each as likely, again and again.
    #[must_use]
    pub fn at_random(ids: &Arc<[String]>) -> Self {
        Self {
            ids: Arc::clone(ids),
            taken: None,
        }
    }

    /// Each of them once, whoever calls.
    #[must_use]
    pub fn once_each(ids: &Arc<[String]>) -> Self {
        Self {
            ids: Arc::clone(ids),
            taken: Some(Arc::default()),
        }
    }

    /// Who is next; `None` when each has had their turn.
    #[must_use]
    pub fn next(&self) -> Option<&str> {
        let index = match &self.taken {
            Some(taken) => taken.fetch_add(1, Ordering::Relaxed),
            None => rand::random_range(0..self.ids.len()),
        };
        self.ids.get(index).map(String::as_str)
    }
}

/// Somebody who does the same errand for one member after the other.
#[derive(Debug, Clone)]
pub struct Errands {
    connection: Connection,
    members: Members,
    errand: Errand,
}

impl Errands {
    /// The caller of this number.
    #[must_use]
    pub fn new(connections: &Connections, number: usize, (members, errand): (&Members, Errand)) -> Self {
        Self {
            connection: connections.of(number),
            members: members.clone(),
            errand,
        }
    }
}

impl Caller for Errands {
    async fn call(&mut self) -> Option<Result<Kind, Status>> {
        let member = self.members.next()?;
        Some(run(&self.connection, self.errand.or_one_of_many(), member).await)
    }
}

impl Errand {
    fn or_one_of_many(self) -> Self {
        if !matches!(self, Self::Mixed) {
            return self;
        }
        match rand::random_range(0..100) {
            ..READ_PERCENT => Self::Read,
            READ_PERCENT..READ_OR_EARN_PERCENT => Self::Post,
            READ_OR_EARN_PERCENT.. => Self::Spend(1),
        }
    }
}

async fn run(connection: &Connection, errand: Errand, member: &str) -> Result<Kind, Status> {
    match errand {
        Errand::Post => post(connection, credit(member, POINTS)).await,
        Errand::FundedPost => {
            let mut request = credit(member, POINTS);
            BUDGET.clone_into(&mut request.budget_code);
            post(connection, request).await
        }
        Errand::Spend(points) => spend(connection, member, points).await,
        Errand::HoldAndCapture => hold_and_capture(connection, member).await,
        Errand::Read | Errand::Mixed => read(connection, member).await,
    }
}

async fn post(connection: &Connection, request: pb::CreditPointsRequest) -> Result<Kind, Status> {
    let mut transactions = TransactionServiceClient::new(connection.channel.clone());
    transactions.credit_points(connection.request(request)).await?;
    Ok(Kind::Write)
}

async fn spend(connection: &Connection, member: &str, points: i64) -> Result<Kind, Status> {
    let request = pb::SpendPointsRequest {
        request_id: new_id(),
        owner_id: member.to_owned(),
        amount: Some(amount(points)),
        source: SOURCE.to_owned(),
        reason: REASON.to_owned(),
        ..pb::SpendPointsRequest::default()
    };
    let mut transactions = TransactionServiceClient::new(connection.channel.clone());
    transactions.spend_points(connection.request(request)).await?;
    Ok(Kind::Write)
}

async fn hold_and_capture(connection: &Connection, member: &str) -> Result<Kind, Status> {
    let request = pb::HoldPointsRequest {
        request_id: new_id(),
        owner_id: member.to_owned(),
        amount: Some(amount(1)),
        source: SOURCE.to_owned(),
        reason: REASON.to_owned(),
        ..pb::HoldPointsRequest::default()
    };
    let mut holds = HoldServiceClient::new(connection.channel.clone());
    let held = holds.hold_points(connection.request(request)).await?.into_inner();
    let request = pb::CaptureHoldRequest {
        request_id: new_id(),
        hold_id: held.hold.unwrap_or_default().hold_id,
        reason: REASON.to_owned(),
        ..pb::CaptureHoldRequest::default()
    };
    holds.capture_hold(connection.request(request)).await?;
    Ok(Kind::Write)
}

async fn read(connection: &Connection, member: &str) -> Result<Kind, Status> {
    let request = pb::GetBalanceRequest {
        owner_id: member.to_owned(),
        ..pb::GetBalanceRequest::default()
    };
    let mut balances = BalanceServiceClient::new(connection.channel.clone());
    balances.get_balance(connection.request(request)).await?;
    Ok(Kind::Read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_one_turn_or_any_number() {
        let ids: Arc<[String]> = ["a", "b"].map(str::to_owned).into();
        let once = Members::once_each(&ids);
        let other = once.clone();
        assert_eq!(
            [once.next(), other.next(), once.next()],
            [Some("a"), Some("b"), None]
        );
        let any = Members::at_random(&ids);
        assert!((0..100).all(|_| any.next().is_some()));
    }
}
