//! Requests into calls.

use chrono::TimeDelta;
use fealty_proto::ledger::v1 as pb;
use fealty_rpc::access::Caller;
use fealty_rpc::errors::ApiError;
use fealty_rpc::violations::{Problem, Violations};
use fealty_rpc::{command_hash, fields};
use fealty_types::{HoldId, OwnerId, Points, RequestId};

use crate::holds::domain::{HoldWork, OwnersHold};
use crate::posting::Call;
use crate::posting::domain::TransactionKind;
use crate::transactions::grpc::parse_amount;

const HOLD_POINTS: &str = "/fealty.ledger.v1.HoldService/HoldPoints";
const CAPTURE_HOLD: &str = "/fealty.ledger.v1.HoldService/CaptureHold";
const RELEASE_HOLD: &str = "/fealty.ledger.v1.HoldService/ReleaseHold";

/// How long points are set aside unless the caller says, in seconds: a quarter of an hour, in which a checkout is over.
const DURATION_SECONDS_DEFAULT: i32 = 900;
/// The longest, in seconds: 30 days. Who forgets a hold keeps nobody's points for ever.
const DURATION_SECONDS_MAX: i32 = 2_592_000;
/// Longest name of a system that asks, in characters.
const SOURCE_LENGTH_MAX: usize = 100;
/// Longest reason, in characters: a sentence or two.
const REASON_LENGTH_MAX: usize = 500;

pub(super) fn hold(caller: &Caller, message: &pb::HoldPointsRequest) -> Result<Call<HoldWork>, ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let owner_id = v.check("owner_id", fields::parse::<OwnerId>(&message.owner_id));
    let amount = v.message("amount", message.amount.as_ref(), parse_amount);
    let duration = v.check("duration_seconds", parse_duration(message.duration_seconds));
    let source = v.check("source", fields::text(&message.source, 0..=SOURCE_LENGTH_MAX));
    let reason = v.check("reason", fields::text(&message.reason, 0..=REASON_LENGTH_MAX));
    let command = pb::HoldPointsRequest {
        request_id: String::new(),
        ..message.clone()
    };
    v.finish_with(|| {
        let (unit_code, value) = amount?;
        let source = source?;
        Some(Call {
            request_id: request_id?,
            command_hash: command_hash(HOLD_POINTS, &command),
            owner_id: owner_id?,
            counterpart_id: None,
            on_behalf_of: None,
            kind: TransactionKind::Hold,
            source: source.clone(),
            receipt_id: None,
            money: None,
            actor: caller.actor(),
            reason: reason?,
            occur_time: None,
            trace_parent: None,
            work: HoldWork::Hold {
                unit_code,
                value,
                duration: duration?,
                source,
            },
        })
    })
}

fn parse_duration(seconds: i32) -> Result<TimeDelta, Problem> {
    let seconds = match seconds {
        0 => DURATION_SECONDS_DEFAULT,
        seconds => fields::number(seconds, 1..=DURATION_SECONDS_MAX)?,
    };
    Ok(TimeDelta::seconds(seconds.into()))
}

/// How a hold is to end, before anybody has looked whose it is.
#[derive(Debug)]
pub(super) struct Ending {
    /// Which hold.
    pub(super) hold_id: HoldId,
    request_id: RequestId,
    command_hash: [u8; 32],
    kind: TransactionKind,
    actor: String,
    reason: String,
    work: HoldWork,
}

impl Ending {
    /// The call, now that the hold is known: what ends it comes from the system that asked for it, and is done for whom it
    /// was made.
    pub(super) fn of_hold(self, held: OwnersHold) -> Call<HoldWork> {
        Call {
            request_id: self.request_id,
            command_hash: self.command_hash,
            owner_id: held.owner_id,
            counterpart_id: None,
            on_behalf_of: held.hold.on_behalf_of,
            kind: self.kind,
            source: held.hold.source,
            receipt_id: None,
            money: None,
            actor: self.actor,
            reason: self.reason,
            occur_time: None,
            trace_parent: None,
            work: self.work,
        }
    }
}

pub(super) fn capture(caller: &Caller, message: &pb::CaptureHoldRequest) -> Result<Ending, ApiError> {
    let zone = caller.program()?.time_zone;
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let hold_id = v.check("hold_id", fields::parse::<HoldId>(&message.hold_id));
    let value = v.check("value", fields::number(message.value, 0..=i64::MAX));
    let reason = v.check("reason", fields::text(&message.reason, 0..=REASON_LENGTH_MAX));
    let command = pb::CaptureHoldRequest {
        request_id: String::new(),
        ..message.clone()
    };
    v.finish_with(|| {
        let hold_id = hold_id?;
        let value = Some(Points::new(value?)).filter(|value| value.is_positive());
        Some(Ending {
            hold_id,
            request_id: request_id?,
            command_hash: command_hash(CAPTURE_HOLD, &command),
            kind: TransactionKind::Capture,
            actor: caller.actor(),
            reason: reason?,
            work: HoldWork::Capture { hold_id, value, zone },
        })
    })
}

pub(super) fn release(caller: &Caller, message: &pb::ReleaseHoldRequest) -> Result<Ending, ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let hold_id = v.check("hold_id", fields::parse::<HoldId>(&message.hold_id));
    let reason = v.check("reason", fields::text(&message.reason, 0..=REASON_LENGTH_MAX));
    let command = pb::ReleaseHoldRequest {
        request_id: String::new(),
        ..message.clone()
    };
    v.finish_with(|| {
        let hold_id = hold_id?;
        Some(Ending {
            hold_id,
            request_id: request_id?,
            command_hash: command_hash(RELEASE_HOLD, &command),
            kind: TransactionKind::Release,
            actor: caller.actor(),
            reason: reason?,
            work: HoldWork::Release { hold_id },
        })
    })
}
