//! Members who are kept out.

use fealty_proto::ledger::v1::OwnerStatus;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::MemberStatus;
use fealty_proto::r#type::v1::ErrorReason;
use tonic::Code;
use tonic_types::StatusExt;

use crate::harness::{assert_refused, request_id};
use crate::shop::Shop;
use crate::status::{set, told};

#[tokio::test]
async fn a19_who_is_excluded_earns_nothing_is_not_contacted_and_can_be_let_in_again() {
    let shop = Shop::open().await;
    let ana = shop.enrol(&[]).await;
    let excluded = set(&shop, &ana, MemberStatus::Excluded).await;
    assert_eq!(excluded.status(), MemberStatus::Excluded);
    assert_eq!(shop.get(&ana.member_id).await.unwrap(), excluded);
    // Neither earns nor spends: the ledger has a status for that.
    let owner = shop.ledger.account(&ana.member_id);
    assert_eq!(
        (owner.status, owner.status_revision),
        (OwnerStatus::Closed.into(), 1)
    );
    let asking = pb::MayContactRequest {
        request_id: request_id(),
        member_id: ana.member_id.clone(),
        channel: pb::ContactChannel::Email.into(),
        purpose: pb::ContactPurpose::ServiceQuality.into(),
        topic: "survey".to_owned(),
        ..pb::MayContactRequest::default()
    };
    let decision = shop
        .world
        .contacts(&shop.auth)
        .may_contact(asking)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (decision.decision(), decision.rule()),
        (pb::ContactDecision::No, pb::ContactRule::MemberNotActive)
    );
    let merged = shop.enrol(&[]).await;
    let merge = pb::MergeMembersRequest {
        request_id: request_id(),
        from_member_id: ana.member_id.clone(),
        into_member_id: merged.member_id,
    };
    let refused = shop.world.members(&shop.auth).merge_members(merge).await;
    let (code, reason) = (Code::FailedPrecondition, ErrorReason::MemberNotActive);
    let told_why = assert_refused("a way out by a merge", refused, code, reason);
    assert_eq!(
        told_why.get_details_error_info().unwrap().metadata["status"],
        "EXCLUDED"
    );
    let kept: (String, String, Option<Vec<u8>>) =
        sqlx::query_as("SELECT status, actor, reason FROM member_change WHERE member_id = $1::uuid")
            .bind(&ana.member_id)
            .fetch_one(&shop.world.database.owner)
            .await
            .unwrap();
    assert!(
        kept.0 == "EXCLUDED" && kept.1.starts_with("key:") && kept.2.is_some(),
        "{kept:?}"
    );

    let back = set(&shop, &ana, MemberStatus::Active).await;
    assert_eq!(back.status(), MemberStatus::Active);
    assert_eq!(
        shop.ledger.account(&ana.member_id).status,
        i32::from(OwnerStatus::Active)
    );
    assert_eq!(told(&shop, &ana).await, ["EXCLUDED", "ACTIVE"]);
}
