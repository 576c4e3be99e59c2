//! `MergeMembers`: two records of one person become one, here and in the ledger.

use std::slice;

use chrono::TimeDelta;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::ledger::v1::OwnerStatus;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::{ContactPurpose, ContactRule, MemberStatus};
use fealty_proto::r#type::v1::ErrorReason;
use futures::future::join;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use crate::happened::happened_to;
use crate::harness::{assert_invalid, assert_refused, eventually, is_replayed, nobodys_id, request_id};
use crate::ledger::{Door, Mood};
use crate::shop::{Shop, card, email, enrolment, external_id, phone};
use crate::{contacts, households, status};

/// Longer than any change is left to its caller.
const LONG: TimeDelta = TimeDelta::minutes(1);

pub fn merging(from: &pb::Member, into: &pb::Member) -> pb::MergeMembersRequest {
    pb::MergeMembersRequest {
        request_id: request_id(),
        from_member_id: from.member_id.clone(),
        into_member_id: into.member_id.clone(),
    }
}

pub async fn try_merge(
    shop: &Shop,
    request: pb::MergeMembersRequest,
) -> Result<Response<pb::MergeMembersResponse>, Status> {
    shop.world.members(&shop.auth).merge_members(request).await
}

pub async fn merge(shop: &Shop, from: &pb::Member, into: &pb::Member) -> pb::Member {
    let answer = try_merge(shop, merging(from, into)).await.expect("merged");
    answer.into_inner().member.expect("a member")
}

/// What all the identifiers of a member are, in their order.
fn values(member: &pb::Member) -> Vec<pb::identifier::Value> {
    let value = |identifier: &pb::Identifier| identifier.value.clone().expect("a value");
    member.identifiers.iter().map(value).collect()
}

async fn merged_events(shop: &Shop, member: &pb::Member) -> Vec<String> {
    let into = |payload| match payload {
        Payload::MemberMerged(merged) => Some(merged.into_member_id),
        _ => None,
    };
    let happened = happened_to(shop, &member.member_id).await;
    happened.into_iter().filter_map(into).collect()
}

#[tokio::test]
async fn the_one_who_stays_has_the_points_and_identifiers_of_both() {
    let shop = Shop::open().await;
    let named = pb::EnrolMemberRequest {
        profile: Some(pb::Profile {
            given_name: "Ana".to_owned(),
            ..Default::default()
        }),
        ..enrolment(&[card("4539148803436467"), email("ana@example.com")])
    };
    let old = shop.try_enrol(named).await.unwrap().into_inner().member.unwrap();
    let new = shop.enrol(&[external_id("17"), phone("+442079460018")]).await;
    shop.ledger.credit(&old.member_id, 70);
    shop.ledger.credit(&new.member_id, 5);

    let stays = merge(&shop, &old, &new).await;
    assert_eq!(stays.member_id, new.member_id);
    assert_eq!(stays.status(), MemberStatus::Active);
    assert_eq!(shop.ledger.account(&new.member_id).points, 75);
    let owner = shop.ledger.account(&old.member_id);
    assert_eq!((owner.points, owner.account_owner_id), (0, new.member_id.clone()));
    let all: Vec<_> = values(&old).into_iter().chain(values(&new)).collect();
    assert_eq!(values(&stays).len(), 4);
    assert!(all.iter().all(|value| values(&stays).contains(value)));
    for value in all {
        assert_eq!(shop.lookup(value.clone()).await.unwrap(), stays, "{value:?}");
    }
    // Each under the id that it had.
    let ids = |member: &pb::Member| -> Vec<String> {
        member
            .identifiers
            .iter()
            .map(|one| one.identifier_id.clone())
            .collect()
    };
    assert!(ids(&old).iter().all(|id| ids(&stays).contains(id)));

    let ended = shop.get(&old.member_id).await.unwrap();
    assert_eq!(ended.status(), MemberStatus::Merged);
    assert_eq!(ended.merged_into_member_id, new.member_id);
    assert_eq!(ended.identifiers, []);
    // Who they were is their own still, and nobody else's.
    assert_eq!(ended.profile, old.profile);
    assert_eq!(stays.profile, new.profile);
    assert_eq!(merged_events(&shop, &old).await, slice::from_ref(&new.member_id));
    // An identifier that was taken over is taken away as any other.
    let remove = pb::RemoveIdentifierRequest {
        member_id: new.member_id.clone(),
        identifier_id: old.identifiers[0].identifier_id.clone(),
    };
    shop.world
        .members(&shop.auth)
        .remove_identifier(remove)
        .await
        .unwrap();
    let nobody = shop.lookup(card("4539148803436467")).await;
    assert_refused(
        "taken away",
        nobody,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
}

#[tokio::test]
async fn an_identifier_that_does_not_fit_stays_and_leads_to_who_has_everything() {
    let shop = Shop::open().await;
    let old = shop.enrol(&[external_id("1"), email("ana@example.com")]).await;
    let new = shop.enrol(&[external_id("2")]).await;
    let stays = merge(&shop, &old, &new).await;
    assert_eq!(values(&stays), [email("ana@example.com"), external_id("2")]);
    let ended = shop.get(&old.member_id).await.unwrap();
    assert_eq!(values(&ended), [external_id("1")]);
    assert_eq!(shop.lookup(external_id("1")).await.unwrap(), stays);
    // It can be taken away, and then leads to nobody.
    let remove = pb::RemoveIdentifierRequest {
        member_id: old.member_id.clone(),
        identifier_id: ended.identifiers[0].identifier_id.clone(),
    };
    shop.world
        .members(&shop.auth)
        .remove_identifier(remove)
        .await
        .unwrap();
    let nobody = shop.lookup(external_id("1")).await;
    assert_refused(
        "taken away",
        nobody,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
}

#[tokio::test]
async fn a_record_merged_twice_leads_to_the_last() {
    let shop = Shop::open().await;
    let first = shop.enrol(&[external_id("1")]).await;
    let second = shop.enrol(&[external_id("2")]).await;
    let third = shop.enrol(&[external_id("3")]).await;
    merge(&shop, &first, &second).await;
    let stays = merge(&shop, &second, &third).await;
    for member in [&first, &second] {
        let ended = shop.get(&member.member_id).await.unwrap();
        assert_eq!(ended.merged_into_member_id, third.member_id);
    }
    for value in ["1", "2", "3"] {
        assert_eq!(shop.lookup(external_id(value)).await.unwrap(), stays, "{value}");
    }
}

#[tokio::test]
async fn b4_what_either_has_opted_out_of_and_how_often_both_were_contacted_counts_for_who_stays() {
    let shop = Shop::open().await;
    let (old, new) = (
        contacts::reachable(&shop, "old", 18).await,
        contacts::reachable(&shop, "new", 19).await,
    );
    let ask = async |member: &pb::Member, purpose: ContactPurpose, topic: &str| {
        let request = pb::MayContactRequest {
            request_id: request_id(),
            member_id: member.member_id.clone(),
            channel: pb::ContactChannel::Email.into(),
            purpose: purpose.into(),
            topic: topic.to_owned(),
            ..Default::default()
        };
        let answer = shop.world.contacts(&shop.auth).may_contact(request).await;
        answer.expect("decided").into_inner().rule()
    };
    let opt_out = async |member: &pb::Member, topic: &str| {
        let request = pb::OptOutTopicRequest {
            member_id: member.member_id.clone(),
            topic: topic.to_owned(),
        };
        shop.world
            .contacts(&shop.auth)
            .opt_out_topic(request)
            .await
            .expect("opted out");
    };
    opt_out(&old, "mothers_day").await;
    assert_eq!(
        ask(&old, ContactPurpose::ServiceQuality, "nps").await,
        ContactRule::Allowed
    );
    merge(&shop, &old, &new).await;
    let rules = [
        (ContactPurpose::Marketing, "mothers_day", ContactRule::TopicOptOut),
        (ContactPurpose::ServiceQuality, "nps", ContactRule::FrequencyCap),
        (ContactPurpose::Marketing, "fathers_day", ContactRule::Allowed),
    ];
    for (purpose, topic, rule) in rules {
        assert_eq!(ask(&new, purpose, topic).await, rule, "{topic}");
    }
    // Also what is said later, under the record that ended.
    opt_out(&old, "fathers_day").await;
    let rule = ask(&new, ContactPurpose::Marketing, "fathers_day").await;
    assert_eq!(rule, ContactRule::TopicOptOut);
    let rule = ask(&old, ContactPurpose::ServiceMessage, "order").await;
    assert_eq!(rule, ContactRule::MemberNotActive);
    let list = pb::ListTopicOptOutsRequest {
        member_id: new.member_id.clone(),
        ..Default::default()
    };
    let listed = shop
        .world
        .contacts(&shop.auth)
        .list_topic_opt_outs(list)
        .await
        .unwrap();
    let listed = listed.into_inner().topic_opt_outs;
    let topics: Vec<&str> = listed.iter().map(|opt_out| opt_out.topic.as_str()).collect();
    assert_eq!(topics, ["fathers_day", "mothers_day"]);
}

#[tokio::test]
async fn the_place_in_a_household_is_kept_and_two_households_are_never_joined() {
    let shop = Shop::open().await;
    let (old, new, vera, milan) = (
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
    );
    let household = households::create(&shop, &old).await;
    households::add(&shop, &household, &vera).await;
    shop.ledger.credit(&old.member_id, 40);
    shop.ledger.credit(&new.member_id, 2);

    // The one who stays belonged to none.
    let stays = merge(&shop, &old, &new).await;
    assert_eq!(stays.household_id, household.household_id);
    let now = households::get(&shop, &household.household_id).await.unwrap();
    assert_eq!(now.member_ids, [vera.member_id.clone(), new.member_id.clone()]);
    assert_eq!(shop.ledger.account(&household.household_id).points, 42);
    assert_eq!(
        shop.ledger.account(&new.member_id).account_owner_id,
        household.household_id
    );
    assert_eq!(shop.get(&old.member_id).await.unwrap().household_id, "");

    // Both belong to it.
    merge(&shop, &new, &vera).await;
    let now = households::get(&shop, &household.household_id).await.unwrap();
    assert_eq!(now.member_ids, slice::from_ref(&vera.member_id));
    assert_eq!(shop.ledger.account(&household.household_id).points, 42);

    // Only the one who stays.
    let anna = shop.enrol(&[]).await;
    shop.ledger.credit(&anna.member_id, 8);
    merge(&shop, &anna, &vera).await;
    assert_eq!(shop.ledger.account(&household.household_id).points, 50);

    // Each to another.
    let other = households::create(&shop, &milan).await;
    let refused = try_merge(&shop, merging(&vera, &milan)).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::HouseholdTaken);
    let refused = assert_refused("two", refused, code, reason);
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.metadata["household_id"], other.household_id);
}

#[tokio::test]
async fn only_two_active_records_are_merged() {
    let shop = Shop::open().await;
    let (ana, vera, milan) = (
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
    );
    let precondition = Code::FailedPrecondition;
    let merge_refused = ErrorReason::MergeRefused;
    let itself = try_merge(&shop, merging(&ana, &ana)).await;
    assert_refused("itself", itself, precondition, merge_refused);
    status::set(&shop, &milan, MemberStatus::Suspended).await;
    for (from, into) in [(&ana, &milan), (&milan, &ana)] {
        let refused = try_merge(&shop, merging(from, into)).await;
        assert_refused("suspended", refused, precondition, ErrorReason::MemberNotActive);
    }
    merge(&shop, &vera, &ana).await;
    for (from, into) in [(&ana, &vera), (&vera, &ana)] {
        let refused = try_merge(&shop, merging(from, into)).await;
        let refused = assert_refused("merged", refused, precondition, merge_refused);
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.metadata["member_id"], vera.member_id);
    }
    let back = status::try_set(&shop, status::change(&vera, MemberStatus::Active)).await;
    assert_refused("back", back, precondition, ErrorReason::MemberNotActive);
}

/// Two records of one person, of which the older belongs to a household.
async fn two_records(shop: &Shop) -> (pb::Member, pb::Member, pb::Household) {
    let old = shop
        .enrol(&[email(&format!("{}@example.com", request_id()))])
        .await;
    let new = shop.enrol(&[]).await;
    let household = households::create(shop, &old).await;
    shop.ledger.credit(&old.member_id, 40);
    shop.ledger.credit(&new.member_id, 2);
    (old, new, household)
}

async fn assert_untouched(shop: &Shop, label: &str, members: [&pb::Member; 2]) {
    for member in members {
        assert_eq!(
            shop.get(&member.member_id).await.expect("a member"),
            *member,
            "{label}"
        );
    }
    let found = shop.lookup(values(members[0]).remove(0)).await.expect("a member");
    assert_eq!(found, *members[0], "{label}");
    assert!(merged_events(shop, members[0]).await.is_empty(), "{label}");
}

async fn assert_merged(shop: &Shop, label: &str, [old, new]: [&pb::Member; 2], household: &pb::Household) {
    let ended = shop.get(&old.member_id).await.expect("a member");
    assert_eq!(ended.merged_into_member_id, new.member_id, "{label}");
    assert_eq!(ended.household_id, "", "{label}");
    let stays = shop.lookup(values(old).remove(0)).await.expect("a member");
    assert_eq!(stays.member_id, new.member_id, "{label}");
    assert_eq!(stays.household_id, household.household_id, "{label}");
    assert_eq!(shop.ledger.account(&household.household_id).points, 42, "{label}");
    let owner = shop.ledger.account(&old.member_id);
    assert_eq!(owner.status, i32::from(OwnerStatus::Merged), "{label}");
    assert_eq!(
        merged_events(shop, old).await,
        slice::from_ref(&new.member_id),
        "{label}"
    );
}

#[tokio::test]
async fn a_retry_goes_on_from_wherever_the_first_attempt_was_cut_off() {
    let shop = Shop::open().await;
    for mood in status::CUT_OFF {
        let label = format!("{mood:?}");
        let (old, new, household) = two_records(&shop).await;
        let (old, new) = (shop.get(&old.member_id).await.unwrap(), new);
        let request = merging(&old, &new);
        shop.ledger.set_mood_of(Door::Merge, Some(mood));
        let cut_off = try_merge(&shop, request.clone()).await;
        let (code, reason) = (Code::Unavailable, ErrorReason::DependencyUnavailable);
        assert_refused(&label, cut_off, code, reason);
        assert_untouched(&shop, &label, [&old, &new]).await;
        shop.ledger.set_mood_of(Door::Merge, None);
        let retried = try_merge(&shop, request).await.expect("the retry goes on");
        assert!(is_replayed(&retried), "{label}");
        assert_merged(&shop, &label, [&old, &new], &household).await;
    }
}

#[tokio::test]
async fn what_nobody_retries_is_finished_by_itself() {
    let (shop, clock) = Shop::open_with_clock().await;
    let (old, new, _) = two_records(&shop).await;
    shop.ledger
        .set_mood_of(Door::Merge, Some(Mood::Fails(Code::PermissionDenied)));
    assert!(try_merge(&shop, merging(&old, &new)).await.is_err());
    shop.ledger.set_mood_of(Door::Merge, None);
    clock.advance(LONG);
    eventually("the job", async || {
        let ended = shop.get(&old.member_id).await.unwrap();
        (ended.merged_into_member_id == new.member_id).then_some(())
    })
    .await;
    assert_eq!(merged_events(&shop, &old).await, [new.member_id]);
}

#[tokio::test]
async fn a_refused_merge_leaves_both_where_they_were_and_can_be_tried_again() {
    let shop = Shop::open().await;
    let (old, new, household) = two_records(&shop).await;
    let (old, new) = (shop.get(&old.member_id).await.unwrap(), new);
    let request = merging(&old, &new);
    shop.ledger
        .set_mood_of(Door::Merge, Some(Mood::Refuses(ErrorReason::OwnerUnsuitable)));
    let refused = try_merge(&shop, request.clone()).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    assert_refused("an open hold", refused, code, reason);
    assert_untouched(&shop, "refused", [&old, &new]).await;
    let owner = shop.ledger.account(&old.member_id);
    assert_eq!(
        owner.account_owner_id, household.household_id,
        "back where they were"
    );
    shop.ledger.set_mood_of(Door::Merge, None);
    try_merge(&shop, request).await.expect("now it can be");
    assert_merged(&shop, "again", [&old, &new], &household).await;
}

#[tokio::test]
async fn of_two_merges_against_each_other_one_is_made() {
    let shop = Shop::open().await;
    for _ in 0..5 {
        let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
        shop.ledger.credit(&ana.member_id, 3);
        shop.ledger.credit(&vera.member_id, 4);
        let (one, other) = join(
            try_merge(&shop, merging(&ana, &vera)),
            try_merge(&shop, merging(&vera, &ana)),
        )
        .await;
        let (stays, lost) = match (one, other) {
            (Ok(_), Err(lost)) => (&vera, lost),
            (Err(lost), Ok(_)) => (&ana, lost),
            both => panic!("{both:?}"),
        };
        let lost: Result<(), Status> = Err(lost);
        assert_refused(
            "the other",
            lost,
            Code::FailedPrecondition,
            ErrorReason::MergeRefused,
        );
        assert_eq!(shop.ledger.account(&stays.member_id).points, 7);
    }
}

#[tokio::test]
async fn the_same_request_is_answered_again_and_what_is_malformed_leaves_nothing() {
    let mut shop = Shop::open().await;
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    let before = shop.world.contents().await;
    let nothing = try_merge(&shop, pb::MergeMembersRequest::default()).await;
    assert_invalid(
        "nothing",
        nothing,
        &["request_id", "from_member_id", "into_member_id"],
    );
    let (code, reason) = (Code::NotFound, ErrorReason::ResourceNotFound);
    for (from_member_id, into_member_id) in [
        (ana.member_id.clone(), nobodys_id()),
        (nobodys_id(), ana.member_id.clone()),
    ] {
        let nobody = pb::MergeMembersRequest {
            request_id: request_id(),
            from_member_id,
            into_member_id,
        };
        assert_refused("nobody", try_merge(&shop, nobody).await, code, reason);
    }
    assert_eq!(shop.world.contents().await, before);

    let request = merging(&ana, &vera);
    let first = try_merge(&shop, request.clone()).await.unwrap();
    let again = try_merge(&shop, request.clone()).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.into_inner(), again.into_inner());
    let other = pb::MergeMembersRequest {
        from_member_id: vera.member_id.clone(),
        into_member_id: ana.member_id.clone(),
        ..request
    };
    let reused = try_merge(&shop, other).await;
    assert_refused(
        "reused",
        reused,
        Code::AlreadyExists,
        ErrorReason::RequestIdReused,
    );
    shop.auth = shop.neighbour().await;
    let theirs = try_merge(&shop, merging(&ana, &vera)).await;
    assert_refused("theirs", theirs, code, reason);
}
