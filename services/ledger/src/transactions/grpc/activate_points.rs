//! `ActivatePoints`.

use fealty_proto::ledger::v1 as pb;
use fealty_rpc::access::Caller;
use fealty_rpc::errors::ApiError;
use fealty_rpc::violations::Violations;
use fealty_rpc::{command_hash, fields};
use fealty_types::{RequestId, TransactionId};

use super::points::{REASON_LENGTH_MAX, SOURCE_LENGTH_MAX};
use crate::posting::Call;
use crate::posting::domain::TransactionKind;
use crate::transactions::ActivatingWork;
use crate::transactions::domain::Holder;

const ACTIVATE_POINTS: &str = "/fealty.ledger.v1.TransactionService/ActivatePoints";

/// A call that lacks only whose points they are.
pub(super) struct Activation {
    request_id: RequestId,
    command_hash: [u8; 32],
    source: String,
    reason: String,
    actor: String,
    pub(super) work: ActivatingWork,
}

pub(super) fn parse(caller: &Caller, message: &pb::ActivatePointsRequest) -> Result<Activation, ApiError> {
    let zone = caller.program()?.time_zone;
    let command_hash = command_hash(
        ACTIVATE_POINTS,
        &pb::ActivatePointsRequest {
            request_id: String::new(),
            ..message.clone()
        },
    );
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let credited_by = v.check(
        "transaction_id",
        fields::parse::<TransactionId>(&message.transaction_id),
    );
    let source = v.check("source", fields::text(&message.source, 1..=SOURCE_LENGTH_MAX));
    let reason = v.check("reason", fields::text(&message.reason, 1..=REASON_LENGTH_MAX));
    v.finish_with(|| {
        Some(Activation {
            request_id: request_id?,
            command_hash,
            source: source?,
            reason: reason?,
            actor: caller.actor(),
            work: ActivatingWork {
                credited_by: credited_by?,
                zone,
            },
        })
    })
}

impl Activation {
    /// The call about whoever has them, on behalf of whom they were given to.
    pub(super) fn of(&self, holder: Holder) -> Call<ActivatingWork> {
        Call {
            request_id: self.request_id,
            command_hash: self.command_hash,
            owner_id: holder.owner_id,
            counterpart_id: None,
            on_behalf_of: Some(holder.named_owner_id),
            kind: TransactionKind::Activate,
            source: self.source.clone(),
            receipt_id: None,
            money: None,
            actor: self.actor.clone(),
            reason: self.reason.clone(),
            occur_time: None,
            trace_parent: None,
            work: self.work,
        }
    }
}
