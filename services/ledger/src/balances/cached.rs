//! The form of balances in the cache.

use chrono::{DateTime, Utc};
use fealty_redis::CachedBalances;
use fealty_types::{OwnerId, Points, UnitCode, Version};
use serde::{Deserialize, Serialize};

use super::domain::{OwnerBalance, UnitBalance};
use super::{Known, Redirect};

#[derive(Serialize, Deserialize)]
struct CachedUnit {
    unit: UnitCode,
    available: Points,
    debt: Points,
    held: Points,
    pending: Points,
    begin: Option<(DateTime<Utc>, Points)>,
    pending_end: Option<DateTime<Utc>>,
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
            pending: balance.pending,
            begin: balance.next_begin,
            pending_end: balance.next_pending_end,
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
            pending: cached.pending,
            next_begin: cached.begin,
            next_pending_end: cached.pending_end,
            next_end: cached.end,
            next_hold_end: cached.hold_end,
        }
    }
}

/// The payload: a list for what is in an account of one's own, an object for whose account it is otherwise.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Cached {
    Balance(Vec<CachedUnit>),
    Redirect { account: OwnerId, version: Version },
}

/// What is known of an owner, as it is held.
pub(super) fn encode(known: &Known) -> CachedBalances {
    let (version, cached, true_until) = match known {
        Known::Balance(balance) => {
            let units = balance.balances.iter().map(CachedUnit::from).collect();
            (balance.version, Cached::Balance(units), balance.true_until())
        }
        Known::Redirect(redirect) => {
            let cached = Cached::Redirect {
                account: redirect.account_owner_id,
                version: redirect.account_version,
            };
            (redirect.version, cached, None)
        }
    };
    CachedBalances {
        version,
        payload: serde_json::to_string(&cached).expect("codes, ids, numbers and times are JSON"),
        true_until,
    }
}

/// What was known; `None` for a form that another release wrote: then Postgres is asked.
pub(super) fn decode(owner_id: OwnerId, held: &CachedBalances) -> Option<Known> {
    Some(match serde_json::from_str(&held.payload).ok()? {
        Cached::Balance(units) => Known::Balance(OwnerBalance {
            owner_id,
            version: held.version,
            balances: units.into_iter().map(UnitBalance::from).collect(),
        }),
        Cached::Redirect { account, version } => Known::Redirect(Redirect {
            owner_id,
            version: held.version,
            account_owner_id: account,
            account_version: version,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
                pending: Points::new(9),
                next_begin: Some((DateTime::UNIX_EPOCH, Points::new(9))),
                next_pending_end: None,
                next_end: Some((DateTime::UNIX_EPOCH, Points::new(1))),
                next_hold_end: Some(DateTime::UNIX_EPOCH),
            }],
        };
        let owner_id = balance.owner_id;
        let known = Known::Balance(balance);
        let mut held = encode(&known);
        assert_eq!(decode(owner_id, &held), Some(known));
        held.payload = "[{}]".to_owned();
        assert_eq!(decode(owner_id, &held), None);
    }
    #[test]
    fn whose_account_it_is_is_read_as_it_was_written() {
        let owner_id = OwnerId::generate_at(DateTime::UNIX_EPOCH);
        let known = Known::Redirect(Redirect {
            owner_id,
            version: Version::try_new(11).unwrap(),
            account_owner_id: OwnerId::generate_at(DateTime::UNIX_EPOCH),
            account_version: Version::try_new(4).unwrap(),
        });
        assert_eq!(decode(owner_id, &encode(&known)), Some(known));
    }
}
