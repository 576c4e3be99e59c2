//! How referrals grow: the tree, the factor, and what is malformed.

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::enrolment_referral::By;

use crate::harness::{assert_invalid, assert_refused, nobodys_id, request_id};
use crate::merges;
use crate::referrals::{MISSING, brought, code_of, enrol, issue, referrals, set};
use crate::shop::Shop;

/// Somebody who brought three, each of whom brought two, each of whom brought one.
async fn grown(shop: &Shop) -> pb::Member {
    let root = shop.enrol(&[]).await;
    let mut level = vec![root.clone()];
    for breadth in [3, 2, 1] {
        let mut next = Vec::new();
        for member in &level {
            for _ in 0..breadth {
                next.push(enrol(shop, brought(By::ReferrerMemberId(member.member_id.clone()), &[])).await);
            }
        }
        level = next;
    }
    root
}

async fn listed_by_pages(shop: &Shop, root: &pb::Member) {
    let list = |page_token: String| pb::ListReferralsRequest {
        referrer_member_id: root.member_id.clone(),
        page_size: 2,
        page_token,
        ..Default::default()
    };
    let first = referrals(shop)
        .list_referrals(list(String::new()))
        .await
        .expect("a page")
        .into_inner();
    let token = first.next_page_token.clone();
    let rest = referrals(shop)
        .list_referrals(list(token))
        .await
        .expect("a page")
        .into_inner();
    assert_eq!(
        (
            first.referrals.len(),
            rest.referrals.len(),
            rest.next_page_token.as_str()
        ),
        (2, 1, "")
    );
}

#[tokio::test]
async fn b12_the_tree_is_told_level_by_level_and_bounded() {
    let shop = Shop::open().await;
    let root = grown(&shop).await;
    let ask = |depth_max, breadth_max| pb::GetReferralTreeRequest {
        member_id: root.member_id.clone(),
        depth_max,
        breadth_max,
    };
    let tree = referrals(&shop)
        .get_referral_tree(ask(0, 0))
        .await
        .unwrap()
        .into_inner();
    let depths: Vec<i32> = tree.nodes.iter().map(|node| node.depth).collect();
    assert_eq!(depths, [vec![1; 3], vec![2; 6], vec![3; 6]].concat());
    assert_eq!((tree.referral_count, tree.has_more), (3, false));
    assert!(
        tree.nodes
            .iter()
            .filter(|node| node.depth == 2)
            .all(|node| node.referral_count == 1)
    );
    let cut = referrals(&shop)
        .get_referral_tree(ask(2, 2))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((cut.nodes.len(), cut.has_more), (2 + 4, true));
    listed_by_pages(&shop, &root).await;

    // Who takes over another's record has brought whom they brought.
    let other = shop.enrol(&[]).await;
    merges::merge(&shop, &root, &other).await;
    let request = pb::GetReferralTreeRequest {
        member_id: other.member_id.clone(),
        ..ask(1, 0)
    };
    let tree = referrals(&shop)
        .get_referral_tree(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(tree.referral_count, 3);
}

#[tokio::test]
async fn b12_a_hundred_who_bring_half_a_member_each_are_a_hundred_and_fifty_then_a_hundred_and_seventy_five()
{
    let shop = Shop::open().await;
    let project = |seed_count, factor: &str, round_count| pb::ProjectReferralsRequest {
        seed_count,
        factor: factor.to_owned(),
        round_count,
    };
    let projected = referrals(&shop)
        .project_referrals(project(100, "0.5", 2))
        .await
        .unwrap();
    assert_eq!(projected.into_inner().member_counts, [150, 175]);
    let wrong = referrals(&shop).project_referrals(project(0, "half", 101)).await;
    assert_invalid("projection", wrong, &["seed_count", "factor", "round_count"]);

    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    for (member, code, count) in [(&ana, "ANAS", 6), (&vera, "VERAS", 2)] {
        code_of(&shop, member, code).await;
        let request = pb::ReportReferralInvitesRequest {
            request_id: request_id(),
            code: code.to_owned(),
            invite_count: count,
        };
        for _ in 0..2 {
            // The same again is not counted twice.
            let reported = referrals(&shop)
                .report_referral_invites(request.clone())
                .await
                .unwrap();
            assert_eq!(
                reported.into_inner().referral_code.unwrap().invite_count,
                i64::from(count)
            );
        }
    }
    let window = pb::GetReferralFactorRequest {
        from_time: Some(prost_types::Timestamp {
            seconds: 1_767_225_600,
            nanos: 0,
        }),
        before_time: Some(prost_types::Timestamp {
            seconds: 1_798_761_600,
            nanos: 0,
        }),
    };
    let factor = referrals(&shop)
        .get_referral_factor(window)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (
            factor.inviting_member_count,
            factor.invite_count,
            factor.qualified_count
        ),
        (2, 8, 0)
    );
    assert_eq!(
        (
            factor.invites_per_member.as_str(),
            factor.conversion.as_str(),
            factor.factor.as_str()
        ),
        ("4", "0", "0")
    );
}

#[tokio::test]
async fn what_is_malformed_or_about_nobody_is_named_whole() {
    let shop = Shop::open().await;
    let issued = issue(
        &shop,
        pb::IssueReferralCodeRequest {
            code: "a b".to_owned(),
            ..Default::default()
        },
    )
    .await;
    assert_invalid("issue", issued, &["request_id", "member_id", "code"]);
    let reported = referrals(&shop)
        .report_referral_invites(pb::ReportReferralInvitesRequest::default())
        .await;
    assert_invalid("report", reported, &["request_id", "code", "invite_count"]);
    let recorded = referrals(&shop)
        .record_referral(pb::RecordReferralRequest::default())
        .await;
    assert_invalid(
        "record",
        recorded,
        &["request_id", "member_id", "referrer_member_id"],
    );
    let listed = referrals(&shop)
        .list_referrals(pb::ListReferralsRequest::default())
        .await;
    assert_invalid("list", listed, &["state"]);
    let bad = pb::ReferralSettings {
        referrer_value: -1,
        referred_value: 5,
        qualify_within_days: 4_000,
        link_template: "https://shop.example".to_owned(),
        ..Default::default()
    };
    let fields = [
        "settings.same_household",
        "settings.same_device",
        "settings.same_person",
        "settings.same_identifier",
        "settings.referrer_value",
        "settings.qualify_within_days",
        "settings.link_template",
        "settings.reward_unit_code",
    ];
    assert_invalid("settings", set(&shop, bad).await, &fields);
    let factor = referrals(&shop)
        .get_referral_factor(pb::GetReferralFactorRequest::default())
        .await;
    assert_invalid("factor", factor, &["from_time", "before_time"]);
    let mut nobody = brought(By::Code(String::new()), &[]);
    assert_invalid(
        "no code",
        shop.try_enrol(nobody.clone()).await,
        &["referral.code"],
    );
    nobody.referral = Some(pb::EnrolmentReferral::default());
    assert_invalid("by nobody", shop.try_enrol(nobody).await, &["referral.by"]);
    let stranger = brought(By::ReferrerMemberId(nobodys_id()), &[]);
    let (code, reason) = MISSING;
    assert_refused("nobody", shop.try_enrol(stranger).await, code, reason);
    let tree = pb::GetReferralTreeRequest {
        member_id: nobodys_id(),
        depth_max: 1,
        breadth_max: 1,
    };
    assert_refused(
        "no tree",
        referrals(&shop).get_referral_tree(tree).await,
        code,
        reason,
    );
}
