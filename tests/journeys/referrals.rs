//! B12: a new member buys, and both sides get what the program gives, once, whatever replicas there are.

use std::time::Duration;

use fealty::services::ServiceName;
use fealty_proto::ledger::v1::{ListTransactionsRequest, TransactionKind};
use fealty_proto::members::v1::enrolment_referral::By;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{
    AddHouseholdMemberRequest, CreateHouseholdRequest, EnrolMemberRequest, EnrolmentReferral,
    GetReferralFactorRequest, GetReferralRequest, IssueReferralCodeRequest, Member, Referral, ReferralAction,
    ReferralSettings, ReferralState, ReportReferralInvitesRequest, ReviewReferralRequest,
    SetReferralSettingsRequest,
};
use fealty_proto::types::v1::consistency::Requirement;
use fealty_tests::bounded::within;
use fealty_tests::replica::Replica;
use fealty_tests::shop::{Shop, UNIT, purchase, request_id};
use fealty_tests::suite::{Options, Suite};
use fealty_types::{Clock, SystemClock};
use futures::future::join_all;
use tokio::time::sleep;

use crate::FEALTY;

const BOUND: Duration = Duration::from_mins(6);
/// What follows from an event takes a job's round, and the machine may be slow.
const ARRIVE_BOUND: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A purchase so small that it earns nothing.
const SMALL_MINOR: i64 = 100;
/// Members whom one brings.
const BROUGHT: usize = 6;

async fn referral_of(shop: &Shop, member: &Member) -> Referral {
    let request = GetReferralRequest {
        member_id: member.member_id.clone(),
    };
    let found = shop.members.get_referral(request).await.expect("a referral");
    found.into_message().referral.expect("it is answered")
}

async fn eventually(shop: &Shop, member: &Member, is_there: impl Fn(&Referral) -> bool) -> Referral {
    let look = async {
        loop {
            let referral = referral_of(shop, member).await;
            if is_there(&referral) {
                return referral;
            }
            sleep(LOOK_AGAIN).await;
        }
    };
    tokio::time::timeout(ARRIVE_BOUND, look)
        .await
        .expect("it arrives")
}

async fn points_of(shop: &Shop, member: &Member) -> i64 {
    let balance = shop
        .balance(&member.member_id, Some(Requirement::Strong(true)))
        .await
        .1;
    balance.available
}

async fn settle(shop: &Shop, same_household: ReferralAction) {
    let hold = ReferralAction::Hold.into();
    let settings = ReferralSettings {
        same_household: same_household.into(),
        same_device: hold,
        same_person: hold,
        same_identifier: hold,
        reward_unit_code: UNIT.to_owned(),
        referrer_value: 50,
        referred_value: 20,
        qualify_within_days: 30,
        link_template: String::new(),
    };
    let request = SetReferralSettingsRequest {
        settings: Some(settings),
    };
    shop.members.set_referral_settings(request).await.expect("set");
}

async fn bring(shop: &Shop, code: &str) -> Member {
    let request = EnrolMemberRequest {
        referral: Some(EnrolmentReferral {
            by: Some(By::Code(code.to_owned())),
            device_id: String::new(),
        }),
        ..shop.enrolment(vec![Value::ExternalId(request_id())])
    };
    let enrolled = shop.members.enrol_member(request).await.expect("enrolled");
    enrolled.into_message().member.expect("it is answered")
}

async fn buy(shop: &Shop, member: &Member) {
    let bought = purchase(&member.member_id, &request_id(), SMALL_MINOR);
    shop.ledger.record_purchase(bought).await.expect("a purchase");
}

async fn credits_of(shop: &Shop, member: &Member) -> usize {
    let request = ListTransactionsRequest {
        owner_id: member.member_id.clone(),
        kinds: vec![TransactionKind::Credit.into()],
        ..ListTransactionsRequest::default()
    };
    let listed = shop.ledger.list_transactions(request).await.expect("a statement");
    listed.into_message().transactions.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn b12_the_first_purchase_gives_both_sides_once_with_two_replicas_at_it() {
    within(
        BOUND,
        Box::pin(async {
            let suite = Suite::start(Options::new(FEALTY));
            let _replica = tokio::task::block_in_place(|| Replica::start(&suite, ServiceName::Members, None));
            let shop = Shop::open(&suite).await;
            settle(&shop, ReferralAction::Hold).await;
            let ana = shop.enrol(vec![Value::ExternalId(request_id())]).await;
            let request = IssueReferralCodeRequest {
                request_id: request_id(),
                member_id: ana.member_id.clone(),
                ..IssueReferralCodeRequest::default()
            };
            let issued = shop.members.issue_referral_code(request).await.expect("a code");
            let code = issued.into_message().referral_code.expect("it is answered").code;
            let request = ReportReferralInvitesRequest {
                request_id: request_id(),
                code: code.clone(),
                invite_count: 12,
            };
            shop.members.report_referral_invites(request).await.expect("sent");

            let brought = join_all((0..BROUGHT).map(|_| bring(&shop, &code))).await;
            // Everybody buys twice: the first counts.
            join_all(brought.iter().map(|member| buy(&shop, member))).await;
            join_all(brought.iter().map(|member| buy(&shop, member))).await;
            let credited = |it: &Referral| it.rewards.len() == 2 && it.rewards.iter().all(|it| it.credited);
            for member in &brought {
                let referral = eventually(&shop, member, credited).await;
                assert_eq!(referral.state(), ReferralState::Qualified);
                assert!(!referral.purchase_id.is_empty());
                assert_eq!(points_of(&shop, member).await, 20);
                assert_eq!(credits_of(&shop, member).await, 1);
            }
            assert_eq!(
                points_of(&shop, &ana).await,
                50 * i64::try_from(BROUGHT).expect("a few")
            );
            assert_eq!(credits_of(&shop, &ana).await, BROUGHT);

            let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
            let now = SystemClock.now().timestamp();
            let window = GetReferralFactorRequest {
                from_time: time(now - 3_600),
                before_time: time(now + 3_600),
            };
            let factor = shop
                .members
                .get_referral_factor(window)
                .await
                .expect("a factor")
                .into_message();
            assert_eq!(
                (factor.invites_per_member.as_str(), factor.conversion.as_str()),
                ("12", "0.5")
            );
            assert_eq!(factor.factor, "6");
        }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b12_who_joined_the_referrers_household_meanwhile_is_held_and_counts_once_somebody_says_so() {
    within(
        BOUND,
        Box::pin(async {
            let shop = Shop::open(crate::suite()).await;
            settle(&shop, ReferralAction::Hold).await;
            let ana = shop.enrol(vec![Value::ExternalId(request_id())]).await;
            let request = IssueReferralCodeRequest {
                request_id: request_id(),
                member_id: ana.member_id.clone(),
                code: "FAMILY".to_owned(),
                device_id: String::new(),
            };
            shop.members.issue_referral_code(request).await.expect("a code");
            let vera = bring(&shop, "family").await;
            let request = CreateHouseholdRequest {
                request_id: request_id(),
                member_id: ana.member_id.clone(),
            };
            let household = shop
                .members
                .create_household(request)
                .await
                .expect("made")
                .into_message();
            let request = AddHouseholdMemberRequest {
                request_id: request_id(),
                household_id: household.household.expect("it is answered").household_id,
                member_id: vera.member_id.clone(),
                ..AddHouseholdMemberRequest::default()
            };
            shop.members.add_household_member(request).await.expect("added");
            buy(&shop, &vera).await;
            let held = eventually(&shop, &vera, |it| it.state() == ReferralState::Held).await;
            assert!(held.rewards.is_empty() && held.purchase_id.is_empty());
            let request = ReviewReferralRequest {
                member_id: vera.member_id.clone(),
                accept: true,
            };
            shop.members.review_referral(request).await.expect("reviewed");
            let credited = |it: &Referral| it.rewards.len() == 2 && it.rewards.iter().all(|it| it.credited);
            let counted = eventually(&shop, &vera, credited).await;
            assert_eq!(counted.state(), ReferralState::Qualified);
            assert_eq!(points_of(&shop, &ana).await, 70, "both use one account");
        }),
    )
    .await;
}
