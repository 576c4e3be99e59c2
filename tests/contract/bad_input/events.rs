//! What the services refuse of streams of events, and whose events a stream has.

use std::collections::BTreeSet;
use std::time::Duration;

use fealty::services::ServiceName;
use fealty_proto::events::v1::{EventType, WatchEventsRequest, WatchEventsResponse};
use fealty_tests::bounded::within;
use prost::Message as _;
use tonic::Code;

use super::case::{Caller, Case, Table, invalid, refused};
use super::world::World;

const PATH: &str = "/fealty.events.v1.EventService/WatchEvents";

/// What has happened is told at once, and so is a place without a match; the machine may be slow.
const TOLD_BOUND: Duration = Duration::from_secs(30);

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    let of_types = |event_types: &[i32]| WatchEventsRequest {
        event_types: event_types.to_vec(),
        ..WatchEventsRequest::default()
    };
    let after = |resume_token: &str| WatchEventsRequest {
        resume_token: resume_token.to_owned(),
        ..WatchEventsRequest::default()
    };
    let damaged = || refused(Code::OutOfRange, "RESUME_TOKEN_INVALID");
    let enrolled = i32::from(EventType::MemberEnrolled);
    let mut cases = Table::of(world, PATH)
        .row(
            "kinds that there are not",
            &of_types(&[0, enrolled, 99]),
            invalid(&["event_types[0]", "event_types[2]"]),
        )
        .row(
            "more kinds than anybody asks for",
            &of_types(&[enrolled; 33]),
            invalid(&["event_types"]),
        )
        .row("no subject's id", &of_subject("Ana"), invalid(&["subject_id"]))
        .row(
            "from now, and from a place",
            &WatchEventsRequest {
                from_now: true,
                ..after("AAAA")
            },
            invalid(&["from_now"]),
        )
        .row(
            "everything at once",
            &WatchEventsRequest {
                resume_token: "AAAA".to_owned(),
                event_types: vec![-1],
                subject_id: "Ana".to_owned(),
                from_now: true,
            },
            invalid(&["event_types[0]", "subject_id", "from_now"]),
        )
        .row("a token that nobody gave", &after("AAAA"), damaged())
        .row("a token that is none", &after("here, please"), damaged())
        .done();
    cases.push(Case {
        path: PATH.to_owned(),
        what: "a subject of no program",
        message: of_subject(&world.ours.member_id).encode_to_vec(),
        caller: of_suite(world),
        expected: refused(Code::InvalidArgument, "PROGRAM_REQUIRED"),
    });
    cases
}

/// A key's stream has the events of its program and nothing of others; that of a key of the suite which names no program
/// has those of all. In each of the four services.
pub async fn assert_streams_stay_apart(world: &World) {
    let ours = world.shop.program_id.to_string();
    let theirs = world.other.program_id.to_string();
    let stranger = bearer(&world.other.key);
    let member_id = &world.ours.member_id;
    for service in ServiceName::ALL {
        // What happened in our shop stands before all that happened in theirs, so it would be met.
        let only = BTreeSet::from([theirs.clone()]);
        assert_eq!(programs_until(world, service, &stranger, &only).await, only);
        let both = BTreeSet::from([ours.clone(), theirs.clone()]);
        let seen = programs_until(world, service, &of_suite(world), &both).await;
        assert!(seen.is_superset(&both), "{service:?}: {seen:?}");

        let our_own = first_of(world, service, &bearer(&world.shop.key), member_id).await;
        let is_theirs = |event: &fealty_proto::events::v1::Event| event.subject_id != *member_id;
        assert!(
            !our_own.events.is_empty() && !our_own.events.iter().any(is_theirs),
            "{service:?}: {our_own:?}"
        );
        let nothing = first_of(world, service, &stranger, member_id).await;
        assert!(
            nothing.events.is_empty() && !nothing.resume_token.is_empty(),
            "{service:?}: {nothing:?}"
        );
    }
}

fn of_subject(subject_id: &str) -> WatchEventsRequest {
    WatchEventsRequest {
        subject_id: subject_id.to_owned(),
        ..WatchEventsRequest::default()
    }
}

fn of_suite(world: &World) -> Caller {
    bearer(&world.suite_key)
}

fn bearer(key: &str) -> Caller {
    Caller {
        key: Some(key.to_owned()),
        program_id: None,
    }
}

/// Reads from the beginning until events of all these programs were met, and answers of which programs there were any.
async fn programs_until(
    world: &World,
    service: ServiceName,
    caller: &Caller,
    wanted: &BTreeSet<String>,
) -> BTreeSet<String> {
    within(TOLD_BOUND, async {
        let mut stream = open(world, service, caller, &WatchEventsRequest::default()).await;
        let mut seen = BTreeSet::new();
        while !seen.is_superset(wanted) {
            let answer = next(&mut stream).await;
            seen.extend(answer.events.into_iter().map(|event| event.program_id));
        }
        seen
    })
    .await
}

/// The first that is told of a subject.
async fn first_of(
    world: &World,
    service: ServiceName,
    caller: &Caller,
    subject_id: &str,
) -> WatchEventsResponse {
    within(TOLD_BOUND, async {
        next(&mut open(world, service, caller, &of_subject(subject_id)).await).await
    })
    .await
}

async fn open(
    world: &World,
    service: ServiceName,
    caller: &Caller,
    message: &WatchEventsRequest,
) -> tonic::Streaming<bytes::Bytes> {
    let authorization = format!("Bearer {}", caller.key.as_deref().expect("a key"));
    let headers = [("authorization", authorization.as_str())];
    let opened = world
        .raw(service)
        .open(PATH, &headers, message.encode_to_vec())
        .await;
    opened.expect("a stream")
}

async fn next(stream: &mut tonic::Streaming<bytes::Bytes>) -> WatchEventsResponse {
    let answer = stream.message().await.expect("the stream stands");
    WatchEventsResponse::decode(answer.expect("it goes on")).expect("a message")
}
