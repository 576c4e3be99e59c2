//! `SetMemberStatus`: what a member may do, which the ledger knows first.

use std::time::Duration;

use chrono::TimeDelta;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::ledger::v1::OwnerStatus;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::MemberStatus;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::Clock as _;
use futures::future::join_all;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

use crate::happened::happened_to;
use crate::harness::{assert_invalid, assert_refused, eventually, is_replayed, nobodys_id, request_id};
use crate::ledger::{Door, Mood};
use crate::shop::{Shop, card, email, external_id, identifier};

/// Longer than any change is left to its caller.
const LONG: TimeDelta = TimeDelta::minutes(1);

/// Callers who change the same member at once.
const CALLERS_COUNT: usize = 24;

pub fn change(member: &pb::Member, status: MemberStatus) -> pb::SetMemberStatusRequest {
    pb::SetMemberStatusRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        status: status.into(),
        reason: "her card was stolen".to_owned(),
    }
}

pub async fn try_set(
    shop: &Shop,
    request: pb::SetMemberStatusRequest,
) -> Result<Response<pb::SetMemberStatusResponse>, Status> {
    shop.world.members(&shop.auth).set_member_status(request).await
}

pub async fn set(shop: &Shop, member: &pb::Member, status: MemberStatus) -> pb::Member {
    let answer = try_set(shop, change(member, status)).await.expect("set");
    answer.into_inner().member.expect("a member")
}

/// The statuses of a member as others were told.
pub async fn told(shop: &Shop, member: &pb::Member) -> Vec<String> {
    let status = |payload| match payload {
        Payload::MemberStatusChanged(changed) => Some(changed.status),
        _ => None,
    };
    let happened = happened_to(shop, &member.member_id).await;
    happened.into_iter().filter_map(status).collect()
}

#[track_caller]
fn assert_away<T: std::fmt::Debug>(label: &str, answer: Result<T, Status>) {
    let (code, reason) = (Code::Unavailable, ErrorReason::DependencyUnavailable);
    let status = assert_refused(label, answer, code, reason);
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!(info.metadata["dependency"], "ledger", "{label}");
}

#[tokio::test]
async fn b22_once_a_stolen_card_is_reported_the_ledger_holds_to_it() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    assert_eq!(ana.status(), MemberStatus::Active);
    let suspended = set(&shop, &ana, MemberStatus::Suspended).await;
    assert_eq!(suspended.status(), MemberStatus::Suspended);
    let owner = shop.ledger.account(&ana.member_id);
    assert_eq!(
        (owner.status, owner.status_revision),
        (OwnerStatus::Suspended.into(), 1)
    );
    assert_eq!(shop.get(&ana.member_id).await.unwrap(), suspended);
    assert_ne!(suspended.etag, ana.etag);

    set(&shop, &ana, MemberStatus::Active).await;
    let closed = set(&shop, &ana, MemberStatus::Closed).await;
    assert_eq!(closed.status(), MemberStatus::Closed);
    let owner = shop.ledger.account(&ana.member_id);
    assert_eq!(
        (owner.status, owner.status_revision),
        (OwnerStatus::Closed.into(), 3)
    );
    assert_eq!(told(&shop, &ana).await, ["SUSPENDED", "ACTIVE", "CLOSED"]);
}

#[tokio::test]
async fn a19_who_changed_a_status_and_why_is_kept_and_no_table_says_it_in_words() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let request = change(&ana, MemberStatus::Suspended);
    let secret = request.reason.clone();
    try_set(&shop, request).await.unwrap();
    let kept: (String, String, String, Vec<u8>) =
        sqlx::query_as("SELECT kind, status, actor, reason FROM member_change")
            .fetch_one(&shop.world.database.owner)
            .await
            .unwrap();
    assert_eq!((kept.0.as_str(), kept.1.as_str()), ("STATUS", "SUSPENDED"));
    assert!(kept.2.starts_with("key:"), "{kept:?}");
    let hexadecimal: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for (table, rows) in shop.world.contents().await {
        let rows = rows.unwrap_or_default();
        assert!(
            !rows.contains(&secret) && !rows.contains(&hexadecimal.concat()),
            "{table}"
        );
    }
}

#[tokio::test]
async fn who_has_the_status_already_stays_as_they_are_and_what_is_final_stays_so() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    assert_eq!(set(&shop, &ana, MemberStatus::Active).await, ana);
    let closed = set(&shop, &ana, MemberStatus::Closed).await;
    assert_eq!(set(&shop, &ana, MemberStatus::Closed).await, closed);
    assert_eq!(shop.ledger.account(&ana.member_id).status_revision, 1);
    for status in [MemberStatus::Active, MemberStatus::Suspended] {
        let again = try_set(&shop, change(&ana, status)).await;
        let (code, reason) = (Code::FailedPrecondition, ErrorReason::MemberNotActive);
        let refused = assert_refused("closed", again, code, reason);
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.metadata["status"], "CLOSED");
        assert_eq!(info.metadata["member_id"], ana.member_id);
    }
    assert_eq!(told(&shop, &ana).await, ["CLOSED"]);
}

#[tokio::test]
async fn a_suspended_member_is_given_a_new_card_and_a_closed_one_nothing() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[external_id("17"), card("4539148803436467")]).await;
    let add = async |value| {
        let request = pb::AddIdentifierRequest {
            request_id: request_id(),
            member_id: ana.member_id.clone(),
            identifier: Some(identifier(value)),
        };
        shop.world.members(&shop.auth).add_identifier(request).await
    };
    let update = async |place: &str| {
        let member = pb::Member {
            member_id: ana.member_id.clone(),
            profile: Some(pb::Profile {
                place: place.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        shop.update(member, &["profile.place"]).await
    };
    set(&shop, &ana, MemberStatus::Suspended).await;
    add(email("ana@example.com")).await.expect("added");
    update("Novi Sad").await.expect("updated");

    set(&shop, &ana, MemberStatus::Closed).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::MemberNotActive);
    assert_refused("add", add(email("vera@example.com")).await, code, reason);
    assert_refused("update", update("Beograd").await, code, reason);
    let tier = pb::SetMemberTierRequest {
        request_id: request_id(),
        member_id: ana.member_id.clone(),
        tier_code: "gold".to_owned(),
        ..Default::default()
    };
    let tier = shop.world.members(&shop.auth).set_member_tier(tier).await;
    assert_refused("tier", tier, code, reason);
    // What is taken away is taken away.
    let remove = pb::RemoveIdentifierRequest {
        member_id: ana.member_id.clone(),
        identifier_id: ana.identifiers[1].identifier_id.clone(),
    };
    let left = shop
        .world
        .members(&shop.auth)
        .remove_identifier(remove)
        .await
        .unwrap();
    assert_eq!(left.into_inner().member.unwrap().identifiers.len(), 2);
}

#[tokio::test]
async fn who_is_not_active_is_not_contacted() {
    let shop = Shop::open().await;
    for status in [MemberStatus::Suspended, MemberStatus::Closed] {
        let ana = shop.enrol(&[]).await;
        set(&shop, &ana, status).await;
        let request = pb::MayContactRequest {
            request_id: request_id(),
            member_id: ana.member_id.clone(),
            channel: pb::ContactChannel::Sms.into(),
            purpose: pb::ContactPurpose::ServiceMessage.into(),
            topic: "order".to_owned(),
            ..Default::default()
        };
        let answer = shop
            .world
            .contacts(&shop.auth)
            .may_contact(request)
            .await
            .unwrap();
        let answer = answer.into_inner();
        let expected = (pb::ContactDecision::No, pb::ContactRule::MemberNotActive);
        assert_eq!((answer.decision(), answer.rule()), expected);
    }
}

/// Ways in which the ledger can leave a change half-made: it did nothing, it did its part, or nobody knows.
pub const CUT_OFF: [Mood; 3] = [
    Mood::Fails(Code::PermissionDenied),
    Mood::LosesAnswer,
    Mood::Hangs,
];

#[tokio::test]
async fn a_retry_finishes_what_an_absent_ledger_left_and_reads_show_no_half() {
    let shop = Shop::open().await;
    for mood in CUT_OFF {
        let ana = shop.enrol(&[]).await;
        let request = change(&ana, MemberStatus::Suspended);
        shop.ledger.set_mood(mood);
        assert_away(&format!("{mood:?}"), try_set(&shop, request.clone()).await);
        assert_eq!(shop.get(&ana.member_id).await.unwrap(), ana, "{mood:?}");
        assert!(told(&shop, &ana).await.is_empty(), "{mood:?}");

        shop.ledger.set_mood(Mood::Answers);
        let retried = try_set(&shop, request.clone()).await.unwrap();
        assert!(is_replayed(&retried), "{mood:?}");
        let member = retried.into_inner().member.unwrap();
        assert_eq!(member.status(), MemberStatus::Suspended, "{mood:?}");
        let again = try_set(&shop, request).await.unwrap();
        assert_eq!(again.into_inner().member.unwrap(), member, "{mood:?}");
        let owner = shop.ledger.account(&ana.member_id);
        assert_eq!(
            (owner.status, owner.status_revision),
            (OwnerStatus::Suspended.into(), 1)
        );
        assert_eq!(told(&shop, &ana).await, ["SUSPENDED"], "{mood:?}");
    }
}

#[tokio::test]
async fn a_caller_who_hangs_up_in_the_middle_finds_it_done_by_the_retry_or_by_itself() {
    let (shop, clock) = Shop::open_with_clock().await;
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    shop.ledger.set_mood(Mood::Hangs);
    let mut requests = Vec::new();
    for member in [&ana, &vera] {
        let message = change(member, MemberStatus::Closed);
        let mut request = Request::new(message.clone());
        request.set_timeout(Duration::from_millis(400));
        let hung_up = shop.world.members(&shop.auth).set_member_status(request).await;
        assert!(hung_up.is_err());
        requests.push(message);
    }
    shop.ledger.set_mood(Mood::Answers);
    try_set(&shop, requests.remove(0))
        .await
        .expect("the retry goes on");
    assert_eq!(
        shop.get(&vera.member_id).await.unwrap(),
        vera,
        "left to its caller for a while"
    );
    clock.advance(LONG);
    eventually("the job", async || {
        let member = shop.get(&vera.member_id).await.unwrap();
        (member.status() == MemberStatus::Closed).then_some(())
    })
    .await;
    for member in [&ana, &vera] {
        assert_eq!(
            shop.ledger.account(&member.member_id).status,
            i32::from(OwnerStatus::Closed)
        );
        assert_eq!(told(&shop, member).await, ["CLOSED"]);
    }
}

#[tokio::test]
async fn whoever_wants_the_next_change_ends_the_one_before_first() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let first = change(&ana, MemberStatus::Suspended);
    shop.ledger.set_mood(Mood::Fails(Code::PermissionDenied));
    assert_away("the first", try_set(&shop, first.clone()).await);
    let second = change(&ana, MemberStatus::Closed);
    assert_away("the second", try_set(&shop, second.clone()).await);
    shop.ledger.set_mood(Mood::Answers);
    let closed = try_set(&shop, second).await.unwrap();
    assert!(!is_replayed(&closed), "it had not begun");
    let owner = shop.ledger.account(&ana.member_id);
    assert_eq!(
        (owner.status, owner.status_revision),
        (OwnerStatus::Closed.into(), 2)
    );
    assert_eq!(told(&shop, &ana).await, ["SUSPENDED", "CLOSED"]);
    let late = try_set(&shop, first).await.unwrap();
    assert_eq!(
        late.into_inner().member.unwrap().status(),
        MemberStatus::Closed,
        "as she is now"
    );
    assert_eq!(shop.ledger.account(&ana.member_id), owner);
}

#[tokio::test]
async fn of_many_changes_at_once_members_and_the_ledger_end_with_the_same() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let statuses = [MemberStatus::Suspended, MemberStatus::Active];
    let changing = (0..CALLERS_COUNT).map(|number| try_set(&shop, change(&ana, statuses[number % 2])));
    for answer in join_all(changing).await {
        // Who comes last again and again is told to try later.
        let contended = |status: &Status| matches!(status.code(), Code::Aborted | Code::Unavailable);
        assert!(answer.as_ref().err().is_none_or(contended), "{answer:?}");
    }
    let member = shop.get(&ana.member_id).await.unwrap();
    let owner = shop.ledger.account(&ana.member_id);
    let expected = match member.status() {
        MemberStatus::Active => OwnerStatus::Active,
        _ => OwnerStatus::Suspended,
    };
    assert_eq!(owner.status, i32::from(expected));
    let told = told(&shop, &ana).await;
    assert_eq!(
        i64::try_from(told.len()),
        Ok(owner.status_revision),
        "each change once"
    );
    for (place, status) in told.iter().enumerate() {
        assert_eq!(status, ["SUSPENDED", "ACTIVE"][place % 2]);
    }
}

#[tokio::test]
async fn what_the_ledger_refuses_is_told_and_may_be_tried_again_with_the_same_id() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let request = change(&ana, MemberStatus::Suspended);
    shop.ledger
        .set_mood_of(Door::Status, Some(Mood::Refuses(ErrorReason::OwnerUnsuitable)));
    for _ in 0..2 {
        let refused = try_set(&shop, request.clone()).await;
        let (code, reason) = (Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
        assert_refused("refused", refused, code, reason);
        assert_eq!(shop.get(&ana.member_id).await.unwrap(), ana);
    }
    shop.ledger.set_mood_of(Door::Status, None);
    // She is free for another change, too.
    set(&shop, &ana, MemberStatus::Suspended).await;
    set(&shop, &ana, MemberStatus::Active).await;
    let done = try_set(&shop, request).await.unwrap().into_inner();
    assert_eq!(done.member.unwrap().status(), MemberStatus::Suspended);
    assert_eq!(told(&shop, &ana).await, ["SUSPENDED", "ACTIVE", "SUSPENDED"]);
}

#[tokio::test]
async fn a_refusal_beside_an_attempt_that_may_still_succeed_is_no_end() {
    let (shop, clock) = Shop::open_with_clock().await;
    let begun = clock.now();
    let ana = shop.enrol(&[]).await;
    let request = change(&ana, MemberStatus::Suspended);
    shop.ledger.set_mood(Mood::Hangs);
    assert_away("hanging", try_set(&shop, request.clone()).await);
    shop.ledger.set_mood(Mood::Refuses(ErrorReason::OwnerUnsuitable));
    // However often it is asked for, only the attempt that hangs is waited for.
    let refused = loop {
        let refused = try_set(&shop, request.clone()).await.unwrap_err();
        if refused.code() != Code::Aborted {
            break refused;
        }
        let (code, reason) = (Code::Aborted, ErrorReason::Contention);
        assert_refused::<()>("but who knows", Err(refused), code, reason);
        clock.advance(TimeDelta::seconds(10));
        assert!(clock.now() < begun + LONG, "it is never told");
    };
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    assert_refused::<()>("alone, it is one", Err(refused), code, reason);
    eventually("the end", async || {
        let state: String = sqlx::query_scalar("SELECT state FROM member_change")
            .fetch_one(&shop.world.database.owner)
            .await
            .unwrap();
        (state == "REFUSED").then_some(())
    })
    .await;
    assert_eq!(shop.get(&ana.member_id).await.unwrap(), ana);
    shop.ledger.set_mood(Mood::Answers);
    let done = try_set(&shop, request).await.unwrap().into_inner();
    assert_eq!(done.member.unwrap().status(), MemberStatus::Suspended);
}

#[tokio::test]
async fn a_ledger_that_turns_the_program_away_has_not_refused_the_change() {
    let (shop, clock) = Shop::open_with_clock().await;
    let ana = shop.enrol(&[]).await;
    let request = change(&ana, MemberStatus::Suspended);
    shop.ledger.set_mood_of(Door::Status, Some(Mood::LosesAnswer));
    assert_away("lost", try_set(&shop, request.clone()).await);
    // It has done it, and does not look at what it is asked any more.
    let turned_away = Mood::Refuses(ErrorReason::ProgramInactive);
    shop.ledger.set_mood_of(Door::Status, Some(turned_away));
    clock.advance(LONG);
    assert_away("turned away", try_set(&shop, request.clone()).await);
    shop.ledger.set_mood_of(Door::Status, None);
    let done = try_set(&shop, request).await.unwrap().into_inner();
    assert_eq!(done.member.unwrap().status(), MemberStatus::Suspended);
    assert_eq!(told(&shop, &ana).await, ["SUSPENDED"]);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test holds a row while a call waits for it"
)]
#[tokio::test]
async fn a_retry_that_finds_its_change_refused_meanwhile_is_not_told_that_it_is_done() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let request = change(&ana, MemberStatus::Suspended);
    shop.ledger.set_mood_of(Door::Status, Some(Mood::LosesAnswer));
    assert_away("lost", try_set(&shop, request.clone()).await);
    shop.ledger
        .set_mood_of(Door::Status, Some(Mood::Refuses(ErrorReason::OwnerUnsuitable)));
    // Another attempt ends the change as refused, after the retry has seen it open and before it has taken it up.
    let mut other = shop.world.database.owner.begin().await.unwrap();
    for statement in [
        "UPDATE member_change SET state = 'REFUSED', finish_after = NULL, end_time = begin_time",
        "UPDATE member SET open_change_id = NULL",
    ] {
        sqlx::query(statement).execute(&mut *other).await.unwrap();
    }
    let retry = try_set(&shop, request);
    let ending = async {
        loop {
            let is_waited_for: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted \
                 AND transactionid = pg_current_xact_id()::xid)",
            )
            .fetch_one(&mut *other)
            .await
            .unwrap();
            if is_waited_for {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        other.commit().await.unwrap();
    };
    let (answer, ()) = futures::future::join(retry, ending).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    assert_refused("refused", answer, code, reason);
    assert_eq!(shop.get(&ana.member_id).await.unwrap(), ana);
}

#[tokio::test]
async fn what_is_malformed_or_about_nobody_is_refused_and_leaves_nothing() {
    let mut shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let before = shop.world.contents().await;
    let nothing = try_set(&shop, pb::SetMemberStatusRequest::default()).await;
    assert_invalid(
        "nothing",
        nothing,
        &["request_id", "member_id", "status", "reason"],
    );
    for status in [MemberStatus::Merged.into(), 99] {
        let wrong = pb::SetMemberStatusRequest {
            status,
            reason: "x".repeat(501),
            ..change(&ana, MemberStatus::Closed)
        };
        assert_invalid("wrong", try_set(&shop, wrong).await, &["status", "reason"]);
    }
    let nobody = pb::SetMemberStatusRequest {
        member_id: nobodys_id(),
        ..change(&ana, MemberStatus::Closed)
    };
    let (code, reason) = (Code::NotFound, ErrorReason::ResourceNotFound);
    assert_refused("nobody", try_set(&shop, nobody).await, code, reason);
    assert_eq!(shop.world.contents().await, before);
    shop.auth = shop.neighbour().await;
    let theirs = try_set(&shop, change(&ana, MemberStatus::Closed)).await;
    assert_refused("theirs", theirs, code, reason);
}
