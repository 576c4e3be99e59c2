//! Who may share whose account. Pure.

use fealty_types::OwnerId;

use super::{Owner, OwnerKind, OwnerStatus};
use crate::refusal::{Refusal, Unsuitable};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is so already.
    Nothing,
    /// The account changes.
    Change,
}

/// Whether a member may join a household. Points leave the member's account, which a suspended one's do not.
pub fn join(owner: &Owner, household: &Owner) -> Result<Step, Refusal> {
    require_kind(owner, OwnerKind::Member)?;
    require_kind(household, OwnerKind::Household)?;
    for party in [owner, household] {
        require_not_merged(party)?;
    }
    if owner.account_owner_id == Some(household.owner_id) {
        return Ok(Step::Nothing);
    }
    if owner.account_owner_id.is_some() {
        return Err(unsuitable(owner, Unsuitable::InOtherHousehold));
    }
    require_may_give(owner)?;
    require_not_closed(household)?;
    Ok(Step::Change)
}

/// Whether a member may leave the household, whatever it is.
pub fn leave(owner: &Owner) -> Result<Step, Refusal> {
    require_not_merged(owner)?;
    Ok(match owner.account_owner_id {
        None => Step::Nothing,
        Some(_) => Step::Change,
    })
}

/// Whether an owner may be merged into another. Points leave the one's account, which a suspended one's do not.
pub fn merge(from: &Owner, into: &Owner) -> Result<Step, Refusal> {
    if from.merged_into_owner_id == Some(into.owner_id) {
        return Ok(Step::Nothing);
    }
    for party in [from, into] {
        require_not_merged(party)?;
    }
    if from.kind != into.kind {
        return Err(unsuitable(from, Unsuitable::OtherKind));
    }
    require_may_give(from)?;
    require_not_closed(into)?;
    Ok(Step::Change)
}

/// The household in which the owner that stays takes the place of the one that is merged into them, if there is one.
#[must_use]
pub fn place_to_take(from: &Owner, into: &Owner) -> Option<OwnerId> {
    match (from.merged_into_owner_id, into.account_owner_id) {
        (None, None) => from.account_owner_id,
        _ => None,
    }
}

/// Why nothing is changed of an owner who was merged into another.
#[must_use]
pub fn merged(owner: &Owner) -> Refusal {
    unsuitable(owner, Unsuitable::Merged)
}

pub(super) fn unsuitable(owner: &Owner, why: Unsuitable) -> Refusal {
    Refusal::OwnerUnsuitable {
        owner_id: owner.owner_id,
        why,
    }
}

pub(super) fn require_kind(owner: &Owner, kind: OwnerKind) -> Result<(), Refusal> {
    if owner.kind == kind {
        Ok(())
    } else {
        Err(unsuitable(owner, Unsuitable::OtherKind))
    }
}

pub(super) fn require_not_merged(owner: &Owner) -> Result<(), Refusal> {
    if owner.status == OwnerStatus::Merged {
        Err(unsuitable(owner, Unsuitable::Merged))
    } else {
        Ok(())
    }
}

pub(super) fn require_not_closed(owner: &Owner) -> Result<(), Refusal> {
    if owner.status == OwnerStatus::Closed {
        Err(Refusal::OwnerClosed(owner.owner_id))
    } else {
        Ok(())
    }
}

fn require_may_give(owner: &Owner) -> Result<(), Refusal> {
    if owner.status == OwnerStatus::Suspended {
        return Err(Refusal::OwnerSuspended(owner.owner_id));
    }
    require_not_closed(owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn owner(kind: OwnerKind) -> Owner {
        let time = DateTime::UNIX_EPOCH;
        Owner::open(OwnerId::generate_at(time), kind, time)
    }

    fn with_status(kind: OwnerKind, status: OwnerStatus) -> Owner {
        Owner {
            status,
            ..owner(kind)
        }
    }

    fn merged_into(into: &Owner) -> Owner {
        Owner {
            account_owner_id: Some(into.owner_id),
            merged_into_owner_id: Some(into.owner_id),
            ..with_status(into.kind, OwnerStatus::Merged)
        }
    }

    fn why(refused: Result<Step, Refusal>) -> Unsuitable {
        match refused {
            Err(Refusal::OwnerUnsuitable { why, .. }) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_member_joins_one_household_and_only_a_household() {
        let (household, other) = (owner(OwnerKind::Household), owner(OwnerKind::Household));
        let alone = owner(OwnerKind::Member);
        assert_eq!(join(&alone, &household), Ok(Step::Change));
        let joined = Owner {
            account_owner_id: Some(household.owner_id),
            ..alone
        };
        assert_eq!(join(&joined, &household), Ok(Step::Nothing));
        assert_eq!(why(join(&joined, &other)), Unsuitable::InOtherHousehold);
        assert_eq!(why(join(&alone, &alone)), Unsuitable::OtherKind);
        assert_eq!(why(join(&household, &other)), Unsuitable::OtherKind);
        assert_eq!(why(join(&merged_into(&alone), &household)), Unsuitable::Merged);
        assert_eq!(why(join(&alone, &merged_into(&household))), Unsuitable::Merged);
        assert_eq!(leave(&joined), Ok(Step::Change));
        assert_eq!(leave(&alone), Ok(Step::Nothing));
        assert_eq!(why(leave(&merged_into(&alone))), Unsuitable::Merged);
    }

    #[test]
    fn owners_of_one_kind_are_merged_once_and_in_one_direction() {
        let (one, other) = (owner(OwnerKind::Member), owner(OwnerKind::Member));
        assert_eq!(merge(&one, &other), Ok(Step::Change));
        let merged = Owner {
            owner_id: one.owner_id,
            ..merged_into(&other)
        };
        assert_eq!(merge(&merged, &other), Ok(Step::Nothing));
        assert_eq!(why(merge(&other, &merged)), Unsuitable::Merged);
        assert_eq!(why(merge(&merged, &owner(OwnerKind::Member))), Unsuitable::Merged);
        assert_eq!(
            why(merge(&one, &owner(OwnerKind::Partner))),
            Unsuitable::OtherKind
        );
    }

    #[test]
    fn only_who_has_an_account_of_their_own_takes_anothers_place() {
        let (household, other) = (owner(OwnerKind::Household), owner(OwnerKind::Household));
        let alone = owner(OwnerKind::Member);
        let of = |home: &Owner| Owner {
            account_owner_id: Some(home.owner_id),
            ..owner(OwnerKind::Member)
        };
        assert_eq!(place_to_take(&of(&household), &alone), Some(household.owner_id));
        assert_eq!(place_to_take(&of(&household), &of(&other)), None);
        assert_eq!(place_to_take(&of(&household), &of(&household)), None);
        assert_eq!(place_to_take(&alone, &of(&household)), None);
        let merged_before = merged_into(&of(&household));
        assert_eq!(place_to_take(&merged_before, &alone), None);
    }

    #[test]
    fn nothing_leaves_who_is_suspended_and_nothing_comes_to_who_is_closed() {
        let suspended = with_status(OwnerKind::Member, OwnerStatus::Suspended);
        let closed = with_status(OwnerKind::Member, OwnerStatus::Closed);
        let (member, household) = (owner(OwnerKind::Member), owner(OwnerKind::Household));
        let refusal = Err(Refusal::OwnerSuspended(suspended.owner_id));
        assert_eq!(join(&suspended, &household), refusal);
        assert_eq!(merge(&suspended, &member), refusal);
        assert_eq!(merge(&member, &suspended), Ok(Step::Change));
        let refusal = Err(Refusal::OwnerClosed(closed.owner_id));
        assert_eq!(join(&closed, &household), refusal);
        assert_eq!(merge(&closed, &member), refusal);
        assert_eq!(merge(&member, &closed), refusal);
        let shut = with_status(OwnerKind::Household, OwnerStatus::Closed);
        assert_eq!(join(&member, &shut), Err(Refusal::OwnerClosed(shut.owner_id)));
    }
}
