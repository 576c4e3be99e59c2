//! What members of a household may do, and how it ends.

use chrono::TimeDelta;
use fealty_proto::ledger::v1::SpendingLimit;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::HouseholdRole::{Adult, Child, Head};
use fealty_proto::members::v1::{HouseholdDissolvePolicy, HouseholdRole, MemberStatus};
use fealty_proto::r#type::v1::ErrorReason;
use tonic::{Code, Response, Status};

use crate::harness::{assert_invalid, assert_refused, eventually, is_replayed, request_id};
use crate::households::{add, create, get, told};
use crate::ledger::Door;
use crate::merges;
use crate::shop::Shop;
use crate::status;

/// Longer than any change is left to its caller.
const LONG: TimeDelta = TimeDelta::minutes(1);

pub fn a_day(value: i64) -> pb::HouseholdSpendingLimit {
    pb::HouseholdSpendingLimit {
        unit_code: "points".to_owned(),
        day_value_max: Some(value),
        month_value_max: None,
    }
}

fn terms(
    household: &pb::Household,
    member: &pb::Member,
    role: HouseholdRole,
) -> pb::SetHouseholdTermsRequest {
    pb::SetHouseholdTermsRequest {
        request_id: request_id(),
        household_id: household.household_id.clone(),
        member_id: member.member_id.clone(),
        role: role.into(),
        spending_limits: Vec::new(),
        by_member_id: String::new(),
    }
}

async fn set(
    shop: &Shop,
    request: pb::SetHouseholdTermsRequest,
) -> Result<Response<pb::SetHouseholdTermsResponse>, Status> {
    shop.world
        .households(&shop.auth)
        .set_household_terms(request)
        .await
}

fn leaving(household: &pb::Household, member: &pb::Member) -> pb::LeaveHouseholdRequest {
    pb::LeaveHouseholdRequest {
        request_id: request_id(),
        household_id: household.household_id.clone(),
        member_id: member.member_id.clone(),
    }
}

async fn leave(
    shop: &Shop,
    request: pb::LeaveHouseholdRequest,
) -> Result<Response<pb::LeaveHouseholdResponse>, Status> {
    shop.world.households(&shop.auth).leave_household(request).await
}

fn dissolving(household: &pb::Household) -> pb::DissolveHouseholdRequest {
    pb::DissolveHouseholdRequest {
        request_id: request_id(),
        household_id: household.household_id.clone(),
        policy: HouseholdDissolvePolicy::ToHead.into(),
        by_member_id: String::new(),
    }
}

async fn dissolve(
    shop: &Shop,
    request: pb::DissolveHouseholdRequest,
) -> Result<Response<pb::DissolveHouseholdResponse>, Status> {
    shop.world
        .households(&shop.auth)
        .dissolve_household(request)
        .await
}

async fn roles(shop: &Shop, household: &pb::Household) -> Vec<HouseholdRole> {
    let now = get(shop, &household.household_id).await.expect("a household");
    now.members.iter().map(pb::HouseholdMember::role).collect()
}

/// A head, an adult and a child, in this order.
async fn family(shop: &Shop) -> (pb::Household, [pb::Member; 3]) {
    let members = [
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
    ];
    let household = create(shop, &members[0]).await;
    add(shop, &household, &members[1]).await;
    let child = pb::AddHouseholdMemberRequest {
        request_id: request_id(),
        household_id: household.household_id.clone(),
        member_id: members[2].member_id.clone(),
        role: Child.into(),
        spending_limits: vec![a_day(5)],
    };
    let added = shop
        .world
        .households(&shop.auth)
        .add_household_member(child)
        .await;
    let household = added.expect("added").into_inner().household.expect("a household");
    (household, members)
}

const NOT_THEIRS: (Code, ErrorReason) = (Code::FailedPrecondition, ErrorReason::HouseholdRoleInsufficient);

#[tokio::test]
async fn b9_a_head_an_adult_and_a_child_may_do_different_things() {
    let shop = Shop::open().await;
    let (household, members) = family(&shop).await;
    let [_, _, child] = &members;
    assert_eq!(roles(&shop, &household).await, [Head, Adult, Child]);
    assert_eq!(household.members[2].spending_limits, [a_day(5)]);
    let told_limit = SpendingLimit {
        unit_code: "points".to_owned(),
        day_value_max: Some(5),
        month_value_max: None,
    };
    assert_eq!(shop.ledger.account(&child.member_id).limits, [told_limit]);
    refused_to_others(&shop, &household, &members).await;
    handed_over_and_left(&shop, &household, &members).await;
}

fn removing(
    household: &pb::Household,
    who: &pb::Member,
    whom: &pb::Member,
) -> pb::RemoveHouseholdMemberRequest {
    pb::RemoveHouseholdMemberRequest {
        request_id: request_id(),
        household_id: household.household_id.clone(),
        member_id: whom.member_id.clone(),
        by_member_id: who.member_id.clone(),
    }
}

async fn refused_to_others(shop: &Shop, household: &pb::Household, [head, adult, child]: &[pb::Member; 3]) {
    let (code, reason) = NOT_THEIRS;
    assert_refused(
        "a child",
        leave(shop, leaving(household, child)).await,
        code,
        reason,
    );
    let mut households = shop.world.households(&shop.auth);
    let removing = |who: &pb::Member| removing(household, who, child);
    let removed = households.remove_household_member(removing(adult)).await;
    assert_refused("an adult", removed, code, reason);
    let raised = pb::SetHouseholdTermsRequest {
        spending_limits: vec![a_day(500)],
        by_member_id: child.member_id.clone(),
        ..terms(household, child, Child)
    };
    assert_refused("themselves", set(shop, raised).await, code, reason);
    let stranger = shop.enrol(&[]).await;
    let removed = households.remove_household_member(removing(&stranger)).await;
    assert_refused("a stranger", removed, code, reason);
    let ended = pb::DissolveHouseholdRequest {
        by_member_id: adult.member_id.clone(),
        ..dissolving(household)
    };
    assert_refused("the end", dissolve(shop, ended).await, code, reason);
    // Nobody stays head without somebody taking the place.
    assert_refused(
        "the head",
        set(shop, terms(household, head, Adult)).await,
        code,
        reason,
    );
}

async fn handed_over_and_left(
    shop: &Shop,
    household: &pb::Household,
    [head, adult, child]: &[pb::Member; 3],
) {
    let (code, reason) = NOT_THEIRS;
    let handed = pb::SetHouseholdTermsRequest {
        by_member_id: head.member_id.clone(),
        ..terms(household, adult, Head)
    };
    set(shop, handed).await.expect("handed over");
    assert_eq!(roles(shop, household).await, [Adult, Head, Child]);
    leave(shop, leaving(household, head))
        .await
        .expect("an adult leaves");
    // Who stays must be of age.
    assert_refused(
        "the last",
        leave(shop, leaving(household, adult)).await,
        code,
        reason,
    );
    shop.world
        .households(&shop.auth)
        .remove_household_member(removing(household, adult, child))
        .await
        .expect("by the head");
    leave(shop, leaving(household, adult))
        .await
        .expect("the last one may");
    let left = get(shop, &household.household_id).await.expect("a household");
    assert!(left.members.is_empty());
}

#[tokio::test]
async fn b9_who_has_belonged_longest_is_the_head_when_the_head_goes() {
    let shop = Shop::open().await;
    let (household, [head, ..]) = family(&shop).await;
    leave(&shop, leaving(&household, &head)).await.expect("left");
    assert_eq!(roles(&shop, &household).await, [Head, Child]);
}

#[tokio::test]
async fn b9_limits_that_the_ledger_was_not_told_do_not_hold_here_either() {
    let (shop, clock) = Shop::open_with_clock().await;
    for mood in status::CUT_OFF {
        let label = format!("{mood:?}");
        let (household, [_, _, child]) = family(&shop).await;
        let request = pb::SetHouseholdTermsRequest {
            spending_limits: vec![a_day(9)],
            ..terms(&household, &child, Child)
        };
        shop.ledger.set_mood_of(Door::Limits, Some(mood));
        let (code, away) = (Code::Unavailable, ErrorReason::DependencyUnavailable);
        assert_refused(&label, set(&shop, request.clone()).await, code, away);
        let limits = async || {
            let now = get(&shop, &household.household_id).await.unwrap();
            let mut members = now.members.into_iter();
            let member = members.find(|it| it.member_id == child.member_id);
            member.expect("there").spending_limits
        };
        assert_eq!(limits().await, [a_day(5)], "{label}");
        shop.ledger.set_mood_of(Door::Limits, None);
        clock.advance(LONG);
        eventually("the job", async || (limits().await == [a_day(9)]).then_some(())).await;
        let held = shop.ledger.account(&child.member_id);
        assert_eq!(held.limits[0].day_value_max, Some(9), "{label}");
        let again = set(&shop, request).await.expect("it is made");
        assert!(is_replayed(&again), "{label}");
        // None is told, too.
        set(&shop, terms(&household, &child, Adult)).await.expect("set");
        assert!(shop.ledger.account(&child.member_id).limits.is_empty(), "{label}");
    }
}

#[tokio::test]
async fn b9_a_household_that_is_dissolved_has_told_the_ledger_first() {
    let (shop, clock) = Shop::open_with_clock().await;
    for mood in status::CUT_OFF {
        let label = format!("{mood:?}");
        let (household, members) = family(&shop).await;
        shop.ledger.credit(&members[1].member_id, 30);
        let request = dissolving(&household);
        shop.ledger.set_mood_of(Door::Dissolve, Some(mood));
        let (code, away) = (Code::Unavailable, ErrorReason::DependencyUnavailable);
        assert_refused(&label, dissolve(&shop, request.clone()).await, code, away);
        assert_eq!(
            get(&shop, &household.household_id).await.unwrap(),
            household,
            "{label}"
        );
        shop.ledger.set_mood_of(Door::Dissolve, None);
        clock.advance(LONG);
        let ended = eventually("the job", async || {
            let now = get(&shop, &household.household_id).await.unwrap();
            now.dissolve_time.is_some().then_some(now)
        })
        .await;
        assert!(ended.members.is_empty(), "{label}");
        assert_eq!(shop.ledger.account(&members[0].member_id).points, 30, "{label}");
        for member in &members {
            assert_eq!(
                shop.get(&member.member_id).await.unwrap().household_id,
                "",
                "{label}"
            );
            let id = household.household_id.clone();
            assert_eq!(
                told(&shop, member).await,
                [(id.clone(), true), (id, false)],
                "{label}"
            );
        }
        dissolve(&shop, request).await.expect("it is over");
        let joining = pb::AddHouseholdMemberRequest {
            request_id: request_id(),
            household_id: household.household_id.clone(),
            member_id: members[0].member_id.clone(),
            ..Default::default()
        };
        let late = shop
            .world
            .households(&shop.auth)
            .add_household_member(joining)
            .await;
        assert_refused(&label, late, Code::FailedPrecondition, ErrorReason::OwnerClosed);
        create(&shop, &members[0]).await;
    }
}

#[tokio::test]
async fn b9_who_takes_anothers_place_takes_it_on_their_terms() {
    let shop = Shop::open().await;
    let (household, [head, adult, child]) = family(&shop).await;
    let second = shop.enrol(&[]).await;
    merges::merge(&shop, &child, &second).await;
    let now = get(&shop, &household.household_id).await.unwrap();
    let taken = now
        .members
        .iter()
        .find(|it| it.member_id == second.member_id)
        .expect("there");
    assert_eq!(
        (taken.role(), taken.spending_limits.as_slice()),
        (Child, [a_day(5)].as_slice())
    );
    assert_eq!(
        shop.ledger.account(&second.member_id).limits[0].day_value_max,
        Some(5)
    );
    // One person by two names in it: who stays is what either was.
    merges::merge(&shop, &head, &adult).await;
    let now = get(&shop, &household.household_id).await.unwrap();
    let stays = now
        .members
        .iter()
        .find(|it| it.member_id == adult.member_id)
        .expect("there");
    assert_eq!(stays.role(), Head);
}

#[tokio::test]
async fn b9_of_two_ends_and_a_leave_at_once_each_member_leaves_once() {
    let shop = Shop::open().await;
    let (household, members) = family(&shop).await;
    let (one, other, left) = tokio::join!(
        dissolve(&shop, dissolving(&household)),
        dissolve(&shop, dissolving(&household)),
        leave(&shop, leaving(&household, &members[1])),
    );
    one.expect("dissolved");
    other.expect("so already");
    // It was first, or there is nothing to leave any more.
    left.expect("left");
    for member in &members {
        assert_eq!(told(&shop, member).await.len(), 2);
    }
}

#[tokio::test]
async fn what_is_malformed_is_named_whole() {
    let shop = Shop::open().await;
    let (household, [head, ..]) = family(&shop).await;
    let fields = ["request_id", "household_id", "member_id", "role"];
    let empty = set(&shop, pb::SetHouseholdTermsRequest::default()).await;
    assert_invalid("terms", empty, &fields);
    let bad = pb::SetHouseholdTermsRequest {
        spending_limits: vec![
            a_day(0),
            a_day(1),
            a_day(2),
            pb::HouseholdSpendingLimit::default(),
        ],
        by_member_id: "me".to_owned(),
        ..terms(&household, &head, Head)
    };
    let fields = [
        "spending_limits[0].day_value_max",
        "spending_limits[3].unit_code",
        "spending_limits[3].day_value_max",
        "by_member_id",
    ];
    assert_invalid("limits", set(&shop, bad).await, &fields);
    let twice = pb::SetHouseholdTermsRequest {
        spending_limits: vec![a_day(1), a_day(2)],
        ..terms(&household, &head, Head)
    };
    assert_invalid(
        "twice",
        set(&shop, twice).await,
        &["spending_limits[1].unit_code"],
    );
    let ended = dissolve(&shop, pb::DissolveHouseholdRequest::default()).await;
    assert_invalid("the end", ended, &["request_id", "household_id", "policy"]);
    let left = leave(&shop, pb::LeaveHouseholdRequest::default()).await;
    assert_invalid("leave", left, &["request_id", "household_id", "member_id"]);
    status::set(&shop, &head, MemberStatus::Suspended).await;
    let by = pb::DissolveHouseholdRequest {
        by_member_id: head.member_id.clone(),
        ..dissolving(&household)
    };
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::MemberNotActive);
    assert_refused("suspended", dissolve(&shop, by).await, code, reason);
}
