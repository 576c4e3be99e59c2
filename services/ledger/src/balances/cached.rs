//! The form of balances in the cache.

use chrono::{DateTime, Utc};
use fealty_redis::CachedBalances;
use fealty_types::{OwnerId, Points, UnitCode};
use serde::{Deserialize, Serialize};

use super::domain::{OwnerBalance, UnitBalance};

#[derive(Serialize, Deserialize)]
struct CachedUnit {
    unit: UnitCode,
    available: Points,
    debt: Points,
    held: Points,
    end: Option<(DateTime<Utc>, Points)>,
    hold_end: Option<DateTime<Utc>>,
}

impl From<&UnitBalance> for CachedUnit {
    fn from(balance: &UnitBalance) -> Self {
        Self {
            unit: balance.unit_code.clone(),
            available: balance.available,
            debt: balance.debt,
            held: balance.held,
            end: balance.next_end,
            hold_end: balance.next_hold_end,
        }
    }
}

impl From<CachedUnit> for UnitBalance {
    fn from(cached: CachedUnit) -> Self {
        Self {
            unit_code: cached.unit,
            available: cached.available,
            debt: cached.debt,
            held: cached.held,
            next_end: cached.end,
            next_hold_end: cached.hold_end,
        }
    }
}

/// Balances as they are held.
pub(super) fn encode(balance: &OwnerBalance) -> CachedBalances {
    let units: Vec<CachedUnit> = balance.balances.iter().map(CachedUnit::from).collect();
    CachedBalances {
        version: balance.version,
        payload: serde_json::to_string(&units).expect("codes, numbers and times are JSON"),
        true_until: balance.true_until(),
    }
}

/// Balances as they were; `None` for a form that another release wrote: then Postgres is asked.
pub(super) fn decode(owner_id: OwnerId, held: &CachedBalances) -> Option<OwnerBalance> {
    let units: Vec<CachedUnit> = serde_json::from_str(&held.payload).ok()?;
    Some(OwnerBalance {
        owner_id,
        version: held.version,
        balances: units.into_iter().map(UnitBalance::from).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fealty_types::Version;

    #[test]
    fn balances_are_read_as_they_were_written() {
        let balance = OwnerBalance {
            owner_id: OwnerId::generate_at(DateTime::UNIX_EPOCH),
            version: Version::try_new(7).unwrap(),
            balances: vec![UnitBalance {
                unit_code: "points".parse().unwrap(),
                available: Points::new(i64::MAX),
                debt: Points::ZERO,
                held: Points::new(7),
                next_end: Some((DateTime::UNIX_EPOCH, Points::new(1))),
                next_hold_end: Some(DateTime::UNIX_EPOCH),
            }],
        };
        let mut held = encode(&balance);
        assert_eq!(decode(balance.owner_id, &held), Some(balance.clone()));
        held.payload = "[{}]".to_owned();
        assert_eq!(decode(balance.owner_id, &held), None);
    }
}
