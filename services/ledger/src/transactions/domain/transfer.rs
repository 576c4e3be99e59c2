//! What a transfer comes to. Pure.

use std::collections::HashMap;

use chrono_tz::Tz;
use fealty_types::{OwnerId, Points, UnitCode};

use super::terms_of;
use crate::posting::Moment;
use crate::posting::domain::{Command, Spent};
use crate::refusal::Refusal;
use crate::units::domain::{SentOnDay, UnitTerms};

/// Points to send to another owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferWork {
    /// From whom, as named.
    pub owner_id: OwnerId,
    /// What is counted.
    pub unit_code: UnitCode,
    /// How many.
    pub value: Points,
    /// The program's days begin and end there.
    pub zone: Tz,
}

/// What transfers are decided by, read under the senders' locks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Of all units.
    pub units: Vec<UnitTerms>,
    /// Whose accounts the senders use, by who was named.
    pub accounts: HashMap<OwnerId, OwnerId>,
    /// What was sent from an account on its last day, by unit.
    pub sent: HashMap<(OwnerId, UnitCode), SentOnDay>,
}

/// What was sent from an account, with one transfer more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendersDay {
    /// Whose account.
    pub owner_id: OwnerId,
    /// Counted in.
    pub unit_code: UnitCode,
    /// On its day.
    pub sent: SentOnDay,
}

impl TransferWork {
    /// What it asks of the sender's accounts, and what it counts; or why the unit does not allow it. The day is the one
    /// on which the ledger learns of it: nobody sends more by telling another time.
    pub fn plan(&self, terms: &Terms, moment: &Moment) -> Result<(Command, SendersDay), Refusal> {
        let unit = terms_of(&terms.units, &self.unit_code)?;
        let rules = unit.transfer_rules;
        let rules = rules.ok_or_else(|| Refusal::TransferNotAllowed(self.unit_code.clone()))?;
        // Who has no account of another's uses their own.
        let account = terms.accounts.get(&self.owner_id).unwrap_or(&self.owner_id);
        let key = (*account, self.unit_code.clone());
        let day = moment.record_time.with_timezone(&self.zone).date_naive();
        let sent = rules.allow(
            &self.unit_code,
            self.value,
            (day, self.zone),
            terms.sent.get(&key).copied(),
        )?;
        let (owner_id, unit_code) = key;
        let command = Command::Send(Spent {
            unit_code: unit_code.clone(),
            value: self.value,
        });
        let day = SendersDay {
            owner_id,
            unit_code,
            sent,
        };
        Ok((command, day))
    }
}

impl Terms {
    /// Lets the transfers after it know.
    pub fn count(&mut self, day: &SendersDay) {
        self.sent.insert((day.owner_id, day.unit_code.clone()), day.sent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
    use fealty_types::{TransactionId, UnitScale};

    use crate::refusal::Resource;
    use crate::units::domain::{EndedLotPolicy, ExpiryPolicy, ShortfallPolicy, TransferRules};

    fn owner(number: u128) -> OwnerId {
        OwnerId::try_from(uuid::Uuid::from_u128(number)).unwrap()
    }

    fn terms(rules: Option<TransferRules>) -> Terms {
        let unit = UnitTerms {
            code: "points".parse().unwrap(),
            scale: UnitScale::ZERO,
            expiry_policy: ExpiryPolicy::Never,
            shortfall_policy: ShortfallPolicy::Waive,
            debt_max: Points::ZERO,
            transfer_rules: rules,
            ended_lot_policy: EndedLotPolicy::Gone,
        };
        Terms {
            units: vec![unit],
            accounts: HashMap::from([(owner(1), owner(9))]),
            ..Terms::default()
        }
    }

    fn rules() -> TransferRules {
        TransferRules {
            value_min: Points::new(1),
            value_max: None,
            day_value_max: Some(Points::new(100)),
            day_count_max: None,
        }
    }

    fn at(time: DateTime<Utc>) -> Moment {
        Moment {
            owner_id: owner(1),
            account_owner_id: owner(1),
            transaction_id: TransactionId::generate_at(time),
            occur_time: time - TimeDelta::days(3),
            record_time: time,
        }
    }

    fn work(sender: u128, value: i64) -> TransferWork {
        TransferWork {
            owner_id: owner(sender),
            unit_code: "points".parse().unwrap(),
            value: Points::new(value),
            zone: Tz::Pacific__Auckland,
        }
    }

    #[test]
    fn a_day_is_the_programs_own_and_counts_by_account_from_when_it_is_recorded() {
        let mut terms = terms(Some(rules()));
        // An hour before midnight in Auckland.
        let time = DateTime::parse_from_rfc3339("2026-11-22T10:00:00Z")
            .unwrap()
            .to_utc();
        let (command, day) = work(1, 60).plan(&terms, &at(time)).unwrap();
        assert!(matches!(command, Command::Send(spent) if spent.value.get() == 60));
        assert_eq!((day.owner_id, day.sent.value.get()), (owner(9), 60));
        assert_eq!(day.sent.day, NaiveDate::from_ymd_opt(2026, 11, 22).unwrap());
        terms.count(&day);
        // Also for another who uses the same account, and not for one who does not.
        terms.accounts.insert(owner(2), owner(9));
        for sender in [1, 2, 9] {
            let refused = work(sender, 41).plan(&terms, &at(time)).unwrap_err();
            assert!(matches!(refused, Refusal::TransferLimitReached { .. }));
        }
        assert!(work(3, 41).plan(&terms, &at(time)).is_ok());
        let (_, day) = work(2, 41).plan(&terms, &at(time + TimeDelta::hours(1))).unwrap();
        assert_eq!((day.sent.value.get(), day.sent.count), (41, 1));
    }

    #[test]
    fn a_unit_without_rules_is_not_transferred_and_one_that_nobody_defined_is_not_found() {
        let time = DateTime::UNIX_EPOCH;
        let refused = work(1, 1).plan(&terms(None), &at(time)).unwrap_err();
        assert_eq!(refused, Refusal::TransferNotAllowed("points".parse().unwrap()));
        let refused = work(1, 1).plan(&Terms::default(), &at(time)).unwrap_err();
        assert!(matches!(
            refused,
            Refusal::NotFound {
                resource: Resource::Unit,
                ..
            }
        ));
    }
}
