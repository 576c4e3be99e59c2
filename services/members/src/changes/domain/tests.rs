//! When changes may be made.

use std::slice;

use chrono::DateTime;

use super::*;

fn id() -> MemberId {
    MemberId::generate_at(DateTime::UNIX_EPOCH)
}

fn household() -> HouseholdId {
    HouseholdId::generate_at(DateTime::UNIX_EPOCH)
}

fn member(status: MemberStatus, household_id: Option<HouseholdId>) -> Taking {
    Taking {
        member_id: id(),
        status,
        status_revision: 4,
        household_id,
        limits: Limits::default(),
        limits_revision: 0,
        open_change_id: None,
    }
}

/// A household with so many seats taken.
fn home(seats_taken: usize) -> Home {
    Home {
        seats_taken,
        ..Home::default()
    }
}

fn seat(member: &Taking, role: HouseholdRole) -> Seat {
    Seat {
        member_id: member.member_id,
        role,
        status: member.status,
        is_leaving: false,
    }
}

fn adult() -> Terms {
    Terms {
        role: HouseholdRole::Adult,
        limits: Limits::default(),
    }
}

fn active(household_id: Option<HouseholdId>) -> Taking {
    member(MemberStatus::Active, household_id)
}

fn planned(asked: &Asked, taking: &[Taking]) -> Result<Option<ChangeKind>, Refusal> {
    let planned = plan(asked, taking, &home(1), Uuid::now_v7())?;
    Ok(planned.map(|plan| plan.kind))
}

fn merge(from: &Taking, into: &Taking) -> Result<Option<ChangeKind>, Refusal> {
    let asked = Asked::Merge {
        from_member_id: from.member_id,
        into_member_id: into.member_id,
    };
    planned(&asked, &[from.clone(), into.clone()])
}

#[test]
fn a_status_changes_until_it_is_final_and_each_change_has_the_next_number() {
    use MemberStatus::{Active, Closed, Merged, Suspended};
    for (current, wanted, changes) in [
        (Active, Suspended, true),
        (Active, Closed, true),
        (Suspended, Active, true),
        (Suspended, Closed, true),
        (Active, Active, false),
        (Closed, Closed, false),
    ] {
        let member = member(current, None);
        let asked = Asked::Status {
            member_id: member.member_id,
            status: wanted,
        };
        let expected = changes.then_some(ChangeKind::Status {
            status: wanted,
            status_revision: 5,
        });
        assert_eq!(
            planned(&asked, slice::from_ref(&member)),
            Ok(expected),
            "{current:?} to {wanted:?}"
        );
    }
    for (current, wanted) in [
        (Closed, Active),
        (Closed, Suspended),
        (Merged, Active),
        (Merged, Closed),
    ] {
        let member = member(current, None);
        let asked = Asked::Status {
            member_id: member.member_id,
            status: wanted,
        };
        assert_eq!(
            planned(&asked, slice::from_ref(&member)),
            Err(not_active(&member))
        );
    }
}

#[test]
fn only_two_active_records_are_merged() {
    let ana = active(None);
    assert_eq!(
        merge(&ana, &ana),
        Err(Refusal::MergeRefused {
            member_id: ana.member_id
        })
    );
    for status in [MemberStatus::Suspended, MemberStatus::Closed] {
        let other = member(status, None);
        assert_eq!(merge(&ana, &other), Err(not_active(&other)));
        assert_eq!(merge(&other, &ana), Err(not_active(&other)));
    }
    let merged = member(MemberStatus::Merged, None);
    let refused = Err(Refusal::MergeRefused {
        member_id: merged.member_id,
    });
    assert_eq!(merge(&ana, &merged), refused);
    assert_eq!(merge(&merged, &ana), refused);
}

#[test]
fn a_merge_keeps_the_place_in_a_household_and_never_joins_two() {
    let (one, other) = (household(), household());
    for (from, into, place) in [
        (None, None, None),
        (Some(one), None, Some(one)),
        (None, Some(one), None),
        (Some(one), Some(one), Some(one)),
    ] {
        let (from, into) = (active(from), active(into));
        let expected = ChangeKind::Merge {
            into_member_id: into.member_id,
            household_id: place,
        };
        assert_eq!(merge(&from, &into), Ok(Some(expected)));
    }
    let into = active(Some(other));
    assert_eq!(
        merge(&active(Some(one)), &into),
        Err(Refusal::HouseholdTaken {
            member_id: into.member_id,
            household_id: other
        })
    );
}

#[test]
fn one_belongs_to_one_household_at_a_time() {
    let (one, other) = (household(), household());
    let join = |member: Taking, seats_taken| {
        let asked = Asked::JoinHousehold {
            member_id: member.member_id,
            household_id: one,
            terms: adult(),
            invitation_id: None,
        };
        let planned = plan(&asked, &[member], &home(seats_taken), Uuid::now_v7())?;
        Ok(planned.map(|plan| plan.kind))
    };
    let joining = |role| {
        Ok(Some(ChangeKind::JoinHousehold {
            household_id: one,
            role,
            invitation_id: None,
        }))
    };
    assert_eq!(join(active(None), 0), joining(HouseholdRole::Head));
    assert_eq!(
        join(active(None), HOUSEHOLD_MEMBERS_MAX - 1),
        joining(HouseholdRole::Adult)
    );
    assert_eq!(
        join(active(None), HOUSEHOLD_MEMBERS_MAX),
        Err(Refusal::HouseholdFull {
            count_max: HOUSEHOLD_MEMBERS_MAX
        })
    );
    assert_eq!(join(active(Some(one)), HOUSEHOLD_MEMBERS_MAX), Ok(None));
    let elsewhere = active(Some(other));
    let taken = Err(Refusal::HouseholdTaken {
        member_id: elsewhere.member_id,
        household_id: other,
    });
    assert_eq!(join(elsewhere.clone(), 1), taken);
    let create = Asked::CreateHousehold {
        member_id: elsewhere.member_id,
    };
    assert_eq!(planned(&create, slice::from_ref(&elsewhere)), taken);
    let suspended = member(MemberStatus::Suspended, None);
    assert_eq!(join(suspended.clone(), 1), Err(not_active(&suspended)));
}

#[test]
fn everybody_may_leave_whatever_they_may_still_do() {
    let one = household();
    for status in [
        MemberStatus::Active,
        MemberStatus::Suspended,
        MemberStatus::Closed,
    ] {
        let member = member(status, Some(one));
        let leave = |household_id| Asked::LeaveHousehold {
            member_id: member.member_id,
            household_id,
            by: None,
        };
        let leaving = ChangeKind::LeaveHousehold { household_id: one };
        assert_eq!(planned(&leave(one), slice::from_ref(&member)), Ok(Some(leaving)));
        assert_eq!(planned(&leave(household()), slice::from_ref(&member)), Ok(None));
    }
}

#[test]
fn who_asks_has_to_have_the_role_for_it_and_somebody_of_age_stays() {
    use HouseholdRole::{Adult, Child, Head};
    let one = household();
    let (head, adult, child) = (active(Some(one)), active(Some(one)), active(Some(one)));
    let home = |roles: &[(&Taking, HouseholdRole)]| Home {
        seats: roles.iter().map(|(member, role)| seat(member, *role)).collect(),
        seats_taken: roles.len(),
        is_dissolved: false,
    };
    let leave = |member: &Taking, by: Option<&Taking>, home: &Home| {
        let asked = Asked::LeaveHousehold {
            member_id: member.member_id,
            household_id: one,
            by: by.map(|by| by.member_id),
        };
        plan(&asked, slice::from_ref(member), home, Uuid::now_v7()).map(|plan| plan.is_some())
    };
    let family = home(&[(&head, Head), (&adult, Adult), (&child, Child)]);
    let refused = |member: &Taking, role| {
        let refusal = HouseholdRefusal::RoleInsufficient {
            household_id: one,
            member_id: member.member_id,
            role: Some(role),
        };
        Err(Refusal::Household(refusal))
    };
    assert_eq!(leave(&adult, Some(&adult), &family), Ok(true));
    assert_eq!(leave(&child, Some(&head), &family), Ok(true));
    assert_eq!(leave(&child, Some(&child), &family), refused(&child, Child));
    assert_eq!(leave(&head, Some(&adult), &family), refused(&adult, Adult));
    // The adult stays with the child.
    assert_eq!(leave(&head, None, &family), Ok(true));
    let alone = home(&[(&head, Head), (&child, Child)]);
    assert_eq!(leave(&head, None, &alone), refused(&head, Head));
    let mut leaving = family.clone();
    leaving.seats[1].is_leaving = true;
    assert_eq!(leave(&head, None, &leaving), refused(&head, Head));
    assert_eq!(leave(&head, None, &home(&[(&head, Head)])), Ok(true));
}

#[test]
fn limits_are_told_to_the_ledger_in_the_order_of_their_numbers() {
    let one = household();
    let child = Taking {
        limits_revision: 6,
        ..active(Some(one))
    };
    let family = Home {
        seats: vec![seat(&child, HouseholdRole::Child)],
        ..home(1)
    };
    let with = |terms: Terms| {
        let asked = Asked::HouseholdTerms {
            member_id: child.member_id,
            household_id: one,
            terms,
            by: None,
        };
        plan(&asked, slice::from_ref(&child), &family, Uuid::now_v7()).unwrap()
    };
    let same = Terms {
        role: HouseholdRole::Child,
        ..adult()
    };
    assert_eq!(with(same), None);
    // Also none: that takes back what was said before.
    let told = with(adult()).unwrap().limits.unwrap();
    assert_eq!((told.revision, told.limits.len()), (7, 0));
    let dissolved = Home {
        is_dissolved: true,
        ..family.clone()
    };
    let joining = Asked::JoinHousehold {
        member_id: child.member_id,
        household_id: one,
        terms: adult(),
        invitation_id: None,
    };
    let refused = plan(&joining, slice::from_ref(&child), &dissolved, Uuid::now_v7());
    assert_eq!(refused, Err(Refusal::Household(HouseholdRefusal::Dissolved(one))));
}
