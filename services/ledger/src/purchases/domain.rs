//! What a purchase earns and what a refund takes back. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_types::{LotId, Money, OwnerId, Points, PurchaseId, RuleId, TransactionId, UnitCode, Version};
use serde::{Deserialize, Serialize};

use crate::posting::domain::{Earned, Slide, TakeBack, TakenBack};
use crate::refusal::{Refusal, Resource};
use crate::rules::domain::EarningRule;
use crate::units::domain::UnitTerms;

/// A recorded purchase, with what has been refunded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// Its id, which is also that of the transaction that recorded it.
    pub purchase_id: PurchaseId,
    /// Who bought.
    pub owner_id: OwnerId,
    /// The owner's version that it made.
    pub version: Version,
    /// Till or shop system.
    pub source: String,
    /// Its number of the receipt.
    pub receipt_id: String,
    /// What was paid. Never below zero.
    pub money: Money,
    /// When it happened.
    pub occur_time: DateTime<Utc>,
    /// When the ledger learned of it.
    pub record_time: DateTime<Utc>,
    /// What each rule gave.
    pub earnings: Vec<Earning>,
    /// The lots to which it was credited.
    pub lot_ids: Vec<LotId>,
    /// What has been refunded so far, in the currency of `money`. Never above it.
    pub refunded_minor: i64,
}

/// Where a purchase stands among those of its owner, by the order of recording. Versions tell apart what one account
/// recorded at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PurchasePosition {
    /// When it was recorded.
    pub record_time: DateTime<Utc>,
    /// The version that it made.
    pub version: Version,
    /// Which.
    pub purchase_id: PurchaseId,
}

impl From<&Purchase> for PurchasePosition {
    fn from(purchase: &Purchase) -> Self {
        Self {
            record_time: purchase.record_time,
            version: purchase.version,
            purchase_id: purchase.purchase_id,
        }
    }
}

/// What one rule gave for a purchase. At most one rule of a unit holds at an instant, so a unit comes once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earning {
    /// By which rule.
    pub rule_id: RuleId,
    /// What is counted.
    pub unit_code: UnitCode,
    /// How much. Above zero.
    pub value: Points,
    /// How much of that paid off debt.
    pub debt_repaid: Points,
    /// How much of it refunds have taken back.
    pub taken_back: Points,
}

/// A recorded refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The id of the transaction that recorded it.
    pub refund_id: TransactionId,
    /// Which purchase; none where nobody can name it.
    pub purchase_id: Option<PurchaseId>,
    /// Who gave back.
    pub owner_id: OwnerId,
    /// Till or shop system.
    pub source: String,
    /// What was paid back. Above zero.
    pub money: Money,
    /// When it happened.
    pub occur_time: DateTime<Utc>,
    /// What it took back, one per unit.
    pub taken_back: Vec<TakenBack>,
}

/// Which purchases and refunds to sum up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumsFilter {
    /// Of which source.
    pub source: String,
    /// Only what happened at or after this time.
    pub from: Option<DateTime<Utc>>,
    /// Only what happened before this time.
    pub before: Option<DateTime<Utc>>,
}

/// What a source has sent. The sums are wider than what they sum up, so none can overflow here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many purchases.
    pub purchase_count: i64,
    /// Their money.
    pub purchase_minor: i128,
    /// How many refunds.
    pub refund_count: i64,
    /// Their money.
    pub refund_minor: i128,
    /// What was earned and taken back, by unit.
    pub units: BTreeMap<UnitCode, UnitSums>,
}

/// What a source's purchases earned and its refunds took back in one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitSums {
    /// What purchases earned.
    pub earned: i128,
    /// How much of that paid off debt.
    pub debt_repaid: i128,
    /// Taken back from balances.
    pub from_available: i128,
    /// Taken back as debt.
    pub as_debt: i128,
    /// Not taken back: borne by the program.
    pub waived: i128,
    /// How many refunds could not take back everything from the balance.
    pub shortfall_count: i64,
}

/// The units and rules of a program, by which purchases are judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// All rules, whenever they hold.
    pub rules: Vec<EarningRule>,
    /// All units.
    pub units: Vec<UnitTerms>,
}

/// What a sum would earn in one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reward {
    /// By which rule.
    pub rule_id: RuleId,
    /// What is counted.
    pub unit_code: UnitCode,
    /// How much. Above zero.
    pub value: Points,
}

impl Terms {
    /// What a sum earns that was paid at a time: one reward per unit, in the order of the units' codes.
    pub fn rewards(&self, money: Money, occur_time: DateTime<Utc>) -> Result<Vec<Reward>, Refusal> {
        let mut rewards = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.span.contains(occur_time)) {
            let unit = self.unit(&rule.unit_code)?;
            let value = rule
                .cashback
                .earn(money, unit.scale)
                .map_err(|_| Refusal::AmountOverflow(rule.unit_code.clone()))?;
            if value.is_positive() {
                rewards.push(Reward {
                    rule_id: rule.rule_id,
                    unit_code: rule.unit_code.clone(),
                    value,
                });
            }
        }
        rewards.sort_by(|one, other| one.unit_code.cmp(&other.unit_code));
        Ok(rewards)
    }

    /// The rewards as lots to credit, which end by their unit's terms.
    pub fn earned(
        &self,
        rewards: &[Reward],
        occur_time: DateTime<Utc>,
        zone: Tz,
    ) -> Result<Vec<Earned>, Refusal> {
        rewards
            .iter()
            .map(|reward| {
                Ok(Earned {
                    unit_code: reward.unit_code.clone(),
                    value: reward.value,
                    end: self.unit(&reward.unit_code)?.lot_end(occur_time, zone),
                    budget_code: None,
                    wait: None,
                })
            })
            .collect()
    }

    /// What a purchase slides: every unit that ends by activity, whatever the purchase earned.
    #[must_use]
    pub fn slides(&self, occur_time: DateTime<Utc>, zone: Tz) -> Vec<Slide> {
        let units = self.units.iter();
        units.filter_map(|unit| unit.slide(occur_time, zone)).collect()
    }

    /// Points to take back, from `lots_first` where they are still there. Nothing for nothing.
    pub fn take_back(
        &self,
        unit_code: &UnitCode,
        value: Points,
        lots_first: &[LotId],
    ) -> Result<Option<TakeBack>, Refusal> {
        if !value.is_positive() {
            return Ok(None);
        }
        let unit = self.unit(unit_code)?;
        Ok(Some(TakeBack {
            unit_code: unit_code.clone(),
            value,
            lots_first: lots_first.to_vec(),
            debt_max: unit.owed_max(),
            budget_code: None,
        }))
    }

    /// Rules refer to their unit and units are never deleted, so it is there.
    fn unit(&self, code: &UnitCode) -> Result<&UnitTerms, Refusal> {
        self.units
            .iter()
            .find(|unit| unit.code == *code)
            .ok_or_else(|| Refusal::not_found(Resource::Unit, code))
    }
}

impl Purchase {
    /// What can still be refunded.
    #[must_use]
    pub const fn refundable_minor(&self) -> i64 {
        self.money.minor - self.refunded_minor
    }

    /// Refunds `money`: the purchase afterwards, and what to take back for each of its earnings, in their order.
    ///
    /// After each refund, what was taken back in all is the refunded share of what was earned, rounded down: no refund
    /// takes more than its share, and the one that completes the purchase takes exactly what is left.
    pub fn refund(&self, money: Money) -> Result<(Self, Vec<Points>), Refusal> {
        if money.currency != self.money.currency {
            return Err(Refusal::CurrencyMismatch {
                actual: money.currency,
                required: self.money.currency,
            });
        }
        let refundable_minor = self.refundable_minor();
        if money.minor > refundable_minor {
            return Err(Refusal::RefundExceedsPurchase {
                purchase_id: self.purchase_id,
                refundable_minor,
                required_minor: money.minor,
            });
        }
        let mut after = self.clone();
        after.refunded_minor += money.minor;
        let mut shares = Vec::with_capacity(self.earnings.len());
        for earning in &mut after.earnings {
            let taken_back = share(earning.value, after.refunded_minor, self.money.minor);
            shares.push(Points::new(taken_back.get() - earning.taken_back.get()));
            earning.taken_back = taken_back;
        }
        Ok((after, shares))
    }
}

/// `value * part / whole`, rounded down. `part` is from 0 to `whole`, and `whole` is above zero.
fn share(value: Points, part: i64, whole: i64) -> Points {
    let exact = i128::from(value.get()) * i128::from(part) / i128::from(whole);
    Points::new(i64::try_from(exact).expect("a part of a 64-bit number fits into 64 bits"))
}

#[cfg(test)]
mod tests;
