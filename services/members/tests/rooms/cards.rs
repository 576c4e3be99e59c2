//! `CardService`: cards are issued, given to members, blocked and replaced.

use std::collections::BTreeSet;

use fealty_proto::events::v1::event::Payload;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::issue_cards_request::Numbering;
use fealty_proto::members::v1::{CardEndReason, CardStatus};
use fealty_proto::r#type::v1::ErrorReason;
use futures::future::join_all;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use crate::happened::happened_to;
use crate::harness::{assert_invalid, assert_refused, is_replayed, nobodys_id, request_id};
use crate::shop::{Shop, card, enrolment, external_id, identifier};

/// Most cards of one batch.
const CARD_COUNT_MAX: i32 = 10_000;

/// Callers who want the same card at once.
const CALLERS_COUNT: usize = 16;

fn range(first: &str, card_count: i32) -> pb::IssueCardsRequest {
    pb::IssueCardsRequest {
        request_id: request_id(),
        display_name: "Autumn".to_owned(),
        card_count,
        numbering: Some(Numbering::Range(pb::CardNumberRange {
            first_card_number: first.to_owned(),
        })),
    }
}

fn random(prefix: &str, digit_count: i32, card_count: i32) -> pb::IssueCardsRequest {
    pb::IssueCardsRequest {
        numbering: Some(Numbering::Random(pb::RandomCardNumbers {
            prefix: prefix.to_owned(),
            digit_count,
        })),
        ..range("", card_count)
    }
}

async fn try_issue(
    shop: &Shop,
    request: pb::IssueCardsRequest,
) -> Result<Response<pb::IssueCardsResponse>, Status> {
    shop.world.cards(&shop.auth).issue_cards(request).await
}

async fn issue(shop: &Shop, request: pb::IssueCardsRequest) -> pb::CardBatch {
    let issued = try_issue(shop, request).await.expect("issued");
    issued.into_inner().card_batch.expect("a batch")
}

/// The cards of a batch, page by page.
async fn cards_of(shop: &Shop, batch: &pb::CardBatch, status: CardStatus, page_size: i32) -> Vec<pb::Card> {
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

async fn numbers_of(shop: &Shop, batch: &pb::CardBatch) -> Vec<String> {
    let cards = cards_of(shop, batch, CardStatus::Unspecified, 1_000).await;
    cards.into_iter().map(|card| card.card_number).collect()
}

async fn get(shop: &Shop, number: &str) -> pb::Card {
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

fn blocking(number: &str, reason: CardEndReason) -> pb::BlockCardRequest {
    pb::BlockCardRequest {
        request_id: request_id(),
        card_number: number.to_owned(),
        reason: reason.into(),
    }
}

async fn block(shop: &Shop, number: &str, reason: CardEndReason) -> pb::Card {
    let blocked = shop
        .world
        .cards(&shop.auth)
        .block_card(blocking(number, reason))
        .await;
    blocked.expect("blocked").into_inner().card.expect("a card")
}

fn replacing(number: &str, new_number: &str, reason: CardEndReason) -> pb::ReplaceCardRequest {
    pb::ReplaceCardRequest {
        request_id: request_id(),
        card_number: number.to_owned(),
        new_card_number: new_number.to_owned(),
        reason: reason.into(),
    }
}

async fn replace(shop: &Shop, request: pb::ReplaceCardRequest) -> Result<pb::Card, Status> {
    let replaced = shop.world.cards(&shop.auth).replace_card(request).await?;
    Ok(replaced.into_inner().card.expect("a card"))
}

async fn add(shop: &Shop, member: &pb::Member, value: Value) -> Result<pb::AddIdentifierResponse, Status> {
    let request = pb::AddIdentifierRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        identifier: Some(identifier(value)),
    };
    let answer = shop.world.members(&shop.auth).add_identifier(request).await?;
    Ok(answer.into_inner())
}

async fn history_of(shop: &Shop, member_id: &str) -> Vec<pb::IdentifierHistoryEntry> {
    let request = pb::ListIdentifierHistoryRequest {
        member_id: member_id.to_owned(),
        ..Default::default()
    };
    let mut members = shop.world.members(&shop.auth);
    let answer = members.list_identifier_history(request).await.expect("a page");
    answer.into_inner().entries
}

/// What a refusal says of a card.
fn metadata(status: &Status, key: &str) -> String {
    let info = status.get_details_error_info().expect("ErrorInfo");
    info.metadata.get(key).cloned().unwrap_or_default()
}

#[track_caller]
fn assert_ended<T: std::fmt::Debug>(label: &str, answer: Result<T, Status>, reason: ErrorReason) -> Status {
    assert_refused(label, answer, Code::FailedPrecondition, reason)
}

#[tokio::test]
async fn a_range_is_issued_in_order_once_and_told_by_the_page() {
    let shop = Shop::open().await;
    let request = range("2700 0000 0017", 5);
    let issued = try_issue(&shop, request.clone()).await.unwrap();
    let again = try_issue(&shop, request.clone()).await.unwrap();
    assert!(!is_replayed(&issued) && is_replayed(&again));
    let batch = issued.into_inner().card_batch.unwrap();
    assert_eq!(again.into_inner().card_batch.unwrap(), batch);
    assert_eq!((batch.display_name.as_str(), batch.card_count), ("Autumn", 5));
    let cards = cards_of(&shop, &batch, CardStatus::Unspecified, 2).await;
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
    let who: Vec<&str> = listed.iter().map(|card| card.member_id.as_str()).collect();
    assert_eq!(who, [&ana.member_id, &ben.member_id]);
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

    // What is taken away is nobody's again, and on the list.
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
    let issued: Vec<&str> = issued.iter().map(|card| card.card_number.as_str()).collect();
    assert_eq!(issued, [&numbers[1], &numbers[2]]);
    add(&shop, &ana, card(&numbers[1])).await.unwrap();
}

#[tokio::test]
async fn a_blocked_card_finds_nobody_and_is_given_to_nobody_also_when_it_was_taken_away() {
    let shop = Shop::open().await;
    let number = "4539148803436467";
    let ana = shop.enrol(&[card(number), external_id("ana")]).await;
    let request = blocking(number, CardEndReason::Stolen);
    let mut cards = shop.world.cards(&shop.auth);
    let first = cards.block_card(request.clone()).await.unwrap();
    let again = cards.block_card(request).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.get_ref(), again.get_ref());
    let blocked = first.into_inner().card.unwrap();
    assert_eq!(
        (blocked.status(), blocked.end_reason()),
        (CardStatus::Blocked, CardEndReason::Stolen)
    );
    assert_eq!(
        (&blocked.member_id, blocked.card_number.as_str()),
        (&ana.member_id, number)
    );
    // Blocking it for another reason changes nothing.
    assert_eq!(block(&shop, number, CardEndReason::Damaged).await, blocked);

    let refused = assert_ended(
        "a till",
        shop.lookup(card(number)).await,
        ErrorReason::CardBlocked,
    );
    assert_eq!(metadata(&refused, "reason"), "STOLEN");
    assert!(!format!("{refused:?}").contains(number));
    let seen = shop.lookup(external_id("ana")).await.unwrap();
    assert_ne!(seen.etag, ana.etag);
    let hers = &seen.identifiers[0];
    assert_eq!(
        (hers.card_status(), hers.card_end_reason()),
        (CardStatus::Blocked, CardEndReason::Stolen)
    );

    let removal = pb::RemoveIdentifierRequest {
        member_id: ana.member_id.clone(),
        identifier_id: hers.identifier_id.clone(),
    };
    shop.world
        .members(&shop.auth)
        .remove_identifier(removal)
        .await
        .unwrap();
    assert_ended("gone", shop.lookup(card(number)).await, ErrorReason::CardBlocked);
    assert_ended(
        "given again",
        add(&shop, &ana, card(number)).await,
        ErrorReason::CardBlocked,
    );
    let enrolling = shop.try_enrol(enrolment(&[card(number)])).await;
    assert_ended("to somebody new", enrolling, ErrorReason::CardBlocked);
    let kept = get(&shop, number).await;
    assert_eq!(
        (kept.status(), kept.member_id.as_str()),
        (CardStatus::Blocked, "")
    );
    assert_eq!(shop.count().await, 1, "nothing stays of the enrolment");
}

#[tokio::test]
async fn a_card_that_nobody_has_can_be_blocked_too() {
    let shop = Shop::open().await;
    let batch = issue(&shop, range("270000000017", 2)).await;
    let number = &numbers_of(&shop, &batch).await[1];
    block(&shop, number, CardEndReason::Lost).await;
    assert_ended(
        "enrol",
        shop.try_enrol(enrolment(&[card(number)])).await,
        ErrorReason::CardBlocked,
    );
    let unheard_of = shop
        .world
        .cards(&shop.auth)
        .block_card(blocking("4539148803436467", CardEndReason::Lost))
        .await;
    assert_refused(
        "unheard of",
        unheard_of,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
}

#[tokio::test]
async fn a_lost_card_is_replaced_and_says_by_what_and_a_worn_one_still_finds_its_member() {
    let shop = Shop::open().await;
    let batch = issue(&shop, range("270000000017", 3)).await;
    let numbers = numbers_of(&shop, &batch).await;
    let ana = shop.enrol(&[card(&numbers[0])]).await;
    let worn = replacing(&numbers[0], &numbers[1], CardEndReason::Damaged);
    let second = replace(&shop, worn.clone()).await.unwrap();
    assert_eq!(
        (second.status(), &second.member_id),
        (CardStatus::Linked, &ana.member_id)
    );
    assert_eq!(replace(&shop, worn).await.unwrap(), second, "the same again");
    assert_eq!(
        shop.lookup(card(&numbers[0])).await.unwrap().member_id,
        ana.member_id
    );
    let twice = replace(&shop, replacing(&numbers[0], &numbers[2], CardEndReason::Lost)).await;
    assert_ended("twice", twice, ErrorReason::CardReplaced);

    let lost = replacing(&numbers[1], &numbers[2], CardEndReason::Lost);
    let third = replace(&shop, lost).await.unwrap();
    let refused = shop.lookup(card(&numbers[1])).await;
    let refused = assert_ended("a lost one", refused, ErrorReason::CardReplaced);
    assert_eq!(metadata(&refused, "reason"), "LOST");
    assert_eq!(
        metadata(&refused, "replaced_by_identifier_id"),
        third.identifier_id
    );
    let found = shop.lookup(card(&numbers[2])).await.unwrap();
    let states: Vec<_> = found
        .identifiers
        .iter()
        .map(|one| (one.card_status(), one.replaced_by_identifier_id.as_str()))
        .collect();
    let expected = [
        (CardStatus::Replaced, second.identifier_id.as_str()),
        (CardStatus::Replaced, third.identifier_id.as_str()),
        (CardStatus::Linked, ""),
    ];
    assert_eq!(states, expected);

    // The worn one is stolen after all.
    block(&shop, &numbers[0], CardEndReason::Stolen).await;
    assert_ended(
        "stolen",
        shop.lookup(card(&numbers[0])).await,
        ErrorReason::CardBlocked,
    );
    let history = history_of(&shop, &ana.member_id).await;
    let changes: Vec<&str> = history.iter().map(|entry| entry.change.as_str()).collect();
    assert_eq!(changes.iter().filter(|change| **change == "ADDED").count(), 3);
    assert_eq!(changes.iter().filter(|change| **change == "REPLACED").count(), 2);
    assert_eq!(changes.last(), Some(&"BLOCKED"));
    assert!(
        history
            .iter()
            .all(|entry| entry.actor.starts_with("key:") && entry.kind == "card_number")
    );
    let told = happened_to(&shop, &ana.member_id).await;
    let told: Vec<String> = told
        .into_iter()
        .filter_map(|payload| match payload {
            Payload::IdentifierChanged(changed) => Some(changed.change),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["REPLACED", "ADDED", "REPLACED", "ADDED", "BLOCKED"]);
}

#[tokio::test]
async fn a_blocked_card_is_replaced_and_stays_blocked_for_its_own_reason() {
    let shop = Shop::open().await;
    let (old, new) = ("4539148803436467", "4111111111111111");
    shop.enrol(&[card(old)]).await;
    block(&shop, old, CardEndReason::Stolen).await;
    replace(&shop, replacing(old, new, CardEndReason::Damaged))
        .await
        .unwrap();
    let refused = assert_ended("the old", shop.lookup(card(old)).await, ErrorReason::CardBlocked);
    assert_eq!(metadata(&refused, "reason"), "STOLEN");
    assert!(shop.lookup(card(new)).await.is_ok());
}

#[tokio::test]
async fn what_is_nobodys_or_somebody_elses_replaces_nothing_and_leaves_nothing() {
    let shop = Shop::open().await;
    let batch = issue(&shop, range("270000000017", 2)).await;
    let numbers = numbers_of(&shop, &batch).await;
    let (anas, bens) = ("4539148803436467", "4111111111111111");
    let ana = shop.enrol(&[card(anas)]).await;
    shop.enrol(&[card(bens)]).await;
    block(&shop, &numbers[1], CardEndReason::Lost).await;
    let neighbour = shop.neighbour().await;
    let before = shop.world.contents().await;
    let reason = CardEndReason::Lost;
    let nobodys = replace(&shop, replacing(&numbers[0], &numbers[1], reason)).await;
    assert_ended("nobody's", nobodys, ErrorReason::CardNotLinked);
    let by_blocked = replace(&shop, replacing(anas, &numbers[1], reason)).await;
    assert_ended("by a blocked one", by_blocked, ErrorReason::CardBlocked);
    let by_bens = replace(&shop, replacing(anas, bens, reason)).await;
    assert_refused(
        "by Ben's",
        by_bens,
        Code::AlreadyExists,
        ErrorReason::ResourceExists,
    );
    let unheard_of = replace(&shop, replacing("5500000000000004", &numbers[0], reason)).await;
    assert_refused(
        "unheard of",
        unheard_of,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    let hers = pb::GetCardRequest {
        card_number: anas.to_owned(),
    };
    let theirs = shop.world.cards(&neighbour).get_card(hers).await;
    assert_refused(
        "of another program",
        theirs,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    assert_eq!(shop.world.contents().await, before);
    assert_eq!(shop.get(&ana.member_id).await.unwrap(), ana);
}

#[tokio::test]
async fn of_many_who_want_a_card_at_once_one_gets_it_unless_it_is_blocked_first() {
    let shop = Shop::open().await;
    let batch = issue(&shop, range("270000000017", 1)).await;
    let number = &numbers_of(&shop, &batch).await[0];
    let enrolling = (0..CALLERS_COUNT).map(|_| shop.try_enrol(enrolment(&[card(number)])));
    let (enrolled, blocked) = tokio::join!(join_all(enrolling), block(&shop, number, CardEndReason::Misused));
    assert_eq!(blocked.status(), CardStatus::Blocked);
    let count = enrolled.iter().filter(|answer| answer.is_ok()).count();
    assert!(count <= 1, "{count} have the same card");
    assert_eq!(shop.count().await, count);
    assert_ended(
        "afterwards",
        shop.lookup(card(number)).await,
        ErrorReason::CardBlocked,
    );
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
