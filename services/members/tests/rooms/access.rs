//! Who may call what: the same for every method that the service has.

use std::time::{Duration, Instant};

use fealty_members::api_keys::domain::SUITE_ONLY_SCOPES;
use fealty_proto::Method;
use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_rpc::access::ApiKeySecret;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::service::Interceptor;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::harness::{Auth, World, assert_refused, eventually, nobodys_id};

/// Larger than any message that is taken.
const LARGE_LEN: usize = 5 * 1024 * 1024;

/// A revocation holds everywhere within that time.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);

/// Every method that this service serves: those of the protos of members, and the feed.
fn methods() -> impl Iterator<Item = (&'static str, Method)> {
    fealty_proto::methods()
        .iter()
        .filter(|(path, _)| path.starts_with("/fealty.members.v1.") || path.starts_with("/fealty.access.v1."))
        .map(|(path, method)| (path.as_str(), *method))
}

/// Calls a method with a message of one bytes field, which is malformed or empty for all of them.
async fn call(world: &World, path: &'static str, auth: &Auth, message: Vec<u8>) -> Result<(), Status> {
    let mut client = Grpc::new(world.channel());
    client
        .ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let request = auth.clone().call(Request::new(()))?.map(|()| message);
    let codec = ProstCodec::<Vec<u8>, ()>::default();
    let path = PathAndQuery::from_static(path);
    client.unary(request, path, codec).await.map(drop)
}

fn all_scopes_but(lacking: Scope) -> Vec<Scope> {
    (1..=27)
        .filter_map(|number| Scope::try_from(number).ok())
        .filter(|scope| *scope != lacking)
        .collect()
}

#[tokio::test]
async fn no_method_is_open_to_who_may_not_call_it() {
    let world = World::start().await;
    let program = world.program().await;
    let revoked = world.suite_key(&all_scopes_but(Scope::Unspecified)).await;
    revoke(&world, &revoked).await;
    let unknown = ApiKeySecret::generate(&mut rand::rng());
    let before = world.contents().await;

    for (path, _) in methods() {
        let cases = [
            (
                "no key",
                Auth::default(),
                Code::Unauthenticated,
                ErrorReason::KeyMissing,
            ),
            (
                "damaged key",
                Auth::key("fealty_x"),
                Code::Unauthenticated,
                ErrorReason::KeyInvalid,
            ),
            (
                "unknown key",
                Auth::key(unknown.expose()),
                Code::Unauthenticated,
                ErrorReason::KeyInvalid,
            ),
            (
                "revoked key",
                revoked.clone().of_program(&program.to_string()),
                Code::Unauthenticated,
                ErrorReason::KeyRevoked,
            ),
        ];
        for (label, auth, code, reason) in cases {
            let label = format!("{path}: {label}");
            assert_refused(&label, call(&world, path, &auth, vec![]).await, code, reason);
        }
    }
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn a_key_calls_within_its_scopes_and_its_program_only() {
    let world = World::start().await;
    let (program, other) = (world.program().await, world.program().await);
    let other_text = other.to_string();
    let mut planted = Vec::new();
    for (path, method) in methods() {
        let scope = method.scope.unwrap();
        let wrong = world.suite_key(&all_scopes_but(scope)).await;
        let suite = world.suite_key(&[scope]).await;
        let own = match scope {
            scope if SUITE_ONLY_SCOPES.contains(&scope) => None,
            scope => Some(world.key_of(program, &[scope]).await),
        };
        planted.push((path, method, wrong, suite, own));
    }
    let before = world.contents().await;
    for (path, method, wrong, suite, own) in planted {
        let refused = async |label: &str, auth: Auth, code, reason| {
            let label = format!("{path}: {label}");
            assert_refused(&label, call(&world, path, &auth, vec![]).await, code, reason);
        };
        let wrong = wrong.of_program(&program.to_string());
        refused(
            "wrong scope",
            wrong,
            Code::PermissionDenied,
            ErrorReason::ScopeMissing,
        )
        .await;
        let denied = (Code::PermissionDenied, ErrorReason::ProgramDenied);
        if method.suite_wide {
            if let Some(own) = own {
                refused("a program's key", own, denied.0, denied.1).await;
            }
        } else {
            let required = (Code::InvalidArgument, ErrorReason::ProgramRequired);
            refused("no program named", suite.clone(), required.0, required.1).await;
            refused(
                "no id named",
                suite.clone().of_program("books"),
                required.0,
                required.1,
            )
            .await;
            let nobodys = suite.clone().of_program(&nobodys_id());
            refused("a program that is none", nobodys, denied.0, denied.1).await;
            if let Some(own) = own {
                refused("another program", own.of_program(&other_text), denied.0, denied.1).await;
            }
        }
        let suite = suite.of_program(&program.to_string());
        let large = call(&world, path, &suite, vec![0; LARGE_LEN]).await;
        let label = format!("{path}: 5 MB");
        assert_refused(
            &label,
            large,
            Code::ResourceExhausted,
            ErrorReason::MessageTooLarge,
        );
    }
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_five_seconds() {
    let world = World::start().await;
    let program = world.program().await;
    let admin = world
        .key_of(program, &[Scope::AccessWrite, Scope::AccessRead])
        .await;
    let key = world.key_of(program, &[Scope::AccessRead]).await;
    let list = async || {
        let mut client = world.api_keys(&key);
        client.list_api_keys(pb::ListApiKeysRequest::default()).await
    };
    let keys = list().await.unwrap().into_inner().api_keys;
    let revoked = keys
        .iter()
        .find(|known| key.authorization.as_ref().unwrap().contains(&known.short_id));
    let api_key_id = revoked.unwrap().api_key_id.clone();

    let request = pb::RevokeApiKeyRequest { api_key_id };
    world.api_keys(&admin).revoke_api_key(request).await.unwrap();
    let since = Instant::now();
    let status = eventually("the refusal", async || list().await.err()).await;
    assert!(since.elapsed() < REVOKED_WITHIN, "took {:?}", since.elapsed());
    assert_refused(
        "revoked",
        Err::<(), _>(status),
        Code::Unauthenticated,
        ErrorReason::KeyRevoked,
    );
}

#[tokio::test]
async fn keys_of_staff_who_left_are_refused_within_five_seconds() {
    let world = World::start().await;
    let program = world.program().await;
    let admin = world
        .key_of(program, &[Scope::AccessWrite, Scope::AccessRead])
        .await;
    let member = crate::staff::create(&world, &admin, "Ana", "").await;
    let key = crate::api_keys::create(&world, &admin, &[Scope::AccessRead], &member.staff_id).await;
    let key = Auth::key(&key.key_text);
    let list = async || {
        let mut client = world.staff(&key);
        client
            .list_staff_members(pb::ListStaffMembersRequest::default())
            .await
    };
    list().await.unwrap();

    let request = pb::UpdateStaffMemberRequest {
        staff_member: Some(pb::StaffMember {
            staff_id: member.staff_id,
            active: false,
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["active".to_owned()],
        }),
    };
    world.staff(&admin).update_staff_member(request).await.unwrap();
    let since = Instant::now();
    let status = eventually("the refusal", async || list().await.err()).await;
    assert!(since.elapsed() < REVOKED_WITHIN, "took {:?}", since.elapsed());
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::StaffInactive);
    assert_refused("inactive", Err::<(), _>(status), code, reason);
}

#[tokio::test]
async fn an_inactive_program_is_closed_but_for_who_can_wake_it() {
    let world = World::start().await;
    let program = world.program().await;
    let own = world.key_of(program, &[Scope::AccessRead]).await;
    let suite = world
        .suite_key(&[Scope::ProgramsWrite, Scope::ProgramsRead])
        .await;
    let suite = suite.of_program(&program.to_string());
    let set_active = async |active| {
        let request = pb::UpdateProgramRequest {
            program: Some(pb::Program {
                active,
                ..Default::default()
            }),
            update_mask: Some(prost_types::FieldMask {
                paths: vec!["active".to_owned()],
            }),
        };
        world.programs(&suite).update_program(request).await.unwrap();
    };
    let list = async || {
        let mut client = world.api_keys(&own);
        client.list_api_keys(pb::ListApiKeysRequest::default()).await
    };
    list().await.unwrap();
    set_active(false).await;
    let status = eventually("the refusal", async || list().await.err()).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::ProgramInactive);
    assert_refused("inactive", Err::<(), _>(status), code, reason);
    set_active(true).await;
    eventually("the wake", async || list().await.ok()).await;
}

async fn revoke(world: &World, key: &Auth) {
    let header = key.authorization.as_ref().expect("a key");
    let text = header.trim_start_matches("Bearer ");
    let short_id = ApiKeySecret::parse(text).expect("a key").short_id().to_owned();
    let name = fealty_members::operator::KeyName::ShortId(short_id);
    world.operator.revoke_key(&name).await.expect("revoked");
}
