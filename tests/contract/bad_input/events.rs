//! What cannot be followed.

use fealty_proto::events::v1::WatchEventsRequest;
use tonic::Code;

use super::case::{Case, Table, invalid, refused};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    let token = |resume_token: &str| WatchEventsRequest {
        resume_token: resume_token.to_owned(),
        ..WatchEventsRequest::default()
    };
    Table::of(world, "/fealty.events.v1.EventService/WatchEvents")
        .row(
            "nonsense",
            &WatchEventsRequest {
                event_types: vec![1, 0, 99],
                subject_id: "somebody".to_owned(),
                from_now: true,
                ..token("now")
            },
            invalid(&["event_types[1]", "event_types[2]", "subject_id", "from_now"]),
        )
        .row(
            "more kinds than may be named",
            &WatchEventsRequest {
                event_types: vec![1; 33],
                ..WatchEventsRequest::default()
            },
            invalid(&["event_types"]),
        )
        .row(
            "a damaged token",
            &token("AAAA"),
            refused(Code::OutOfRange, "RESUME_TOKEN_INVALID"),
        )
        .done()
}
