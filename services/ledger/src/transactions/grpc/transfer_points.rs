//! `TransferPoints`.

use fealty_proto::ledger::v1 as pb;
use fealty_rpc::violations::Violations;
use fealty_rpc::{command_hash, fields};
use fealty_types::OwnerId;

use super::points::{Fields, Parsing};
use crate::posting::Call;
use crate::posting::domain::TransactionKind;
use crate::transactions::domain::TransferWork;

const TRANSFER_POINTS: &str = "/fealty.ledger.v1.TransactionService/TransferPoints";

impl Parsing<'_> {
    /// Whether both are one is decided on their accounts, when these are locked.
    pub(super) fn transfer(
        &self,
        v: &mut Violations,
        message: &pb::TransferPointsRequest,
    ) -> Option<Call<TransferWork>> {
        let hash = command_hash(
            TRANSFER_POINTS,
            &pb::TransferPointsRequest {
                request_id: String::new(),
                ..message.clone()
            },
        );
        let call = Fields::from(message).parse(v, self.now);
        let to_owner_id = v.check("to_owner_id", fields::parse::<OwnerId>(&message.to_owner_id));
        let (call, to_owner_id) = (call?, to_owner_id?);
        let (unit_code, value) = call.amount.clone();
        let work = TransferWork {
            owner_id: call.owner_id,
            unit_code,
            value,
            zone: self.zone,
        };
        Some(Call {
            counterpart_id: Some(to_owner_id),
            on_behalf_of: None,
            ..call.finish(hash, self.caller.actor(), TransactionKind::Transfer, work)
        })
    }
}
