//! How a household ends. Pure.

use fealty_types::OwnerId;

use super::joining::{require_kind, require_not_closed, require_not_merged, unsuitable};
use super::{Owner, OwnerKind, OwnerStatus, Redirection};
use crate::refusal::{Refusal, Unsuitable};

/// What becomes of what a household has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DissolvePolicy {
    /// The heir has all of it.
    ToHeir,
    /// Everybody has the same share of what is available; the heir has the rest.
    EqualShares,
}

/// What the end of a household comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dissolution {
    /// The household, which is closed, and everybody who used its account.
    pub redirections: Vec<Redirection>,
    /// Who has a share beside the heir, in the order of their ids.
    pub sharing: Vec<OwnerId>,
}

/// Ends a household of which `others` are all who are concerned; `None` if it is over already.
pub fn dissolve(
    household: &Owner,
    heir: &Owner,
    policy: DissolvePolicy,
    others: &[Owner],
) -> Result<Option<Dissolution>, Refusal> {
    require_kind(household, OwnerKind::Household)?;
    require_not_merged(household)?;
    // Households that were merged into this one stay what they are: names of it.
    let mut users: Vec<&Owner> = others
        .iter()
        .filter(|other| other.account_owner_id == Some(household.owner_id))
        .filter(|other| other.merged_into_owner_id != Some(household.owner_id))
        .collect();
    if household.status == OwnerStatus::Closed && users.is_empty() {
        return Ok(None);
    }
    require_not_merged(heir)?;
    if heir.account_owner_id != Some(household.owner_id) {
        return Err(unsuitable(heir, Unsuitable::NotInHousehold));
    }
    require_not_closed(heir)?;
    users.sort_by_key(|user| user.owner_id);
    let shares = |user: &&&Owner| {
        policy == DissolvePolicy::EqualShares
            && user.owner_id != heir.owner_id
            && !matches!(user.status, OwnerStatus::Closed | OwnerStatus::Merged)
    };
    let closed = Redirection {
        status: OwnerStatus::Closed,
        ..Redirection::of(household, household.owner_id)
    };
    let at_home = users.iter().map(|user| {
        let meant = user.merged_into_owner_id.unwrap_or(user.owner_id);
        Redirection::of(user, meant)
    });
    Ok(Some(Dissolution {
        redirections: std::iter::once(closed).chain(at_home).collect(),
        sharing: users.iter().filter(shares).map(|user| user.owner_id).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn owner(kind: OwnerKind) -> Owner {
        let time = DateTime::UNIX_EPOCH;
        Owner::open(OwnerId::generate_at(time), kind, time)
    }

    fn at_home(household: &Owner) -> Owner {
        Owner {
            account_owner_id: Some(household.owner_id),
            ..owner(OwnerKind::Member)
        }
    }

    #[test]
    fn everybody_goes_home_and_who_is_closed_has_no_share() {
        let household = owner(OwnerKind::Household);
        let (heir, other) = (at_home(&household), at_home(&household));
        let closed = Owner {
            status: OwnerStatus::Closed,
            ..at_home(&household)
        };
        let merged = Owner {
            status: OwnerStatus::Merged,
            merged_into_owner_id: Some(other.owner_id),
            ..at_home(&household)
        };
        let all = [household, heir, other, closed, merged];
        let dissolution = dissolve(&household, &heir, DissolvePolicy::EqualShares, &all)
            .unwrap()
            .unwrap();
        assert_eq!(dissolution.sharing, [other.owner_id]);
        assert_eq!(dissolution.redirections.len(), all.len());
        let account = |owner: &Owner| {
            let mut all = dissolution.redirections.iter();
            let found = all.find(|it| it.owner_id == owner.owner_id).unwrap();
            (found.account_owner_id, found.status)
        };
        assert_eq!(account(&household), (None, OwnerStatus::Closed));
        assert_eq!(account(&heir), (None, OwnerStatus::Active));
        assert_eq!(account(&merged), (Some(other.owner_id), OwnerStatus::Merged));
        let to_heir = dissolve(&household, &heir, DissolvePolicy::ToHeir, &all).unwrap();
        assert_eq!(to_heir.unwrap().sharing, []);
    }

    #[test]
    fn only_who_uses_the_account_inherits_and_what_is_over_is_over() {
        let household = owner(OwnerKind::Household);
        let stranger = owner(OwnerKind::Member);
        let refused = dissolve(
            &household,
            &stranger,
            DissolvePolicy::ToHeir,
            &[household, stranger],
        );
        let why = Unsuitable::NotInHousehold;
        let owner_id = stranger.owner_id;
        assert_eq!(refused, Err(Refusal::OwnerUnsuitable { owner_id, why }));
        let over = Owner {
            status: OwnerStatus::Closed,
            ..household
        };
        assert_eq!(
            dissolve(&over, &stranger, DissolvePolicy::ToHeir, &[over, stranger]),
            Ok(None)
        );
    }
}
