//! Answers as messages.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_rpc::present::timestamp;
use fealty_types::OwnerId;
use prost::Message;

use crate::holds::domain::HoldWork;
use crate::posting::Posted;
use crate::posting::domain::{Hold, HoldStatus};
use crate::{balances, transactions};

/// The response to what was posted, encoded.
pub(in crate::holds) fn encode_posted(work: &HoldWork, posted: &Posted, hold: &Hold) -> Vec<u8> {
    let hold = Some(present(posted.transaction.owner_id, hold));
    let transaction = Some(transactions::grpc::present(&posted.transaction));
    let balance = Some(balances::grpc::present(&posted.balance));
    match work {
        HoldWork::Hold { .. } => pb::HoldPointsResponse {
            hold,
            transaction,
            balance,
        }
        .encode_to_vec(),
        HoldWork::Capture { .. } => pb::CaptureHoldResponse {
            hold,
            transaction,
            balance,
        }
        .encode_to_vec(),
        HoldWork::Release { .. } => pb::ReleaseHoldResponse { hold, balance }.encode_to_vec(),
    }
}

pub(super) fn present(owner_id: OwnerId, hold: &Hold) -> pb::Hold {
    pb::Hold {
        hold_id: hold.hold_id.to_string(),
        owner_id: owner_id.to_string(),
        amount: Some(Amount {
            unit_code: hold.unit_code.to_string(),
            value: hold.value.get(),
        }),
        captured_value: hold.captured.get(),
        status: present_status(hold.status).into(),
        expire_time: Some(timestamp(hold.expire_time)),
        create_time: Some(timestamp(hold.create_time)),
        on_behalf_of_owner_id: hold.on_behalf_of.map(|id| id.to_string()).unwrap_or_default(),
    }
}

const fn present_status(status: HoldStatus) -> pb::HoldStatus {
    match status {
        HoldStatus::Open => pb::HoldStatus::Open,
        HoldStatus::Captured => pb::HoldStatus::Captured,
        HoldStatus::Released => pb::HoldStatus::Released,
        HoldStatus::Expired => pb::HoldStatus::Expired,
    }
}
