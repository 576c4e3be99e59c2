//! Who brought whom: codes, cards, what speaks against it, the tree, and how a program grows.

use fealty_proto::events::v1::event::Payload;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::enrolment_referral::By;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::referral_service_client::ReferralServiceClient;
use fealty_proto::members::v1::{ReferralAction, ReferralCheck, ReferralSource, ReferralState};
use fealty_proto::r#type::v1::ErrorReason;
use futures::future::join_all;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use crate::happened::happened_to;
use crate::harness::{Auth, assert_refused, is_replayed, request_id};
use crate::households::{add, create};
use crate::shop::{Shop, card, enrolment, external_id, phone};

const REFUSED: (Code, ErrorReason) = (Code::FailedPrecondition, ErrorReason::ReferralRefused);
pub const MISSING: (Code, ErrorReason) = (Code::NotFound, ErrorReason::ResourceNotFound);

pub fn referrals(shop: &Shop) -> ReferralServiceClient<InterceptedService<Channel, Auth>> {
    ReferralServiceClient::with_interceptor(shop.world.channel(), shop.auth.clone())
}

pub fn issuing(member: &pb::Member, code: &str) -> pb::IssueReferralCodeRequest {
    pb::IssueReferralCodeRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        code: code.to_owned(),
        device_id: String::new(),
    }
}

pub async fn issue(
    shop: &Shop,
    request: pb::IssueReferralCodeRequest,
) -> Result<Response<pb::IssueReferralCodeResponse>, Status> {
    referrals(shop).issue_referral_code(request).await
}

pub async fn code_of(shop: &Shop, member: &pb::Member, code: &str) -> pb::ReferralCode {
    let issued = issue(shop, issuing(member, code))
        .await
        .expect("a code")
        .into_inner();
    issued.referral_code.expect("a code")
}

pub fn brought(by: By, identifiers: &[Value]) -> pb::EnrolMemberRequest {
    pb::EnrolMemberRequest {
        referral: Some(pb::EnrolmentReferral {
            by: Some(by),
            device_id: String::new(),
        }),
        ..enrolment(identifiers)
    }
}

fn on_device(mut request: pb::EnrolMemberRequest, device: &str) -> pb::EnrolMemberRequest {
    if let Some(referral) = &mut request.referral {
        device.clone_into(&mut referral.device_id);
    }
    request
}

pub async fn enrol(shop: &Shop, request: pb::EnrolMemberRequest) -> pb::Member {
    let enrolled = shop.try_enrol(request).await.expect("enrolled").into_inner();
    enrolled.member.expect("a member")
}

async fn referral_of(shop: &Shop, member: &pb::Member) -> Result<pb::Referral, Status> {
    let request = pb::GetReferralRequest {
        member_id: member.member_id.clone(),
    };
    let found = referrals(shop).get_referral(request).await?;
    Ok(found.into_inner().referral.expect("a referral"))
}

async fn record(shop: &Shop, member: &pb::Member, referrer: &pb::Member) -> Result<pb::Referral, Status> {
    let request = pb::RecordReferralRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        referrer_member_id: referrer.member_id.clone(),
    };
    let recorded = referrals(shop).record_referral(request).await?;
    Ok(recorded.into_inner().referral.expect("a referral"))
}

async fn review(shop: &Shop, member: &pb::Member, accept: bool) -> Result<pb::Referral, Status> {
    let request = pb::ReviewReferralRequest {
        member_id: member.member_id.clone(),
        accept,
    };
    let reviewed = referrals(shop).review_referral(request).await?;
    Ok(reviewed.into_inner().referral.expect("a referral"))
}

fn all(action: ReferralAction) -> pb::ReferralSettings {
    let action = action.into();
    pb::ReferralSettings {
        same_household: action,
        same_device: action,
        same_person: action,
        same_identifier: action,
        link_template: "https://shop.example/join?by={code}".to_owned(),
        ..Default::default()
    }
}

pub async fn set(shop: &Shop, settings: pb::ReferralSettings) -> Result<pb::ReferralSettings, Status> {
    let request = pb::SetReferralSettingsRequest {
        settings: Some(settings),
    };
    let set = referrals(shop).set_referral_settings(request).await?;
    Ok(set.into_inner().settings.expect("settings"))
}

async fn told(shop: &Shop, member: &pb::Member) -> Vec<String> {
    let became = |payload| match payload {
        Payload::MemberReferral(it) => Some(it.state),
        _ => None,
    };
    let happened = happened_to(shop, &member.member_id).await;
    happened.into_iter().filter_map(became).collect()
}

#[tokio::test]
async fn b9_a_new_member_created_through_the_card_has_its_holder_as_referrer() {
    let shop = Shop::open().await;
    let holder = shop.enrol(&[card("4539148803436467")]).await;
    let relative = enrol(
        &shop,
        brought(By::CardNumber("4539148803436467".to_owned()), &[external_id("r")]),
    )
    .await;
    let referral = referral_of(&shop, &relative).await.unwrap();
    assert_eq!(referral.referrer_member_id, holder.member_id);
    assert_eq!(
        (referral.source(), referral.state()),
        (ReferralSource::Card, ReferralState::Pending)
    );
    assert_eq!(told(&shop, &relative).await, ["PENDING"]);
    let nobody = shop
        .try_enrol(brought(By::CardNumber("6011000990139424".to_owned()), &[]))
        .await;
    let (code, reason) = MISSING;
    assert_refused("nobody's card", nobody, code, reason);
    // A card that is blocked brings nobody.
    let block = pb::BlockCardRequest {
        request_id: request_id(),
        card_number: "4539148803436467".to_owned(),
        reason: pb::CardEndReason::Stolen.into(),
    };
    shop.world
        .cards(&shop.auth)
        .block_card(block)
        .await
        .expect("blocked");
    let late = shop
        .try_enrol(brought(By::CardNumber("4539148803436467".to_owned()), &[]))
        .await;
    assert_refused(
        "blocked",
        late,
        Code::FailedPrecondition,
        ErrorReason::CardBlocked,
    );
    let (code, reason) = MISSING;
    assert_refused(
        "nobody brought them",
        referral_of(&shop, &holder).await,
        code,
        reason,
    );
}

#[tokio::test]
async fn b12_codes_are_issued_listed_closed_and_bring_whoever_types_them() {
    let shop = Shop::open().await;
    set(&shop, all(ReferralAction::Hold)).await.expect("set");
    let ana = shop.enrol(&[]).await;
    let request = issuing(&ana, "ana2026");
    let made = issue(&shop, request.clone())
        .await
        .unwrap()
        .into_inner()
        .referral_code
        .unwrap();
    assert_eq!(
        (made.code.as_str(), made.link.as_str()),
        ("ANA2026", "https://shop.example/join?by=ANA2026")
    );
    let again = issue(&shop, request).await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner().referral_code.unwrap(), made);
    let taken = issue(&shop, issuing(&ana, "Ana2026")).await;
    assert_refused("taken", taken, Code::AlreadyExists, ErrorReason::ResourceExists);
    let made_up = code_of(&shop, &ana, "").await;
    assert_eq!(made_up.code.len(), 10);

    let vera = enrol(&shop, brought(By::Code("anA2026".to_owned()), &[])).await;
    let referral = referral_of(&shop, &vera).await.unwrap();
    assert_eq!(
        (referral.code.as_str(), referral.source()),
        ("ANA2026", ReferralSource::Code)
    );
    let list = pb::ListReferralCodesRequest {
        member_id: ana.member_id.clone(),
        page_size: 1,
        page_token: String::new(),
    };
    let first = referrals(&shop)
        .list_referral_codes(list.clone())
        .await
        .unwrap()
        .into_inner();
    let next = pb::ListReferralCodesRequest {
        page_token: first.next_page_token.clone(),
        ..list
    };
    let second = referrals(&shop)
        .list_referral_codes(next)
        .await
        .unwrap()
        .into_inner();
    let both = [&first.referral_codes[0], &second.referral_codes[0]];
    assert_eq!(second.next_page_token, "");
    assert!(
        both.iter()
            .any(|code| code.code == "ANA2026" && code.referral_count == 1)
    );

    let close = pb::CloseReferralCodeRequest {
        code: "ana2026".to_owned(),
    };
    for _ in 0..2 {
        let closed = referrals(&shop).close_referral_code(close.clone()).await.unwrap();
        assert!(closed.into_inner().referral_code.unwrap().close_time.is_some());
    }
    let late = shop.try_enrol(brought(By::Code("ANA2026".to_owned()), &[])).await;
    let (code, reason) = MISSING;
    assert_refused("closed", late, code, reason);
}

#[tokio::test]
async fn b12_what_speaks_against_a_referral_is_held_or_refused_as_the_program_has_it() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[phone("+447700900001")]).await;
    let identifier_id = ana.identifiers[0].identifier_id.clone();
    code_of(&shop, &ana, "ANAS").await;
    let issued = pb::IssueReferralCodeRequest {
        device_id: "tablet-7".to_owned(),
        ..issuing(&ana, "ANAT")
    };
    issue(&shop, issued).await.expect("a code");
    let gone = pb::RemoveIdentifierRequest {
        member_id: ana.member_id.clone(),
        identifier_id,
    };
    shop.world
        .members(&shop.auth)
        .remove_identifier(gone)
        .await
        .expect("removed");
    let by = || By::Code("ANAS".to_owned());
    let cases = [
        (
            on_device(brought(by(), &[]), "tablet-7"),
            ReferralCheck::SameDevice,
        ),
        (
            brought(by(), &[phone("+447700900001")]),
            ReferralCheck::SameIdentifier,
        ),
    ];
    let (code, reason) = REFUSED;
    for (request, check) in cases {
        set(&shop, all(ReferralAction::Refuse)).await.expect("set");
        let refused = shop
            .try_enrol(pb::EnrolMemberRequest {
                request_id: request_id(),
                ..request.clone()
            })
            .await;
        let refused = assert_refused(check.as_str_name(), refused, code, reason);
        let info = refused.get_details_error_info().unwrap();
        assert_eq!(
            format!("REFERRAL_CHECK_{}", info.metadata["checks"]),
            check.as_str_name()
        );
        set(&shop, all(ReferralAction::Hold)).await.expect("set");
        let held = enrol(&shop, request).await;
        let referral = referral_of(&shop, &held).await.unwrap();
        assert_eq!(
            (referral.state(), referral.checks.as_slice()),
            (ReferralState::Held, [i32::from(check)].as_slice())
        );
        assert_eq!(told(&shop, &held).await, ["HELD"]);
    }
}

#[tokio::test]
async fn b12_what_a_program_allows_counts_with_what_speaks_against_it() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    code_of(&shop, &ana, "ANAS").await;
    let by = || By::Code("ANAS".to_owned());
    // Another whom she brought, on one device with the first.
    set(&shop, all(ReferralAction::Allow)).await.expect("set");
    let vera = enrol(&shop, on_device(brought(by(), &[]), "phone-9")).await;
    assert_eq!(
        referral_of(&shop, &vera).await.unwrap().state(),
        ReferralState::Pending
    );
    let allowed = enrol(&shop, on_device(brought(by(), &[]), "phone-9")).await;
    let referral = referral_of(&shop, &allowed).await.unwrap();
    assert_eq!(
        (referral.state(), referral.checks.len()),
        (ReferralState::Pending, 1)
    );
    // The device is nobody's personal data in the clear.
    let contents = shop.world.contents().await;
    assert!(
        contents
            .iter()
            .flat_map(|(_, rows)| rows)
            .all(|rows| !rows.contains("phone-9"))
    );
}

#[tokio::test]
async fn b12_by_hand_nobody_brings_themselves_their_household_or_who_brought_them() {
    let shop = Shop::open().await;
    set(&shop, all(ReferralAction::Refuse)).await.expect("set");
    let mut chain = Vec::new();
    for _ in 0..4 {
        chain.push(shop.enrol(&[]).await);
    }
    for pair in chain.windows(2) {
        record(&shop, &pair[1], &pair[0]).await.expect("recorded");
    }
    let (code, reason) = REFUSED;
    let closing = record(&shop, &chain[0], &chain[3]).await;
    let refused = assert_refused("a loop", closing, code, reason);
    assert_eq!(
        refused.get_details_error_info().unwrap().metadata["checks"],
        "LOOP"
    );
    let itself = record(&shop, &chain[0], &chain[0]).await;
    let refused = assert_refused("itself", itself, code, reason);
    assert!(refused.get_details_error_info().unwrap().metadata["checks"].contains("SELF"));
    let stranger = shop.enrol(&[]).await;
    let twice = record(&shop, &chain[1], &stranger).await;
    assert_refused("twice", twice, Code::AlreadyExists, ErrorReason::ResourceExists);
    let household = create(&shop, &chain[0]).await;
    let child = shop.enrol(&[]).await;
    add(&shop, &household, &child).await;
    let home = record(&shop, &child, &chain[0]).await;
    let refused = assert_refused("a household", home, code, reason);
    assert_eq!(
        refused.get_details_error_info().unwrap().metadata["checks"],
        "SAME_HOUSEHOLD"
    );

    // Whatever two say at once, no circle closes.
    for _ in 0..4 {
        let members = join_all((0..4).map(|_| shop.enrol(&[]))).await;
        let said = (0..4).map(|place| record(&shop, &members[(place + 1) % 4], &members[place]));
        let said = join_all(said).await;
        assert_eq!(said.iter().filter(|said| said.is_ok()).count(), 3);
    }
}

#[tokio::test]
async fn b12_who_looks_at_what_is_held_decides_and_the_same_again_changes_nothing() {
    let shop = Shop::open().await;
    let (ana, vera, milan) = (
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
    );
    let household = create(&shop, &ana).await;
    for member in [&vera, &milan] {
        add(&shop, &household, member).await;
        let referral = record(&shop, member, &ana).await.expect("by default it is held");
        assert_eq!(referral.state(), ReferralState::Held);
    }
    let held = pb::ListReferralsRequest {
        state: ReferralState::Held.into(),
        ..Default::default()
    };
    let listed = referrals(&shop).list_referrals(held).await.unwrap().into_inner();
    assert_eq!(listed.referrals.len(), 2);
    for _ in 0..2 {
        assert_eq!(
            review(&shop, &vera, true).await.unwrap().state(),
            ReferralState::Pending
        );
        assert_eq!(
            review(&shop, &milan, false).await.unwrap().state(),
            ReferralState::Rejected
        );
    }
    let (code, reason) = REFUSED;
    assert_refused("the other way", review(&shop, &milan, true).await, code, reason);
    assert_refused("the other way", review(&shop, &vera, false).await, code, reason);
    assert_eq!(told(&shop, &vera).await, ["HELD", "PENDING"]);
    assert_eq!(told(&shop, &milan).await, ["HELD", "REJECTED"]);
}
