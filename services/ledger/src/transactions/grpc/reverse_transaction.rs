//! `ReverseTransaction`.

use chrono::{DateTime, Utc};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::reverse_transaction_response::Outcome;
use fealty_rpc::access::Caller;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::TimeRange;
use fealty_rpc::violations::Violations;
use fealty_rpc::{command_hash, fields};
use fealty_types::{Points, RequestId, TransactionId};
use prost::Message;

use super::points::{REASON_LENGTH_MAX, RECEIPT_ID_LENGTH_MAX, SOURCE_LENGTH_MAX};
use super::present;
use crate::balances;
use crate::posting::domain::{Transaction, TransactionKind};
use crate::posting::{Call, Posted};
use crate::transactions::domain::ReversalWork;

const REVERSE_TRANSACTION: &str = "/fealty.ledger.v1.TransactionService/ReverseTransaction";

/// A parsed reversal, before anybody has looked whose transaction it is.
#[derive(Debug)]
pub(super) struct ReversalCall {
    /// What to take back.
    pub(super) work: ReversalWork,
    request_id: RequestId,
    command_hash: [u8; 32],
    source: String,
    receipt_id: Option<String>,
    actor: String,
    reason: String,
    occur_time: Option<DateTime<Utc>>,
}

impl ReversalCall {
    /// The call, now that it is known what is taken back: it is about the account that it was, on behalf of whom it was.
    pub(super) fn of(self, reversed: &Transaction) -> Call<ReversalWork> {
        Call {
            request_id: self.request_id,
            command_hash: self.command_hash,
            owner_id: reversed.owner_id,
            counterpart_id: None,
            on_behalf_of: reversed.on_behalf_of,
            kind: TransactionKind::Reverse,
            source: self.source,
            receipt_id: self.receipt_id,
            money: None,
            actor: self.actor,
            reason: self.reason,
            occur_time: self.occur_time,
            trace_parent: None,
            work: self.work,
        }
    }
}

pub(super) fn parse(
    caller: &Caller,
    now: DateTime<Utc>,
    message: &pb::ReverseTransactionRequest,
) -> Result<ReversalCall, ApiError> {
    let zone = caller.program()?.time_zone;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let transaction_id = v.check(
        "transaction_id",
        fields::parse::<TransactionId>(&message.transaction_id),
    );
    let value = v.check("value", fields::number(message.value, 0..=i64::MAX));
    let source = v.check("source", fields::text(&message.source, 1..=SOURCE_LENGTH_MAX));
    let receipt_id = fields::optional_text(&message.receipt_id, RECEIPT_ID_LENGTH_MAX);
    let receipt_id = v.check("receipt_id", receipt_id);
    let reason = v.check("reason", fields::text(&message.reason, 1..=REASON_LENGTH_MAX));
    let occur_time = fields::optional_timestamp(message.occur_time.as_ref(), TimeRange::past(now));
    let occur_time = v.check("occur_time", occur_time);
    let command = pb::ReverseTransactionRequest {
        request_id: String::new(),
        ..message.clone()
    };
    v.finish_with(|| {
        let value = Some(Points::new(value?)).filter(|value| value.is_positive());
        Some(ReversalCall {
            work: ReversalWork {
                transaction_id: transaction_id?,
                value,
                zone,
            },
            request_id: request_id?,
            command_hash: command_hash(REVERSE_TRANSACTION, &command),
            source: source?,
            receipt_id: receipt_id?,
            actor: caller.actor(),
            reason: reason?,
            occur_time: occur_time?,
        })
    })
}

/// The response to a reversal, encoded. `left` is what can still be reversed.
pub(in crate::transactions) fn encode_reversed(posted: &Posted, left: Points) -> Vec<u8> {
    let credit = posted.taken_back.first().map(|taken| {
        Outcome::Credit(pb::ReversedCredit {
            from_available: taken.from_available.get(),
            as_debt: taken.as_debt.get(),
            waived: taken.waived.get(),
            from_pending: taken.from_pending.get(),
        })
    });
    let spend = posted.given_back.as_ref().map(|given| {
        Outcome::Spend(pb::ReversedSpend {
            to_lots: given.to_lots.get(),
            debt_repaid: given.debt_repaid.get(),
            ended: given.ended.get(),
        })
    });
    pb::ReverseTransactionResponse {
        transaction: Some(present(&posted.transaction)),
        balance: Some(balances::grpc::present(&posted.balance)),
        outcome: credit.or(spend),
        reversible_value: left.get(),
    }
    .encode_to_vec()
}
