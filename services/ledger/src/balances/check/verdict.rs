//! What is to be said of a value in the cache, by what the record says. Pure.

use chrono::{DateTime, Utc};
use fealty_redis::CachedBalances;
use fealty_types::{OwnerId, Version};

use super::super::{AccountRead, Known, cached};

/// What is to be said of a value in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It says what the record says.
    Right,
    /// It is older than the record, and not for longer than a write may take to arrive or to be repaired.
    Behind,
    /// It is older than the record, for longer than that.
    Stale,
    /// It says something else than the record, at the same version.
    Wrong,
    /// Nobody has recorded that version.
    Ahead,
    /// Nobody can read it.
    Unreadable,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Right,
        Self::Behind,
        Self::Stale,
        Self::Wrong,
        Self::Ahead,
        Self::Unreadable,
    ];

    /// A short fixed word for metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Behind => "behind",
            Self::Stale => "stale",
            Self::Wrong => "wrong",
            Self::Ahead => "ahead",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether it should not be there: nothing that is under way explains it.
    #[must_use]
    pub const fn is_wrong(self) -> bool {
        !matches!(self, Self::Right | Self::Behind)
    }
}

/// What can be said without asking when it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// No reader gets it any more: time has changed the balances since.
    Ended,
    As(Verdict),
    /// Of this version, and there is a newer one.
    Older(Version),
}

/// Judges what was held (`None` where nobody can read it) by what was read afterwards (`None` where nobody has the owner).
pub(super) fn judge(
    owner_id: OwnerId,
    held: Option<&CachedBalances>,
    read: Option<&AccountRead>,
    now: DateTime<Utc>,
) -> Judged {
    let Some(held) = held else {
        return Judged::As(Verdict::Unreadable);
    };
    let Some(read) = read else {
        return Judged::As(Verdict::Ahead);
    };
    if held.true_until.is_some_and(|end| end <= now) {
        return Judged::Ended;
    }
    if held.version < read.version {
        return Judged::Older(held.version);
    }
    if held.version > read.version {
        return Judged::As(Verdict::Ahead);
    }
    let Some(known) = cached::decode(owner_id, held) else {
        return Judged::As(Verdict::Unreadable);
    };
    let is_right = match (&known, read.redirect()) {
        (Known::Redirect(held), Some(read)) => {
            // Since it was put the account may have gone on, with no version of this owner's.
            held.account_owner_id == read.account_owner_id && held.account_version <= read.account_version
        }
        (Known::Balance(_), None) => {
            let right = Known::Balance(read.balance(now));
            let end_ms = |end: Option<DateTime<Utc>>| end.map(|end| end.timestamp_millis());
            known == right && end_ms(cached::encode(&right).true_until) == end_ms(held.true_until)
        }
        _ => false,
    };
    Judged::As(if is_right { Verdict::Right } else { Verdict::Wrong })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;
    use fealty_types::{LotId, Points};

    use super::*;
    use crate::posting::domain::{Account, Lot, OwnerState};

    fn owner() -> OwnerId {
        OwnerId::generate_at(DateTime::UNIX_EPOCH)
    }

    fn version(number: i64) -> Version {
        Version::try_new(number).unwrap()
    }

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    /// Ten points that end after two hours, and a hundred that never do.
    fn state(number: i64) -> OwnerState {
        let lot = |value, end| Lot {
            lot_id: LotId::generate_at(DateTime::UNIX_EPOCH),
            value_left: Points::new(value),
            value_held: Points::ZERO,
            value_credited: Points::new(value),
            expire_time: end,
            slides: false,
            create_time: DateTime::UNIX_EPOCH,
            budget_code: None,
            wait: None,
        };
        let account = Account {
            available: Points::new(110),
            lots: vec![lot(10, Some(at(2))), lot(100, None)],
            ..Account::default()
        };
        let mut state = OwnerState {
            version: version(number),
            ..OwnerState::opened_at(DateTime::UNIX_EPOCH)
        };
        state.accounts.insert("points".parse().unwrap(), account);
        state
    }

    fn read(number: i64) -> AccountRead {
        let owner_id = owner();
        AccountRead {
            owner_id,
            version: version(number),
            account_owner_id: owner_id,
            state: Arc::new(state(number)),
        }
    }

    /// What was put at some time, judged later.
    fn judged(put: &AccountRead, hours: i64, read: &AccountRead, now: i64) -> Judged {
        let held = cached::encode(&Known::Balance(put.balance(at(hours))));
        judge(read.owner_id, Some(&held), Some(read), at(now))
    }

    #[test]
    fn versions_are_told_apart() {
        let read = read(7);
        let put = |number| AccountRead {
            version: version(number),
            state: Arc::new(state(number)),
            ..read.clone()
        };
        assert_eq!(judged(&put(6), 0, &read, 1), Judged::Older(version(6)));
        assert_eq!(judged(&put(7), 0, &read, 1), Judged::As(Verdict::Right));
        assert_eq!(judged(&put(8), 0, &read, 1), Judged::As(Verdict::Ahead));
        let held = cached::encode(&Known::Balance(read.balance(at(0))));
        let nobody = judge(read.owner_id, Some(&held), None, at(1));
        assert_eq!(nobody, Judged::As(Verdict::Ahead));
        let nothing = judge(read.owner_id, None, Some(&read), at(1));
        assert_eq!(nothing, Judged::As(Verdict::Unreadable));
    }

    #[test]
    fn what_time_itself_has_changed_says_nothing_any_more() {
        let read = read(7);
        assert_eq!(judged(&read, 0, &read, 2), Judged::Ended);
        assert_eq!(judged(&read, 2, &read, 2), Judged::As(Verdict::Right));
    }

    #[test]
    fn other_points_and_another_end_are_wrong() {
        let read = read(7);
        let right = cached::encode(&Known::Balance(read.balance(at(0))));
        let verdict = |held: &CachedBalances| judge(read.owner_id, Some(held), Some(&read), at(1));
        let forged = CachedBalances {
            payload: right.payload.replace("110", "111"),
            ..right.clone()
        };
        assert_ne!(forged, right);
        assert_eq!(verdict(&forged), Judged::As(Verdict::Wrong));
        let shown_for_ever = CachedBalances {
            true_until: None,
            ..right.clone()
        };
        assert_eq!(verdict(&shown_for_ever), Judged::As(Verdict::Wrong));
        let garbled = CachedBalances {
            payload: "{".to_owned(),
            ..right
        };
        assert_eq!(verdict(&garbled), Judged::As(Verdict::Unreadable));
    }

    #[test]
    fn a_redirect_is_right_for_as_long_as_it_leads_there() {
        let account = read(7);
        let member = AccountRead {
            owner_id: owner(),
            version: version(3),
            ..account.clone()
        };
        let redirect = member.redirect().unwrap();
        let verdict = |redirect, read: &AccountRead| {
            let held = cached::encode(&Known::Redirect(redirect));
            judge(member.owner_id, Some(&held), Some(read), at(1))
        };
        assert_eq!(verdict(redirect, &member), Judged::As(Verdict::Right));
        let gone_on = AccountRead {
            state: Arc::new(state(9)),
            ..member.clone()
        };
        assert_eq!(verdict(redirect, &gone_on), Judged::As(Verdict::Right));
        let ahead = crate::balances::Redirect {
            account_version: version(8),
            ..redirect
        };
        assert_eq!(verdict(ahead, &member), Judged::As(Verdict::Wrong));
        let elsewhere = crate::balances::Redirect {
            account_owner_id: owner(),
            ..redirect
        };
        assert_eq!(verdict(elsewhere, &member), Judged::As(Verdict::Wrong));
        let own = AccountRead {
            account_owner_id: member.owner_id,
            state: Arc::new(state(3)),
            ..member.clone()
        };
        assert_eq!(verdict(redirect, &own), Judged::As(Verdict::Wrong));
    }
}
