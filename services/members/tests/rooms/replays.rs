//! What a retry is answered after a merge has moved what the first attempt made.

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::identifier::Value;

use crate::harness::{is_replayed, request_id};
use crate::merges::merge;
use crate::shop::{Shop, email, external_id, identifier, phone};
use crate::verified::{mark, marking};

fn adding(member: &pb::Member, value: Value) -> pb::AddIdentifierRequest {
    pb::AddIdentifierRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        identifier: Some(identifier(value)),
    }
}

#[tokio::test]
async fn an_identifier_that_a_merge_moved_is_answered_again_with_who_stays() {
    let shop = Shop::open().await;
    let (from, into) = (shop.enrol(&[phone("+442079460018")]).await, shop.enrol(&[]).await);
    let request = adding(&from, email("ana@example.com"));
    let mut members = shop.world.members(&shop.auth);
    let added = members
        .add_identifier(request.clone())
        .await
        .unwrap()
        .into_inner();
    let marked = marking(&from, 0);
    let verified = mark(&shop, marked.clone()).await.unwrap().into_inner();
    merge(&shop, &from, &into).await;
    let again = members.add_identifier(request).await.unwrap();
    assert!(is_replayed(&again));
    let again = again.into_inner();
    assert_eq!(again.identifier, added.identifier);
    assert_eq!(again.member.unwrap().member_id, into.member_id);
    let again = mark(&shop, marked).await.unwrap();
    assert!(is_replayed(&again));
    let again = again.into_inner();
    assert_eq!(again.identifier, verified.identifier);
    assert_eq!(again.member.unwrap().member_id, into.member_id);
}

#[tokio::test]
async fn an_identifier_that_a_merge_left_behind_is_answered_again_where_it_is() {
    let shop = Shop::open().await;
    let (from, into) = (shop.enrol(&[]).await, shop.enrol(&[external_id("2")]).await);
    let request = adding(&from, external_id("1"));
    let mut members = shop.world.members(&shop.auth);
    let added = members
        .add_identifier(request.clone())
        .await
        .unwrap()
        .into_inner();
    merge(&shop, &from, &into).await;
    let again = members.add_identifier(request).await.unwrap().into_inner();
    assert_eq!(again.identifier, added.identifier);
    assert_eq!(again.member.unwrap().member_id, from.member_id);
}
