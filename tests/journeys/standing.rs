//! What members says of somebody, the ledger holds to: status, household, merge.

use std::time::Duration;

use fealty_client::CallError;
use fealty_proto::ledger::v1::{HoldPointsRequest, ReleaseHoldRequest, SpendPointsRequest};
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{
    AddHouseholdMemberRequest, CreateHouseholdRequest, Household, LookupMemberRequest, Member, MemberStatus,
    MergeMembersRequest, RemoveHouseholdMemberRequest, SetMemberStatusRequest,
};
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Amount, ErrorReason};
use fealty_tests::bounded::within;
use fealty_tests::shop::{Shop, UNIT, identifier, purchase, request_id};
use tonic::Code;

use crate::suite;

const BOUND: Duration = Duration::from_mins(3);

/// The price of one point: one per cent of a purchase comes back.
const MINOR_PER_POINT: i64 = 10_000;

async fn earn(shop: &Shop, member: &Member, points: i64) -> Result<(), CallError> {
    let bought = purchase(&member.member_id, &request_id(), points * MINOR_PER_POINT);
    shop.ledger.record_purchase(bought).await.map(drop)
}

async fn member_with(shop: &Shop, points: i64) -> Member {
    let member = shop.enrol(vec![Value::ExternalId(request_id())]).await;
    if points > 0 {
        earn(shop, &member, points).await.expect("a purchase");
    }
    member
}

async fn spend(shop: &Shop, member: &Member, points: i64) -> Result<(), CallError> {
    let request = SpendPointsRequest {
        request_id: request_id(),
        owner_id: member.member_id.clone(),
        amount: Some(amount(points)),
        source: "till-4".to_owned(),
        reason: "on the next purchase".to_owned(),
        ..SpendPointsRequest::default()
    };
    shop.ledger.spend_points(request).await.map(drop)
}

fn amount(points: i64) -> Amount {
    Amount {
        unit_code: UNIT.to_owned(),
        value: points,
    }
}

async fn points_of(shop: &Shop, owner_id: &str) -> i64 {
    shop.balance(owner_id, Some(Requirement::Strong(true)))
        .await
        .1
        .available
}

async fn set_status(shop: &Shop, member: &Member, status: MemberStatus) {
    let request = SetMemberStatusRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        status: status.into(),
        reason: "a stolen card".to_owned(),
    };
    shop.members.set_member_status(request).await.expect("a status");
}

async fn household_of(shop: &Shop, member: &Member) -> Household {
    let request = CreateHouseholdRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
    };
    let made = shop.members.create_household(request).await.expect("a household");
    made.into_message().household.expect("it is answered")
}

fn merging(from: &Member, into: &Member) -> MergeMembersRequest {
    MergeMembersRequest {
        request_id: request_id(),
        from_member_id: from.member_id.clone(),
        into_member_id: into.member_id.clone(),
    }
}

#[track_caller]
fn assert_refused(result: Result<(), CallError>, reason: ErrorReason) {
    let refused = result.expect_err("it is refused");
    let expected = (Code::FailedPrecondition, Some(reason));
    assert_eq!((refused.code, refused.reason), expected, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn b22_points_of_a_stolen_card_cannot_be_spent_from_the_answer_on() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let ana = member_with(&shop, 50).await;
        set_status(&shop, &ana, MemberStatus::Suspended).await;
        assert_refused(spend(&shop, &ana, 1).await, ErrorReason::OwnerSuspended);
        earn(&shop, &ana, 5).await.expect("she still earns");
        set_status(&shop, &ana, MemberStatus::Active).await;
        spend(&shop, &ana, 55).await.expect("they are hers again");
        set_status(&shop, &ana, MemberStatus::Closed).await;
        assert_refused(earn(&shop, &ana, 5).await, ErrorReason::OwnerClosed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a19_who_is_excluded_earns_and_spends_nothing_until_they_are_let_in_again() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let ana = member_with(&shop, 50).await;
        set_status(&shop, &ana, MemberStatus::Excluded).await;
        assert_refused(earn(&shop, &ana, 5).await, ErrorReason::OwnerClosed);
        assert_refused(spend(&shop, &ana, 1).await, ErrorReason::OwnerClosed);
        set_status(&shop, &ana, MemberStatus::Active).await;
        earn(&shop, &ana, 5).await.expect("she earns again");
        spend(&shop, &ana, 55).await.expect("and what she had is hers");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b9_a_household_earns_and_spends_together_and_keeps_what_it_has() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let (ana, vera) = (member_with(&shop, 50).await, member_with(&shop, 20).await);
        let household = household_of(&shop, &ana).await;
        let joining = AddHouseholdMemberRequest {
            request_id: request_id(),
            household_id: household.household_id.clone(),
            member_id: vera.member_id.clone(),
            ..AddHouseholdMemberRequest::default()
        };
        shop.members
            .add_household_member(joining)
            .await
            .expect("she joins");
        for owner_id in [&ana.member_id, &vera.member_id, &household.household_id] {
            assert_eq!(points_of(&shop, owner_id).await, 70);
        }
        spend(&shop, &vera, 60).await.expect("of both");
        earn(&shop, &ana, 7).await.expect("for both");
        assert_eq!(points_of(&shop, &ana.member_id).await, 17);

        let leaving = RemoveHouseholdMemberRequest {
            request_id: request_id(),
            household_id: household.household_id.clone(),
            member_id: ana.member_id.clone(),
            by_member_id: String::new(),
        };
        shop.members
            .remove_household_member(leaving)
            .await
            .expect("she leaves");
        assert_eq!(points_of(&shop, &ana.member_id).await, 0);
        assert_eq!(points_of(&shop, &vera.member_id).await, 17);
        earn(&shop, &ana, 3).await.expect("for herself");
        assert_eq!(points_of(&shop, &ana.member_id).await, 3);
        assert_eq!(points_of(&shop, &household.household_id).await, 17);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_records_of_one_person_one_has_everything_whatever_card_is_shown() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let (old, new) = (member_with(&shop, 40).await, member_with(&shop, 2).await);
        let household = household_of(&shop, &old).await;
        shop.members
            .merge_members(merging(&old, &new))
            .await
            .expect("merged");
        for owner_id in [&old.member_id, &new.member_id, &household.household_id] {
            assert_eq!(points_of(&shop, owner_id).await, 42);
        }
        for member in [&old, &new] {
            let request = LookupMemberRequest {
                identifier: member.identifiers[0].value.clone().map(identifier),
            };
            let found = shop
                .members
                .lookup_member(request)
                .await
                .expect("found")
                .into_message();
            assert_eq!(found.member.expect("it is answered").member_id, new.member_id);
        }
        // A till that kept the old id all this while.
        earn(&shop, &old, 8).await.expect("a purchase");
        spend(&shop, &new, 50).await.expect("all of it");

        // Into somebody who shares an account already.
        let third = member_with(&shop, 5).await;
        shop.members
            .merge_members(merging(&third, &new))
            .await
            .expect("merged");
        assert_eq!(points_of(&shop, &household.household_id).await, 5);
        // And on: all the records are the last one's.
        let last = member_with(&shop, 1).await;
        shop.members
            .merge_members(merging(&new, &last))
            .await
            .expect("merged");
        for member in [&old, &third, &new, &last] {
            assert_eq!(points_of(&shop, &member.member_id).await, 6);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_points_set_aside_is_not_merged_before_they_are_back() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let (old, new) = (member_with(&shop, 40).await, member_with(&shop, 2).await);
        refused_until_released(&shop, &old, merging(&old, &new)).await;
        assert_eq!(points_of(&shop, &new.member_id).await, 42);
        // Nor does one who stays take the other's place in a household.
        let (old, new) = (member_with(&shop, 1).await, member_with(&shop, 40).await);
        let household = household_of(&shop, &old).await;
        refused_until_released(&shop, &new, merging(&old, &new)).await;
        assert_eq!(points_of(&shop, &household.household_id).await, 41);
    })
    .await;
}

/// A merge while ten of the holder's points are set aside: nothing of it happens, and it does once they are back.
async fn refused_until_released(shop: &Shop, holder: &Member, merge: MergeMembersRequest) {
    let before = points_of(shop, &holder.member_id).await;
    let setting_aside = HoldPointsRequest {
        request_id: request_id(),
        owner_id: holder.member_id.clone(),
        amount: Some(amount(10)),
        ..HoldPointsRequest::default()
    };
    let held = shop.ledger.hold_points(setting_aside).await.expect("a hold");
    let refused = shop.members.merge_members(merge.clone()).await;
    let refused = refused.expect_err("points are set aside");
    assert_eq!(refused.code, Code::FailedPrecondition, "{refused}");
    assert_eq!(
        points_of(shop, &holder.member_id).await,
        before - 10,
        "they are apart still"
    );
    set_status(shop, holder, MemberStatus::Active).await;
    let release = ReleaseHoldRequest {
        request_id: request_id(),
        hold_id: held.into_message().hold.expect("it is answered").hold_id,
        ..ReleaseHoldRequest::default()
    };
    shop.ledger.release_hold(release).await.expect("released");
    let merged = shop.members.merge_members(merge).await;
    merged.expect("the same request, once it can be");
}
