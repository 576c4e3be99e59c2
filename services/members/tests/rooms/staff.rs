//! `StaffService`.

use std::collections::HashSet;

use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use futures::future::join_all;
use tonic::{Code, Response, Status};

use crate::harness::{Auth, World, assert_invalid, assert_refused, is_replayed, nobodys_id, request_id};

/// Callers who send the same request at once.
const CALLERS_COUNT: usize = 100;

fn member(display_name: &str, external_id: &str) -> pb::StaffMember {
    pb::StaffMember {
        display_name: display_name.to_owned(),
        external_id: external_id.to_owned(),
        ..Default::default()
    }
}

/// Adds somebody, who must be taken.
pub async fn create(world: &World, auth: &Auth, display_name: &str, external_id: &str) -> pb::StaffMember {
    let created = try_create(
        world,
        auth,
        &request_id(),
        Some(member(display_name, external_id)),
    )
    .await;
    created
        .expect("created")
        .into_inner()
        .staff_member
        .expect("a staff member")
}

async fn try_create(
    world: &World,
    auth: &Auth,
    request_id: &str,
    staff_member: Option<pb::StaffMember>,
) -> Result<Response<pb::CreateStaffMemberResponse>, Status> {
    let request = pb::CreateStaffMemberRequest {
        request_id: request_id.to_owned(),
        staff_member,
    };
    world.staff(auth).create_staff_member(request).await
}

async fn update(
    world: &World,
    auth: &Auth,
    staff_member: pb::StaffMember,
    paths: &[&str],
) -> Result<Response<pb::UpdateStaffMemberResponse>, Status> {
    let request = pb::UpdateStaffMemberRequest {
        staff_member: Some(staff_member),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
    };
    world.staff(auth).update_staff_member(request).await
}

async fn get(world: &World, auth: &Auth, staff_id: &str) -> Result<pb::StaffMember, Status> {
    let request = pb::GetStaffMemberRequest {
        staff_id: staff_id.to_owned(),
    };
    let answer = world.staff(auth).get_staff_member(request).await?;
    Ok(answer.into_inner().staff_member.expect("a staff member"))
}

async fn admin(world: &World) -> Auth {
    let program = world.program().await;
    world
        .key_of(program, &[Scope::AccessWrite, Scope::AccessRead])
        .await
}

#[tokio::test]
async fn staff_are_added_read_changed_and_listed() {
    let world = World::start().await;
    let auth = admin(&world).await;
    let ana = create(&world, &auth, "Ana", "17").await;
    let ben = create(&world, &auth, "Ben", "").await;
    assert!(ana.active);
    assert_eq!(get(&world, &auth, &ana.staff_id).await.unwrap(), ana);

    let change = pb::StaffMember {
        staff_id: ana.staff_id.clone(),
        etag: ana.etag.clone(),
        ..member("Ana Maria", "")
    };
    let changed = update(&world, &auth, change.clone(), &["display_name", "external_id"])
        .await
        .unwrap();
    let changed = changed.into_inner().staff_member.unwrap();
    assert_eq!(
        (changed.display_name.as_str(), changed.external_id.as_str()),
        ("Ana Maria", "")
    );
    let stale = update(&world, &auth, change, &["display_name"]).await;
    assert_refused("a stale etag", stale, Code::Aborted, ErrorReason::EtagMismatch);

    let list = async |page_size, page_token: &str| {
        let request = pb::ListStaffMembersRequest {
            page_size,
            page_token: page_token.to_owned(),
        };
        world
            .staff(&auth)
            .list_staff_members(request)
            .await
            .map(Response::into_inner)
    };
    let first = list(1, "").await.unwrap();
    let second = list(1, &first.next_page_token).await.unwrap();
    let listed: HashSet<_> = [first.staff_members, second.staff_members]
        .concat()
        .into_iter()
        .map(|member| member.staff_id)
        .collect();
    assert_eq!(listed, HashSet::from([ana.staff_id, ben.staff_id]));
    assert_eq!(second.next_page_token, "");
    assert_invalid("page_size", list(1_001, "").await, &["page_size"]);
    let damaged = list(1, &first.next_page_token[1..]).await;
    assert_refused(
        "page_token",
        damaged,
        Code::InvalidArgument,
        ErrorReason::PageTokenInvalid,
    );
}

#[tokio::test]
async fn an_external_id_is_taken_once_per_program() {
    let world = World::start().await;
    let (auth, elsewhere) = (admin(&world).await, admin(&world).await);
    let ana = create(&world, &auth, "Ana", "17").await;
    let ben = create(&world, &auth, "Ben", "18").await;
    create(&world, &elsewhere, "Zoe", "17").await;
    let before = world.contents().await;

    let taken = try_create(&world, &auth, &request_id(), Some(member("Cem", "17"))).await;
    let status = assert_refused("taken", taken, Code::AlreadyExists, ErrorReason::ResourceExists);
    assert!(status.message().contains(&ana.staff_id), "{status:?}");
    let change = pb::StaffMember {
        staff_id: ben.staff_id,
        ..member("", "17")
    };
    let taken = update(&world, &auth, change, &["external_id"]).await;
    assert_refused("taken", taken, Code::AlreadyExists, ErrorReason::ResourceExists);
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn a_hundred_callers_with_one_request_id_add_one() {
    let world = World::start().await;
    let auth = admin(&world).await;
    let id = request_id();
    let calls = (0..CALLERS_COUNT).map(|_| try_create(&world, &auth, &id, Some(member("Ana", "17"))));
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();

    let replayed_count = answers.iter().filter(|answer| is_replayed(answer)).count();
    assert_eq!(replayed_count, CALLERS_COUNT - 1);
    let added: HashSet<_> = answers
        .into_iter()
        .map(|answer| answer.into_inner().staff_member.unwrap().staff_id)
        .collect();
    assert_eq!(added.len(), 1);
    let other = try_create(&world, &auth, &id, Some(member("Ana", "18"))).await;
    assert_refused(
        "another command",
        other,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
}

#[tokio::test]
async fn the_same_request_id_in_another_program_is_another_request() {
    let world = World::start().await;
    let (auth, elsewhere) = (admin(&world).await, admin(&world).await);
    let id = request_id();
    let here = try_create(&world, &auth, &id, Some(member("Ana", "")))
        .await
        .unwrap();
    let there = try_create(&world, &elsewhere, &id, Some(member("Ana", "")))
        .await
        .unwrap();
    assert!(!is_replayed(&here) && !is_replayed(&there));
}

#[tokio::test]
async fn staff_of_another_program_are_not_there() {
    let world = World::start().await;
    let (auth, elsewhere) = (admin(&world).await, admin(&world).await);
    let ana = create(&world, &auth, "Ana", "").await;
    let before = world.contents().await;
    for staff_id in [ana.staff_id, nobodys_id()] {
        let result = get(&world, &elsewhere, &staff_id).await;
        assert_refused("get", result, Code::NotFound, ErrorReason::ResourceNotFound);
        let change = pb::StaffMember {
            staff_id,
            ..member("Mallory", "")
        };
        let result = update(&world, &elsewhere, change, &["display_name"]).await;
        assert_refused("update", result, Code::NotFound, ErrorReason::ResourceNotFound);
    }
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn malformed_calls_name_every_field_and_change_nothing() {
    let world = World::start().await;
    let auth = admin(&world).await;
    let ana = create(&world, &auth, "Ana", "").await;
    let before = world.contents().await;

    let nothing = try_create(&world, &auth, "", None).await;
    assert_invalid("nothing", nothing, &["request_id", "staff_member"]);
    let wrong = try_create(&world, &auth, "7", Some(member(" ", &"1".repeat(65)))).await;
    let all = [
        "request_id",
        "staff_member.display_name",
        "staff_member.external_id",
    ];
    assert_invalid("all fields", wrong, &all);
    for (field, wrong) in [
        ("display_name", member("", "")),
        ("display_name", member(&"x".repeat(201), "")),
        ("external_id", member("Ana", " 17")),
        ("external_id", member("Ana", "1\n7")),
    ] {
        let path = format!("staff_member.{field}");
        let result = try_create(&world, &auth, &request_id(), Some(wrong.clone())).await;
        assert_invalid(&format!("create {wrong:?}"), result, &[&path]);
        let change = pb::StaffMember {
            staff_id: ana.staff_id.clone(),
            ..wrong
        };
        let result = update(&world, &auth, change, &[field]).await;
        assert_invalid(&format!("update {field}"), result, &[&path]);
    }
    let nothing = world
        .staff(&auth)
        .update_staff_member(pb::UpdateStaffMemberRequest::default())
        .await;
    assert_invalid("no update", nothing, &["update_mask", "staff_member"]);
    let result = update(&world, &auth, member("Ana", ""), &["staff_id", "*"]).await;
    let all = [
        "update_mask.paths[0]",
        "update_mask.paths[1]",
        "staff_member.staff_id",
    ];
    assert_invalid("what cannot be changed", result, &all);
    for staff_id in ["", "17", &nobodys_id().replace('-', "")] {
        assert_invalid("staff_id", get(&world, &auth, staff_id).await, &["staff_id"]);
    }
    assert_eq!(world.contents().await, before);
}
