//! When changes may be made.

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
        open_change_id: None,
    }
}

fn active(household_id: Option<HouseholdId>) -> Taking {
    member(MemberStatus::Active, household_id)
}

fn planned(asked: &Asked, taking: &[Taking]) -> Result<Option<ChangeKind>, Refusal> {
    plan(asked, taking, 1, Uuid::now_v7())
}

fn merge(from: Taking, into: Taking) -> Result<Option<ChangeKind>, Refusal> {
    let asked = Asked::Merge {
        from_member_id: from.member_id,
        into_member_id: into.member_id,
    };
    planned(&asked, &[from, into])
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
            planned(&asked, &[member]),
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
        assert_eq!(planned(&asked, &[member]), Err(not_active(&member)));
    }
}

#[test]
fn only_two_active_records_are_merged() {
    let ana = active(None);
    assert_eq!(
        merge(ana, ana),
        Err(Refusal::MergeRefused {
            member_id: ana.member_id
        })
    );
    for status in [MemberStatus::Suspended, MemberStatus::Closed] {
        let other = member(status, None);
        assert_eq!(merge(ana, other), Err(not_active(&other)));
        assert_eq!(merge(other, ana), Err(not_active(&other)));
    }
    let merged = member(MemberStatus::Merged, None);
    let refused = Err(Refusal::MergeRefused {
        member_id: merged.member_id,
    });
    assert_eq!(merge(ana, merged), refused);
    assert_eq!(merge(merged, ana), refused);
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
        assert_eq!(merge(from, into), Ok(Some(expected)));
    }
    let into = active(Some(other));
    assert_eq!(
        merge(active(Some(one)), into),
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
        };
        plan(&asked, &[member], seats_taken, Uuid::now_v7())
    };
    let joining = Ok(Some(ChangeKind::JoinHousehold { household_id: one }));
    assert_eq!(join(active(None), HOUSEHOLD_MEMBERS_MAX - 1), joining);
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
    assert_eq!(join(elsewhere, 1), taken);
    let create = Asked::CreateHousehold {
        member_id: elsewhere.member_id,
    };
    assert_eq!(planned(&create, &[elsewhere]), taken);
    let suspended = member(MemberStatus::Suspended, None);
    assert_eq!(join(suspended, 1), Err(not_active(&suspended)));
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
        };
        let leaving = ChangeKind::LeaveHousehold { household_id: one };
        assert_eq!(planned(&leave(one), &[member]), Ok(Some(leaving)));
        assert_eq!(planned(&leave(household()), &[member]), Ok(None));
    }
}
