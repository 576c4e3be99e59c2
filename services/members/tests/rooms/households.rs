//! `HouseholdService`: members who share one account.

use std::slice;

use chrono::TimeDelta;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::ledger::v1::OwnerKind;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::MemberStatus;
use fealty_proto::r#type::v1::ErrorReason;
use futures::future::join_all;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use crate::happened::happened_to;
use crate::harness::{assert_invalid, assert_refused, eventually, is_replayed, nobodys_id, request_id};
use crate::ledger::{Door, Mood};
use crate::shop::Shop;
use crate::status;

/// Longer than any change is left to its caller.
const LONG: TimeDelta = TimeDelta::minutes(1);

/// Members of one household.
const MEMBERS_MAX: usize = 20;

pub fn creating(member: &pb::Member) -> pb::CreateHouseholdRequest {
    pb::CreateHouseholdRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
    }
}

fn adding(household: &pb::Household, member: &pb::Member) -> pb::AddHouseholdMemberRequest {
    pb::AddHouseholdMemberRequest {
        request_id: request_id(),
        household_id: household.household_id.clone(),
        member_id: member.member_id.clone(),
        ..Default::default()
    }
}

fn removing(household: &pb::Household, member: &pb::Member) -> pb::RemoveHouseholdMemberRequest {
    pb::RemoveHouseholdMemberRequest {
        request_id: request_id(),
        household_id: household.household_id.clone(),
        member_id: member.member_id.clone(),
        by_member_id: String::new(),
    }
}

async fn try_create(
    shop: &Shop,
    request: pb::CreateHouseholdRequest,
) -> Result<Response<pb::CreateHouseholdResponse>, Status> {
    shop.world.households(&shop.auth).create_household(request).await
}

async fn try_add(
    shop: &Shop,
    request: pb::AddHouseholdMemberRequest,
) -> Result<Response<pb::AddHouseholdMemberResponse>, Status> {
    shop.world
        .households(&shop.auth)
        .add_household_member(request)
        .await
}

async fn try_remove(
    shop: &Shop,
    request: pb::RemoveHouseholdMemberRequest,
) -> Result<Response<pb::RemoveHouseholdMemberResponse>, Status> {
    shop.world
        .households(&shop.auth)
        .remove_household_member(request)
        .await
}

pub async fn create(shop: &Shop, member: &pb::Member) -> pb::Household {
    let answer = try_create(shop, creating(member)).await.expect("created");
    answer.into_inner().household.expect("a household")
}

pub async fn add(shop: &Shop, household: &pb::Household, member: &pb::Member) -> pb::Household {
    let answer = try_add(shop, adding(household, member)).await.expect("added");
    answer.into_inner().household.expect("a household")
}

pub async fn get(shop: &Shop, household_id: &str) -> Result<pb::Household, Status> {
    let request = pb::GetHouseholdRequest {
        household_id: household_id.to_owned(),
    };
    let answer = shop.world.households(&shop.auth).get_household(request).await?;
    Ok(answer.into_inner().household.expect("a household"))
}

/// What others were told: which household, and whether it was joined.
pub async fn told(shop: &Shop, member: &pb::Member) -> Vec<(String, bool)> {
    let changed = |payload| match payload {
        Payload::HouseholdChanged(changed) => Some((changed.household_id, changed.joined)),
        _ => None,
    };
    let happened = happened_to(shop, &member.member_id).await;
    happened.into_iter().filter_map(changed).collect()
}

#[track_caller]
fn assert_away<T: std::fmt::Debug>(label: &str, answer: Result<T, Status>) {
    let (code, reason) = (Code::Unavailable, ErrorReason::DependencyUnavailable);
    assert_refused(label, answer, code, reason);
}

#[tokio::test]
async fn b9_what_any_of_them_has_all_of_them_have() {
    let shop = Shop::open().await;
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    shop.ledger.credit(&ana.member_id, 30);
    shop.ledger.credit(&vera.member_id, 12);
    let household = create(&shop, &ana).await;
    let owner = shop.ledger.account(&household.household_id);
    assert_eq!((owner.kind, owner.points), (OwnerKind::Household.into(), 30));
    assert_eq!(household.member_ids, slice::from_ref(&ana.member_id));

    let both = add(&shop, &household, &vera).await;
    assert_eq!(both.member_ids, [ana.member_id.clone(), vera.member_id.clone()]);
    assert_eq!(get(&shop, &household.household_id).await.unwrap(), both);
    assert_eq!(shop.ledger.account(&household.household_id).points, 42);
    for member in [&ana, &vera] {
        assert_eq!(
            shop.ledger.account(&member.member_id).account_owner_id,
            household.household_id
        );
        let now = shop.get(&member.member_id).await.unwrap();
        assert_eq!(now.household_id, household.household_id);
        assert_ne!(now.etag, member.etag);
    }

    let left = try_remove(&shop, removing(&household, &ana))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        left.household.unwrap().member_ids,
        slice::from_ref(&vera.member_id)
    );
    assert_eq!(shop.ledger.account(&ana.member_id).account_owner_id, "");
    assert_eq!(
        shop.ledger.account(&household.household_id).points,
        42,
        "it keeps what it has"
    );
    assert_eq!(shop.get(&ana.member_id).await.unwrap().household_id, "");
    let id = household.household_id;
    assert_eq!(told(&shop, &ana).await, [(id.clone(), true), (id.clone(), false)]);
    assert_eq!(told(&shop, &vera).await, [(id, true)]);
}

#[tokio::test]
async fn one_belongs_to_one_household_and_who_is_suspended_joins_none() {
    let shop = Shop::open().await;
    let (ana, vera, milan) = (
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
    );
    let household = create(&shop, &ana).await;
    let other = create(&shop, &vera).await;
    let (code, taken) = (Code::FailedPrecondition, ErrorReason::HouseholdTaken);
    let refused = try_add(&shop, adding(&household, &vera)).await;
    let refused = assert_refused("elsewhere", refused, code, taken);
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.metadata["household_id"], other.household_id);
    assert_eq!(info.metadata["member_id"], vera.member_id);
    assert_refused("a second", try_create(&shop, creating(&vera)).await, code, taken);

    status::set(&shop, &milan, MemberStatus::Suspended).await;
    let not_active = ErrorReason::MemberNotActive;
    assert_refused(
        "joins",
        try_add(&shop, adding(&household, &milan)).await,
        code,
        not_active,
    );
    assert_refused(
        "creates",
        try_create(&shop, creating(&milan)).await,
        code,
        not_active,
    );
    // To leave is open to everybody.
    status::set(&shop, &ana, MemberStatus::Closed).await;
    let left = try_remove(&shop, removing(&household, &ana))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(left.household.unwrap().member_ids, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_so_already_changes_nothing() {
    let shop = Shop::open().await;
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    let household = create(&shop, &ana).await;
    assert_eq!(add(&shop, &household, &ana).await, household);
    let left = try_remove(&shop, removing(&household, &vera))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(left.household.unwrap(), household);
    assert_eq!(told(&shop, &ana).await.len(), 1);
    assert!(told(&shop, &vera).await.is_empty());
}

#[tokio::test]
async fn of_many_who_join_at_once_as_many_do_as_fit() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let household = create(&shop, &ana).await;
    let crowd = join_all((0..MEMBERS_MAX + 5).map(|_| shop.enrol(&[]))).await;
    let joining = crowd
        .iter()
        .map(|member| try_add(&shop, adding(&household, member)));
    let answers = join_all(joining).await;
    let joined_count = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(joined_count, MEMBERS_MAX - 1);
    for answer in answers.into_iter().filter(Result::is_err) {
        let (code, reason) = (Code::FailedPrecondition, ErrorReason::CountExceeded);
        let refused = assert_refused("full", answer, code, reason);
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(info.metadata["count_max"], MEMBERS_MAX.to_string());
    }
    let full = get(&shop, &household.household_id).await.unwrap();
    assert_eq!(full.member_ids.len(), MEMBERS_MAX);
}

#[tokio::test]
async fn who_is_on_the_way_into_a_household_has_a_seat() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let household = create(&shop, &ana).await;
    for _ in 0..MEMBERS_MAX - 2 {
        add(&shop, &household, &shop.enrol(&[]).await).await;
    }
    let (vera, milan) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    let last = adding(&household, &vera);
    shop.ledger
        .set_mood_of(Door::Join, Some(Mood::Fails(Code::PermissionDenied)));
    assert_away("the last seat", try_add(&shop, last.clone()).await);
    shop.ledger.set_mood_of(Door::Join, None);
    let late = try_add(&shop, adding(&household, &milan)).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::CountExceeded);
    assert_refused("no seat", late, code, reason);
    try_add(&shop, last).await.expect("it is hers");
}

#[tokio::test]
async fn a_household_that_the_ledger_does_not_know_is_none_until_a_retry_or_the_job_has_told_it() {
    let (shop, clock) = Shop::open_with_clock().await;
    for door in [Door::Open, Door::Join] {
        for mood in status::CUT_OFF {
            let label = format!("{door:?} {mood:?}");
            let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
            let (hers, veras) = (creating(&ana), creating(&vera));
            shop.ledger.set_mood_of(door, Some(mood));
            assert_away(&label, try_create(&shop, hers.clone()).await);
            assert_away(&label, try_create(&shop, veras).await);
            shop.ledger.set_mood_of(door, None);
            for member in [&ana, &vera] {
                assert_eq!(shop.get(&member.member_id).await.unwrap(), *member, "{label}");
                assert!(told(&shop, member).await.is_empty(), "{label}");
            }
            let unknown = "SELECT household_id FROM household WHERE NOT ledger_confirmed";
            let stored: Vec<uuid::Uuid> = sqlx::query_scalar(unknown)
                .fetch_all(&shop.world.database.owner)
                .await
                .unwrap();
            assert_eq!(stored.len(), 2, "{label}");
            for household_id in stored {
                let unknown = get(&shop, &household_id.to_string()).await;
                assert_refused(&label, unknown, Code::NotFound, ErrorReason::ResourceNotFound);
            }

            let retried = try_create(&shop, hers).await.expect("the retry goes on");
            assert!(is_replayed(&retried), "{label}");
            let household = retried.into_inner().household.unwrap();
            assert_eq!(household.member_ids, slice::from_ref(&ana.member_id), "{label}");
            clock.advance(LONG);
            eventually("the job", async || {
                let member = shop.get(&vera.member_id).await.unwrap();
                (!member.household_id.is_empty()).then_some(())
            })
            .await;
            for member in [&ana, &vera] {
                assert_eq!(told(&shop, member).await.len(), 1, "{label}");
            }
        }
    }
}

#[tokio::test]
async fn a_retry_finishes_coming_and_going() {
    let shop = Shop::open().await;
    for mood in status::CUT_OFF {
        let label = format!("{mood:?}");
        let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
        let household = create(&shop, &ana).await;
        let coming = adding(&household, &vera);
        shop.ledger.set_mood_of(Door::Join, Some(mood));
        assert_away(&label, try_add(&shop, coming.clone()).await);
        assert_eq!(
            get(&shop, &household.household_id).await.unwrap(),
            household,
            "{label}"
        );
        shop.ledger.set_mood_of(Door::Join, None);
        let both = try_add(&shop, coming)
            .await
            .unwrap()
            .into_inner()
            .household
            .unwrap();
        assert_eq!(both.member_ids.len(), 2, "{label}");

        let going = removing(&household, &ana);
        shop.ledger.set_mood_of(Door::Leave, Some(mood));
        assert_away(&label, try_remove(&shop, going.clone()).await);
        assert_eq!(
            get(&shop, &household.household_id).await.unwrap(),
            both,
            "{label}"
        );
        shop.ledger.set_mood_of(Door::Leave, None);
        let left = try_remove(&shop, going)
            .await
            .unwrap()
            .into_inner()
            .household
            .unwrap();
        assert_eq!(left.member_ids, slice::from_ref(&vera.member_id), "{label}");
        let expected = [
            (household.household_id.clone(), true),
            (household.household_id, false),
        ];
        assert_eq!(told(&shop, &ana).await, expected, "{label}");
    }
}

#[tokio::test]
async fn what_the_ledger_refuses_makes_no_household_and_can_be_tried_again() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let request = creating(&ana);
    shop.ledger
        .set_mood_of(Door::Join, Some(Mood::Refuses(ErrorReason::OwnerUnsuitable)));
    let refused = try_create(&shop, request.clone()).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    assert_refused("refused", refused, code, reason);
    assert_eq!(shop.get(&ana.member_id).await.unwrap(), ana);
    shop.ledger.set_mood_of(Door::Join, None);
    let made = try_create(&shop, request.clone()).await.unwrap().into_inner();
    let again = try_create(&shop, request).await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner().household, made.household);
}

#[tokio::test]
async fn what_is_malformed_or_about_nobody_is_refused_and_leaves_nothing() {
    let mut shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let household = create(&shop, &ana).await;
    let before = shop.world.contents().await;
    let created = try_create(&shop, pb::CreateHouseholdRequest::default()).await;
    assert_invalid("create", created, &["request_id", "member_id"]);
    let fields = ["request_id", "household_id", "member_id"];
    let added = try_add(&shop, pb::AddHouseholdMemberRequest::default()).await;
    assert_invalid("add", added, &fields);
    let removed = try_remove(&shop, pb::RemoveHouseholdMemberRequest::default()).await;
    assert_invalid("remove", removed, &fields);
    assert_invalid("get", get(&shop, "home").await, &["household_id"]);

    let (code, reason) = (Code::NotFound, ErrorReason::ResourceNotFound);
    let nobody = pb::Member {
        member_id: nobodys_id(),
        ..Default::default()
    };
    let nowhere = pb::Household {
        household_id: nobodys_id(),
        ..Default::default()
    };
    assert_refused("create", try_create(&shop, creating(&nobody)).await, code, reason);
    assert_refused("get", get(&shop, &nowhere.household_id).await, code, reason);
    for (household, member) in [(&household, &nobody), (&nowhere, &ana)] {
        assert_refused(
            "add",
            try_add(&shop, adding(household, member)).await,
            code,
            reason,
        );
        assert_refused(
            "remove",
            try_remove(&shop, removing(household, member)).await,
            code,
            reason,
        );
    }
    assert_eq!(shop.world.contents().await, before);

    shop.auth = shop.neighbour().await;
    let before = shop.world.contents().await;
    assert_refused("theirs", try_create(&shop, creating(&ana)).await, code, reason);
    assert_refused("theirs", get(&shop, &household.household_id).await, code, reason);
    assert_refused(
        "theirs",
        try_add(&shop, adding(&household, &ana)).await,
        code,
        reason,
    );
    assert_refused(
        "theirs",
        try_remove(&shop, removing(&household, &ana)).await,
        code,
        reason,
    );
    assert_eq!(shop.world.contents().await, before);
}
