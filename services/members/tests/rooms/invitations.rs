//! Invitations to households.

use chrono::TimeDelta;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::list_household_invitations_request::Of;
use fealty_proto::members::v1::{HouseholdInvitationStatus, HouseholdRole};
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::Clock;
use tonic::{Code, Response, Status};

use crate::family::a_day;
use crate::happened::happened_to;
use crate::harness::{assert_invalid, assert_refused, is_replayed, nobodys_id, request_id};
use crate::households::{add, create, get};
use crate::ledger::{Door, Mood};
use crate::shop::Shop;

const NOT_OPEN: (Code, ErrorReason) = (Code::FailedPrecondition, ErrorReason::HouseholdInvitationNotOpen);

fn inviting(household: &pb::Household, member: &pb::Member) -> pb::InviteToHouseholdRequest {
    pb::InviteToHouseholdRequest {
        request_id: request_id(),
        household_id: household.household_id.clone(),
        member_id: member.member_id.clone(),
        ..Default::default()
    }
}

async fn try_invite(
    shop: &Shop,
    request: pb::InviteToHouseholdRequest,
) -> Result<Response<pb::InviteToHouseholdResponse>, Status> {
    shop.world
        .households(&shop.auth)
        .invite_to_household(request)
        .await
}

async fn invite(shop: &Shop, household: &pb::Household, member: &pb::Member) -> pb::HouseholdInvitation {
    let invited = try_invite(shop, inviting(household, member))
        .await
        .expect("invited");
    invited.into_inner().invitation.expect("an invitation")
}

fn accepting(invitation: &pb::HouseholdInvitation) -> pb::AcceptHouseholdInvitationRequest {
    pb::AcceptHouseholdInvitationRequest {
        request_id: request_id(),
        invitation_id: invitation.invitation_id.clone(),
        member_id: invitation.member_id.clone(),
    }
}

async fn accept(
    shop: &Shop,
    request: pb::AcceptHouseholdInvitationRequest,
) -> Result<Response<pb::AcceptHouseholdInvitationResponse>, Status> {
    shop.world
        .households(&shop.auth)
        .accept_household_invitation(request)
        .await
}

async fn decline(shop: &Shop, it: &pb::HouseholdInvitation) -> Result<HouseholdInvitationStatus, Status> {
    let request = pb::DeclineHouseholdInvitationRequest {
        invitation_id: it.invitation_id.clone(),
        member_id: it.member_id.clone(),
    };
    let declined = shop
        .world
        .households(&shop.auth)
        .decline_household_invitation(request)
        .await?;
    Ok(declined.into_inner().invitation.expect("an invitation").status())
}

async fn withdraw(
    shop: &Shop,
    it: &pb::HouseholdInvitation,
    by: &str,
) -> Result<HouseholdInvitationStatus, Status> {
    let request = pb::WithdrawHouseholdInvitationRequest {
        invitation_id: it.invitation_id.clone(),
        by_member_id: by.to_owned(),
    };
    let withdrawn = shop
        .world
        .households(&shop.auth)
        .withdraw_household_invitation(request)
        .await?;
    Ok(withdrawn.into_inner().invitation.expect("an invitation").status())
}

async fn list(shop: &Shop, of: Of, page_size: i32, token: &str) -> pb::ListHouseholdInvitationsResponse {
    let request = pb::ListHouseholdInvitationsRequest {
        page_size,
        page_token: token.to_owned(),
        of: Some(of),
    };
    let listed = shop
        .world
        .households(&shop.auth)
        .list_household_invitations(request)
        .await;
    listed.expect("a page").into_inner()
}

async fn statuses(shop: &Shop, of: Of) -> Vec<HouseholdInvitationStatus> {
    let all = list(shop, of, 0, "").await.invitations;
    all.iter().map(pb::HouseholdInvitation::status).collect()
}

async fn told(shop: &Shop, member: &pb::Member) -> Vec<String> {
    let changed = |payload| match payload {
        Payload::HouseholdInvitationChanged(changed) => Some(changed.status),
        _ => None,
    };
    let happened = happened_to(shop, &member.member_id).await;
    happened.into_iter().filter_map(changed).collect()
}

#[tokio::test]
async fn b9_who_accepts_joins_on_the_terms_of_the_invitation() {
    let shop = Shop::open().await;
    let (head, child) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    shop.ledger.credit(&child.member_id, 7);
    let household = create(&shop, &head).await;
    let request = pb::InviteToHouseholdRequest {
        by_member_id: head.member_id.clone(),
        role: HouseholdRole::Child.into(),
        spending_limits: vec![a_day(3)],
        ..inviting(&household, &child)
    };
    let invited = try_invite(&shop, request.clone()).await.unwrap().into_inner();
    let again = try_invite(&shop, request).await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), invited);
    let invitation = invited.invitation.unwrap();
    assert_eq!(invitation.status(), HouseholdInvitationStatus::Open);
    assert_eq!(
        get(&shop, &household.household_id).await.unwrap().members.len(),
        1
    );

    let request = accepting(&invitation);
    let joined = accept(&shop, request.clone())
        .await
        .unwrap()
        .into_inner()
        .household
        .unwrap();
    let member = &joined.members[1];
    assert_eq!(
        (member.role(), member.spending_limits.as_slice()),
        (HouseholdRole::Child, [a_day(3)].as_slice())
    );
    let account = shop.ledger.account(&child.member_id);
    assert_eq!(
        (account.account_owner_id, account.limits[0].day_value_max),
        (household.household_id, Some(3))
    );
    assert!(is_replayed(
        &accept(&shop, request).await.expect("the same again")
    ));
    accept(&shop, accepting(&invitation))
        .await
        .expect("they are there");
    let (code, reason) = NOT_OPEN;
    assert_refused("declined late", decline(&shop, &invitation).await, code, reason);
    assert_eq!(told(&shop, &child).await, ["OPEN", "ACCEPTED"]);
}

#[tokio::test]
async fn b9_an_invitation_is_declined_withdrawn_replaced_or_ends_by_itself() {
    use HouseholdInvitationStatus::{Declined, Expired, Open, Withdrawn};
    let (shop, clock) = Shop::open_with_clock().await;
    let (head, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    let household = create(&shop, &head).await;
    let (code, reason) = NOT_OPEN;
    let declined = invite(&shop, &household, &vera).await;
    for _ in 0..2 {
        assert_eq!(decline(&shop, &declined).await.unwrap(), Declined);
    }
    let refused = accept(&shop, accepting(&declined)).await;
    assert_refused("declined", refused, code, reason);

    // What is made at one instant has no order.
    let later = || clock.advance(TimeDelta::milliseconds(5));
    later();
    let replaced = invite(&shop, &household, &vera).await;
    later();
    let withdrawn = invite(&shop, &household, &vera).await;
    later();
    let refused = accept(&shop, accepting(&replaced)).await;
    assert_refused("replaced", refused, code, reason);
    for _ in 0..2 {
        assert_eq!(
            withdraw(&shop, &withdrawn, &head.member_id).await.unwrap(),
            Withdrawn
        );
    }
    let soon = pb::InviteToHouseholdRequest {
        expire_time: Some(prost_types::Timestamp {
            seconds: (clock.now() + TimeDelta::hours(1)).timestamp(),
            nanos: 0,
        }),
        ..inviting(&household, &vera)
    };
    let ended = try_invite(&shop, soon)
        .await
        .unwrap()
        .into_inner()
        .invitation
        .unwrap();
    clock.advance(TimeDelta::hours(1));
    assert_refused("ended", accept(&shop, accepting(&ended)).await, code, reason);
    let open = invite(&shop, &household, &vera).await;
    let expected = [Open, Expired, Withdrawn, Withdrawn, Declined];
    assert_eq!(
        statuses(&shop, Of::MemberId(vera.member_id.clone())).await,
        expected
    );
    let happened = [
        "OPEN",
        "DECLINED",
        "OPEN",
        "WITHDRAWN",
        "OPEN",
        "WITHDRAWN",
        "OPEN",
        "OPEN",
    ];
    assert_eq!(told(&shop, &vera).await, happened);
    let of = || Of::HouseholdId(household.household_id.clone());
    let first = list(&shop, of(), 2, "").await;
    let rest = list(&shop, of(), 4, &first.next_page_token).await;
    assert_eq!((first.invitations.len(), rest.invitations.len()), (2, 3));
    assert_eq!(rest.next_page_token, "");
    clock.advance(TimeDelta::days(14));
    assert_refused("two weeks", accept(&shop, accepting(&open)).await, code, reason);
}

#[tokio::test]
async fn b9_only_who_may_invites_and_only_who_is_invited_answers() {
    let shop = Shop::open().await;
    let (head, adult, child) = (
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
    );
    let vera = shop.enrol(&[]).await;
    let household = create(&shop, &head).await;
    add(&shop, &household, &adult).await;
    let joining = pb::AddHouseholdMemberRequest {
        request_id: request_id(),
        household_id: household.household_id.clone(),
        member_id: child.member_id.clone(),
        role: HouseholdRole::Child.into(),
        ..Default::default()
    };
    shop.world
        .households(&shop.auth)
        .add_household_member(joining)
        .await
        .unwrap();
    let by = |who: &pb::Member, role: HouseholdRole| pb::InviteToHouseholdRequest {
        by_member_id: who.member_id.clone(),
        role: role.into(),
        ..inviting(&household, &vera)
    };
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::HouseholdRoleInsufficient);
    let refused = try_invite(&shop, by(&child, HouseholdRole::Adult)).await;
    assert_refused("a child", refused, code, reason);
    let refused = try_invite(&shop, by(&adult, HouseholdRole::Child)).await;
    assert_refused("a child by an adult", refused, code, reason);
    let invited = try_invite(&shop, by(&adult, HouseholdRole::Adult)).await.unwrap();
    let invitation = invited.into_inner().invitation.unwrap();
    let taken = try_invite(&shop, inviting(&household, &adult)).await;
    assert_refused(
        "is there",
        taken,
        Code::FailedPrecondition,
        ErrorReason::HouseholdTaken,
    );

    let refused = withdraw(&shop, &invitation, &child.member_id).await;
    assert_refused("withdrawn by a child", refused, code, reason);
    let stolen = pb::AcceptHouseholdInvitationRequest {
        member_id: nobodys_id(),
        ..accepting(&invitation)
    };
    let (code, reason) = (Code::NotFound, ErrorReason::ResourceNotFound);
    assert_refused("another's", accept(&shop, stolen).await, code, reason);
    let other = pb::HouseholdInvitation {
        member_id: head.member_id.clone(),
        ..invitation.clone()
    };
    assert_refused("another's", decline(&shop, &other).await, code, reason);
    let none = pb::HouseholdInvitation {
        invitation_id: nobodys_id(),
        ..invitation.clone()
    };
    assert_refused("none", decline(&shop, &none).await, code, reason);
    // Who invited takes it back.
    withdraw(&shop, &invitation, &adult.member_id)
        .await
        .expect("withdrawn");
}

#[tokio::test]
async fn b9_of_two_who_accept_at_once_and_of_two_households_one_wins() {
    let shop = Shop::open().await;
    for _ in 0..4 {
        let (ana, milan, vera) = (
            shop.enrol(&[]).await,
            shop.enrol(&[]).await,
            shop.enrol(&[]).await,
        );
        let (one, other) = (create(&shop, &ana).await, create(&shop, &milan).await);
        let first = invite(&shop, &one, &vera).await;
        let second = invite(&shop, &other, &vera).await;
        let (a, b, c) = tokio::join!(
            accept(&shop, accepting(&first)),
            accept(&shop, accepting(&first)),
            accept(&shop, accepting(&second)),
        );
        let home = shop.get(&vera.member_id).await.unwrap().household_id;
        if home == one.household_id {
            a.expect("joined");
            b.expect("there already");
            let (code, reason) = (Code::FailedPrecondition, ErrorReason::HouseholdTaken);
            assert_refused("elsewhere", c, code, reason);
        } else {
            assert_eq!(home, other.household_id);
            c.expect("joined");
            assert!(a.is_err() && b.is_err());
        }
        assert_eq!(shop.ledger.account(&vera.member_id).account_owner_id, home);
    }
}

#[tokio::test]
async fn b9_an_acceptance_that_is_cut_off_goes_on_and_is_not_withdrawn_meanwhile() {
    let shop = Shop::open().await;
    let (head, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    let household = create(&shop, &head).await;
    let invitation = invite(&shop, &household, &vera).await;
    let request = accepting(&invitation);
    shop.ledger.set_mood_of(Door::Join, Some(Mood::LosesAnswer));
    let away = accept(&shop, request.clone()).await;
    assert_refused(
        "away",
        away,
        Code::Unavailable,
        ErrorReason::DependencyUnavailable,
    );
    let busy = withdraw(&shop, &invitation, "").await;
    assert_refused("withdrawn", busy, Code::Aborted, ErrorReason::Contention);
    shop.ledger.set_mood_of(Door::Join, None);
    let joined = accept(&shop, request).await.expect("the retry goes on");
    assert!(is_replayed(&joined));
    assert_eq!(joined.into_inner().household.unwrap().members.len(), 2);
    let of = Of::HouseholdId(household.household_id);
    assert_eq!(statuses(&shop, of).await, [HouseholdInvitationStatus::Accepted]);
}

#[tokio::test]
async fn what_is_malformed_is_named_whole() {
    let shop = Shop::open().await;
    let fields = ["request_id", "household_id", "member_id"];
    let invited = try_invite(&shop, pb::InviteToHouseholdRequest::default()).await;
    assert_invalid("invite", invited, &fields);
    let late = pb::InviteToHouseholdRequest {
        request_id: request_id(),
        household_id: nobodys_id(),
        member_id: nobodys_id(),
        by_member_id: "me".to_owned(),
        role: HouseholdRole::Head.into(),
        spending_limits: vec![a_day(0)],
        expire_time: Some(prost_types::Timestamp { seconds: 5, nanos: 0 }),
    };
    let fields = [
        "by_member_id",
        "role",
        "spending_limits[0].day_value_max",
        "expire_time",
    ];
    assert_invalid("late", try_invite(&shop, late).await, &fields);
    let fields = ["request_id", "invitation_id", "member_id"];
    let accepted = accept(&shop, pb::AcceptHouseholdInvitationRequest::default()).await;
    assert_invalid("accept", accepted, &fields);
    let none = pb::HouseholdInvitation::default();
    assert_invalid(
        "decline",
        decline(&shop, &none).await,
        &["invitation_id", "member_id"],
    );
    assert_invalid(
        "withdraw",
        withdraw(&shop, &none, "me").await,
        &["invitation_id", "by_member_id"],
    );
    let listed = shop
        .world
        .households(&shop.auth)
        .list_household_invitations(pb::ListHouseholdInvitationsRequest::default())
        .await;
    assert_invalid("list", listed, &["of"]);
}
