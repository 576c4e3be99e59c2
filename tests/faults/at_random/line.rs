//! A way to one replica: each attempt of a call goes to the one that its caller chose, and is given up after as long as
//! its caller likes.

use std::time::Duration;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_client::BalanceServiceClient;
use fealty_proto::ledger::v1::hold_service_client::HoldServiceClient;
use fealty_proto::ledger::v1::transaction_service_client::TransactionServiceClient;
use fealty_tests::history::Shown;
use fealty_tests::recorded;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

/// How long a caller waits for a connection.
const CONNECT_BOUND: Duration = Duration::from_secs(1);
/// What a server that keeps to its deadline has to tell it.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A connection to a replica, which is made again when it is lost.
#[derive(Debug, Clone)]
pub struct Line {
    channel: Channel,
    authorization: AsciiMetadataValue,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Command {
    /// To give.
    Credit(pb::CreditPointsRequest),
    /// To take.
    Spend(pb::SpendPointsRequest),
    /// To correct.
    Adjust(pb::AdjustPointsRequest),
    /// To send to somebody else.
    Transfer(pb::TransferPointsRequest),
    /// To let begin what waits.
    Activate(pb::ActivatePointsRequest),
    /// To take back what was done.
    Reverse(pb::ReverseTransactionRequest),
    /// To set aside.
    Hold(pb::HoldPointsRequest),
    /// To take what is set aside.
    Capture(pb::CaptureHoldRequest),
    /// To give it back.
    Release(pb::ReleaseHoldRequest),
}

/// What was done.
#[derive(Debug)]
pub struct Done {
    /// The version that it made, where that is told.
    pub version: Option<i64>,
    /// What there is right after it.
    pub shown: Shown,
    /// Whether it was answered before.
    pub is_replayed: bool,
    /// To whom it came as which version, if it was sent.
    pub arrived: Option<(String, i64)>,
    /// What is or was set aside, if it is about that.
    pub hold: Option<pb::Hold>,
}

impl Line {
    /// To a replica, with a key.
    pub fn to(url: &str, key: &str) -> Self {
        let endpoint = Endpoint::from_shared(url.to_owned()).expect("an address");
        Self {
            channel: endpoint.connect_timeout(CONNECT_BOUND).connect_lazy(),
            authorization: format!("Bearer {key}").parse().expect("a key is ASCII"),
        }
    }

    /// Makes one attempt.
    pub async fn send(&self, command: Command, bound: Duration) -> Result<Done, Status> {
        let points = || TransactionServiceClient::new(self.channel.clone());
        let holds = || HoldServiceClient::new(self.channel.clone());
        match command {
            Command::Credit(message) => {
                let request = self.request(message, bound);
                let answer = within(bound, points().credit_points(request)).await?;
                Ok(done(&answer, |it| (it.transaction.as_ref(), it.balance.as_ref())))
            }
            Command::Spend(message) => {
                let request = self.request(message, bound);
                let answer = within(bound, points().spend_points(request)).await?;
                Ok(done(&answer, |it| (it.transaction.as_ref(), it.balance.as_ref())))
            }
            Command::Adjust(message) => {
                let request = self.request(message, bound);
                let answer = within(bound, points().adjust_points(request)).await?;
                Ok(done(&answer, |it| (it.transaction.as_ref(), it.balance.as_ref())))
            }
            Command::Transfer(message) => {
                let request = self.request(message, bound);
                let answer = within(bound, points().transfer_points(request)).await?;
                let done = done(&answer, |it| (it.transaction.as_ref(), it.balance.as_ref()));
                Ok(done.sent(answer.into_inner().received_transaction))
            }
            Command::Activate(message) => {
                let request = self.request(message, bound);
                let answer = within(bound, points().activate_points(request)).await?;
                Ok(done(&answer, |it| (it.transaction.as_ref(), it.balance.as_ref())))
            }
            Command::Reverse(message) => {
                let request = self.request(message, bound);
                let answer = within(bound, points().reverse_transaction(request)).await?;
                Ok(done(&answer, |it| (it.transaction.as_ref(), it.balance.as_ref())))
            }
            Command::Hold(message) => {
                let request = self.request(message, bound);
                let answer = within(bound, holds().hold_points(request)).await?;
                let done = done(&answer, |it| (it.transaction.as_ref(), it.balance.as_ref()));
                Ok(done.about(answer.into_inner().hold))
            }
            Command::Capture(message) => {
                let request = self.request(message, bound);
                let answer = within(bound, holds().capture_hold(request)).await?;
                Ok(done(&answer, |it| (it.transaction.as_ref(), it.balance.as_ref())))
            }
            Command::Release(message) => {
                let request = self.request(message, bound);
                let answer = within(bound, holds().release_hold(request)).await?;
                let done = done(&answer, |it| (None, it.balance.as_ref()));
                Ok(done.about(answer.into_inner().hold))
            }
        }
    }

    /// Makes one attempt of many at once.
    pub async fn send_batch(
        &self,
        message: pb::BatchPostPointsRequest,
        bound: Duration,
    ) -> Result<Vec<pb::PointsOutcome>, Status> {
        let request = self.request(message, bound);
        let mut points = TransactionServiceClient::new(self.channel.clone());
        let answer = within(bound, points.batch_post_points(request)).await?;
        Ok(answer.into_inner().outcomes)
    }

    /// Looks once.
    pub async fn look(&self, message: pb::GetBalanceRequest, bound: Duration) -> Result<Shown, Status> {
        let request = self.request(message, bound);
        let mut balances = BalanceServiceClient::new(self.channel.clone());
        let answer = within(bound, balances.get_balance(request)).await?;
        Ok(shown(answer.into_inner().balance.as_ref()))
    }

    fn request<T>(&self, message: T, bound: Duration) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(bound);
        request
            .metadata_mut()
            .insert("authorization", self.authorization.clone());
        request
    }
}

/// Balances as they are compared.
pub fn shown(balance: Option<&pb::OwnerBalance>) -> Shown {
    let balance = balance.expect("balances are answered");
    Shown {
        version: balance.version,
        balances: recorded::shown(balance),
    }
}

fn done<T>(
    answer: &Response<T>,
    parts: impl Fn(&T) -> (Option<&pb::Transaction>, Option<&pb::OwnerBalance>),
) -> Done {
    let (transaction, balance) = parts(answer.get_ref());
    let replayed = answer.metadata().get("fealty-replayed");
    Done {
        version: transaction.map(|transaction| transaction.version),
        shown: shown(balance),
        is_replayed: replayed.is_some_and(|value| value == "true"),
        arrived: None,
        hold: None,
    }
}

impl Done {
    fn sent(self, received: Option<pb::Transaction>) -> Self {
        let received = received.expect("what came is answered");
        Self {
            arrived: Some((received.owner_id, received.version)),
            ..self
        }
    }

    fn about(self, hold: Option<pb::Hold>) -> Self {
        Self { hold, ..self }
    }

    /// Whether there was nothing left to do: what was to be given back had come back by itself.
    pub fn is_late(&self) -> bool {
        let hold = self.hold.as_ref();
        hold.is_some_and(|hold| hold.status() == pb::HoldStatus::Expired)
    }

    /// When what was set aside comes back by itself, in microseconds since 1970.
    pub fn ends_micros(&self) -> Option<i64> {
        let hold = self.hold.as_ref()?;
        let end = hold.expire_time.as_ref()?;
        Some(end.seconds * 1_000_000 + i64::from(end.nanos) / 1_000)
    }
}

async fn within<T>(bound: Duration, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let answered = tokio::time::timeout(bound + LAST_WORDS, call).await;
    answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("given up")))
}
