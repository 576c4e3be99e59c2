//! What callers wish, and what it does if it takes effect.

mod chained;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_tests::history::{Call, INSUFFICIENT_BALANCE, Moment, Part, Sent, Values, without_zeros};
use fealty_tests::shop::{UNIT, request_id};
use rand::RngExt;

use super::Caller;
use crate::at_random::line::Command;

const HOLD_NOT_OPEN: &str = "HOLD_NOT_OPEN";
/// What came back by itself cannot be given back: no refusal, but nothing is done.
pub const EXPIRED: &str = "EXPIRED";

pub use chained::{BUDGET, BUDGET_MAX, Earlier};

/// What callers call what they wish: the first words of marks.
pub const WISHES: [&str; 11] = [
    "credit",
    "spend",
    "hold",
    "capture",
    "release",
    "adjust",
    "transfer",
    "paid-credit",
    "waiting-credit",
    "activate",
    "reverse",
];
/// What the first credit gives; each later one gives one more, so that no two give the same.
const CREDIT_FIRST: i64 = 1_000;
/// What is taken at the most, as many times what the last credit gave: often more than there is.
const SPEND_FACTOR: i64 = 4;
/// Most holds stay longer than the run. Some end by themselves as soon as any can.
const HOLD_LONG_S: i32 = 30 * 24 * 60 * 60;
const HOLD_SHORT_S: i32 = 1;
const SHORT_HOLDS: f64 = 0.3;
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
    sent: Option<Sent>,
    part: Option<Part>,
    hold: Option<String>,
    /// When what it set aside comes back by itself within the run; known once it is answered.
    pub ends: Option<Moment>,
}

/// What is set aside.
pub struct Held {
    hold_id: String,
    owner_id: String,
    pub value: i64,
    /// Whether it ends by itself.
    pub is_short: bool,
    /// Whether two decide about it.
    pub has_rivals: bool,
}

impl Wish {
    /// That is not to be refused, and is about nothing else.
    fn new(command: Command, owner_id: String, mark: String, effect: Values) -> Self {
        Self {
            command,
            owner_id,
            mark,
            effect,
            refusable: &[],
            sent: None,
            part: None,
            hold: None,
            ends: None,
        }
    }

    /// What is to be written down of it, with no answer yet.
    pub fn call(&self, invoked: Moment) -> Call {
        Call {
            request_id: self.request_id().to_owned(),
            mark: self.mark.clone(),
            owner_id: self.owner_id.clone(),
            effect: self.effect.clone(),
            group: None,
            refusable: self.refusable,
            sent: self.sent.clone(),
            part: self.part.clone(),
            hold: self.hold.clone(),
            ends: self.ends,
            invoked,
            answers: Vec::new(),
        }
    }

    /// It was answered when what it set aside comes back.
    pub fn note_end(&mut self, ends: Option<Moment>) {
        let is_short = |message: &pb::HoldPointsRequest| message.duration_seconds == HOLD_SHORT_S;
        if matches!(&self.command, Command::Hold(message) if is_short(message)) {
            self.ends = ends;
        }
    }

    pub fn request_id(&self) -> &str {
        match &self.command {
            Command::Credit(message) => &message.request_id,
            Command::Spend(message) => &message.request_id,
            Command::Adjust(message) => &message.request_id,
            Command::Transfer(message) => &message.request_id,
            Command::Activate(message) => &message.request_id,
            Command::Reverse(message) => &message.request_id,
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
            Command::Adjust(message) => message.request_id = request_id,
            Command::Transfer(message) => message.request_id = request_id,
            Command::Activate(message) => message.request_id = request_id,
            Command::Reverse(message) => message.request_id = request_id,
            Command::Hold(message) => message.request_id = request_id,
            Command::Capture(message) => message.request_id = request_id,
            Command::Release(message) => message.request_id = request_id,
        }
    }
}

impl Caller {
    pub(super) fn credit(&mut self) -> Wish {
        self.credit_called("credit")
    }

    fn credit_called(&mut self, what: &str) -> Wish {
        let (owner_id, number) = (self.owner(), self.world.number());
        let value = CREDIT_FIRST + number;
        let mark = format!("{what} {number}");
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
        Wish::new(Command::Credit(message), owner_id, mark, effect(value, 0))
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
            refusable: &[INSUFFICIENT_BALANCE],
            ..Wish::new(Command::Spend(message), owner_id, mark, effect(-value, 0))
        }
    }

    pub(super) fn hold(&mut self) -> (Wish, Held) {
        let (owner_id, number) = (self.owner(), self.world.number());
        let value = self
            .random
            .random_range(1..=SPEND_FACTOR * (CREDIT_FIRST + number));
        let is_short = self.random.random_bool(SHORT_HOLDS);
        let mark = format!("hold {number}");
        let message = pb::HoldPointsRequest {
            request_id: request_id(),
            owner_id: owner_id.clone(),
            amount: Some(amount(value)),
            duration_seconds: if is_short { HOLD_SHORT_S } else { HOLD_LONG_S },
            source: "faults".to_owned(),
            reason: mark.clone(),
        };
        let wish = Wish {
            refusable: &[INSUFFICIENT_BALANCE],
            ..Wish::new(Command::Hold(message), owner_id, mark, effect(-value, value))
        };
        let held = Held {
            hold_id: wish.request_id().to_owned(),
            owner_id: wish.owner_id.clone(),
            value,
            is_short,
            has_rivals: false,
        };
        (wish, held)
    }

    pub(super) fn capture(&self, held: &Held, value: i64) -> Wish {
        let mark = format!("capture {}", self.world.number());
        let message = pb::CaptureHoldRequest {
            request_id: request_id(),
            hold_id: held.hold_id.clone(),
            value,
            reason: mark.clone(),
        };
        Wish {
            refusable: held.refusable(),
            hold: Some(held.hold_id.clone()),
            ..Wish::new(
                Command::Capture(message),
                held.owner_id.clone(),
                mark,
                effect(held.value - value, -held.value),
            )
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
            refusable: held.refusable(),
            hold: Some(held.hold_id.clone()),
            ..Wish::new(
                Command::Release(message),
                held.owner_id.clone(),
                mark,
                effect(held.value, -held.value),
            )
        }
    }
}

impl Held {
    /// Why a decision about it may come to nothing.
    fn refusable(&self) -> &'static [&'static str] {
        match (self.is_short, self.has_rivals) {
            (true, _) => &[HOLD_NOT_OPEN, EXPIRED],
            (false, true) => &[HOLD_NOT_OPEN],
            (false, false) => &[],
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
