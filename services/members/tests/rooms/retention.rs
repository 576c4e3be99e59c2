//! B20 and B21: who may know, for how long it is kept, what holds it, and what was disclosed to whom.

use std::slice;
use std::sync::Arc;

use fealty_proto::access::v1::Scope;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::{DisclosureBasis, ErasureCause, ErasureState};
use fealty_proto::r#type::v1::{Date, ErrorReason};
use fealty_types::ManualClock;
use tonic::{Code, Response, Status};

use crate::erasures::{enrol_whole, erase, erasing, try_erase};
use crate::happened::happened_to;
use crate::harness::{assert_invalid, assert_refused, is_replayed, request_id};
use crate::shop::Shop;

const fn day(year: i32, month: i32, day: i32) -> Date {
    Date { year, month, day }
}

/// Open on that day at noon.
async fn open_on(date: &str) -> (Shop, ManualClock) {
    let clock = ManualClock::new(format!("{date}T12:00:00Z").parse().expect("a time"));
    let shop = Shop::open_without_policy(Arc::new(clock.clone())).await;
    shop.publish("The terms.").await;
    (shop, clock)
}

async fn end_contract(shop: &Shop, member_id: &str, end: Option<Date>) -> Result<pb::Retention, Status> {
    let request = pb::EndContractRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        contract_end_date: end,
    };
    let answer = shop.world.retention(&shop.auth).end_contract(request).await?;
    Ok(answer.into_inner().retention.expect("a retention"))
}

async fn purgeable(shop: &Shop) -> Vec<String> {
    let request = pb::ListPurgeableMembersRequest::default();
    let answer = shop
        .world
        .retention(&shop.auth)
        .list_purgeable_members(request)
        .await;
    let found = answer.expect("a page").into_inner().retentions;
    found.into_iter().map(|retention| retention.member_id).collect()
}

fn purging(member_id: &str) -> pb::EraseMemberRequest {
    pb::EraseMemberRequest {
        cause: ErasureCause::RetentionEnded.into(),
        ..erasing(member_id)
    }
}

#[tokio::test]
async fn b20_a_contract_that_ended_on_1_march_2020_is_purgeable_from_1_march_2025_on() {
    let (shop, clock) = open_on("2020-03-01").await;
    let ana = enrol_whole(&shop).await;
    let goes_on = try_erase(&shop, &purging(&ana.member_id)).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::RetentionNotEnded);
    assert_refused("goes on", goes_on, code, reason);
    let retention = end_contract(&shop, &ana.member_id, Some(day(2020, 3, 1)))
        .await
        .unwrap();
    assert_eq!(retention.purgeable_from_date, Some(day(2025, 3, 1)));
    assert!(!retention.purgeable);

    clock.set("2025-02-28T23:59:59Z".parse().unwrap());
    assert_eq!(purgeable(&shop).await, Vec::<String>::new());
    let early = try_erase(&shop, &purging(&ana.member_id)).await;
    assert_refused("28 February", early, code, reason);

    clock.set("2025-03-01T00:00:00Z".parse().unwrap());
    assert_eq!(purgeable(&shop).await, slice::from_ref(&ana.member_id));
    let purged = try_erase(&shop, &purging(&ana.member_id)).await.expect("1 March");
    let purged = purged.into_inner().erasure.unwrap();
    assert_eq!(purged.state(), ErasureState::Destroyed);
    assert_eq!(purgeable(&shop).await, Vec::<String>::new());
}

#[tokio::test]
async fn b20_a_legal_hold_blocks_whoever_asks_until_it_is_lifted() {
    let (shop, clock) = open_on("2020-03-01").await;
    let ana = enrol_whole(&shop).await;
    end_contract(&shop, &ana.member_id, Some(day(2020, 3, 1)))
        .await
        .unwrap();
    let request = pb::PlaceLegalHoldRequest {
        request_id: request_id(),
        member_id: ana.member_id.clone(),
        case_reference: "A 7/2024".to_owned(),
    };
    let place = async || {
        shop.world
            .retention(&shop.auth)
            .place_legal_hold(request.clone())
            .await
    };
    let hold = place().await.unwrap().into_inner().legal_hold.unwrap();
    let again = place().await.unwrap();
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner().legal_hold.as_ref(), Some(&hold));

    clock.set("2025-03-01T00:00:00Z".parse().unwrap());
    assert_eq!(purgeable(&shop).await, Vec::<String>::new());
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::LegalHold);
    assert_refused(
        "purge",
        try_erase(&shop, &purging(&ana.member_id)).await,
        code,
        reason,
    );
    assert_refused(
        "her wish",
        try_erase(&shop, &erasing(&ana.member_id)).await,
        code,
        reason,
    );
    assert_eq!(
        shop.get(&ana.member_id).await.unwrap().identifiers.len(),
        4,
        "nothing was done"
    );

    let lift = pb::LiftLegalHoldRequest {
        legal_hold_id: hold.legal_hold_id.clone(),
    };
    for _ in 0..2 {
        let lifted = shop
            .world
            .retention(&shop.auth)
            .lift_legal_hold(lift.clone())
            .await
            .unwrap();
        assert!(lifted.into_inner().legal_hold.unwrap().lift_time.is_some());
    }
    assert_eq!(purgeable(&shop).await, slice::from_ref(&ana.member_id));
    assert_eq!(
        erase(&shop, &ana.member_id).await.state(),
        ErasureState::Destroyed
    );
}

#[tokio::test]
async fn b20_whoever_has_no_need_to_know_is_denied() {
    let shop = Shop::open().await;
    let ana = enrol_whole(&shop).await;
    let till = shop.world.key_of(shop.program, &[Scope::PoliciesRead]).await;
    let (code, reason) = (Code::PermissionDenied, ErrorReason::ScopeMissing);
    let get = pb::GetMemberRequest {
        member_id: ana.member_id.clone(),
    };
    assert_refused(
        "profile",
        shop.world.members(&till).get_member(get).await,
        code,
        reason,
    );
    let retention = pb::GetRetentionRequest {
        member_id: ana.member_id.clone(),
    };
    let asked = shop.world.retention(&till).get_retention(retention).await;
    assert_refused("retention", asked, code, reason);
    let disclosures = pb::ListDisclosuresRequest {
        member_id: ana.member_id.clone(),
        ..Default::default()
    };
    let asked = shop.world.disclosures(&till).list_disclosures(disclosures).await;
    assert_refused("disclosures", asked, code, reason);
}

#[tokio::test]
async fn what_is_wrong_with_an_end_or_a_hold_is_told_at_once() {
    let (shop, _) = open_on("2020-03-01").await;
    let ana = shop.enrol(&[]).await;
    for (date, label) in [
        (None, "none"),
        (Some(day(2020, 2, 30)), "no day"),
        (Some(day(2020, 3, 2)), "tomorrow"),
    ] {
        let refused = end_contract(&shop, &ana.member_id, date).await;
        assert_invalid(label, refused, &["contract_end_date"]);
    }
    let nothing = pb::PlaceLegalHoldRequest::default();
    let refused = shop.world.retention(&shop.auth).place_legal_hold(nothing).await;
    assert_invalid("nothing", refused, &["request_id", "member_id", "case_reference"]);
    let nothing = pb::RecordDisclosureRequest::default();
    let refused = shop
        .world
        .disclosures(&shop.auth)
        .record_disclosure(nothing)
        .await;
    let fields = ["request_id", "member_id", "basis", "recipient", "content"];
    assert_invalid("nothing", refused, &fields);
}

fn disclosing(member_id: &str, basis: DisclosureBasis) -> pb::RecordDisclosureRequest {
    pb::RecordDisclosureRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        basis: basis.into(),
        recipient: "Tax office of Niš".to_owned(),
        content: "purchases of 2026".to_owned(),
        disclose_time: None,
    }
}

async fn record(
    shop: &Shop,
    request: &pb::RecordDisclosureRequest,
) -> Response<pb::RecordDisclosureResponse> {
    let mut disclosures = shop.world.disclosures(&shop.auth);
    disclosures
        .record_disclosure(request.clone())
        .await
        .expect("recorded")
}

async fn list(shop: &Shop, member_id: &str) -> Vec<pb::DisclosureRecord> {
    let request = pb::ListDisclosuresRequest {
        member_id: member_id.to_owned(),
        ..Default::default()
    };
    let answer = shop.world.disclosures(&shop.auth).list_disclosures(request).await;
    answer.expect("a page").into_inner().disclosures
}

#[tokio::test]
async fn b21_a_disclosure_has_one_of_five_bases_and_an_authoritys_demand_is_told_at_once() {
    use DisclosureBasis::{A, B, C, D, E};
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let due = async || {
        let happened = happened_to(&shop, &ana.member_id).await;
        let due = happened.into_iter().filter_map(|payload| match payload {
            Payload::DisclosureNotificationDue(due) => Some(due.disclosure_id),
            _ => None,
        });
        due.collect::<Vec<_>>()
    };
    for basis in [A, B, C, E] {
        record(&shop, &disclosing(&ana.member_id, basis)).await;
    }
    assert_eq!(due().await, Vec::<String>::new());
    let request = disclosing(&ana.member_id, D);
    let demanded = record(&shop, &request).await.into_inner().disclosure.unwrap();
    assert_eq!(due().await, slice::from_ref(&demanded.disclosure_id));
    let again = record(&shop, &request).await;
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner().disclosure.as_ref(), Some(&demanded));
    assert_eq!(due().await.len(), 1, "told once");

    let listed = list(&shop, &ana.member_id).await;
    let bases: Vec<DisclosureBasis> = listed.iter().map(pb::DisclosureRecord::basis).collect();
    assert_eq!(bases, [D, E, C, B, A]);
    assert_eq!(listed[0], demanded);
    assert_eq!(demanded.recipient, "Tax office of Niš");
}

#[tokio::test]
async fn of_an_erased_persons_disclosures_stays_that_there_were_some() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    record(&shop, &disclosing(&ana.member_id, DisclosureBasis::D)).await;
    erase(&shop, &ana.member_id).await;
    let left = list(&shop, &ana.member_id).await;
    assert_eq!((left[0].recipient.as_str(), left[0].content.as_str()), ("", ""));
    assert_eq!(left[0].basis(), DisclosureBasis::D);
}
