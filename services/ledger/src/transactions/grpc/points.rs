//! `CreditPoints`, `SpendPoints` and `AdjustPoints`.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1 as pb_type;
use fealty_rpc::access::Caller;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::TimeRange;
use fealty_rpc::violations::Violations;
use fealty_rpc::{command_hash, fields};
use fealty_types::{BudgetCode, OwnerId, Points, RequestId, UnitCode};

use crate::posting::Call;
use crate::posting::domain::{Begin, TransactionKind};
use crate::transactions::domain::{AdjustTerms, CreditTerms, PointsTerms, PointsWork};

const CREDIT_POINTS: &str = "/fealty.ledger.v1.TransactionService/CreditPoints";
const SPEND_POINTS: &str = "/fealty.ledger.v1.TransactionService/SpendPoints";
const ADJUST_POINTS: &str = "/fealty.ledger.v1.TransactionService/AdjustPoints";

/// Longest name of a till, shop system or survey, in characters.
pub const SOURCE_LENGTH_MAX: usize = 64;
/// Longest number of a receipt, in characters: a UUID or the path of a till's journal fits.
pub const RECEIPT_ID_LENGTH_MAX: usize = 128;
/// Longest reason, in characters: a sentence or two.
pub const REASON_LENGTH_MAX: usize = 500;

/// What a call is parsed by, beside its message.
#[derive(Clone, Copy)]
pub(super) struct Parsing<'a> {
    pub(super) caller: &'a Caller,
    pub(super) zone: Tz,
    pub(super) now: DateTime<Utc>,
}

impl<'a> Parsing<'a> {
    pub(super) fn try_new(caller: &'a Caller, now: DateTime<Utc>) -> Result<Self, ApiError> {
        let zone = caller.program()?.time_zone;
        Ok(Self { caller, zone, now })
    }

    pub(super) fn credit(
        &self,
        v: &mut Violations,
        message: &pb::CreditPointsRequest,
    ) -> Option<Call<PointsWork>> {
        let hash = command_hash(
            CREDIT_POINTS,
            &pb::CreditPointsRequest {
                request_id: String::new(),
                ..message.clone()
            },
        );
        let call = Fields::from(message).parse(v, self.now);
        // Whether it has passed is judged when it is decided: a retry that comes after the end still gets its answer.
        let end = fields::optional_timestamp(message.lot_expire_time.as_ref(), TimeRange::any());
        let end = v.check("lot_expire_time", end);
        let budget_code = v.check(
            "budget_code",
            fields::optional::<BudgetCode>(&message.budget_code),
        );
        let begin = parse_begin(v, message.begin.as_ref());
        let (end, begin) = (end?, begin?);
        if let Some((end, begin)) = end.zip(begin.and_then(Begin::time)) {
            v.require(end > begin, "lot_expire_time", "must be after begin_time");
        }
        let credit = CreditTerms {
            lot_expire_time: end,
            begin,
            budget_code: budget_code?,
        };
        Some(self.finish(call?, hash, PointsTerms::Credit(credit)))
    }

    pub(super) fn spend(
        &self,
        v: &mut Violations,
        message: &pb::SpendPointsRequest,
    ) -> Option<Call<PointsWork>> {
        let hash = command_hash(
            SPEND_POINTS,
            &pb::SpendPointsRequest {
                request_id: String::new(),
                ..message.clone()
            },
        );
        let call = Fields::from(message).parse(v, self.now)?;
        Some(self.finish(call, hash, PointsTerms::Spend))
    }

    pub(super) fn adjust(
        &self,
        v: &mut Violations,
        message: &pb::AdjustPointsRequest,
    ) -> Option<Call<PointsWork>> {
        let hash = command_hash(
            ADJUST_POINTS,
            &pb::AdjustPointsRequest {
                request_id: String::new(),
                ..message.clone()
            },
        );
        let call = Fields::from(message).parse_with(v, self.now, parse_correction);
        let end = fields::optional_timestamp(message.lot_expire_time.as_ref(), TimeRange::any());
        let end = v.check("lot_expire_time", end);
        let value = message.amount.as_ref().map_or(0, |amount| amount.value);
        v.require(
            value >= 0 || message.lot_expire_time.is_none(),
            "lot_expire_time",
            "is only for what is given",
        );
        v.require(
            value <= 0 || !message.allow_debt,
            "allow_debt",
            "is only for what is taken",
        );
        let adjust = AdjustTerms {
            lot_expire_time: end?,
            allow_debt: message.allow_debt,
        };
        Some(self.finish(call?, hash, PointsTerms::Adjust(adjust)))
    }

    fn finish(&self, call: Parsed, command_hash: [u8; 32], terms: PointsTerms) -> Call<PointsWork> {
        let (unit_code, value) = call.amount.clone();
        let work = PointsWork {
            unit_code,
            value,
            terms,
            zone: self.zone,
        };
        call.finish(command_hash, self.caller.actor(), work.direction().kind(), work)
    }
}

/// What the requests have in common.
pub(super) struct Fields<'a> {
    request_id: &'a str,
    owner_id: &'a str,
    amount: Option<&'a pb_type::Amount>,
    source: &'a str,
    receipt_id: &'a str,
    reason: &'a str,
    occur_time: Option<&'a prost_types::Timestamp>,
}

/// The messages have nothing to do with each other but the names of these fields.
macro_rules! have_fields {
    ($($message:ident),+) => {
        $(impl<'a> From<&'a pb::$message> for Fields<'a> {
            fn from(message: &'a pb::$message) -> Self {
                Self {
                    request_id: &message.request_id,
                    owner_id: &message.owner_id,
                    amount: message.amount.as_ref(),
                    source: &message.source,
                    receipt_id: &message.receipt_id,
                    reason: &message.reason,
                    occur_time: message.occur_time.as_ref(),
                }
            }
        })+
    };
}

have_fields!(
    CreditPointsRequest,
    SpendPointsRequest,
    AdjustPointsRequest,
    TransferPointsRequest
);

/// How an amount is read.
type ParseAmount = fn(&mut Violations, &pb_type::Amount) -> Option<(UnitCode, Points)>;

/// The same, parsed.
pub(super) struct Parsed {
    request_id: RequestId,
    pub(super) owner_id: OwnerId,
    pub(super) amount: (UnitCode, Points),
    source: String,
    receipt_id: Option<String>,
    reason: String,
    occur_time: Option<DateTime<Utc>>,
}

impl Fields<'_> {
    pub(super) fn parse(&self, v: &mut Violations, now: DateTime<Utc>) -> Option<Parsed> {
        self.parse_with(v, now, parse_amount)
    }

    fn parse_with(
        &self,
        v: &mut Violations,
        now: DateTime<Utc>,
        parse_amount: ParseAmount,
    ) -> Option<Parsed> {
        let request_id = v.check("request_id", fields::parse::<RequestId>(self.request_id));
        let owner_id = v.check("owner_id", fields::parse::<OwnerId>(self.owner_id));
        let amount = v.message("amount", self.amount, parse_amount);
        let source = v.check("source", fields::text(self.source, 1..=SOURCE_LENGTH_MAX));
        let receipt_id = v.check(
            "receipt_id",
            fields::optional_text(self.receipt_id, RECEIPT_ID_LENGTH_MAX),
        );
        let reason = v.check("reason", fields::text(self.reason, 1..=REASON_LENGTH_MAX));
        let occur_time = fields::optional_timestamp(self.occur_time, TimeRange::past(now));
        let occur_time = v.check("occur_time", occur_time);
        Some(Parsed {
            request_id: request_id?,
            owner_id: owner_id?,
            amount: amount?,
            source: source?,
            receipt_id: receipt_id?,
            reason: reason?,
            occur_time: occur_time?,
        })
    }
}

/// When points begin to count; `None` within for at once.
#[expect(clippy::option_option, reason = "the outer one is of what is malformed")]
fn parse_begin(
    v: &mut Violations,
    begin: Option<&pb::credit_points_request::Begin>,
) -> Option<Option<Begin>> {
    use pb::credit_points_request::Begin as Message;
    match begin {
        None => Some(None),
        Some(Message::BeginTime(time)) => {
            let time = fields::timestamp(Some(time), TimeRange::any());
            Some(Some(Begin::At(v.check("begin_time", time)?)))
        }
        Some(Message::BeginOnCall(true)) => Some(Some(Begin::OnCall)),
        Some(Message::BeginOnCall(false)) => {
            v.add("begin_on_call", "must be true where it is set");
            None
        }
    }
}

/// An amount of at least one.
pub fn parse_amount(v: &mut Violations, amount: &pb_type::Amount) -> Option<(UnitCode, Points)> {
    let unit_code = v.check("unit_code", fields::parse::<UnitCode>(&amount.unit_code));
    let value = v.check("value", fields::number(amount.value, 1..=i64::MAX));
    Some((unit_code?, Points::new(value?)))
}

/// How many more or fewer. The least number has no opposite.
fn parse_correction(v: &mut Violations, amount: &pb_type::Amount) -> Option<(UnitCode, Points)> {
    let unit_code = v.check("unit_code", fields::parse::<UnitCode>(&amount.unit_code));
    let value = v.check("value", fields::number(amount.value, -i64::MAX..=i64::MAX));
    v.require(amount.value != 0, "value", "must not be 0");
    Some((unit_code?, Points::new(value?)))
}

impl Parsed {
    pub(super) fn finish<W>(
        self,
        command_hash: [u8; 32],
        actor: String,
        kind: TransactionKind,
        work: W,
    ) -> Call<W> {
        Call {
            request_id: self.request_id,
            command_hash,
            owner_id: self.owner_id,
            counterpart_id: None,
            on_behalf_of: None,
            kind,
            source: self.source,
            receipt_id: self.receipt_id,
            money: None,
            actor,
            reason: self.reason,
            occur_time: self.occur_time,
            trace_parent: None,
            work,
        }
    }
}
