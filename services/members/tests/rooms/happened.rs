//! What others are told of members: the events.

use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{Event, EventType, WatchEventsRequest};
use fealty_proto::members::v1::{self as pb, MemberStatus};
use prost::Message;
use tokio::time::timeout;
use uuid::Uuid;

use crate::harness::{PATIENCE, request_id};
use crate::shop::Shop;
use crate::{households, merges, status};

/// What happened to somebody, in order.
pub async fn happened_to(shop: &Shop, member_id: &str) -> Vec<Payload> {
    let member_id: Uuid = member_id.parse().expect("an id");
    let payloads: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT payload FROM event WHERE subject_id = $1 ORDER BY version")
            .bind(member_id)
            .fetch_all(&shop.world.database.owner)
            .await
            .expect("events");
    let payload = |bytes: Vec<u8>| {
        let event = Event::decode(bytes.as_slice()).expect("an event");
        event.payload.expect("what happened")
    };
    payloads.into_iter().map(payload).collect()
}

#[tokio::test]
async fn whoever_follows_members_hears_all_of_it_in_order() {
    let shop = Shop::open().await;
    let request = WatchEventsRequest::default();
    let mut stream = shop
        .world
        .events(&shop.auth)
        .watch_events(request)
        .await
        .unwrap()
        .into_inner();

    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    let tier = pb::SetMemberTierRequest {
        request_id: request_id(),
        member_id: ana.member_id.clone(),
        tier_code: "gold".to_owned(),
        ..Default::default()
    };
    shop.world
        .members(&shop.auth)
        .set_member_tier(tier)
        .await
        .unwrap();
    households::create(&shop, &ana).await;
    status::set(&shop, &ana, MemberStatus::Suspended).await;
    status::set(&shop, &ana, MemberStatus::Active).await;
    merges::merge(&shop, &ana, &vera).await;

    let expected = [
        (1, EventType::MemberEnrolled),
        (2, EventType::MemberTierChanged),
        (3, EventType::HouseholdChanged),
        (4, EventType::MemberStatusChanged),
        (5, EventType::MemberStatusChanged),
        (6, EventType::HouseholdChanged),
        (7, EventType::MemberMerged),
    ];
    let mut of_ana = Vec::new();
    let mut of_vera = Vec::new();
    while of_ana.len() < expected.len() {
        let next = timeout(PATIENCE, stream.message()).await.expect("events in time");
        for event in next.unwrap().expect("no end").events {
            assert_eq!(event.program_id, shop.program.to_string());
            let seen = (event.version, event.event_type());
            if event.subject_id == ana.member_id {
                of_ana.push(seen);
            } else {
                assert_eq!(event.subject_id, vera.member_id);
                of_vera.push(seen);
            }
        }
    }
    assert_eq!(of_ana, expected);
    let of_vera_expected = [(1, EventType::MemberEnrolled), (2, EventType::HouseholdChanged)];
    assert!(of_vera_expected.starts_with(&of_vera), "{of_vera:?}");
    assert_eq!(happened_to(&shop, &vera.member_id).await.len(), 2);
}
