//! Points that end soon, and what tells so.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{Points, UnitCode};

use super::{Decision, Draft, LotMovement, OwnerState, TransactionKind};

/// What of a unit ends at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// What is counted.
    pub unit_code: UnitCode,
    /// When it ends.
    pub end: DateTime<Utc>,
    /// How much.
    pub value: Points,
}

impl OwnerState {
    /// What ends after `at`, and no later than so long after it as the unit is told of ahead; units that are not named are
    /// not told of. By unit and end.
    #[must_use]
    pub fn expiring(&self, at: DateTime<Utc>, ahead: &BTreeMap<UnitCode, TimeDelta>) -> Vec<Expiring> {
        let mut sums: BTreeMap<(&UnitCode, DateTime<Utc>), i64> = BTreeMap::new();
        for (unit_code, account) in &self.accounts {
            let Some(ahead) = ahead.get(unit_code) else {
                continue;
            };
            for lot in account.lots.iter().filter(|lot| lot.value_left.is_positive()) {
                if let Some(end) = lot.expire_time.filter(|end| *end > at && *end - *ahead <= at) {
                    // A part of what is available, which fits.
                    *sums.entry((unit_code, end)).or_default() += lot.value_left.get();
                }
            }
        }
        sums.into_iter()
            .map(|((unit_code, end), value)| Expiring {
                unit_code: unit_code.clone(),
                end,
                value: Points::new(value),
            })
            .collect()
    }
}

/// The change that tells of it: no entries, and a movement of nothing for each lot that ends then.
#[must_use]
pub fn notice(state: &OwnerState, expiring: &Expiring) -> Decision {
    let mut decision = Draft::default().finish(TransactionKind::Notice, state.clone());
    let account = state.accounts.get(&expiring.unit_code);
    let lots = account.into_iter().flat_map(|account| &account.lots);
    decision.change.lot_movements = lots
        .filter(|lot| lot.expire_time == Some(expiring.end) && lot.value_left.is_positive())
        .map(|lot| LotMovement {
            lot_id: lot.lot_id,
            unit_code: expiring.unit_code.clone(),
            value: Points::ZERO,
            expire_time: lot.expire_time,
            slides: lot.slides,
            budget_code: lot.budget_code.clone(),
            begin: None,
        })
        .collect();
    decision
}

#[cfg(test)]
mod tests {
    use super::super::history::{History, Step, unit};
    use super::*;

    #[test]
    fn what_ends_within_the_time_ahead_is_told_by_unit_and_end_and_nothing_else_changes() {
        let mut history = History::new();
        // Held points are not the owner's to lose; those without end and those beyond the time ahead do not end soon.
        for (value, life_hours) in [(5, Some(10)), (7, Some(24)), (9, Some(25)), (11, None)] {
            let credit = Step::Credit {
                unit: 0,
                value,
                life_hours,
            };
            history.decide(&history.command(&credit).unwrap()).unwrap();
        }
        let hold = Step::Hold {
            unit: 0,
            value: 2,
            life_hours: 100,
        };
        history.decide(&history.command(&hold).unwrap()).unwrap();
        let ahead = BTreeMap::from([(unit(0), TimeDelta::hours(24)), (unit(1), TimeDelta::hours(99))]);
        let at = history.at;
        let expiring = history.state.expiring(at, &ahead);
        let told: Vec<_> = expiring
            .iter()
            .map(|it| ((it.end - at).num_hours(), it.value.get()))
            .collect();
        assert_eq!(told, [(10, 3), (24, 7)]);
        assert_eq!(
            history
                .state
                .expiring(at + TimeDelta::hours(10), &BTreeMap::new()),
            []
        );
        let later = history.state.expiring(at + TimeDelta::hours(10), &ahead);
        assert_eq!(later.len(), 2, "at its end it is past: {later:?}");

        let decision = notice(&history.state, &expiring[0]);
        assert_eq!(decision.state.accounts, history.state.accounts);
        assert_eq!(decision.state.version, history.state.version.next().unwrap());
        assert!(decision.change.entries.is_empty() && decision.lots.is_empty() && decision.holds.is_empty());
        let movements: Vec<_> = decision.change.lot_movements.iter().map(|it| it.value).collect();
        assert_eq!(movements, [Points::ZERO]);
    }
}
