//! `SetMemberTier`, and what is kept of it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::{Clock, ManualClock, SystemClock};
use tonic::{Code, Response, Status};

use crate::harness::{assert_invalid, assert_refused, is_replayed, nobodys_id, request_id};
use crate::shop::Shop;

fn into_tier(member: &pb::Member, tier_code: &str) -> pb::SetMemberTierRequest {
    pb::SetMemberTierRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        tier_code: tier_code.to_owned(),
        reason: "spent 1,000 pounds".to_owned(),
    }
}

async fn try_set(
    shop: &Shop,
    request: pb::SetMemberTierRequest,
) -> Result<Response<pb::SetMemberTierResponse>, Status> {
    shop.world.members(&shop.auth).set_member_tier(request).await
}

async fn set(shop: &Shop, request: pb::SetMemberTierRequest) -> pb::Member {
    let answer = try_set(shop, request).await.expect("set");
    answer.into_inner().member.expect("a member")
}

/// What is kept of the tiers of everybody: number, tier, time, who, and whether there is a reason.
async fn history(shop: &Shop) -> Vec<(i64, Option<String>, DateTime<Utc>, String, bool)> {
    sqlx::query_as(
        "SELECT revision, tier_code, set_time, actor, reason IS NOT NULL FROM member_tier ORDER BY revision",
    )
    .fetch_all(&shop.world.database.owner)
    .await
    .expect("a history")
}

#[tokio::test]
async fn a_member_is_put_into_a_tier_and_out_of_it_and_all_of_it_is_kept() {
    let clock = ManualClock::new(SystemClock.now());
    let shop = Shop::open_without_policy(Arc::new(clock.clone())).await;
    shop.publish("The terms.").await;
    let ana = shop.enrol(&[]).await;
    assert_eq!(ana.tier_code, "");
    let mut times = Vec::new();
    for (tier_code, reason) in [("silver", "spent"), ("gold", "spent"), ("", "")] {
        clock.advance(TimeDelta::days(1));
        times.push(clock.now());
        let request = pb::SetMemberTierRequest {
            reason: reason.to_owned(),
            ..into_tier(&ana, tier_code)
        };
        let changed = set(&shop, request).await;
        assert_eq!(changed.tier_code, tier_code);
        assert_eq!(shop.get(&ana.member_id).await.unwrap(), changed);
        assert_ne!(changed.etag, ana.etag);
    }
    let kept = history(&shop).await;
    let tiers: Vec<_> = kept
        .iter()
        .map(|one| (one.0, one.1.as_deref(), one.2, one.4))
        .collect();
    let expected = [
        (1, Some("silver"), times[0], true),
        (2, Some("gold"), times[1], true),
        (3, None, times[2], false),
    ];
    assert_eq!(tiers, expected);
    assert!(kept.iter().all(|one| one.3.starts_with("key:")), "{kept:?}");
}

#[tokio::test]
async fn who_is_in_the_tier_already_stays_as_they_are() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let gold = set(&shop, into_tier(&ana, "gold")).await;
    assert_eq!(set(&shop, into_tier(&ana, "gold")).await, gold);
    assert_eq!(history(&shop).await.len(), 1);
}

#[tokio::test]
async fn the_same_request_changes_nothing_more() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let request = into_tier(&ana, "gold");
    let first = try_set(&shop, request.clone()).await.unwrap();
    set(&shop, into_tier(&ana, "silver")).await;
    let again = try_set(&shop, request.clone()).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(
        again.into_inner().member.unwrap().tier_code,
        "silver",
        "as they are now"
    );
    assert_eq!(history(&shop).await.len(), 2);
    let other = pb::SetMemberTierRequest {
        reason: "another".to_owned(),
        ..request
    };
    let reused = try_set(&shop, other).await;
    let (code, reason) = (Code::AlreadyExists, ErrorReason::RequestIdReused);
    assert_refused("reused", reused, code, reason);
}

#[tokio::test]
async fn no_table_says_why_somebody_is_in_a_tier() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let request = into_tier(&ana, "gold");
    let secret = request.reason.clone();
    set(&shop, request).await;
    let hexadecimal: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for (table, rows) in shop.world.contents().await {
        let rows = rows.unwrap_or_default();
        assert!(
            !rows.contains(&secret) && !rows.contains(&hexadecimal.concat()),
            "{table}"
        );
    }
}

#[tokio::test]
async fn what_is_malformed_or_about_nobody_is_refused_and_leaves_nothing() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let before = shop.world.contents().await;
    let nothing = try_set(&shop, pb::SetMemberTierRequest::default()).await;
    assert_invalid("nothing", nothing, &["request_id", "member_id"]);
    let wrong = pb::SetMemberTierRequest {
        tier_code: "Gold".to_owned(),
        reason: "x".repeat(501),
        ..into_tier(&ana, "gold")
    };
    assert_invalid("wrong", try_set(&shop, wrong).await, &["tier_code", "reason"]);
    let nobody = pb::SetMemberTierRequest {
        member_id: nobodys_id(),
        ..into_tier(&ana, "gold")
    };
    let (code, reason) = (Code::NotFound, ErrorReason::ResourceNotFound);
    assert_refused("nobody", try_set(&shop, nobody).await, code, reason);
    assert_eq!(shop.world.contents().await, before);
}
