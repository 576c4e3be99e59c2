//! Requests as commands.

use chrono::{DateTime, Utc};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::refund_purchase_request::Target as PbTarget;
use fealty_proto::types::v1::Money as PbMoney;
use fealty_rpc::access::Caller;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::TimeRange;
use fealty_rpc::violations::{Problem, Violations};
use fealty_rpc::{command_hash, fields};
use fealty_types::{Money, OwnerId, PurchaseId, RequestId};

use crate::posting::Call;
use crate::posting::domain::TransactionKind;
use crate::purchases::domain::SumsFilter;
use crate::purchases::{NewPurchase, NewRefund};

const RECORD_PURCHASE: &str = "/fealty.ledger.v1.PurchaseService/RecordPurchase";
const REFUND_PURCHASE: &str = "/fealty.ledger.v1.PurchaseService/RefundPurchase";

/// Characters of a till's or shop system's name, as the proto says.
const SOURCE_LENGTH_MAX: usize = 64;
/// Characters of a receipt's number, as the proto says.
const RECEIPT_ID_LENGTH_MAX: usize = 128;
/// Characters of a reason, as the proto says.
const REASON_LENGTH_MAX: usize = 500;

pub(super) fn record(
    caller: &Caller,
    now: DateTime<Utc>,
    message: &pb::RecordPurchaseRequest,
) -> Result<Call<NewPurchase>, ApiError> {
    let program = *caller.program()?;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
    let source = v.check("source", fields::text(&message.source, 1..=SOURCE_LENGTH_MAX));
    let receipt_id = fields::text(&message.receipt_id, 1..=RECEIPT_ID_LENGTH_MAX);
    let receipt_id = v.check("receipt_id", receipt_id);
    let money = v.check("money", money(message.money.as_ref(), 0));
    let occur_time = fields::optional_timestamp(message.occur_time.as_ref(), TimeRange::past(now));
    let occur_time = v.check("occur_time", occur_time);
    let command = pb::RecordPurchaseRequest {
        request_id: String::new(),
        ..message.clone()
    };
    v.finish_with(|| {
        let money = money?;
        Some(Call {
            request_id: request_id?,
            command_hash: command_hash(RECORD_PURCHASE, &command),
            owner_id: owner_id?,
            counterpart_id: None,
            on_behalf_of: None,
            kind: TransactionKind::Purchase,
            source: source?,
            receipt_id: Some(receipt_id?),
            money: Some(money),
            actor: caller.actor(),
            reason: String::new(),
            occur_time: occur_time?,
            trace_parent: None,
            work: NewPurchase {
                money,
                program_currency: program.currency,
                zone: program.time_zone,
            },
        })
    })
}

/// What a refund is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// A recorded purchase.
    Purchase(PurchaseId),
    /// A purchase of this owner that nobody can name.
    Owner(OwnerId),
}

/// A parsed refund, whose owner may have to be looked up.
#[derive(Debug)]
pub(super) struct RefundCall {
    /// What it is about.
    pub(super) target: Target,
    request_id: RequestId,
    command_hash: [u8; 32],
    source: String,
    receipt_id: String,
    actor: String,
    reason: String,
    occur_time: Option<DateTime<Utc>>,
    work: NewRefund,
}

impl RefundCall {
    /// The call, now that its owner is known.
    pub(super) fn of_owner(self, owner_id: OwnerId) -> Call<NewRefund> {
        Call {
            request_id: self.request_id,
            command_hash: self.command_hash,
            owner_id,
            counterpart_id: None,
            on_behalf_of: None,
            kind: TransactionKind::Refund,
            source: self.source,
            receipt_id: Some(self.receipt_id),
            money: Some(self.work.money),
            actor: self.actor,
            reason: self.reason,
            occur_time: self.occur_time,
            trace_parent: None,
            work: self.work,
        }
    }
}

pub(super) fn refund(
    caller: &Caller,
    now: DateTime<Utc>,
    message: &pb::RefundPurchaseRequest,
) -> Result<RefundCall, ApiError> {
    let program_currency = caller.program()?.currency;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let target = target(&mut v, message.target.as_ref());
    let source = v.check("source", fields::text(&message.source, 1..=SOURCE_LENGTH_MAX));
    let receipt_id = fields::text(&message.receipt_id, 1..=RECEIPT_ID_LENGTH_MAX);
    let receipt_id = v.check("receipt_id", receipt_id);
    let money = v.check("money", money(message.money.as_ref(), 1));
    let occur_time = fields::optional_timestamp(message.occur_time.as_ref(), TimeRange::past(now));
    let occur_time = v.check("occur_time", occur_time);
    let reason = v.check("reason", fields::text(&message.reason, 0..=REASON_LENGTH_MAX));
    let command = pb::RefundPurchaseRequest {
        request_id: String::new(),
        ..message.clone()
    };
    v.finish_with(|| {
        let target = target?;
        Some(RefundCall {
            target,
            request_id: request_id?,
            command_hash: command_hash(REFUND_PURCHASE, &command),
            source: source?,
            receipt_id: receipt_id?,
            actor: caller.actor(),
            reason: reason?,
            occur_time: occur_time?,
            work: NewRefund {
                purchase_id: match target {
                    Target::Purchase(purchase_id) => Some(purchase_id),
                    Target::Owner(_) => None,
                },
                money: money?,
                program_currency,
            },
        })
    })
}

fn target(v: &mut Violations, target: Option<&PbTarget>) -> Option<Target> {
    match target {
        Some(PbTarget::PurchaseId(text)) => {
            let purchase_id = v.check("purchase_id", fields::parse::<PurchaseId>(text));
            purchase_id.map(Target::Purchase)
        }
        Some(PbTarget::UnreferencedOwnerId(text)) => {
            let owner_id = v.check("unreferenced_owner_id", fields::parse::<OwnerId>(text));
            owner_id.map(Target::Owner)
        }
        None => v.check(
            "target",
            Err(Problem::new("is required: purchase_id or unreferenced_owner_id")),
        ),
    }
}

/// The largest purchase or refund: ten thousand million of a currency with cents. Millions of such still sum up within
/// 64 bits, so that no single call can make a source's sums impossible.
const MONEY_MINOR_MAX: i64 = 1_000_000_000_000;

/// Money of at least `minor_min`.
fn money(message: Option<&PbMoney>, minor_min: i64) -> Result<Money, Problem> {
    let mut v = Violations::default();
    let minor = message.map_or(minor_min, |money| money.amount_minor);
    v.check("amount_minor", fields::number(minor, minor_min..=MONEY_MINOR_MAX));
    match fields::money(message) {
        Ok(money) if v.is_empty() => Ok(money),
        Ok(_) => Err(v.into_problem()),
        Err(Problem::Here(description)) => Err(Problem::Here(description)),
        Err(Problem::Below(problems)) => {
            for problem in problems {
                v.add(&problem.field, problem.description);
            }
            Err(v.into_problem())
        }
    }
}

pub(super) fn sums_filter(message: &pb::SummarizePurchasesRequest) -> Result<SumsFilter, ApiError> {
    let mut v = Violations::default();
    let source = v.check("source", fields::text(&message.source, 1..=SOURCE_LENGTH_MAX));
    let from = fields::optional_timestamp(message.occurred_from_time.as_ref(), TimeRange::any());
    let from = v.check("occurred_from_time", from);
    let before = fields::optional_timestamp(message.occurred_before_time.as_ref(), TimeRange::any());
    let before = v.check("occurred_before_time", before);
    if let (Some(Some(from)), Some(Some(before))) = (from, before) {
        v.require(
            from < before,
            "occurred_before_time",
            "must be after occurred_from_time",
        );
    }
    v.finish_with(|| {
        Some(SumsFilter {
            source: source?,
            from: from?,
            before: before?,
        })
    })
}
