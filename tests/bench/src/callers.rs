//! Who calls: each a loop over random members of its own.

use std::sync::Arc;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_client::BalanceServiceClient;
use fealty_proto::ledger::v1::transaction_service_client::TransactionServiceClient;
use tonic::Status;
use tonic::transport::Channel;

use crate::connections::{Connection, Connections};
use crate::ground::credit;
use crate::load::{Caller, Kind};

/// What a post credits.
const POINTS: i64 = 10;

/// Posts: credits a random member.
#[derive(Debug)]
pub struct Poster {
    connection: Connection,
    stub: TransactionServiceClient<Channel>,
    members: Arc<[String]>,
}

impl Poster {
    /// The caller of this number, over these members.
    #[must_use]
    pub fn new(connections: &Connections, number: usize, members: &Arc<[String]>) -> Self {
        let connection = connections.of(number);
        Self {
            stub: TransactionServiceClient::new(connection.channel.clone()),
            connection,
            members: Arc::clone(members),
        }
    }
}

impl Caller for Poster {
    async fn call(&mut self) -> Option<Result<Kind, Status>> {
        let request = credit(any(&self.members), POINTS);
        let answer = self.stub.credit_points(self.connection.request(request)).await;
        Some(answer.map(|_| Kind::Write))
    }
}

/// Reads the balance of a random member.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    stub: BalanceServiceClient<Channel>,
    members: Arc<[String]>,
}

impl Reader {
    /// The caller of this number, over these members.
    #[must_use]
    pub fn new(connections: &Connections, number: usize, members: &Arc<[String]>) -> Self {
        let connection = connections.of(number);
        Self {
            stub: BalanceServiceClient::new(connection.channel.clone()),
            connection,
            members: Arc::clone(members),
        }
    }
}

impl Caller for Reader {
    async fn call(&mut self) -> Option<Result<Kind, Status>> {
        let request = pb::GetBalanceRequest {
            owner_id: any(&self.members).to_owned(),
            ..pb::GetBalanceRequest::default()
        };
        let answer = self.stub.get_balance(self.connection.request(request)).await;
        Some(answer.map(|_| Kind::Read))
    }
}

/// One of them, each as likely.
#[must_use]
pub fn any(members: &[String]) -> &str {
    &members[rand::random_range(0..members.len())]
}
