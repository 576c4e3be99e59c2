//! What callers wish, and what it does if it takes effect.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_tests::history::{Call, Moment, Values, without_zeros};
use fealty_tests::shop::{UNIT, request_id};
use rand::RngExt;

use super::Caller;
use crate::at_random::line::Command;

pub const INSUFFICIENT_BALANCE: &str = "INSUFFICIENT_BALANCE";
pub const HOLD_NOT_OPEN: &str = "HOLD_NOT_OPEN";

/// What the first credit gives; each later one gives one more, so that no two give the same.
const CREDIT_FIRST: i64 = 1_000;
/// What is taken at the most, as many times what the last credit gave: often more than there is.
const SPEND_FACTOR: i64 = 4;
/// No hold of a run ends by itself.
const HOLD_S: i32 = 30 * 24 * 60 * 60;
/// Every so many credits one bears a receipt.
const RECEIPT_EVERY: i64 = 3;

/// Something to be done once.
#[derive(Debug, Clone)]
pub struct Wish {
    pub command: Command,
    pub owner_id: String,
    mark: String,
    effect: Values,
    refusable: &'static [&'static str],
}

/// What is set aside.
pub struct Held {
    pub hold_id: String,
    pub owner_id: String,
    pub value: i64,
}

impl Wish {
    /// What is to be written down of it, with no answer yet.
    pub fn call(&self, invoked: Moment) -> Call {
        Call {
            request_id: self.request_id().to_owned(),
            mark: self.mark.clone(),
            owner_id: self.owner_id.clone(),
            effect: self.effect.clone(),
            group: None,
            refusable: self.refusable,
            invoked,
            answers: Vec::new(),
        }
    }

    pub fn request_id(&self) -> &str {
        match &self.command {
            Command::Credit(message) => &message.request_id,
            Command::Spend(message) => &message.request_id,
            Command::Hold(message) => &message.request_id,
            Command::Capture(message) => &message.request_id,
            Command::Release(message) => &message.request_id,
        }
    }

    /// Becomes another request for the same.
    pub fn rename(&mut self, request_id: String) {
        match &mut self.command {
            Command::Credit(message) => message.request_id = request_id,
            Command::Spend(message) => message.request_id = request_id,
            Command::Hold(message) => message.request_id = request_id,
            Command::Capture(message) => message.request_id = request_id,
            Command::Release(message) => message.request_id = request_id,
        }
    }
}

impl Caller {
    pub(super) fn credit(&mut self) -> Wish {
        let (owner_id, number) = (self.owner(), self.world.number());
        let value = CREDIT_FIRST + number;
        let mark = format!("credit {number}");
        // Who forgets ids is not to be saved by receipts.
        let has_receipt = number % RECEIPT_EVERY == 0 && !self.world.forgets_ids;
        let message = pb::CreditPointsRequest {
            request_id: request_id(),
            owner_id: owner_id.clone(),
            amount: Some(amount(value)),
            source: "faults".to_owned(),
            receipt_id: if has_receipt { mark.clone() } else { String::new() },
            reason: mark.clone(),
            ..pb::CreditPointsRequest::default()
        };
        Wish {
            command: Command::Credit(message),
            owner_id,
            mark,
            effect: effect(value, 0),
            refusable: &[],
        }
    }

    pub(super) fn spend(&mut self) -> Wish {
        let (owner_id, number) = (self.owner(), self.world.number());
        let value = self
            .random
            .random_range(1..=SPEND_FACTOR * (CREDIT_FIRST + number));
        let mark = format!("spend {number}");
        let message = pb::SpendPointsRequest {
            request_id: request_id(),
            owner_id: owner_id.clone(),
            amount: Some(amount(value)),
            source: "faults".to_owned(),
            reason: mark.clone(),
            ..pb::SpendPointsRequest::default()
        };
        Wish {
            command: Command::Spend(message),
            owner_id,
            mark,
            effect: effect(-value, 0),
            refusable: &[INSUFFICIENT_BALANCE],
        }
    }

    pub(super) fn hold(&mut self) -> (Wish, i64) {
        let (owner_id, number) = (self.owner(), self.world.number());
        let value = self
            .random
            .random_range(1..=SPEND_FACTOR * (CREDIT_FIRST + number));
        let mark = format!("hold {number}");
        let message = pb::HoldPointsRequest {
            request_id: request_id(),
            owner_id: owner_id.clone(),
            amount: Some(amount(value)),
            duration_seconds: HOLD_S,
            source: "faults".to_owned(),
            reason: mark.clone(),
        };
        let wish = Wish {
            command: Command::Hold(message),
            owner_id,
            mark,
            effect: effect(-value, value),
            refusable: &[INSUFFICIENT_BALANCE],
        };
        (wish, value)
    }

    pub(super) fn capture(&self, held: &Held, value: i64, refusable: &'static [&'static str]) -> Wish {
        let mark = format!("capture {}", self.world.number());
        let message = pb::CaptureHoldRequest {
            request_id: request_id(),
            hold_id: held.hold_id.clone(),
            value,
            reason: mark.clone(),
        };
        Wish {
            command: Command::Capture(message),
            owner_id: held.owner_id.clone(),
            mark,
            effect: effect(held.value - value, -held.value),
            refusable,
        }
    }

    pub(super) fn release(&self, held: &Held) -> Wish {
        let mark = format!("release {}", self.world.number());
        let message = pb::ReleaseHoldRequest {
            request_id: request_id(),
            hold_id: held.hold_id.clone(),
            reason: mark.clone(),
        };
        Wish {
            command: Command::Release(message),
            owner_id: held.owner_id.clone(),
            mark,
            effect: effect(held.value, -held.value),
            refusable: &[],
        }
    }
}

fn amount(value: i64) -> Amount {
    Amount {
        unit_code: UNIT.to_owned(),
        value,
    }
}

fn effect(available: i64, held: i64) -> Values {
    let place = |account: &str| (account.to_owned(), UNIT.to_owned());
    without_zeros(Values::from([
        (place("owner_available"), available),
        (place("owner_held"), held),
    ]))
}
