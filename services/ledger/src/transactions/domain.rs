//! What is asked of transactions, and what a credit or a spend comes to. Pure.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_types::{BudgetCode, OwnerId, Points, UnitCode, Version};
use serde::{Deserialize, Serialize};

use crate::posting::Moment;
use crate::posting::domain::{Begin, Command, Earned, LotEnd, Slide, Spent, TransactionKind, Wait};
use crate::refusal::{Refusal, Resource};
use crate::units::domain::UnitTerms;

/// Points to credit or to spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointsWork {
    /// What is counted.
    pub unit_code: UnitCode,
    /// How many.
    pub value: Points,
    /// Of a credit, its terms; `None` for a spend.
    pub credit: Option<CreditTerms>,
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
        let terms = units.iter().find(|unit| unit.code == self.unit_code);
        let terms = terms.ok_or_else(|| Refusal::not_found(Resource::Unit, &self.unit_code))?;
        let command = match &self.credit {
            Some(credit) => Command::Credit(self.earned(credit, terms, moment)?),
            None => Command::Spend(Spent {
                unit_code: self.unit_code.clone(),
                value: self.value,
            }),
        };
        let slide = terms.slide(moment.occur_time, self.zone);
        Ok((command, slide.into_iter().collect()))
    }

    /// Which of the two it is.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        match self.credit {
            Some(_) => Direction::Credit,
            None => Direction::Spend,
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
                let begun = credit.begin.and_then(Begin::time);
                let begun = begun.map_or(moment.occur_time, |time| time.max(moment.occur_time));
                terms.lot_end(begun, self.zone)
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
    /// Only what stands before it.
    pub before: Option<StatementPosition>,
    /// At most so many.
    pub count_max: i64,
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
    use crate::units::domain::{ExpiryPolicy, LifeLength, LotLife, ShortfallPolicy};
    use chrono::TimeDelta;
    use fealty_types::{TransactionId, UnitScale};

    fn moment() -> Moment {
        let time = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        Moment {
            owner_id: OwnerId::generate_at(time),
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
        }]
    }

    fn credit(lot_expire_time: Option<DateTime<Utc>>) -> PointsWork {
        PointsWork {
            unit_code: "points".parse().unwrap(),
            value: Points::new(5),
            credit: Some(CreditTerms {
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
            credit: None,
            ..credit(None)
        };
        assert_eq!(spend.plan(&units, &moment).unwrap().1, slides);
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
