//! Who may change what in a household. Pure.

use std::collections::BTreeSet;

use fealty_types::{HouseholdId, MemberId};

use super::{ChangeKind, Home, Plan, Taking};
use crate::households::domain::{DissolvePolicy, HouseholdRole, Seat, Terms};
use crate::people::domain::MemberStatus;
use crate::refusal::{HouseholdRefusal, Refusal};

/// A member leaves, or is taken out.
pub(super) fn plan_leave(
    member: &Taking,
    home: &Home,
    household_id: HouseholdId,
    by: Option<MemberId>,
) -> Result<Option<Plan>, Refusal> {
    let asks = require_may(home, household_id, by, |seat| {
        seat.role == HouseholdRole::Head
            || (seat.member_id == member.member_id && seat.role == HouseholdRole::Adult)
    });
    if member.household_id != Some(household_id) {
        // Whoever has left already may come again with the same wish.
        return if by == Some(member.member_id) {
            Ok(None)
        } else {
            asks.map(|()| None)
        };
    }
    asks?;
    // Who is closed goes whatever becomes of it: they may have to be erased.
    let may_stay = matches!(member.status, MemberStatus::Active | MemberStatus::Suspended);
    let staying = || {
        home.seats
            .iter()
            .filter(|seat| seat.member_id != member.member_id && !seat.is_leaving)
    };
    if may_stay && staying().next().is_some() && staying().all(|seat| seat.role == HouseholdRole::Child) {
        return Err(refused(home, household_id, member.member_id));
    }
    Ok(Some(Plan::plain(ChangeKind::LeaveHousehold { household_id })))
}

/// A member is to have other terms.
pub(super) fn plan_terms(
    member: &Taking,
    home: &Home,
    (household_id, by): (HouseholdId, Option<MemberId>),
    terms: &Terms,
) -> Result<Option<Plan>, Refusal> {
    require_may(home, household_id, by, |seat| seat.role == HouseholdRole::Head)?;
    let seat = home.seats.iter().find(|seat| seat.member_id == member.member_id);
    let seat = seat.ok_or_else(|| refused(home, household_id, member.member_id))?;
    if seat.role == HouseholdRole::Head && terms.role != HouseholdRole::Head {
        // There is always a head: another one takes the place.
        return Err(refused(home, household_id, member.member_id));
    }
    if terms.role == HouseholdRole::Head && member.status != MemberStatus::Active {
        return Err(super::not_active(member));
    }
    if seat.role == terms.role && member.limits == terms.limits {
        return Ok(None);
    }
    Ok(Some(Plan {
        limits: member.limited(&terms.limits)?,
        ..Plan::plain(ChangeKind::HouseholdTerms {
            household_id,
            role: terms.role,
        })
    }))
}

/// A household is to end.
pub(super) fn plan_dissolution(
    head: &Taking,
    home: &Home,
    (household_id, by): (HouseholdId, Option<MemberId>),
    policy: DissolvePolicy,
) -> Result<Plan, Refusal> {
    require_may(home, household_id, by, |seat| seat.role == HouseholdRole::Head)?;
    let also: BTreeSet<MemberId> = home.seats.iter().map(|seat| seat.member_id).collect();
    // Whoever was the head when it was asked need not be it any more.
    let is_head = |seat: &Seat| seat.member_id == head.member_id && seat.role == HouseholdRole::Head;
    if !home.seats.iter().any(is_head) {
        return Err(Refusal::Contended);
    }
    Ok(Plan {
        also,
        ..Plan::plain(ChangeKind::DissolveHousehold { household_id, policy })
    })
}

/// Whether whoever asks may: the program may always.
pub fn require_may(
    home: &Home,
    household_id: HouseholdId,
    by: Option<MemberId>,
    may: impl Fn(&Seat) -> bool,
) -> Result<(), Refusal> {
    let Some(member_id) = by else { return Ok(()) };
    let seat = home.seats.iter().find(|seat| seat.member_id == member_id);
    match seat {
        Some(seat) if may(seat) && seat.status == MemberStatus::Active => Ok(()),
        Some(seat) if may(seat) => Err(Refusal::MemberNotActive {
            member_id,
            status: seat.status,
        }),
        _ => Err(refused(home, household_id, member_id)),
    }
}

fn refused(home: &Home, household_id: HouseholdId, member_id: MemberId) -> Refusal {
    let seat = home.seats.iter().find(|seat| seat.member_id == member_id);
    let refusal = HouseholdRefusal::RoleInsufficient {
        household_id,
        member_id,
        role: seat.map(|seat| seat.role),
    };
    refusal.into()
}
