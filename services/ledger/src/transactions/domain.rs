//! What is asked of transactions, and what a credit, a spend or a correction comes to. Pure.

mod lot_life;
mod reversal;
mod transfer;
mod waiting;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_types::{BudgetCode, OwnerId, Points, UnitCode, Version};
use serde::{Deserialize, Serialize};

use crate::posting::Moment;
use crate::posting::domain::{
    Adjusted, Begin, Command, Earned, LotEnd, Slide, Spent, Transaction, TransactionKind, Wait,
};
use crate::refusal::{Refusal, Resource};
use crate::units::domain::UnitTerms;
pub use transfer::{SendersDay, Terms, TransferWork};

pub use lot_life::{LotLife, LotLifeOf, LotLifePosition, LotRecord, follow};
pub use reversal::{Ground, NewReversal, ReversalWork, Reversible};
pub use waiting::{Holder, Waiting, WaitingLot};

/// Points to credit, to spend, or to correct a balance by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointsWork {
    /// What is counted.
    pub unit_code: UnitCode,
    /// How many. Above zero, but for a correction downwards.
    pub value: Points,
    /// What is to happen with them.
    pub terms: PointsTerms,
    /// The program's days begin and end there.
    pub zone: Tz,
}

/// Where points go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the owner.
    Credit,
    /// From the owner.
    Spend,
    /// To them or from them, where the balance was wrong.
    Adjust,
}

impl Direction {
    /// The kind of transaction that it makes.
    #[must_use]
    pub const fn kind(self) -> TransactionKind {
        match self {
            Self::Credit => TransactionKind::Credit,
            Self::Spend => TransactionKind::Spend,
            Self::Adjust => TransactionKind::Adjust,
        }
    }
}

/// What is to happen with points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PointsTerms {
    /// They are given.
    Credit(CreditTerms),
    /// They are taken.
    Spend,
    /// The balance is corrected by them.
    Adjust(AdjustTerms),
}

/// How a balance is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdjustTerms {
    /// When the lot of what is given ends; by the unit's own rule if the caller does not say.
    pub lot_expire_time: Option<DateTime<Utc>>,
    /// Whether what is taken and not there may be owed.
    pub allow_debt: bool,
}

/// On what terms points are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreditTerms {
    /// When the lot ends; by the unit's own rule if the caller does not say.
    pub lot_expire_time: Option<DateTime<Utc>>,
    /// When they begin to count; `None` for at once.
    pub begin: Option<Begin>,
    /// Which budget pays; `None` for the program itself.
    pub budget_code: Option<BudgetCode>,
}

impl PointsWork {
    /// What it asks of the owner's accounts, and what it slides.
    pub fn plan(&self, units: &[UnitTerms], moment: &Moment) -> Result<(Command, Vec<Slide>), Refusal> {
        let terms = terms_of(units, &self.unit_code)?;
        let (unit_code, value) = (self.unit_code.clone(), self.value);
        let command = match &self.terms {
            PointsTerms::Credit(credit) => Command::Credit(self.earned(credit, terms, moment)?),
            PointsTerms::Spend => Command::Spend(Spent { unit_code, value }),
            PointsTerms::Adjust(adjust) if !value.is_negative() => {
                let credit = CreditTerms {
                    lot_expire_time: adjust.lot_expire_time,
                    ..CreditTerms::default()
                };
                Command::Adjust(Adjusted::Up(self.earned(&credit, terms, moment)?))
            }
            PointsTerms::Adjust(adjust) => Command::Adjust(Adjusted::Down {
                less: Spent {
                    unit_code,
                    value: Points::new(-value.get()),
                },
                debt_max: if adjust.allow_debt {
                    terms.owed_max()
                } else {
                    Points::ZERO
                },
            }),
        };
        let slide = terms.slide(moment.occur_time, self.zone);
        // Whoever corrects a balance is not its owner.
        let slide = slide.filter(|_| self.direction() != Direction::Adjust);
        Ok((command, slide.into_iter().collect()))
    }

    /// Which of them it is.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        match self.terms {
            PointsTerms::Credit(_) => Direction::Credit,
            PointsTerms::Spend => Direction::Spend,
            PointsTerms::Adjust(_) => Direction::Adjust,
        }
    }

    fn earned(&self, credit: &CreditTerms, terms: &UnitTerms, moment: &Moment) -> Result<Earned, Refusal> {
        let own_end = credit.lot_expire_time;
        if own_end.is_some_and(|end| end <= moment.record_time) {
            return Err(Refusal::FieldInvalid {
                field: "lot_expire_time",
                description: "must be in the future",
            });
        }
        // What was to wait until a time that has passed by now does not.
        let has_begun = |begin: &Begin| begin.time().is_some_and(|time| time <= moment.record_time);
        let begin = credit.begin.filter(|begin| !has_begun(begin));
        let end = match (own_end, begin) {
            (Some(end), _) => LotEnd::Fixed(Some(end)),
            // The day of the call decides.
            (None, Some(Begin::OnCall)) => LotEnd::Fixed(None),
            (None, Some(Begin::At(time))) => terms.lot_end(time, self.zone),
            (None, None) => {
                let own = credit.begin.and_then(Begin::time);
                let since = own.map_or(moment.occur_time, |time| time.max(moment.occur_time));
                terms.lot_end(since, self.zone)
            }
        };
        Ok(Earned {
            unit_code: self.unit_code.clone(),
            value: self.value,
            end,
            budget_code: credit.budget_code.clone(),
            wait: begin.map(|begin| Wait {
                begin,
                credited_by: moment.transaction_id,
            }),
        })
    }
}

/// The terms of a unit.
fn terms_of<'a>(units: &'a [UnitTerms], code: &UnitCode) -> Result<&'a UnitTerms, Refusal> {
    let terms = units.iter().find(|unit| unit.code == *code);
    terms.ok_or_else(|| Refusal::not_found(Resource::Unit, code))
}

/// Which transactions of an owner are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementOf {
    /// Whose.
    pub owner_id: OwnerId,
    /// Only of these kinds; none means all.
    pub kinds: Vec<TransactionKind>,
    /// Only with an entry in this unit.
    pub unit_code: Option<UnitCode>,
    /// Only what happened at or after this time.
    pub occurred_from_time: Option<DateTime<Utc>>,
    /// Only what happened before this time.
    pub occurred_before_time: Option<DateTime<Utc>>,
    /// Only what comes from there.
    pub source: Option<String>,
    /// Only what stands before it.
    pub before: Option<StatementPosition>,
    /// At most so many.
    pub count_max: i64,
}

/// Transactions that a page of a list looks through at the most: with a filter that few of them pass, an owner with a million
/// would otherwise be read whole. Read one by one from an index, so many take some tens of milliseconds. An owner's
/// versions have no gaps, so that it is also how far two versions are apart.
pub const LOOKED_THROUGH_MAX: i64 = 10_000;

/// A page of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Newest first; one more than the page has if there are as many.
    pub transactions: Vec<Transaction>,
    /// Where the page stopped looking; `None` where it came to the owner's first transaction.
    pub looked_to: Option<StatementPosition>,
}

/// Where a transaction stands in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementPosition {
    /// Whose account: a statement that was begun goes on with the same, whichever account its owner uses by then.
    pub owner_id: OwnerId,
    /// The version that it made.
    pub version: Version,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::domain::{EndedLotPolicy, ExpiryPolicy, LifeLength, LotLife, ShortfallPolicy};
    use chrono::TimeDelta;
    use fealty_types::{TransactionId, UnitScale};

    fn moment() -> Moment {
        let time = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let owner_id = OwnerId::generate_at(time);
        Moment {
            owner_id,
            account_owner_id: owner_id,
            transaction_id: TransactionId::generate_at(time),
            occur_time: time - TimeDelta::days(3),
            record_time: time,
        }
    }

    fn units() -> Vec<UnitTerms> {
        vec![UnitTerms {
            code: "points".parse().unwrap(),
            scale: UnitScale::ZERO,
            expiry_policy: ExpiryPolicy::AfterEarning(LotLife {
                length: LifeLength::Days(10),
                round_up_to: None,
            }),
            shortfall_policy: ShortfallPolicy::Waive,
            debt_max: Points::ZERO,
            transfer_rules: None,
            ended_lot_policy: EndedLotPolicy::Gone,
        }]
    }

    fn credit(lot_expire_time: Option<DateTime<Utc>>) -> PointsWork {
        PointsWork {
            unit_code: "points".parse().unwrap(),
            value: Points::new(5),
            terms: PointsTerms::Credit(CreditTerms {
                lot_expire_time,
                ..CreditTerms::default()
            }),
            zone: Tz::UTC,
        }
    }

    #[test]
    fn a_lot_lives_from_when_the_credit_happened() {
        let moment = moment();
        let Ok((Command::Credit(earned), slides)) = credit(None).plan(&units(), &moment) else {
            panic!("a credit")
        };
        // Days begin at midnight UTC here, and this one is midnight.
        let end = moment.occur_time + TimeDelta::days(11);
        assert_eq!((earned.end, slides), (LotEnd::Fixed(Some(end)), vec![]));
    }

    #[test]
    fn what_slides_slides_from_when_the_activity_happened_and_an_end_of_its_own_stays() {
        let (moment, mut units) = (moment(), units());
        let ExpiryPolicy::AfterEarning(life) = units[0].expiry_policy else {
            panic!("a life")
        };
        units[0].expiry_policy = ExpiryPolicy::AfterActivity(life);
        let end = moment.occur_time + TimeDelta::days(11);
        let slides = vec![Slide {
            unit_code: units[0].code.clone(),
            end,
        }];
        let own = moment.record_time + TimeDelta::days(1);
        for (asked, expected) in [
            (None, LotEnd::Sliding(end)),
            (Some(own), LotEnd::Fixed(Some(own))),
        ] {
            let Ok((Command::Credit(earned), slid)) = credit(asked).plan(&units, &moment) else {
                panic!("a credit")
            };
            assert_eq!((earned.end, slid), (expected, slides.clone()));
        }
        let spend = PointsWork {
            terms: PointsTerms::Spend,
            ..credit(None)
        };
        assert_eq!(spend.plan(&units, &moment).unwrap().1, slides);
    }

    #[test]
    fn a_correction_is_no_activity_and_owes_only_where_shortfalls_are_owed() {
        let (moment, mut units) = (moment(), units());
        let ExpiryPolicy::AfterEarning(life) = units[0].expiry_policy else {
            panic!("a life")
        };
        units[0].expiry_policy = ExpiryPolicy::AfterActivity(life);
        units[0].debt_max = Points::new(70);
        let adjust = |value, allow_debt| PointsWork {
            value: Points::new(value),
            terms: PointsTerms::Adjust(AdjustTerms {
                lot_expire_time: None,
                allow_debt,
            }),
            ..credit(None)
        };
        let (command, slides) = adjust(5, false).plan(&units, &moment).unwrap();
        let end = moment.occur_time + TimeDelta::days(11);
        assert!(
            matches!(command, Command::Adjust(Adjusted::Up(earned)) if earned.end == LotEnd::Sliding(end))
        );
        assert_eq!(slides, []);
        for (policy, allow_debt, owed) in [
            (ShortfallPolicy::Waive, true, 0),
            (ShortfallPolicy::Debt, false, 0),
            (ShortfallPolicy::Debt, true, 70),
        ] {
            units[0].shortfall_policy = policy;
            let (command, slides) = adjust(-i64::MAX, allow_debt).plan(&units, &moment).unwrap();
            let Command::Adjust(Adjusted::Down { less, debt_max }) = command else {
                panic!("less")
            };
            assert_eq!(
                (less.value.get(), debt_max.get(), slides),
                (i64::MAX, owed, vec![])
            );
        }
    }

    #[test]
    fn an_end_that_has_passed_is_refused_and_not_remembered() {
        let moment = moment();
        let refusal = credit(Some(moment.record_time))
            .plan(&units(), &moment)
            .unwrap_err();
        assert!(matches!(
            refusal,
            Refusal::FieldInvalid {
                field: "lot_expire_time",
                ..
            }
        ));
        assert!(!crate::posting::is_remembered(&refusal));
        let later = moment.record_time + TimeDelta::microseconds(1);
        assert!(credit(Some(later)).plan(&units(), &moment).is_ok());
    }

    #[test]
    fn a_unit_that_nobody_defined_is_not_found() {
        let refusal = credit(None).plan(&[], &moment()).unwrap_err();
        assert!(matches!(
            refusal,
            Refusal::NotFound {
                resource: Resource::Unit,
                ..
            }
        ));
    }
}
