//! B9: a household with a shared card, from the invitation to its end, by both services.

use std::time::Duration;

use fealty_client::CallError;
use fealty_proto::ledger::v1::SpendPointsRequest;
use fealty_proto::members::v1::enrolment_referral::By;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{
    AcceptHouseholdInvitationRequest, CreateHouseholdRequest, DissolveHouseholdRequest, EnrolMemberRequest,
    EnrolmentReferral, GetReferralRequest, Household, HouseholdDissolvePolicy, HouseholdRole,
    HouseholdSpendingLimit, InviteToHouseholdRequest, LeaveHouseholdRequest, LookupMemberRequest, Member,
    SetHouseholdTermsRequest,
};
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Amount, ErrorReason};
use fealty_tests::bounded::within;
use fealty_tests::process::Process;
use fealty_tests::shop::{Shop, UNIT, identifier, purchase, request_id};
use futures::future::join_all;

use crate::suite;

const BOUND: Duration = Duration::from_mins(4);
/// `fealty verify` walks over everything that other tests have left, too.
const VERIFY_BOUND: Duration = Duration::from_mins(2);
/// The price of one point: one per cent of a purchase comes back.
const MINOR_PER_POINT: i64 = 10_000;

async fn spend(shop: &Shop, member: &Member, points: i64) -> Result<(), CallError> {
    let request = SpendPointsRequest {
        request_id: request_id(),
        owner_id: member.member_id.clone(),
        amount: Some(Amount {
            unit_code: UNIT.to_owned(),
            value: points,
        }),
        source: "till-4".to_owned(),
        reason: "on the next purchase".to_owned(),
        ..SpendPointsRequest::default()
    };
    shop.ledger.spend_points(request).await.map(drop)
}

async fn earn(shop: &Shop, member_id: &str, points: i64) {
    let bought = purchase(member_id, &request_id(), points * MINOR_PER_POINT);
    shop.ledger.record_purchase(bought).await.expect("a purchase");
}

async fn points_of(shop: &Shop, owner_id: &str) -> i64 {
    let balance = shop.balance(owner_id, Some(Requirement::Strong(true))).await.1;
    balance.available
}

async fn household_of(shop: &Shop, head: &Member) -> Household {
    let request = CreateHouseholdRequest {
        request_id: request_id(),
        member_id: head.member_id.clone(),
    };
    let made = shop.members.create_household(request).await.expect("made");
    made.into_message().household.expect("it is answered")
}

/// A child joins with so many points a day to spend, by an invitation.
async fn joins(shop: &Shop, household: &Household, child: &Member, day_value_max: i64) {
    let request = InviteToHouseholdRequest {
        request_id: request_id(),
        household_id: household.household_id.clone(),
        member_id: child.member_id.clone(),
        by_member_id: household.member_ids[0].clone(),
        role: HouseholdRole::Child.into(),
        spending_limits: vec![HouseholdSpendingLimit {
            unit_code: UNIT.to_owned(),
            day_value_max: Some(day_value_max),
            month_value_max: None,
        }],
        expire_time: None,
    };
    let invited = shop.members.invite_to_household(request).await.expect("invited");
    let invitation = invited.into_message().invitation.expect("it is answered");
    let request = AcceptHouseholdInvitationRequest {
        request_id: request_id(),
        invitation_id: invitation.invitation_id,
        member_id: child.member_id.clone(),
    };
    shop.members
        .accept_household_invitation(request)
        .await
        .expect("accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn b9_a_relative_buys_with_the_card_on_one_account_and_the_card_brings_new_customers() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let number = "4539148803436467".to_owned();
        let holder = shop.enrol(vec![Value::CardNumber(number.clone())]).await;
        let household = household_of(&shop, &holder).await;

        // Whoever shows the card is led to the account: a relative, and a new customer.
        let shown = LookupMemberRequest {
            identifier: Some(identifier(Value::CardNumber(number.clone()))),
        };
        let found = shop
            .members
            .lookup_member(shown)
            .await
            .expect("found")
            .into_message();
        earn(&shop, &found.member.expect("it is answered").member_id, 30).await;
        let request = EnrolMemberRequest {
            referral: Some(EnrolmentReferral {
                by: Some(By::CardNumber(number)),
                device_id: String::new(),
            }),
            ..shop.enrolment(vec![Value::ExternalId(request_id())])
        };
        let relative = shop.members.enrol_member(request).await.expect("enrolled");
        let relative = relative.into_message().member.expect("it is answered");
        let request = GetReferralRequest {
            member_id: relative.member_id.clone(),
        };
        let referral = shop.members.get_referral(request).await.expect("a referral");
        let referral = referral.into_message().referral.expect("it is answered");
        assert_eq!(referral.referrer_member_id, holder.member_id);

        joins(&shop, &household, &relative, 1_000).await;
        earn(&shop, &relative.member_id, 12).await;
        for owner_id in [&holder.member_id, &relative.member_id, &household.household_id] {
            assert_eq!(points_of(&shop, owner_id).await, 42, "one account");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b9_a_child_spends_within_the_limit_leaves_or_spends_and_the_books_balance_in_the_end() {
    within(BOUND, async {
        let shop = Shop::open(suite()).await;
        let head = shop.enrol(vec![Value::ExternalId(request_id())]).await;
        let household = household_of(&shop, &head).await;
        let child = shop.enrol(vec![Value::ExternalId(request_id())]).await;
        joins(&shop, &household, &child, 10).await;
        earn(&shop, &head.member_id, 100).await;
        let spends = join_all((0..8).map(|_| spend(&shop, &child, 3))).await;
        assert_eq!(spends.iter().filter(|spend| spend.is_ok()).count(), 3);
        for refused in spends.into_iter().filter_map(Result::err) {
            assert_eq!(
                refused.reason,
                Some(ErrorReason::SpendingLimitReached),
                "{refused}"
            );
        }
        assert_eq!(points_of(&shop, &head.member_id).await, 91);

        // Who leaves while they spend has spent of the household's, or of nothing.
        let adult = shop.enrol(vec![Value::ExternalId(request_id())]).await;
        joins(&shop, &household, &adult, 1_000).await;
        let request = SetHouseholdTermsRequest {
            request_id: request_id(),
            household_id: household.household_id.clone(),
            member_id: adult.member_id.clone(),
            role: HouseholdRole::Adult.into(),
            ..SetHouseholdTermsRequest::default()
        };
        shop.members.set_household_terms(request).await.expect("an adult");
        let leaving = LeaveHouseholdRequest {
            request_id: request_id(),
            household_id: household.household_id.clone(),
            member_id: adult.member_id.clone(),
        };
        let (left, spends) = tokio::join!(
            shop.members.leave_household(leaving),
            join_all((0..5).map(|_| spend(&shop, &adult, 1))),
        );
        left.expect("left");
        let spent = spends.iter().filter(|spend| spend.is_ok()).count();
        let left = 91 - i64::try_from(spent).expect("a few");
        assert_eq!(points_of(&shop, &household.household_id).await, left);
        assert_eq!(points_of(&shop, &adult.member_id).await, 0);

        let request = DissolveHouseholdRequest {
            request_id: request_id(),
            household_id: household.household_id.clone(),
            policy: HouseholdDissolvePolicy::EqualShares.into(),
            by_member_id: head.member_id.clone(),
        };
        let ended = shop.members.dissolve_household(request).await.expect("dissolved");
        let ended = ended.into_message().household.expect("it is answered");
        assert!(ended.members.is_empty() && ended.dissolve_time.is_some());
        let shares = (
            points_of(&shop, &head.member_id).await,
            points_of(&shop, &child.member_id).await,
        );
        assert_eq!(shares, (left - left / 2, left / 2));
        spend(&shop, &child, left / 2)
            .await
            .expect("of their own as they like");
        let mut command = suite().command();
        command.args(["verify", "--program", &shop.program_id.to_string(), "--data-dir"]);
        command.arg(suite().data_dir());
        let verified =
            tokio::task::spawn_blocking(move || Process::start("verify", command, None).wait(VERIFY_BOUND));
        verified.await.expect("it ran").assert_success();
    })
    .await;
}
