//! Who may call what.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use fealty_proto::access::v1::ListAccessChangesRequest;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::access::{ApiKeySecret, Nudge, PROGRAM_HEADER, StaffState};
use fealty_rpc::server::ServerConfig;
use fealty_types::ProgramId;
use tonic::{Code, Request};

use crate::fixture::{Server, assert_refused, id, key_id, list, record_of, with_header, with_key};

#[tokio::test]
async fn a_good_key_reaches_its_program() {
    let server = Server::start().await;
    assert_eq!(
        server.wish(&server.key(), "").await.unwrap(),
        server.program_id.to_string()
    );
}

#[tokio::test]
async fn no_key_is_told_apart_from_a_bad_one() {
    let server = Server::start().await;
    let mut client = server.policies().await;
    let answer = client.list_policies(list("")).await;
    assert_refused(answer, Code::Unauthenticated, ErrorReason::KeyMissing);
    let answer = client
        .list_policies(with_header(list(""), "authorization", "Basic abc"))
        .await;
    assert_refused(answer, Code::Unauthenticated, ErrorReason::KeyMissing);
    for text in ["Bearer", "Bearer ", "Bearer fealty_x_y"] {
        let answer = client
            .list_policies(with_header(list(""), "authorization", text))
            .await;
        let status = answer.expect_err("a refusal");
        assert_eq!(status.code(), Code::Unauthenticated, "{text}");
    }
}

#[tokio::test]
async fn a_damaged_key_is_refused_without_a_look_up() {
    let server = Server::start().await;
    let key = server.key();
    let damaged = key
        .expose()
        .replacen(key.short_id(), &"0".repeat(key.short_id().len()), 1);
    let request = with_header(list(""), "authorization", &format!("Bearer {damaged}"));
    let answer = server.policies().await.list_policies(request).await;
    assert_refused(answer, Code::Unauthenticated, ErrorReason::KeyInvalid);
    assert_eq!(server.records.lookup_count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_unknown_key_and_a_wrong_secret_look_alike() {
    let server = Server::start().await;
    let unknown = ApiKeySecret::generate(&mut rand::rng());
    let answer = server.wish(&unknown, "").await;
    let of_unknown = assert_refused(answer, Code::Unauthenticated, ErrorReason::KeyInvalid);
    let wrong = server.key_with(|record| record.secret_sha256 = [0; 32]);
    let answer = server.wish(&wrong, "").await;
    let of_wrong = assert_refused(answer, Code::Unauthenticated, ErrorReason::KeyInvalid);
    assert_eq!(of_unknown.message(), of_wrong.message());
}

#[tokio::test]
async fn revoked_and_expired_keys_are_refused() {
    let server = Server::start().await;
    let now = server.now();
    let revoked = server.key_with(|record| record.revoke_time = Some(now));
    assert_refused(
        server.wish(&revoked, "").await,
        Code::Unauthenticated,
        ErrorReason::KeyRevoked,
    );

    let ending = server.key_with(|record| record.expire_time = Some(now + TimeDelta::seconds(1)));
    assert!(server.wish(&ending, "").await.is_ok());
    server.clock.advance(TimeDelta::seconds(1));
    assert_refused(
        server.wish(&ending, "").await,
        Code::Unauthenticated,
        ErrorReason::KeyRevoked,
    );
}

#[tokio::test]
async fn a_revocation_holds_within_the_time_to_live() {
    let server = Server::start().await;
    let key = server.key();
    assert!(server.wish(&key, "").await.is_ok());
    let now = server.now();
    server
        .records
        .keys
        .lock()
        .unwrap()
        .get_mut(key.short_id())
        .unwrap()
        .revoke_time = Some(now);
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    assert_refused(
        server.wish(&key, "").await,
        Code::Unauthenticated,
        ErrorReason::KeyRevoked,
    );
}

#[tokio::test]
async fn the_scope_is_needed_and_named() {
    let server = Server::start().await;
    let key = server.key_with(|record| record.scopes.clear());
    let status = assert_refused(
        server.wish(&key, "").await,
        Code::PermissionDenied,
        ErrorReason::ScopeMissing,
    );
    assert!(
        status.message().contains("SCOPE_POLICIES_READ"),
        "{}",
        status.message()
    );
}

#[tokio::test]
async fn inactive_staff_and_inactive_programs_are_refused() {
    let mut server = Server::start().await;
    let staffed = server.key_with(|record| {
        record.staff = Some(StaffState {
            staff_id: id(5),
            active: false,
        });
    });
    assert_refused(
        server.wish(&staffed, "").await,
        Code::FailedPrecondition,
        ErrorReason::StaffInactive,
    );

    let closed: ProgramId = id(9);
    server.add_program(closed, false);
    let key = server.key_with(|record| record.program_id = Some(closed));
    assert_refused(
        server.wish(&key, "").await,
        Code::FailedPrecondition,
        ErrorReason::ProgramInactive,
    );
}

#[tokio::test]
async fn a_programs_key_names_no_other_program() {
    let server = Server::start().await;
    let key = server.key();
    let mut client = server.policies().await;
    let own = with_header(
        with_key(list(""), &key),
        PROGRAM_HEADER,
        &server.program_id.to_string(),
    );
    assert!(client.list_policies(own).await.is_ok());
    let other = with_header(
        with_key(list(""), &key),
        PROGRAM_HEADER,
        &id::<ProgramId>(2).to_string(),
    );
    let answer = client.list_policies(other).await;
    assert_refused(answer, Code::PermissionDenied, ErrorReason::ProgramDenied);
}

#[tokio::test]
async fn a_suite_key_names_the_program_of_each_call() {
    let server = Server::start().await;
    let key = server.key_with(|record| record.program_id = None);
    let mut client = server.policies().await;
    let answer = client.list_policies(with_key(list(""), &key)).await;
    assert_refused(answer, Code::InvalidArgument, ErrorReason::ProgramRequired);
    let malformed = with_header(with_key(list(""), &key), PROGRAM_HEADER, "mine");
    let answer = client.list_policies(malformed).await;
    assert_refused(answer, Code::InvalidArgument, ErrorReason::ProgramRequired);
    let unknown = with_header(
        with_key(list(""), &key),
        PROGRAM_HEADER,
        &id::<ProgramId>(3).to_string(),
    );
    let answer = client.list_policies(unknown).await;
    assert_refused(answer, Code::PermissionDenied, ErrorReason::ProgramDenied);
    let named = with_header(
        with_key(list(""), &key),
        PROGRAM_HEADER,
        &server.program_id.to_string(),
    );
    let answer = client.list_policies(named).await.unwrap().into_inner();
    assert_eq!(answer.next_page_token, server.program_id.to_string());
}

#[tokio::test]
async fn methods_of_the_whole_suite_take_suite_keys_only() {
    let server = Server::start().await;
    let request = |key| with_key(Request::new(ListAccessChangesRequest::default()), key);
    let suite = server.key_with(|record| record.program_id = None);
    assert_eq!(server.feed(request(&suite)).await.unwrap(), "none");
    let answer = server.feed(request(&server.key())).await;
    assert_refused(answer, Code::PermissionDenied, ErrorReason::ProgramDenied);
}

#[tokio::test]
async fn records_name_who_acted() {
    let server = Server::start().await;
    assert_eq!(
        server.wish(&server.key(), "actor").await.unwrap(),
        format!("key:{}", key_id(7))
    );
    let staffed = server.key_with(|record| {
        record.staff = Some(StaffState {
            staff_id: id(5),
            active: true,
        });
    });
    let actor = server.wish(&staffed, "actor").await.unwrap();
    assert_eq!(actor, format!("staff:{}", id::<fealty_types::StaffId>(5)));
}

#[tokio::test]
async fn a_key_made_a_moment_ago_is_fetched() {
    let fresh = ApiKeySecret::generate(&mut rand::rng());
    let record = record_of(&fresh, id(1));
    let short_id = fresh.short_id().to_owned();
    let server = Server::start_with(ServerConfig::default(), |records| {
        Nudge::new(move || {
            records
                .keys
                .lock()
                .unwrap()
                .insert(short_id.clone(), record.clone());
            std::future::ready(())
        })
    })
    .await;
    assert!(server.wish(&fresh, "").await.is_ok());
}

#[tokio::test]
async fn a_known_key_outlives_the_store_for_a_moment_and_no_longer() {
    let server = Server::start().await;
    let key = server.key();
    assert!(server.wish(&key, "").await.is_ok());
    server.records.down.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(
        server.wish(&key, "").await.is_ok(),
        "no longer fresh, still known"
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    let answer = server.wish(&key, "").await;
    assert_refused(answer, Code::Unavailable, ErrorReason::DependencyUnavailable);
}

#[tokio::test]
async fn callers_with_one_key_share_its_look_up() {
    let server = Server::start().await;
    let key = server.key();
    let client = server.policies().await;
    let calls = (0..50).map(|_| {
        let mut client = client.clone();
        let request = with_key(list(""), &key);
        async move { client.list_policies(request).await.is_ok() }
    });
    assert!(futures::future::join_all(calls).await.into_iter().all(|ok| ok));
    assert_eq!(server.records.lookup_count.load(Ordering::SeqCst), 1);
}
