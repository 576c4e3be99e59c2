//! What the others are told: the end of each redemption and the use of each voucher, in the order of their member.

use fealty_client::{ClientConfig, EventsClient};
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{EventType, WatchEventsRequest};
use fealty_proto::rewards::v1 as pb;

use crate::harness::{PATIENCE, PRICE, World, coffee, new_id, points};

#[tokio::test]
async fn whoever_follows_hears_of_each_end_and_each_use_in_order() {
    let world = World::start().await;
    let reward = world.create(coffee(), 2).await;
    let member_id = world.member(PRICE);
    let redeemed = world
        .redeem(&member_id, &reward.reward_id)
        .await
        .unwrap()
        .into_message();
    let used = pb::UseVoucherRequest {
        request_id: new_id(),
        code: redeemed.voucher.unwrap().code,
        source: "till".to_owned(),
        receipt_id: String::new(),
    };
    world.client().use_voucher(used).await.unwrap();
    // The points are spent.
    world.redeem(&member_id, &reward.reward_id).await.unwrap_err();

    let endpoint = format!("http://{}", world.replica.serving.grpc);
    let client = EventsClient::try_new(&ClientConfig::new(endpoint, world.key())).unwrap();
    let mut stream = client.watch(WatchEventsRequest {
        subject_id: member_id.clone(),
        ..WatchEventsRequest::default()
    });
    let mut events = Vec::new();
    while events.len() < 3 {
        let page = tokio::time::timeout(PATIENCE, stream.next())
            .await
            .expect("in time")
            .unwrap();
        events.extend(page.events);
    }
    let versions: Vec<i64> = events.iter().map(|event| event.version).collect();
    assert_eq!(versions, [1, 2, 3]);
    let types: Vec<EventType> = events
        .iter()
        .map(fealty_proto::events::v1::Event::event_type)
        .collect();
    assert_eq!(
        types,
        [
            EventType::RedemptionEnded,
            EventType::VoucherUsed,
            EventType::RedemptionEnded
        ]
    );
    let ends: Vec<bool> = events
        .into_iter()
        .filter_map(|event| match event.payload {
            Some(Payload::RedemptionEnded(ended)) => {
                assert_eq!(
                    (ended.reward_id, ended.price),
                    (reward.reward_id.clone(), Some(points(PRICE)))
                );
                Some(ended.redeemed)
            }
            _ => None,
        })
        .collect();
    assert_eq!(ends, [true, false]);
}
