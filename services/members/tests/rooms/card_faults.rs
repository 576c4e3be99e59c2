//! Cards where something comes between: numbers run short, an enrolment is not finished, a record was merged, others are
//! quicker.

use chrono::TimeDelta;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::{CardEndReason, CardStatus};
use fealty_proto::r#type::v1::ErrorReason;
use fealty_rpc::errors::reason_of;
use futures::future::{join, join_all};
use tonic::{Code, Status};

use crate::card_ends::{assert_ended, block, history_of};
use crate::cards::{
    add, cards_of, get, issue, metadata, numbers_of, random, range, replace, replacing, try_issue,
};
use crate::harness::{assert_refused, is_replayed};
use crate::ledger::{Door, Mood};
use crate::merges::merge;
use crate::shop::{Shop, card, email, enrolment, external_id, phone};

/// Callers who look for a card while it is given.
const CALLERS_COUNT: usize = 8;

/// Most identifiers of one member.
const IDENTIFIERS_MAX: u32 = 32;

async fn remove(shop: &Shop, member: &pb::Member, identifier_id: &str) -> pb::Member {
    let removal = pb::RemoveIdentifierRequest {
        member_id: member.member_id.clone(),
        identifier_id: identifier_id.to_owned(),
    };
    let removed = shop.world.members(&shop.auth).remove_identifier(removal).await;
    removed.expect("removed").into_inner().member.expect("a member")
}

#[tokio::test]
async fn numbers_by_chance_are_made_anew_where_they_are_taken_until_there_are_none() {
    let shop = Shop::open().await;
    // Half of the ten thousand numbers of 8 digits that begin with 123.
    issue(&shop, range("12300000", 5_000)).await;
    for _ in 0..3 {
        issue(&shop, random("123", 8, 10)).await;
    }
    // All of those that begin with 124.
    issue(&shop, range("12400008", 10_000)).await;
    let request = random("124", 8, 10);
    let refused = try_issue(&shop, request.clone()).await;
    let refused = assert_refused(
        "full",
        refused,
        Code::FailedPrecondition,
        ErrorReason::CountExceeded,
    );
    assert_eq!(metadata(&refused, "resource"), "card_numbers");
    assert_eq!(metadata(&refused, "count_max"), "10000");
    // Nothing stays of it: the same id may be used for what is corrected.
    let other = pb::IssueCardsRequest {
        request_id: request.request_id,
        ..random("125", 8, 10)
    };
    assert!(!is_replayed(&try_issue(&shop, other).await.unwrap()));
}

#[tokio::test]
async fn a_card_that_is_given_this_moment_is_never_told_to_be_blocked() {
    let shop = Shop::open().await;
    let batch = issue(&shop, range("270000000017", 100)).await;
    let numbers = numbers_of(&shop, &batch).await;
    let ana = shop.enrol(&[]).await;
    for number in &numbers {
        let looking = (0..CALLERS_COUNT).map(async |_| {
            loop {
                match shop.lookup(card(number)).await {
                    Ok(found) => break assert_eq!(found.member_id, ana.member_id),
                    Err(status) => {
                        assert_eq!(
                            reason_of(&status),
                            Some(ErrorReason::ResourceNotFound),
                            "{status:?}"
                        );
                    }
                }
            }
        });
        let (_, added) = join(join_all(looking), add(&shop, &ana, card(number))).await;
        let added = added.expect("added").identifier.expect("an identifier");
        remove(&shop, &ana, &added.identifier_id).await;
    }
}

#[tokio::test]
async fn a_card_tells_of_nobody_whose_enrolment_is_not_finished() {
    let shop = Shop::open().await;
    let number = "4539148803436467";
    let request = enrolment(&[card(number)]);
    shop.ledger
        .set_mood_of(Door::Open, Some(Mood::Fails(Code::PermissionDenied)));
    assert!(shop.try_enrol(request.clone()).await.is_err());
    let seen = get(&shop, number).await;
    assert_eq!((seen.member_id.as_str(), seen.identifier_id.as_str()), ("", ""));
    let found = shop.lookup(card(number)).await;
    assert_refused("unfinished", found, Code::NotFound, ErrorReason::ResourceNotFound);
    let before = shop.world.contents().await;
    let replaced = replace(&shop, replacing(number, "4111111111111111", CardEndReason::Lost)).await;
    assert_refused("replace", replaced, Code::Aborted, ErrorReason::Contention);
    assert_eq!(shop.world.contents().await, before);
    // What is stolen is blocked all the same, and told of once there is somebody to tell of.
    let blocked = block(&shop, number, CardEndReason::Stolen).await;
    assert_eq!(
        (blocked.status(), blocked.member_id.as_str()),
        (CardStatus::Blocked, "")
    );
    shop.ledger.set_mood_of(Door::Open, None);
    let enrolled = shop.try_enrol(request).await.unwrap().into_inner();
    let member_id = enrolled.member.unwrap().member_id;
    assert_eq!(get(&shop, number).await.member_id, member_id);
    let seen = shop.get(&member_id).await.unwrap();
    assert_eq!(seen.identifiers[0].card_status(), CardStatus::Blocked);
    let history = history_of(&shop, &member_id).await;
    let changes: Vec<&str> = history.iter().map(|entry| entry.change.as_str()).collect();
    assert_eq!(changes, ["ADDED", "BLOCKED"]);
}

#[tokio::test]
async fn no_row_and_no_list_tells_which_card_of_a_range_is_whose() {
    let shop = Shop::open().await;
    let batch = issue(&shop, range("270000000017", 40)).await;
    let listed = cards_of(&shop, &batch, CardStatus::Unspecified, 7).await;
    let numbers: Vec<String> = listed.iter().map(|card| card.card_number.clone()).collect();
    let mut sorted = numbers.clone();
    sorted.sort();
    assert_ne!(numbers, sorted, "the order of the list tells the numbers");
    for number in &sorted[10..13] {
        shop.enrol(&[card(number)]).await;
    }
    let again = cards_of(&shop, &batch, CardStatus::Unspecified, 7).await;
    let ids = |cards: &[pb::Card]| -> Vec<String> { cards.iter().map(|card| card.card_id.clone()).collect() };
    assert_eq!(ids(&again), ids(&listed), "the order stays");
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT key FROM card, jsonb_each(to_jsonb(card)) WHERE identifier_id IS NOT NULL AND value <> 'null'",
    )
    .fetch_all(&shop.world.database.owner)
    .await
    .unwrap();
    let told = ["place", "card_number"];
    assert!(
        !columns.iter().any(|column| told.contains(&column.as_str())),
        "{columns:?}"
    );
}

#[tokio::test]
async fn a_replacement_is_answered_again_as_what_it_made_and_not_with_somebody_elses_card() {
    let shop = Shop::open().await;
    let (old, new) = ("4539148803436467", "4111111111111111");
    let (ana, ben) = (shop.enrol(&[card(old)]).await, shop.enrol(&[]).await);
    let request = replacing(old, new, CardEndReason::Lost);
    let made = replace(&shop, request.clone()).await.unwrap();
    assert_eq!(replace(&shop, request.clone()).await.unwrap(), made);
    remove(&shop, &ana, &made.identifier_id).await;
    add(&shop, &ben, card(new)).await.unwrap();
    let again = replace(&shop, request).await;
    assert_refused("gone", again, Code::NotFound, ErrorReason::ResourceNotFound);
}

#[tokio::test]
async fn the_number_of_a_card_that_somebody_had_is_not_listed_again() {
    let shop = Shop::open().await;
    let batch = issue(&shop, range("270000000017", 2)).await;
    let numbers = numbers_of(&shop, &batch).await;
    let ana = shop.enrol(&[card(&numbers[0])]).await;
    remove(&shop, &ana, &ana.identifiers[0].identifier_id).await;
    let issued = cards_of(&shop, &batch, CardStatus::Issued, 10).await;
    let mut listed: Vec<&str> = issued.iter().map(|card| card.card_number.as_str()).collect();
    listed.sort_unstable();
    assert_eq!(listed, ["", &numbers[1]]);
    for (table, rows) in shop.world.contents().await {
        assert!(!rows.unwrap_or_default().contains(&numbers[0]), "{table}");
    }
    // It can be given again, to whoever brings it.
    shop.enrol(&[card(&numbers[0])]).await;
}

#[tokio::test]
async fn a_blocked_card_that_is_replaced_keeps_since_when_and_why_it_is_blocked() {
    let (shop, clock) = Shop::open_with_clock().await;
    let (old, new) = ("4539148803436467", "4111111111111111");
    let ana = shop.enrol(&[card(old)]).await;
    let blocked = block(&shop, old, CardEndReason::Stolen).await;
    clock.advance(TimeDelta::hours(1));
    replace(&shop, replacing(old, new, CardEndReason::Damaged))
        .await
        .unwrap();
    let kept = get(&shop, old).await;
    assert_eq!(
        (kept.status(), kept.status_time),
        (CardStatus::Blocked, blocked.status_time)
    );
    let history = history_of(&shop, &ana.member_id).await;
    let replaced = history.iter().find(|entry| entry.change == "REPLACED").unwrap();
    assert_eq!(replaced.card_end_reason(), CardEndReason::Stolen);
}

#[tokio::test]
async fn a_refusal_says_which_card_has_ended_and_nothing_else_of_a_strangers() {
    let shop = Shop::open().await;
    let (anas, bens, next) = ("4539148803436467", "4111111111111111", "5500000000000004");
    let (ana, ben) = (shop.enrol(&[card(anas)]).await, shop.enrol(&[card(bens)]).await);
    let replaced = replace(&shop, replacing(bens, next, CardEndReason::Stolen))
        .await
        .unwrap();
    remove(&shop, &ben, &ben.identifiers[0].identifier_id).await;
    let told = |status: &Status| {
        ["kind", "index", "reason", "replaced_by_identifier_id"].map(|key| metadata(status, key))
    };
    let ended = ErrorReason::CardReplaced;
    let by_bens = replace(&shop, replacing(anas, bens, CardEndReason::Lost)).await;
    let by_bens = assert_ended("by a replaced one", by_bens, ended);
    assert_eq!(told(&by_bens), ["new_card_number", "", "", ""]);
    let adding = assert_ended("add", add(&shop, &ana, card(bens)).await, ended);
    assert_eq!(told(&adding), ["card_number", "", "", ""]);
    let enrolling = shop.try_enrol(enrolment(&[external_id("x"), card(bens)])).await;
    let enrolling = assert_ended("enrol", enrolling, ended);
    assert_eq!(told(&enrolling), ["card_number", "1", "", ""]);
    let again = replace(&shop, replacing(bens, "4012888888881881", CardEndReason::Lost)).await;
    let again = assert_ended("again", again, ErrorReason::CardNotLinked);
    assert_eq!(metadata(&again, "kind"), "card_number");
    let looking = assert_ended("look up", shop.lookup(card(bens)).await, ended);
    assert_eq!(
        told(&looking),
        ["card_number", "", "STOLEN", &replaced.identifier_id]
    );
}

#[tokio::test]
async fn a_card_that_a_merge_left_behind_is_that_of_who_stays() {
    let shop = Shop::open().await;
    let (number, new) = ("4539148803436467", "4111111111111111");
    let from = shop.enrol(&[card(number), email("ana@example.com")]).await;
    let phones: Vec<_> = (0..IDENTIFIERS_MAX)
        .map(|place| phone(&format!("+4420794600{place:02}")))
        .collect();
    let into = shop.enrol(&phones).await;
    let stays = merge(&shop, &from, &into).await;
    assert_eq!(
        shop.get(&from.member_id).await.unwrap().identifiers.len(),
        2,
        "nothing fits"
    );
    assert_eq!(get(&shop, number).await.member_id, into.member_id);
    let full = replace(&shop, replacing(number, new, CardEndReason::Lost)).await;
    assert_ended("full", full, ErrorReason::CountExceeded);
    remove(&shop, &into, &stays.identifiers[0].identifier_id).await;
    let request = replacing(number, new, CardEndReason::Lost);
    let replaced = replace(&shop, request.clone()).await.unwrap();
    assert_eq!(replaced.member_id, into.member_id);
    assert_eq!(replace(&shop, request).await.unwrap(), replaced);
    assert_eq!(shop.lookup(card(new)).await.unwrap().member_id, into.member_id);
    let blocked = block(&shop, number, CardEndReason::Stolen).await;
    assert_eq!(blocked.member_id, into.member_id);
    let changes: Vec<String> = history_of(&shop, &into.member_id)
        .await
        .into_iter()
        .map(|entry| entry.change)
        .skip(phones.len())
        .collect();
    assert_eq!(changes, ["REMOVED", "REPLACED", "ADDED", "BLOCKED"]);
    let ended = shop.get(&from.member_id).await.unwrap();
    assert_eq!(ended.identifiers[0].card_status(), CardStatus::Blocked);
}
