//! How cards end: blocked, replaced.

use fealty_proto::events::v1::event::Payload;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::{CardEndReason, CardStatus};
use fealty_proto::r#type::v1::ErrorReason;
use futures::future::join_all;
use tonic::{Code, Status};

use crate::cards::{add, blocking, get, issue, metadata, numbers_of, range, replace, replacing};
use crate::happened::happened_to;
use crate::harness::{assert_refused, is_replayed};
use crate::shop::{Shop, card, enrolment, external_id};

/// Callers who want the same card at once.
const CALLERS_COUNT: usize = 16;

pub async fn block(shop: &Shop, number: &str, reason: CardEndReason) -> pb::Card {
    let blocked = shop
        .world
        .cards(&shop.auth)
        .block_card(blocking(number, reason))
        .await;
    blocked.expect("blocked").into_inner().card.expect("a card")
}

pub async fn history_of(shop: &Shop, member_id: &str) -> Vec<pb::IdentifierHistoryEntry> {
    let request = pb::ListIdentifierHistoryRequest {
        member_id: member_id.to_owned(),
        ..Default::default()
    };
    let mut members = shop.world.members(&shop.auth);
    let answer = members.list_identifier_history(request).await.expect("a page");
    answer.into_inner().entries
}

#[track_caller]
pub fn assert_ended<T: std::fmt::Debug>(
    label: &str,
    answer: Result<T, Status>,
    reason: ErrorReason,
) -> Status {
    assert_refused(label, answer, Code::FailedPrecondition, reason)
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
            Payload::IdentifierChanged(payload) => Some(payload.change),
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
