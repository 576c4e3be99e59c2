//! What is done because of an event is of the event's trace.

use std::time::Duration;

use fealty_proto::events::v1::Event;
use fealty_service::consumer::{ConsumeError, Consumer, Handler, Source};
use fealty_telemetry::{SinkSpan, Telemetry, trace_id, trace_parent};
use sqlx::PgConnection;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::feed::{Feed, PATIENCE, Replica, client, program, tier};

/// Tells of each event where in which trace it was applied.
struct Places {
    told: mpsc::UnboundedSender<(String, Option<String>)>,
}

impl Handler for Places {
    async fn apply_in_tx(&self, _: &mut PgConnection, event: &Event) -> Result<(), ConsumeError> {
        let place = (event.event_id.clone(), trace_parent(&Span::current()));
        self.told.send(place).expect("the test listens");
        Ok(())
    }
}

fn follow(
    feed: &Feed,
    replica: &Replica,
) -> (JoinSet<()>, mpsc::UnboundedReceiver<(String, Option<String>)>) {
    let (told, places) = mpsc::unbounded_channel();
    let source = Source {
        events: client(replica, &feed.key(None)),
        event_types: Vec::new(),
    };
    let consumer = Consumer::new("traced", source, &feed.ground, Places { told });
    let mut running = JoinSet::new();
    running.spawn(consumer.keep_consuming());
    (running, places)
}

#[tokio::test]
async fn an_event_is_applied_in_its_own_trace_whatever_comes_beside_it() {
    let traced = Telemetry::for_tests();
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let (program, subject) = (program(), Uuid::now_v7());
    let mut wanted = Vec::new();
    for _ in 0..2 {
        let call = tracing::info_span!("call");
        let event = tier(subject, "gold");
        wanted.push((event.event_id.to_string(), trace_id(&call).expect("an id")));
        feed.append(program, &[event]).instrument(call).await;
    }
    // Both are there before anybody follows: they come in one batch.
    let (_running, mut places) = follow(&feed, &replica);
    for (event_id, trace_id) in wanted {
        let (applied, place) = timeout(PATIENCE, places.recv())
            .await
            .expect("in time")
            .expect("it is applied");
        assert_eq!(applied, event_id);
        let place = place.expect("it is applied in a trace");
        assert_eq!(&place[3..35], trace_id, "{place}");

        let is_whole = |spans: &[SinkSpan]| spans.len() >= 3;
        let spans = traced.sink.wait_for_trace(&trace_id, PATIENCE, is_whole).await;
        let find = |name| {
            let mut named = spans.iter().filter(|span| span.name == name);
            named.next().unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
        };
        let consumed = find("process traced");
        assert_eq!(consumed.parent_span_id, find("append").span_id);
        assert_eq!(consumed.kind, "SPAN_KIND_CONSUMER");
        assert_eq!(&place[36..52], consumed.span_id);
        assert_eq!(consumed.attributes["messaging.message.id"], event_id);
    }
}

#[tokio::test]
async fn an_event_of_no_trace_is_applied_in_none_of_its_own() {
    let traced = Telemetry::for_tests();
    let feed = Feed::new().await;
    let event = tier(Uuid::now_v7(), "gold");
    let event_id = event.event_id.to_string();
    feed.append(program(), &[event]).await;
    // Written where nothing is sampled, such as in a process without an endpoint.
    sqlx::query("UPDATE event SET trace_parent = NULL")
        .execute(&feed.database.owner)
        .await
        .expect("forgotten");
    let replica = feed.serve().await;
    let (_running, mut places) = follow(&feed, &replica);
    let (applied, _) = timeout(PATIENCE, places.recv())
        .await
        .expect("in time")
        .expect("it is applied");
    assert_eq!(applied, event_id);
    // Long enough for what was begun to arrive.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let spans = traced.sink.spans();
    let consumed = spans
        .iter()
        .find(|span| span.attributes.get("messaging.message.id") == Some(&event_id));
    assert_eq!(consumed, None);
}
