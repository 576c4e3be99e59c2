//! `ApiKeyService`.

use chrono::TimeDelta;
use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_rpc::access::ApiKeySecret;
use fealty_types::{Clock, SystemClock};
use tonic::{Code, Response, Status};

use crate::harness::{Auth, World, assert_invalid, assert_refused, is_replayed, nobodys_id, request_id};

fn new_key(scopes: &[Scope], staff_id: &str) -> pb::ApiKey {
    pb::ApiKey {
        display_name: "Till 7".to_owned(),
        scopes: scopes.iter().map(|scope| i32::from(*scope)).collect(),
        staff_id: staff_id.to_owned(),
        ..Default::default()
    }
}

/// Creates a key, which must be taken.
pub async fn create(
    world: &World,
    auth: &Auth,
    scopes: &[Scope],
    staff_id: &str,
) -> pb::CreateApiKeyResponse {
    let created = send_create(world, auth, &request_id(), Some(new_key(scopes, staff_id))).await;
    created.expect("created").into_inner()
}

/// Tries to create a machine's key.
pub async fn try_create(
    world: &World,
    auth: &Auth,
    request_id: &str,
    scopes: &[Scope],
) -> Result<Response<pb::CreateApiKeyResponse>, Status> {
    send_create(world, auth, request_id, Some(new_key(scopes, ""))).await
}

async fn send_create(
    world: &World,
    auth: &Auth,
    request_id: &str,
    api_key: Option<pb::ApiKey>,
) -> Result<Response<pb::CreateApiKeyResponse>, Status> {
    let request = pb::CreateApiKeyRequest {
        request_id: request_id.to_owned(),
        api_key,
    };
    world.api_keys(auth).create_api_key(request).await
}

async fn revoke(world: &World, auth: &Auth, api_key_id: &str) -> Result<pb::ApiKey, Status> {
    let request = pb::RevokeApiKeyRequest {
        api_key_id: api_key_id.to_owned(),
    };
    let answer = world.api_keys(auth).revoke_api_key(request).await?;
    Ok(answer.into_inner().api_key.expect("a key"))
}

const ADMIN: [Scope; 3] = [Scope::AccessWrite, Scope::AccessRead, Scope::PurchasesWrite];

async fn admin(world: &World) -> Auth {
    let program = world.program().await;
    world.key_of(program, &ADMIN).await
}

#[tokio::test]
async fn the_text_of_a_key_is_in_its_first_answer_only() {
    let world = World::start().await;
    let auth = admin(&world).await;
    let id = request_id();
    let wanted = new_key(&[Scope::PurchasesWrite, Scope::AccessRead], "");
    let first = send_create(&world, &auth, &id, Some(wanted.clone()))
        .await
        .unwrap();
    assert!(!is_replayed(&first));
    let first = first.into_inner();
    let secret = ApiKeySecret::parse(&first.key_text).unwrap();
    let key = first.api_key.clone().unwrap();
    assert_eq!(secret.short_id(), key.short_id);

    let before = world.contents().await;
    let again = send_create(&world, &auth, &id, Some(wanted)).await.unwrap();
    assert!(is_replayed(&again));
    let again = again.into_inner();
    assert_eq!(
        (again.key_text.as_str(), again.api_key.as_ref()),
        ("", Some(&key))
    );
    let other = send_create(&world, &auth, &id, Some(new_key(&[Scope::AccessRead], ""))).await;
    assert_refused(
        "another command",
        other,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    assert_eq!(world.contents().await, before);

    let with_new_key = world.api_keys(&Auth::key(&first.key_text));
    let listed = { with_new_key }
        .list_api_keys(pb::ListApiKeysRequest::default())
        .await
        .unwrap();
    assert!(listed.into_inner().api_keys.contains(&key));
    let stored = before.iter().filter_map(|(_, rows)| rows.as_deref());
    let secret_part = &first.key_text[first.key_text.len() - 49..];
    assert!(
        stored.into_iter().all(|rows| !rows.contains(secret_part)),
        "the secret is stored"
    );
}

#[tokio::test]
async fn revoking_again_changes_nothing() {
    let world = World::start().await;
    let auth = admin(&world).await;
    let key = create(&world, &auth, &[Scope::AccessRead], "")
        .await
        .api_key
        .unwrap();
    let revoked = revoke(&world, &auth, &key.api_key_id).await.unwrap();
    assert!(revoked.revoke_time.is_some());
    let before = world.contents().await;
    assert_eq!(revoke(&world, &auth, &key.api_key_id).await.unwrap(), revoked);
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn nobody_hands_out_what_they_lack() {
    let world = World::start().await;
    let program = world.program().await;
    let auth = world.key_of(program, &ADMIN).await;
    let suite = world
        .suite_key(&[
            Scope::AccessWrite,
            Scope::ProgramsWrite,
            Scope::AccessFeed,
            Scope::ErasuresConfirm,
        ])
        .await;
    let suite = suite.of_program(&program.to_string());
    let before = world.contents().await;

    let lacking = send_create(
        &world,
        &auth,
        &request_id(),
        Some(new_key(&[Scope::LedgerWrite], "")),
    )
    .await;
    let status = assert_refused(
        "lacking",
        lacking,
        Code::PermissionDenied,
        ErrorReason::ScopeMissing,
    );
    assert!(status.message().contains("SCOPE_LEDGER_WRITE"), "{status:?}");
    for scope in [Scope::ProgramsWrite, Scope::AccessFeed, Scope::ErasuresConfirm] {
        let result = send_create(&world, &suite, &request_id(), Some(new_key(&[scope], ""))).await;
        assert_invalid("a suite's scope", result, &["api_key.scopes[0]"]);
    }
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn a_key_is_held_by_active_staff_of_the_program_only() {
    let world = World::start().await;
    let (auth, elsewhere) = (admin(&world).await, admin(&world).await);
    let stranger = crate::staff::create(&world, &elsewhere, "Zoe", "").await;
    let gone = crate::staff::create(&world, &auth, "Ana", "").await;
    let request = pb::UpdateStaffMemberRequest {
        staff_member: Some(pb::StaffMember {
            staff_id: gone.staff_id.clone(),
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["active".to_owned()],
        }),
    };
    world.staff(&auth).update_staff_member(request).await.unwrap();
    let before = world.contents().await;

    for staff_id in [stranger.staff_id, nobodys_id()] {
        let result = send_create(
            &world,
            &auth,
            &request_id(),
            Some(new_key(&[Scope::AccessRead], &staff_id)),
        )
        .await;
        assert_refused(
            "no such staff",
            result,
            Code::NotFound,
            ErrorReason::ResourceNotFound,
        );
    }
    let result = send_create(
        &world,
        &auth,
        &request_id(),
        Some(new_key(&[Scope::AccessRead], &gone.staff_id)),
    )
    .await;
    assert_refused(
        "inactive",
        result,
        Code::FailedPrecondition,
        ErrorReason::StaffInactive,
    );
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn keys_of_another_program_are_not_there() {
    let world = World::start().await;
    let (auth, elsewhere) = (admin(&world).await, admin(&world).await);
    let key = create(&world, &auth, &[Scope::AccessRead], "")
        .await
        .api_key
        .unwrap();
    let before = world.contents().await;
    for api_key_id in [key.api_key_id.clone(), nobodys_id()] {
        let result = revoke(&world, &elsewhere, &api_key_id).await;
        assert_refused("revoke", result, Code::NotFound, ErrorReason::ResourceNotFound);
    }
    let listed = world
        .api_keys(&elsewhere)
        .list_api_keys(pb::ListApiKeysRequest::default())
        .await
        .unwrap();
    assert!(!listed.into_inner().api_keys.contains(&key));
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn a_key_past_its_end_is_refused() {
    let world = World::start().await;
    let auth = admin(&world).await;
    let soon = SystemClock.now() + TimeDelta::seconds(1);
    let wanted = pb::ApiKey {
        expire_time: Some(prost_types::Timestamp {
            seconds: soon.timestamp(),
            nanos: soon.timestamp_subsec_nanos().cast_signed(),
        }),
        ..new_key(&[Scope::AccessRead], "")
    };
    let id = request_id();
    let created = send_create(&world, &auth, &id, Some(wanted.clone()))
        .await
        .unwrap()
        .into_inner();
    let key = Auth::key(&created.key_text);
    let status = crate::harness::eventually("the end", async || {
        let mut client = world.api_keys(&key);
        client
            .list_api_keys(pb::ListApiKeysRequest::default())
            .await
            .err()
    })
    .await;
    assert_refused(
        "past its end",
        Err::<(), _>(status),
        Code::Unauthenticated,
        ErrorReason::KeyRevoked,
    );
    let again = send_create(&world, &auth, &id, Some(wanted.clone()))
        .await
        .unwrap();
    assert!(is_replayed(&again), "a retry finds the key, however late");
    let late = send_create(&world, &auth, &request_id(), Some(wanted)).await;
    assert_invalid("an end that has passed", late, &["api_key.expire_time"]);
}

/// Keys with one wrong field each, and the field.
fn malformed() -> Vec<(&'static str, pb::ApiKey)> {
    let good = || new_key(&[Scope::AccessRead], "");
    let with_scopes = |scopes| pb::ApiKey { scopes, ..good() };
    let mut nameless = good();
    nameless.display_name = "x".repeat(201);
    let mut endless = good();
    endless.expire_time = Some(prost_types::Timestamp {
        seconds: i64::MAX,
        nanos: 0,
    });
    vec![
        ("display_name", nameless),
        ("scopes[1]", with_scopes(vec![Scope::AccessRead.into(), 9_999])),
        ("scopes[0]", with_scopes(vec![0])),
        ("scopes", new_key(&[Scope::AccessRead, Scope::AccessRead], "")),
        ("staff_id", new_key(&[Scope::AccessRead], "17")),
        ("expire_time", endless),
    ]
}

#[tokio::test]
async fn malformed_calls_name_every_field_and_change_nothing() {
    let world = World::start().await;
    let auth = admin(&world).await;
    let before = world.contents().await;
    let nothing = send_create(&world, &auth, "", None).await;
    assert_invalid("nothing", nothing, &["request_id", "api_key"]);
    let empty = send_create(&world, &auth, "x", Some(pb::ApiKey::default())).await;
    let all = ["request_id", "api_key.display_name", "api_key.scopes"];
    assert_invalid("all fields", empty, &all);
    for (field, key) in malformed() {
        let label = format!("{key:?}");
        let result = send_create(&world, &auth, &request_id(), Some(key)).await;
        assert_invalid(&label, result, &[&format!("api_key.{field}")]);
    }
    for api_key_id in ["", "17"] {
        let result = revoke(&world, &auth, api_key_id).await;
        assert_invalid("api_key_id", result, &["api_key_id"]);
    }
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn keys_are_listed_page_by_page() {
    let world = World::start().await;
    let auth = admin(&world).await;
    let list = async |page_size, page_token: &str| {
        let request = pb::ListApiKeysRequest {
            page_size,
            page_token: page_token.to_owned(),
        };
        let answer = world.api_keys(&auth).list_api_keys(request).await?;
        Ok::<_, Status>(answer.into_inner())
    };
    let key = create(&world, &auth, &[Scope::AccessRead], "").await.api_key;
    let first = list(1, "").await.unwrap();
    let second = list(1, &first.next_page_token).await.unwrap();
    assert_eq!(
        second.api_keys,
        [key.unwrap()],
        "the planted key is the older one"
    );
    assert_eq!(second.next_page_token, "");

    assert_invalid("page_size", list(-1, "").await, &["page_size"]);
    let damaged = list(0, "?").await;
    let (code, reason) = (Code::InvalidArgument, ErrorReason::PageTokenInvalid);
    assert_refused("page_token", damaged, code, reason);
}
