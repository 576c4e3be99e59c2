//! Calls of all rooms as one kind of thing: sent often, and by several replicas, and what is said to them compared.

use std::time::Duration;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::{Amount, ErrorReason};
use fealty_rpc::errors::reason_of;
use prost::Message;
use tokio::time::sleep;
use tonic::{Response, Status};

use super::harness::{is_replayed, new_id};
use super::reversals::try_reverse;
use super::support::Ledger;

/// How long a caller goes on asking: as long as it takes on a machine that runs all tests at once.
const ATTEMPTS_MAX: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Clone)]
pub enum Step {
    Credit(pb::CreditPointsRequest),
    Spend(pb::SpendPointsRequest),
    Adjust(pb::AdjustPointsRequest),
    Transfer(pb::TransferPointsRequest),
    Reverse(pb::ReverseTransactionRequest),
    Hold(pb::HoldPointsRequest),
    Capture(pb::CaptureHoldRequest),
    Purchase(pb::RecordPurchaseRequest),
    Refund(pb::RefundPurchaseRequest),
}

/// What was said to a step that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// All of it.
    pub message: Vec<u8>,
    pub is_replay: bool,
    /// None of a purchase, which bears its id.
    pub transaction: Option<pb::Transaction>,
    /// The hold that it was about.
    pub hold: Option<pb::Hold>,
}

impl Step {
    pub fn request_id(&self) -> &str {
        match self {
            Self::Credit(request) => &request.request_id,
            Self::Spend(request) => &request.request_id,
            Self::Adjust(request) => &request.request_id,
            Self::Transfer(request) => &request.request_id,
            Self::Reverse(request) => &request.request_id,
            Self::Hold(request) => &request.request_id,
            Self::Capture(request) => &request.request_id,
            Self::Purchase(request) => &request.request_id,
            Self::Refund(request) => &request.request_id,
        }
    }

    pub async fn send(&self, ledger: &Ledger) -> Result<Said, Status> {
        match self.clone() {
            Self::Credit(request) => said(ledger.credit(request).await, |it| (it.transaction, None)),
            Self::Spend(request) => said(ledger.spend(request).await, |it| (it.transaction, None)),
            Self::Adjust(request) => {
                let adjusted = ledger.transactions().adjust_points(ledger.call(request)).await;
                said(adjusted, |it| (it.transaction, None))
            }
            Self::Transfer(request) => {
                let sent = ledger.transactions().transfer_points(ledger.call(request)).await;
                said(sent, |it| (it.transaction, None))
            }
            Self::Reverse(request) => said(try_reverse(ledger, request).await, |it| (it.transaction, None)),
            Self::Hold(request) => {
                let held = ledger.holds().hold_points(ledger.call(request)).await;
                said(held, |it| (it.transaction, it.hold))
            }
            Self::Capture(request) => {
                let captured = ledger.holds().capture_hold(ledger.call(request)).await;
                said(captured, |it| (it.transaction, it.hold))
            }
            Self::Purchase(request) => {
                let bought = ledger.purchases().record_purchase(ledger.call(request)).await;
                said(bought, |_| (None, None))
            }
            Self::Refund(request) => {
                let refunded = ledger.purchases().refund_purchase(ledger.call(request)).await;
                said(refunded, |it| (it.transaction, None))
            }
        }
    }

    /// Asks until there is a decision: an answer, or a refusal that asking again does not change.
    pub async fn until_known(&self, ledger: &Ledger) -> Result<Said, ErrorReason> {
        for _ in 0..ATTEMPTS_MAX {
            let status = match self.send(ledger).await {
                Ok(said) => return Ok(said),
                Err(status) => status,
            };
            match reason_of(&status) {
                Some(
                    ErrorReason::Contention
                    | ErrorReason::Overloaded
                    | ErrorReason::DependencyUnavailable
                    | ErrorReason::DeadlineExceeded,
                ) => sleep(PAUSE).await,
                Some(reason) => return Err(reason),
                None => panic!("{self:?}: {status:?}"),
            }
        }
        panic!("never answered: {self:?}")
    }
}

fn said<M: Message>(
    answer: Result<Response<M>, Status>,
    parts: impl FnOnce(M) -> (Option<pb::Transaction>, Option<pb::Hold>),
) -> Result<Said, Status> {
    let answer = answer?;
    let is_replay = is_replayed(&answer);
    let answer = answer.into_inner();
    let message = answer.encode_to_vec();
    let (transaction, hold) = parts(answer);
    Ok(Said {
        message,
        is_replay,
        transaction,
        hold,
    })
}

/// Sets points aside.
pub fn hold(owner_id: &str, value: i64) -> pb::HoldPointsRequest {
    pb::HoldPointsRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: "points".to_owned(),
            value,
        }),
        source: "test".to_owned(),
        reason: "a test".to_owned(),
        ..pb::HoldPointsRequest::default()
    }
}

/// Spends a part of what was set aside.
pub fn capture(hold_id: String, value: i64) -> pb::CaptureHoldRequest {
    pb::CaptureHoldRequest {
        request_id: new_id(),
        hold_id,
        value,
        reason: "a part".to_owned(),
    }
}
