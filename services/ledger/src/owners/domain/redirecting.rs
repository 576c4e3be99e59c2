//! Who uses which account once a household was joined or left, or owners were merged. Pure.

use fealty_types::OwnerId;

use super::{Owner, OwnerStatus};

/// An owner as they will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirection {
    /// Who.
    pub owner_id: OwnerId,
    /// Whose account they use; `None` for their own.
    pub account_owner_id: Option<OwnerId>,
    /// Who is meant wherever they are named.
    pub merged_into_owner_id: Option<OwnerId>,
    /// What they may do.
    pub status: OwnerStatus,
}

impl Redirection {
    pub(super) fn of(owner: &Owner, account_owner_id: OwnerId) -> Self {
        Self {
            owner_id: owner.owner_id,
            account_owner_id: Some(account_owner_id).filter(|account| *account != owner.owner_id),
            merged_into_owner_id: owner.merged_into_owner_id,
            status: owner.status,
        }
    }
}

/// An owner uses another account: so do all who were merged into them.
#[must_use]
pub fn redirect(owner: &Owner, account_owner_id: OwnerId, others: &[Owner]) -> Vec<Redirection> {
    let merged = others
        .iter()
        .filter(|other| other.merged_into_owner_id == Some(owner.owner_id));
    std::iter::once(owner)
        .chain(merged)
        .map(|owner| Redirection::of(owner, account_owner_id))
        .collect()
}

/// An owner is merged into another: whoever was merged into the one, or used their account, goes along, so that nobody is
/// led further than once.
#[must_use]
pub fn redirect_merged(from: &Owner, into: &Owner, others: &[Owner]) -> Vec<Redirection> {
    let account_owner_id = into.account_owner_id();
    let merged = Redirection {
        merged_into_owner_id: Some(into.owner_id),
        status: OwnerStatus::Merged,
        ..Redirection::of(from, account_owner_id)
    };
    let followers = others.iter().filter_map(|other| {
        let before = Redirection::of(other, account_owner_id);
        if other.merged_into_owner_id == Some(from.owner_id) {
            Some(Redirection {
                merged_into_owner_id: Some(into.owner_id),
                ..before
            })
        } else {
            (other.account_owner_id == Some(from.owner_id)).then_some(before)
        }
    });
    std::iter::once(merged).chain(followers).collect()
}

#[cfg(test)]
mod tests {
    use super::super::OwnerKind;
    use super::*;
    use chrono::DateTime;

    fn owner() -> Owner {
        let time = DateTime::UNIX_EPOCH;
        Owner::open(OwnerId::generate_at(time), OwnerKind::Member, time)
    }

    fn using(account: &Owner) -> Owner {
        Owner {
            account_owner_id: Some(account.owner_id),
            ..owner()
        }
    }

    fn merged(into: &Owner) -> Owner {
        Owner {
            account_owner_id: Some(into.account_owner_id()),
            merged_into_owner_id: Some(into.owner_id),
            status: OwnerStatus::Merged,
            ..owner()
        }
    }

    fn told(redirections: &[Redirection]) -> Vec<(OwnerId, Option<OwnerId>, Option<OwnerId>, OwnerStatus)> {
        let told = redirections.iter();
        told.map(|it| {
            (
                it.owner_id,
                it.account_owner_id,
                it.merged_into_owner_id,
                it.status,
            )
        })
        .collect()
    }

    #[test]
    fn who_was_merged_into_somebody_goes_with_them_and_comes_back_with_them() {
        let (household, member, stranger) = (owner(), owner(), owner());
        let before = merged(&member);
        let (home, me) = (Some(household.owner_id), Some(member.owner_id));
        let joined = redirect(&member, household.owner_id, &[before, stranger]);
        let expected = [
            (member.owner_id, home, None, OwnerStatus::Active),
            (before.owner_id, home, me, OwnerStatus::Merged),
        ];
        assert_eq!(told(&joined), expected);
        let left = redirect(&member, member.owner_id, &[before]);
        let expected = [
            (member.owner_id, None, None, OwnerStatus::Active),
            (before.owner_id, me, me, OwnerStatus::Merged),
        ];
        assert_eq!(told(&left), expected);
    }

    #[test]
    fn a_chain_of_merges_is_one_step_long() {
        let (household, from) = (owner(), owner());
        let into = using(&household);
        let earlier = merged(&from);
        let (home, survivor) = (Some(household.owner_id), Some(into.owner_id));
        let merged = redirect_merged(&from, &into, &[earlier, into]);
        let expected = [
            (from.owner_id, home, survivor, OwnerStatus::Merged),
            (earlier.owner_id, home, survivor, OwnerStatus::Merged),
        ];
        assert_eq!(told(&merged), expected);
    }

    #[test]
    fn members_of_a_household_that_is_merged_move_house_and_stay_who_they_are() {
        let (from, into) = (owner(), owner());
        let member = using(&from);
        let merged = redirect_merged(&from, &into, &[member]);
        let new = Some(into.owner_id);
        let expected = [
            (from.owner_id, new, new, OwnerStatus::Merged),
            (member.owner_id, new, None, OwnerStatus::Active),
        ];
        assert_eq!(told(&merged), expected);
    }
}
