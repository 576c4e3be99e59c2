//! `ProgramService`.

use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use tonic::{Code, Response, Status};

use crate::harness::{Auth, World, assert_invalid, assert_refused, is_replayed, request_id};

fn new_program() -> pb::Program {
    pb::Program {
        display_name: " Books & More ".to_owned(),
        time_zone: "Europe/London".to_owned(),
        currency_code: "GBP".to_owned(),
        ..Default::default()
    }
}

async fn create(
    world: &World,
    auth: &Auth,
    request_id: &str,
    program: Option<pb::Program>,
) -> Result<Response<pb::CreateProgramResponse>, Status> {
    let request = pb::CreateProgramRequest {
        request_id: request_id.to_owned(),
        program,
    };
    world.programs(auth).create_program(request).await
}

async fn update(
    world: &World,
    auth: &Auth,
    program: pb::Program,
    paths: &[&str],
) -> Result<Response<pb::UpdateProgramResponse>, Status> {
    let request = pb::UpdateProgramRequest {
        program: Some(program),
        update_mask: Some(mask(paths)),
    };
    world.programs(auth).update_program(request).await
}

fn mask(paths: &[&str]) -> prost_types::FieldMask {
    prost_types::FieldMask {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    }
}

async fn operator(world: &World) -> Auth {
    world
        .suite_key(&[Scope::ProgramsWrite, Scope::ProgramsRead])
        .await
}

#[tokio::test]
async fn a_created_program_is_read_changed_and_listed() {
    let world = World::start().await;
    let auth = operator(&world).await;
    let created = create(&world, &auth, &request_id(), Some(new_program()))
        .await
        .unwrap();
    assert!(!is_replayed(&created));
    let created = created.into_inner().program.unwrap();
    assert_eq!(created.display_name, "Books & More");
    assert!(created.active && created.create_time.is_some());

    let auth = auth.of_program(&created.program_id);
    let get = async || {
        let answer = world.programs(&auth).get_program(pb::GetProgramRequest {}).await;
        answer.unwrap().into_inner().program.unwrap()
    };
    assert_eq!(get().await, created);

    let change = pb::Program {
        time_zone: "Europe/Moscow".to_owned(),
        display_name: "not named in the mask".to_owned(),
        etag: created.etag.clone(),
        ..Default::default()
    };
    let changed = update(&world, &auth, change.clone(), &["time_zone"])
        .await
        .unwrap();
    let changed = changed.into_inner().program.unwrap();
    assert_eq!(
        (changed.time_zone.as_str(), changed.display_name.as_str()),
        ("Europe/Moscow", "Books & More")
    );
    assert_ne!(changed.etag, created.etag);
    assert_eq!(get().await, changed);

    let stale = update(&world, &auth, change, &["time_zone"]).await;
    assert_refused("a stale etag", stale, Code::Aborted, ErrorReason::EtagMismatch);
    let overwritten = pb::Program {
        time_zone: "UTC".to_owned(),
        ..Default::default()
    };
    update(&world, &auth, overwritten, &["time_zone"]).await.unwrap();
}

#[tokio::test]
async fn a_replayed_creation_makes_nothing_more() {
    let world = World::start().await;
    let auth = operator(&world).await;
    let id = request_id();
    let first = create(&world, &auth, &id, Some(new_program()))
        .await
        .unwrap()
        .into_inner();
    let before = world.contents().await;
    let again = create(&world, &auth, &id, Some(new_program())).await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), first);

    let other = pb::Program {
        currency_code: "EUR".to_owned(),
        ..new_program()
    };
    let reused = create(&world, &auth, &id, Some(other)).await;
    assert_refused(
        "another command",
        reused,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn programs_are_listed_page_by_page() {
    let world = World::start().await;
    let auth = operator(&world).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.program().await.to_string());
    }
    made.sort();
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListProgramsRequest {
            page_size: 2,
            page_token,
        };
        let page = world
            .programs(&auth)
            .list_programs(request)
            .await
            .unwrap()
            .into_inner();
        assert!(page.programs.len() <= 2);
        listed.extend(page.programs.into_iter().map(|program| program.program_id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, made);
}

/// Programs with one wrong field each, and the field.
fn malformed() -> Vec<(&'static str, pb::Program)> {
    let wrong = |field: &'static str, text: &str| {
        let mut program = new_program();
        let target = match field {
            "display_name" => &mut program.display_name,
            "time_zone" => &mut program.time_zone,
            _ => &mut program.currency_code,
        };
        text.clone_into(target);
        (field, program)
    };
    vec![
        wrong("display_name", &"x".repeat(201)),
        wrong("display_name", "a\u{7}b"),
        wrong("time_zone", "Europe/Nowhere"),
        wrong("time_zone", "+01:00"),
        wrong("currency_code", "gbp"),
        wrong("currency_code", "XXX"),
    ]
}

#[tokio::test]
async fn a_malformed_creation_names_every_field_and_changes_nothing() {
    let world = World::start().await;
    let auth = operator(&world).await;
    let before = world.contents().await;
    let empty = create(&world, &auth, "", None).await;
    assert_invalid("nothing", empty, &["request_id", "program"]);
    let empty = create(&world, &auth, "1", Some(pb::Program::default())).await;
    let all = [
        "request_id",
        "program.display_name",
        "program.time_zone",
        "program.currency_code",
    ];
    assert_invalid("all fields", empty, &all);
    for (field, program) in malformed() {
        let label = format!("{program:?}");
        let result = create(&world, &auth, &request_id(), Some(program)).await;
        assert_invalid(&label, result, &[&format!("program.{field}")]);
    }
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn a_malformed_update_names_every_field_and_changes_nothing() {
    let world = World::start().await;
    let program_id = world.program().await.to_string();
    let auth = operator(&world).await.of_program(&program_id);
    let before = world.contents().await;
    let nothing = pb::UpdateProgramRequest::default();
    let nothing = world.programs(&auth).update_program(nothing).await;
    assert_invalid("no update", nothing, &["update_mask", "program"]);
    let fixed = update(&world, &auth, new_program(), &["currency_code"]).await;
    assert_invalid("a fixed field", fixed, &["update_mask.paths[0]"]);
    let mut etag = new_program();
    etag.etag = "7".to_owned();
    let etag = update(&world, &auth, etag, &["active"]).await;
    assert_invalid("etag", etag, &["program.etag"]);
    for (field, program) in malformed() {
        if field != "currency_code" {
            let label = format!("{program:?}");
            let result = update(&world, &auth, program, &[field]).await;
            assert_invalid(&label, result, &[&format!("program.{field}")]);
        }
    }
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn a_malformed_page_is_refused() {
    let world = World::start().await;
    let auth = operator(&world).await;
    let list = async |page_size, page_token: &str| {
        let request = pb::ListProgramsRequest {
            page_size,
            page_token: page_token.to_owned(),
        };
        world.programs(&auth).list_programs(request).await
    };
    for page_size in [-1, 1_001] {
        let label = format!("page_size {page_size}");
        assert_invalid(&label, list(page_size, "").await, &["page_size"]);
    }
    let damaged = list(0, "x").await;
    let (code, reason) = (Code::InvalidArgument, ErrorReason::PageTokenInvalid);
    assert_refused("page_token", damaged, code, reason);
}
