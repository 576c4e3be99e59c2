//! `PolicyService`.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::{Clock, ManualClock, SystemClock};
use futures::future::join_all;
use tonic::{Code, Response, Status};

use crate::harness::{Auth, assert_invalid, assert_refused, is_replayed, request_id};
use crate::shop::{Shop, policy, publish};

/// Callers who publish at once.
const CALLERS_COUNT: usize = 20;

fn at(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos().cast_signed(),
    }
}

async fn get(shop: &Shop, version: i64) -> Result<pb::Policy, Status> {
    let answer = shop
        .world
        .policies(&shop.auth)
        .get_policy(pb::GetPolicyRequest { version })
        .await?;
    Ok(answer.into_inner().policy.expect("a policy"))
}

async fn list(shop: &Shop, page_size: i32, page_token: &str) -> Result<pb::ListPoliciesResponse, Status> {
    let request = pb::ListPoliciesRequest {
        page_size,
        page_token: page_token.to_owned(),
    };
    let answer = shop.world.policies(&shop.auth).list_policies(request).await;
    answer.map(Response::into_inner)
}

#[tokio::test]
async fn b14_a_version_is_in_force_from_its_time_until_the_next_ones() {
    let clock = ManualClock::new(SystemClock.now());
    let shop = Shop::open_without_policy(Arc::new(clock.clone())).await;
    let missing = get(&shop, 0).await;
    assert_refused(
        "none yet",
        missing,
        Code::FailedPrecondition,
        ErrorReason::PolicyMissing,
    );

    let first = shop.publish("abc").await;
    assert_eq!((first.version, first.text.as_str()), (1, "abc"));
    // As `printf abc | sha256sum` says.
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(first.text_sha256, known);

    let tomorrow = clock.now() + TimeDelta::days(1);
    let second = pb::Policy {
        effective_time: Some(at(tomorrow)),
        ..policy("Other terms.")
    };
    let second = publish(&shop.world, &shop.auth, second).await.unwrap();
    assert_eq!(second.version, 2);
    assert_eq!(get(&shop, 0).await.unwrap(), first);
    assert_eq!(get(&shop, 2).await.unwrap(), second);

    clock.advance(TimeDelta::days(1));
    assert_eq!(get(&shop, 0).await.unwrap(), second);
    let none = get(&shop, 3).await;
    assert_refused("no third", none, Code::NotFound, ErrorReason::ResourceNotFound);
}

#[tokio::test]
async fn lists_come_newest_first_and_without_texts() {
    let shop = Shop::open().await;
    shop.publish("Second.").await;
    shop.publish("Third.").await;
    let first = list(&shop, 2, "").await.unwrap();
    let versions: Vec<i64> = first.policies.iter().map(|policy| policy.version).collect();
    assert_eq!(versions, [3, 2]);
    assert!(
        first
            .policies
            .iter()
            .all(|policy| policy.text.is_empty() && !policy.text_sha256.is_empty())
    );
    let last = list(&shop, 2, &first.next_page_token).await.unwrap();
    assert_eq!((last.policies[0].version, last.next_page_token.as_str()), (1, ""));
}

#[tokio::test]
async fn versions_published_at_once_have_numbers_of_their_own() {
    let shop = Shop::open().await;
    let published = join_all((0..CALLERS_COUNT).map(|_| shop.publish("Terms."))).await;
    let versions: HashSet<i64> = published.iter().map(|policy| policy.version).collect();
    assert_eq!(versions.len(), CALLERS_COUNT);
    assert_eq!(versions.iter().max(), Some(&21));
}

#[tokio::test]
async fn the_same_request_publishes_once() {
    let shop = Shop::open().await;
    let request = pb::PublishPolicyRequest {
        request_id: request_id(),
        policy: Some(policy("Once.")),
    };
    let publish = async |request: &pb::PublishPolicyRequest| {
        shop.world
            .policies(&shop.auth)
            .publish_policy(request.clone())
            .await
    };
    let first = publish(&request).await.unwrap();
    let again = publish(&request).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.into_inner(), again.into_inner());
    let other = pb::PublishPolicyRequest {
        policy: Some(policy("Twice.")),
        ..request
    };
    let reused = publish(&other).await;
    assert_refused(
        "another text",
        reused,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    assert_eq!(get(&shop, 0).await.unwrap().version, 2);
}

/// Policies that cannot be published beside one of the day after tomorrow, each with the fields that are wrong with it.
fn bad_policies(now: DateTime<Utc>) -> Vec<(pb::Policy, Vec<&'static str>)> {
    let from = |effective_time| pb::Policy {
        effective_time: Some(effective_time),
        ..policy("Terms.")
    };
    let no_time = prost_types::Timestamp {
        seconds: 0,
        nanos: -1,
    };
    let titled = pb::Policy {
        title: "x".repeat(201),
        ..policy("Terms.")
    };
    vec![
        (pb::Policy::default(), vec!["policy.title", "policy.text"]),
        (policy(" \n"), vec!["policy.text"]),
        (policy("a\0b"), vec!["policy.text"]),
        (policy(&"x".repeat(100_001)), vec!["policy.text"]),
        (titled, vec!["policy.title"]),
        (from(no_time), vec!["policy.effective_time"]),
        (from(at(now - TimeDelta::days(1))), vec!["policy.effective_time"]),
        // Before that of the earlier version, also where it would be at once.
        (from(at(now + TimeDelta::days(1))), vec!["policy.effective_time"]),
        (policy("Terms."), vec!["policy.effective_time"]),
    ]
}

#[tokio::test]
async fn bad_input_is_named_and_changes_nothing() {
    let shop = Shop::open().await;
    let now = SystemClock.now();
    let later = pb::Policy {
        effective_time: Some(at(now + TimeDelta::days(2))),
        ..policy("Later.")
    };
    publish(&shop.world, &shop.auth, later).await.unwrap();
    let before = shop.world.contents().await;

    let try_publish = async |request_id: String, policy: Option<pb::Policy>| {
        let request = pb::PublishPolicyRequest { request_id, policy };
        shop.world.policies(&shop.auth).publish_policy(request).await
    };
    assert_invalid(
        "empty",
        try_publish(String::new(), None).await,
        &["request_id", "policy"],
    );
    for (number, (policy, fields)) in bad_policies(now).into_iter().enumerate() {
        let label = format!("policy {number}");
        assert_invalid(&label, try_publish(request_id(), Some(policy)).await, &fields);
    }
    assert_invalid("a negative version", get(&shop, -1).await, &["version"]);
    assert_invalid("a negative page", list(&shop, -1, "").await, &["page_size"]);
    assert_invalid("a large page", list(&shop, 1_001, "").await, &["page_size"]);
    let token = list(&shop, 1, "x").await;
    assert_refused(
        "no token",
        token,
        Code::InvalidArgument,
        ErrorReason::PageTokenInvalid,
    );
    assert_eq!(shop.world.contents().await, before);
}

#[tokio::test]
async fn a_program_sees_its_own_policies_with_the_right_scope() {
    let shop = Shop::open().await;
    let neighbour = shop.neighbour().await;
    let before = shop.world.contents().await;
    let mut policies = shop.world.policies(&neighbour);
    let theirs = policies
        .get_policy(pb::GetPolicyRequest { version: 0 })
        .await
        .unwrap();
    assert_eq!(theirs.into_inner().policy.unwrap().text, "The neighbour's terms.");

    let token = {
        shop.publish("Second.").await;
        list(&shop, 1, "").await.unwrap().next_page_token
    };
    let strange = pb::ListPoliciesRequest {
        page_size: 1,
        page_token: token,
    };
    let refused = policies.list_policies(strange).await;
    assert_refused(
        "our token",
        refused,
        Code::InvalidArgument,
        ErrorReason::PageTokenInvalid,
    );

    let reader = shop.world.key_of(shop.program, &[Scope::PoliciesRead]).await;
    let after = shop.world.contents().await;
    let refused = publish(&shop.world, &reader, policy("Terms.")).await;
    assert_refused(
        "no right to write",
        refused,
        Code::PermissionDenied,
        ErrorReason::ScopeMissing,
    );
    let refused = publish(&shop.world, &Auth::default(), policy("Terms.")).await;
    assert_refused("no key", refused, Code::Unauthenticated, ErrorReason::KeyMissing);
    assert_eq!(shop.world.contents().await, after);
    assert_ne!(before, after);
}
