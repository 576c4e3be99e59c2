//! Wishes about two owners, about what earlier ones did, and about a budget that all of them share.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_tests::history::{INSUFFICIENT_BALANCE, Part, Sent, Values, without_zeros};
use fealty_tests::shop::{UNIT, request_id};
use rand::RngExt;

use super::{CREDIT_FIRST, Command, SPEND_FACTOR, Wish, amount, effect};
use crate::at_random::callers::Caller;

/// Pays for some of the credits.
pub const BUDGET: &str = "faults";
/// Some dozens of credits, which are given within the run.
pub const BUDGET_MAX: i64 = 50 * CREDIT_FIRST;

const BUDGET_EXHAUSTED: &str = "BUDGET_EXHAUSTED";
const NOTHING_PENDING: &str = "NOTHING_PENDING";
const REVERSAL_EXCEEDS_TRANSACTION: &str = "REVERSAL_EXCEEDS_TRANSACTION";
const SOURCE: &str = "faults";

/// What an earlier wish did.
#[derive(Debug, Clone)]
pub struct Earlier {
    transaction_id: String,
    owner_id: String,
    value: i64,
}

impl Earlier {
    /// Of a credit or a spend.
    pub fn of(wish: &Wish) -> Self {
        Self {
            transaction_id: wish.request_id().to_owned(),
            owner_id: wish.owner_id.clone(),
            value: wish.effect.values().map(|value| value.abs()).sum(),
        }
    }

    /// So much of it.
    fn part(&self, value: i64, refusal: &'static str) -> Part {
        Part {
            of: self.transaction_id.clone(),
            whole: self.value,
            value,
            refusal,
        }
    }
}

impl Caller {
    /// More or less than there is; what is taken is often more than that.
    pub fn adjust(&mut self) -> Wish {
        let (owner_id, number) = (self.owner(), self.world.number());
        let value = CREDIT_FIRST + number;
        let value = if self.random.random_bool(0.5) {
            value
        } else {
            -value
        };
        let mark = format!("adjust {number}");
        let message = pb::AdjustPointsRequest {
            request_id: request_id(),
            owner_id: owner_id.clone(),
            amount: Some(amount(value)),
            source: SOURCE.to_owned(),
            reason: mark.clone(),
            ..pb::AdjustPointsRequest::default()
        };
        Wish {
            refusable: &[INSUFFICIENT_BALANCE],
            ..Wish::new(Command::Adjust(message), owner_id, mark, effect(value, 0))
        }
    }

    /// To somebody else.
    pub fn transfer(&mut self) -> Wish {
        let number = self.world.number();
        let count = self.world.owners.len();
        let from = self.random.random_range(0..count);
        let to = (from + self.random.random_range(1..count)) % count;
        let [owner_id, to] = [from, to].map(|index| self.world.owners[index].clone());
        let value = self.random.random_range(1..=2 * (CREDIT_FIRST + number));
        let mark = format!("transfer {number}");
        let message = pb::TransferPointsRequest {
            request_id: request_id(),
            owner_id: owner_id.clone(),
            to_owner_id: to.clone(),
            amount: Some(amount(value)),
            source: SOURCE.to_owned(),
            reason: mark.clone(),
            ..pb::TransferPointsRequest::default()
        };
        Wish {
            refusable: &[INSUFFICIENT_BALANCE],
            sent: Some(Sent {
                to,
                effect: effect(value, 0),
            }),
            ..Wish::new(Command::Transfer(message), owner_id, mark, effect(-value, 0))
        }
    }

    /// Paid for by the budget, as long as it lasts.
    pub fn paid_credit(&mut self) -> Wish {
        let mut wish = self.credit_called("paid-credit");
        let value = wish.effect.values().sum();
        if let Command::Credit(message) = &mut wish.command {
            BUDGET.clone_into(&mut message.budget_code);
        }
        Wish {
            refusable: &[BUDGET_EXHAUSTED],
            part: Some(Part {
                of: BUDGET.to_owned(),
                whole: BUDGET_MAX,
                value,
                refusal: BUDGET_EXHAUSTED,
            }),
            ..wish
        }
    }

    /// Waits for somebody to let it begin.
    pub fn waiting_credit(&mut self) -> Wish {
        let mut wish = self.credit_called("waiting-credit");
        if let Command::Credit(message) = &mut wish.command {
            message.begin = Some(Begin::BeginOnCall(true));
        }
        let value = wish.effect.values().sum();
        Wish {
            effect: pending(0, value),
            ..wish
        }
    }

    /// Lets it begin.
    pub fn activate(&self, given: &Earlier) -> Wish {
        let mark = format!("activate {}", self.world.number());
        let message = pb::ActivatePointsRequest {
            request_id: request_id(),
            transaction_id: given.transaction_id.clone(),
            source: SOURCE.to_owned(),
            reason: mark.clone(),
        };
        let effect = pending(given.value, -given.value);
        Wish {
            refusable: &[NOTHING_PENDING],
            part: Some(given.part(given.value, NOTHING_PENDING)),
            ..Wish::new(Command::Activate(message), given.owner_id.clone(), mark, effect)
        }
    }

    /// Takes back a part of a spend, or all.
    pub fn reverse(&mut self, spent: &Earlier) -> Wish {
        let mark = format!("reverse {}", self.world.number());
        let least = spent.value.div_euclid(SPEND_FACTOR).max(1);
        let value = self.random.random_range(least..=spent.value);
        let message = pb::ReverseTransactionRequest {
            request_id: request_id(),
            transaction_id: spent.transaction_id.clone(),
            value,
            source: SOURCE.to_owned(),
            reason: mark.clone(),
            ..pb::ReverseTransactionRequest::default()
        };
        Wish {
            refusable: &[REVERSAL_EXCEEDS_TRANSACTION],
            part: Some(spent.part(value, REVERSAL_EXCEEDS_TRANSACTION)),
            ..Wish::new(
                Command::Reverse(message),
                spent.owner_id.clone(),
                mark,
                effect(value, 0),
            )
        }
    }
}

fn pending(available: i64, pending: i64) -> Values {
    let place = |account: &str| (account.to_owned(), UNIT.to_owned());
    without_zeros(Values::from([
        (place("owner_available"), available),
        (place("owner_pending"), pending),
    ]))
}
