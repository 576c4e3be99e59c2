//! `CardService`: cards are issued, given to members, blocked and replaced.

use std::collections::BTreeSet;

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::issue_cards_request::Numbering;
use fealty_proto::members::v1::{CardEndReason, CardStatus};
use fealty_proto::r#type::v1::ErrorReason;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use crate::harness::{assert_invalid, assert_refused, is_replayed, nobodys_id, request_id};
use crate::shop::{Shop, card, external_id, identifier};

/// Most cards of one batch.
const CARD_COUNT_MAX: i32 = 10_000;

pub fn range(first: &str, card_count: i32) -> pb::IssueCardsRequest {
    pb::IssueCardsRequest {
        request_id: request_id(),
        display_name: "Autumn".to_owned(),
        card_count,
        numbering: Some(Numbering::Range(pb::CardNumberRange {
            first_card_number: first.to_owned(),
        })),
    }
}

pub fn random(prefix: &str, digit_count: i32, card_count: i32) -> pb::IssueCardsRequest {
    pb::IssueCardsRequest {
        numbering: Some(Numbering::Random(pb::RandomCardNumbers {
            prefix: prefix.to_owned(),
            digit_count,
        })),
        ..range("", card_count)
    }
}

pub async fn try_issue(
    shop: &Shop,
    request: pb::IssueCardsRequest,
) -> Result<Response<pb::IssueCardsResponse>, Status> {
    shop.world.cards(&shop.auth).issue_cards(request).await
}

pub async fn issue(shop: &Shop, request: pb::IssueCardsRequest) -> pb::CardBatch {
    let issued = try_issue(shop, request).await.expect("issued");
    issued.into_inner().card_batch.expect("a batch")
}

/// The cards of a batch, page by page.
pub async fn cards_of(
    shop: &Shop,
    batch: &pb::CardBatch,
    status: CardStatus,
    page_size: i32,
) -> Vec<pb::Card> {
    let mut cards = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListCardsRequest {
            card_batch_id: batch.card_batch_id.clone(),
            page_size,
            page_token,
            status: status.into(),
        };
        let page = shop
            .world
            .cards(&shop.auth)
            .list_cards(request)
            .await
            .expect("a page");
        let page = page.into_inner();
        cards.extend(page.cards);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return cards;
        }
    }
}

/// In their order, which is not that of the list.
pub async fn numbers_of(shop: &Shop, batch: &pb::CardBatch) -> Vec<String> {
    let cards = cards_of(shop, batch, CardStatus::Unspecified, 1_000).await;
    let mut numbers: Vec<String> = cards.into_iter().map(|card| card.card_number).collect();
    numbers.sort_unstable();
    numbers
}

pub async fn get(shop: &Shop, number: &str) -> pb::Card {
    let request = pb::GetCardRequest {
        card_number: number.to_owned(),
    };
    let answer = shop
        .world
        .cards(&shop.auth)
        .get_card(request)
        .await
        .expect("a card");
    answer.into_inner().card.expect("a card")
}

pub fn blocking(number: &str, reason: CardEndReason) -> pb::BlockCardRequest {
    pb::BlockCardRequest {
        request_id: request_id(),
        card_number: number.to_owned(),
        reason: reason.into(),
    }
}

pub fn replacing(number: &str, new_number: &str, reason: CardEndReason) -> pb::ReplaceCardRequest {
    pb::ReplaceCardRequest {
        request_id: request_id(),
        card_number: number.to_owned(),
        new_card_number: new_number.to_owned(),
        reason: reason.into(),
    }
}

pub async fn replace(shop: &Shop, request: pb::ReplaceCardRequest) -> Result<pb::Card, Status> {
    let replaced = shop.world.cards(&shop.auth).replace_card(request).await?;
    Ok(replaced.into_inner().card.expect("a card"))
}

pub async fn add(
    shop: &Shop,
    member: &pb::Member,
    value: Value,
) -> Result<pb::AddIdentifierResponse, Status> {
    let request = pb::AddIdentifierRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        identifier: Some(identifier(value)),
    };
    let answer = shop.world.members(&shop.auth).add_identifier(request).await?;
    Ok(answer.into_inner())
}

/// What a refusal says of a card.
pub fn metadata(status: &Status, key: &str) -> String {
    let info = status.get_details_error_info().expect("ErrorInfo");
    info.metadata.get(key).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_range_is_issued_once_and_told_by_the_page() {
    let shop = Shop::open().await;
    let request = range("2700 0000 0017", 5);
    let issued = try_issue(&shop, request.clone()).await.unwrap();
    let again = try_issue(&shop, request.clone()).await.unwrap();
    assert!(!is_replayed(&issued) && is_replayed(&again));
    let batch = issued.into_inner().card_batch.unwrap();
    assert_eq!(again.into_inner().card_batch.unwrap(), batch);
    assert_eq!((batch.display_name.as_str(), batch.card_count), ("Autumn", 5));
    let mut cards = cards_of(&shop, &batch, CardStatus::Unspecified, 2).await;
    cards.sort_by(|one, other| one.card_number.cmp(&other.card_number));
    let numbers: Vec<&str> = cards.iter().map(|card| card.card_number.as_str()).collect();
    let expected = [
        "270000000017",
        "270000000025",
        "270000000033",
        "270000000041",
        "270000000058",
    ];
    assert_eq!(numbers, expected);
    assert!(
        cards
            .iter()
            .all(|card| card.status() == CardStatus::Issued && card.member_id.is_empty())
    );
    assert_eq!(get(&shop, numbers[3]).await, cards[3]);

    let overlapping = try_issue(&shop, range("270000000041", 5)).await;
    let status = assert_refused(
        "taken",
        overlapping,
        Code::AlreadyExists,
        ErrorReason::ResourceExists,
    );
    assert_eq!(metadata(&status, "place"), "1");
    let other = pb::IssueCardsRequest {
        request_id: request.request_id,
        ..range("270000000066", 5)
    };
    assert_refused(
        "another command",
        try_issue(&shop, other).await,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    let batches = shop
        .world
        .cards(&shop.auth)
        .list_card_batches(pb::ListCardBatchesRequest::default())
        .await;
    assert_eq!(batches.unwrap().into_inner().card_batches, [batch]);
}

#[tokio::test]
async fn ten_thousand_numbers_by_chance_are_different_and_pass_the_check() {
    let shop = Shop::open().await;
    let batch = issue(&shop, random("9643", 16, CARD_COUNT_MAX)).await;
    let numbers: BTreeSet<String> = numbers_of(&shop, &batch).await.into_iter().collect();
    assert_eq!(i32::try_from(numbers.len()), Ok(CARD_COUNT_MAX));
    assert!(
        numbers
            .iter()
            .all(|number| number.len() == 16 && number.starts_with("9643"))
    );
    // Each is a card that somebody can be enrolled with: its check digit is right.
    let some = numbers.iter().next().unwrap();
    shop.enrol(&[card(some)]).await;
}

#[tokio::test]
async fn an_issued_card_is_given_at_enrolment_or_later_and_then_no_list_tells_its_number() {
    let shop = Shop::open().await;
    let batch = issue(&shop, range("270000000017", 3)).await;
    let numbers = numbers_of(&shop, &batch).await;
    let nobodys = shop.lookup(card(&numbers[0])).await;
    let status = assert_refused("nobody's", nobodys, Code::NotFound, ErrorReason::ResourceNotFound);
    assert_eq!(metadata(&status, "card_status"), "ISSUED");

    let ana = shop.enrol(&[card(&numbers[0])]).await;
    let ben = shop.enrol(&[external_id("ben")]).await;
    let bens = add(&shop, &ben, card(&numbers[1]))
        .await
        .unwrap()
        .identifier
        .unwrap();
    assert_eq!(bens.card_status(), CardStatus::Linked);
    assert_eq!(
        shop.lookup(card(&numbers[0])).await.unwrap().member_id,
        ana.member_id
    );
    let listed = cards_of(&shop, &batch, CardStatus::Linked, 10).await;
    let who: BTreeSet<&str> = listed.iter().map(|card| card.member_id.as_str()).collect();
    assert_eq!(who, [ana.member_id.as_str(), &ben.member_id].into());
    assert!(listed.iter().all(|card| card.card_number.is_empty()));
    let taken = add(&shop, &ana, card(&numbers[1])).await;
    assert_refused("taken", taken, Code::AlreadyExists, ErrorReason::ResourceExists);
    for (table, rows) in shop.world.contents().await {
        let rows = rows.unwrap_or_default();
        assert!(
            !rows.contains(&numbers[0]) && !rows.contains(&numbers[1]),
            "{table}"
        );
    }

    // What is taken away is nobody's again, and on the list without its number.
    let removal = pb::RemoveIdentifierRequest {
        member_id: ben.member_id.clone(),
        identifier_id: bens.identifier_id,
    };
    shop.world
        .members(&shop.auth)
        .remove_identifier(removal)
        .await
        .unwrap();
    let issued = cards_of(&shop, &batch, CardStatus::Issued, 10).await;
    let issued: BTreeSet<&str> = issued.iter().map(|card| card.card_number.as_str()).collect();
    assert_eq!(issued, ["", numbers[2].as_str()].into());
    add(&shop, &ana, card(&numbers[1])).await.unwrap();
}

#[tokio::test]
async fn what_is_malformed_names_every_bad_field_and_changes_nothing() {
    let shop = Shop::open().await;
    let batch = issue(&shop, range("270000000017", 1)).await;
    let before = shop.world.contents().await;
    let nothing = pb::IssueCardsRequest::default();
    let fields = ["request_id", "display_name", "card_count", "numbering"];
    assert_invalid("nothing", try_issue(&shop, nothing).await, &fields);
    let many = range("270000000018", CARD_COUNT_MAX + 1);
    let fields = ["card_count", "range.first_card_number"];
    assert_invalid("too many", try_issue(&shop, many).await, &fields);
    let short = range("99999997", 2);
    assert_invalid(
        "no room",
        try_issue(&shop, short).await,
        &["range.first_card_number"],
    );
    let few = try_issue(&shop, random("123456", 12, 1_000)).await;
    assert_invalid("few numbers", few, &["random.digit_count"]);
    let letters = try_issue(&shop, random("12a", 16, 1)).await;
    assert_invalid("letters", letters, &["random.prefix"]);
    let mut cards = shop.world.cards(&shop.auth);
    let blocked = cards.block_card(pb::BlockCardRequest::default()).await;
    assert_invalid("block nothing", blocked, &["request_id", "card_number", "reason"]);
    let fields = ["request_id", "card_number", "new_card_number", "reason"];
    let replaced = replace(&shop, pb::ReplaceCardRequest::default()).await;
    assert_invalid("replace nothing", replaced, &fields);
    let same = replacing("4539148803436467", "4539-1488-0343-6467", CardEndReason::Lost);
    assert_invalid("by itself", replace(&shop, same).await, &["new_card_number"]);
    let listed = pb::ListCardsRequest {
        card_batch_id: nobodys_id(),
        ..Default::default()
    };
    let listed = cards.list_cards(listed).await;
    assert_refused("no batch", listed, Code::NotFound, ErrorReason::ResourceNotFound);
    let listed = pb::ListCardsRequest {
        card_batch_id: batch.card_batch_id,
        page_size: -1,
        status: 99,
        ..Default::default()
    };
    let listed = cards.list_cards(listed).await;
    assert_invalid("a strange page", listed, &["page_size", "status"]);
    assert_eq!(shop.world.contents().await, before);
}
