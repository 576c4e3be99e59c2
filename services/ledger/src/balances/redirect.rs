//! Owners who use another's account, as reads see them. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use fealty_types::{OwnerId, Version};

use super::domain::OwnerBalance;
use crate::posting::domain::OwnerState;

/// What is known of an owner by a version of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// They have an account of their own: this is in it.
    Balance(OwnerBalance),
    /// They use another's.
    Redirect(Redirect),
}

/// An owner who uses another's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Redirect {
    /// Who.
    pub(crate) owner_id: OwnerId,
    /// Their own version. It rises whenever the account changes: each such change is a transaction of theirs.
    pub(crate) version: Version,
    /// Whose account.
    pub(crate) account_owner_id: OwnerId,
    /// The account's version by then. An older one may lack what its new user brought along.
    pub(crate) account_version: Version,
}

impl Known {
    /// Of whom.
    pub(crate) const fn owner_id(&self) -> OwnerId {
        match self {
            Self::Balance(balance) => balance.owner_id,
            Self::Redirect(redirect) => redirect.owner_id,
        }
    }
}

/// An owner and the account that they use, of one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountRead {
    /// Who was asked for.
    pub(crate) owner_id: OwnerId,
    /// Their own version.
    pub(crate) version: Version,
    /// Whose account they use.
    pub(crate) account_owner_id: OwnerId,
    /// What is in it.
    pub(crate) state: Arc<OwnerState>,
}

impl AccountRead {
    /// What is in the account at `at`.
    pub(crate) fn balance(&self, at: DateTime<Utc>) -> OwnerBalance {
        OwnerBalance::of(self.account_owner_id, &self.state, self.not_before(at))
    }

    /// Time never runs backwards for an owner, as little for who looks as for who posts: what has ended once does not come
    /// back because a clock was put back.
    pub(crate) fn not_before(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        at.max(self.state.last_time)
    }

    /// The redirect, if it is another's account.
    pub(crate) fn redirect(&self) -> Option<Redirect> {
        (self.account_owner_id != self.owner_id).then_some(Redirect {
            owner_id: self.owner_id,
            version: self.version,
            account_owner_id: self.account_owner_id,
            account_version: self.state.version,
        })
    }
}

/// The version that a reader has seen, and must not be shown less than.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtLeast {
    /// The number.
    pub version: Version,
    /// Whose number it is. `None` where the reader does not say: it is then taken for the owner's own, and nothing is
    /// answered without asking Postgres that would be too old if it were the account's.
    pub of: Option<OwnerId>,
}

impl AtLeast {
    /// Anything.
    pub(crate) const ANY: Self = Self {
        version: Version::ZERO,
        of: None,
    };

    /// How far the owner's own version must have come.
    pub(crate) fn of_owner(&self, owner_id: OwnerId) -> Version {
        match self.of {
            Some(of) if of != owner_id => Version::ZERO,
            _ => self.version,
        }
    }

    /// How far the account must have come that the owner uses; `None` if the number is of a third owner, whose account
    /// this one uses no more or not yet: only Postgres knows then.
    pub(crate) fn of_account(&self, owner_id: OwnerId, account_owner_id: OwnerId) -> Option<Version> {
        match self.of {
            None => Some(self.version),
            Some(of) if of == account_owner_id => Some(self.version),
            Some(of) if of == owner_id => Some(Version::ZERO),
            Some(_) => None,
        }
    }

    /// Whether what was read is surely new enough, whenever it was read.
    pub(crate) fn is_covered_by(&self, read: &AccountRead) -> bool {
        let account = self.of_account(read.owner_id, read.account_owner_id);
        read.version >= self.of_owner(read.owner_id)
            && account.is_some_and(|version| read.state.version >= version)
    }

    /// Whether the version was ever written, as seen by a read that began after it was asked for: such a read shows all
    /// that was.
    pub(crate) fn is_reached_by(&self, read: &AccountRead) -> bool {
        match self.of {
            None => read.version.max(read.state.version) >= self.version,
            Some(of) if of == read.owner_id => read.version >= self.version,
            Some(of) if of == read.account_owner_id => read.state.version >= self.version,
            Some(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fealty_types::OwnerId;

    fn owner() -> OwnerId {
        OwnerId::generate_at(DateTime::UNIX_EPOCH)
    }

    fn version(number: i64) -> Version {
        Version::try_new(number).unwrap()
    }

    fn read(owner_id: OwnerId, own: i64, account_owner_id: OwnerId, account: i64) -> AccountRead {
        let state = OwnerState {
            version: version(account),
            ..OwnerState::opened_at(DateTime::UNIX_EPOCH)
        };
        AccountRead {
            owner_id,
            version: version(own),
            account_owner_id,
            state: Arc::new(state),
        }
    }

    fn judged(read: &AccountRead, number: i64, of: Option<OwnerId>) -> (bool, bool) {
        let asked = AtLeast {
            version: version(number),
            of,
        };
        (asked.is_covered_by(read), asked.is_reached_by(read))
    }

    #[test]
    fn a_number_without_a_name_may_be_the_owners_or_the_accounts() {
        let (member, household) = (owner(), owner());
        let read = read(member, 10, household, 4);
        assert_eq!(judged(&read, 4, None), (true, true));
        assert_eq!(judged(&read, 5, None), (false, true));
        assert_eq!(judged(&read, 10, None), (false, true));
        assert_eq!(judged(&read, 11, None), (false, false));
    }

    #[test]
    fn a_number_with_a_name_is_measured_by_that_owner() {
        let (member, household) = (owner(), owner());
        let read = read(member, 10, household, 4);
        assert_eq!(judged(&read, 10, Some(member)), (true, true));
        assert_eq!(judged(&read, 11, Some(member)), (false, false));
        assert_eq!(judged(&read, 4, Some(household)), (true, true));
        assert_eq!(judged(&read, 5, Some(household)), (false, false));
        // Of an account that is not used any more: every fresh read is newer.
        assert_eq!(judged(&read, 900, Some(owner())), (false, true));
    }

    #[test]
    fn nobody_looks_at_an_owner_earlier_than_the_newest_change() {
        let member = owner();
        let read = read(member, 3, member, 3);
        let hour = chrono::TimeDelta::hours(1);
        assert_eq!(read.not_before(DateTime::UNIX_EPOCH - hour), DateTime::UNIX_EPOCH);
        assert_eq!(
            read.not_before(DateTime::UNIX_EPOCH + hour),
            DateTime::UNIX_EPOCH + hour
        );
    }

    #[test]
    fn of_an_account_of_ones_own_there_is_one_number() {
        let member = owner();
        let read = read(member, 3, member, 3);
        for of in [None, Some(member)] {
            assert_eq!(judged(&read, 3, of), (true, true));
            assert_eq!(judged(&read, 4, of), (false, false));
        }
        assert_eq!(read.redirect(), None);
    }
}
