//! Owners.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use super::harness::{self, is_replayed, new_id};
use super::support::{Ledger, refused};

fn open(owner_id: &str, kind: pb::OwnerKind) -> pb::OpenOwnerRequest {
    pb::OpenOwnerRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        kind: kind.into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_the_same_owner_again_answers_alike_and_another_kind_is_refused() {
    let ledger = Ledger::start().await;
    let owner_id = new_id();
    let opened = |kind| {
        let request = ledger.call(open(&owner_id, kind));
        let mut owners = ledger.owners();
        async move { owners.open_owner(request).await }
    };
    let first = opened(pb::OwnerKind::Partner).await.expect("opened");
    assert!(!is_replayed(&first));
    let again = opened(pb::OwnerKind::Partner).await.expect("opened");
    assert!(is_replayed(&again));
    assert_eq!(first.get_ref(), again.get_ref());

    let status = opened(pb::OwnerKind::Member).await.expect_err("another kind");
    let metadata = refused(&status, Code::AlreadyExists, ErrorReason::ResourceExists);
    assert_eq!(metadata["id"], owner_id);

    let request = ledger.call(pb::GetOwnerRequest {
        owner_id: owner_id.clone(),
    });
    let owner = ledger
        .owners()
        .get_owner(request)
        .await
        .expect("found")
        .into_inner()
        .owner;
    assert_eq!(owner, first.into_inner().owner);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_at_once_open_one_owner() {
    let ledger = Ledger::start().await;
    let owner_id = new_id();
    let calls = (0..100).map(|_| {
        let request = ledger.call(open(&owner_id, pb::OwnerKind::Member));
        let mut owners = ledger.owners();
        async move { owners.open_owner(request).await.expect("opened") }
    });
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_owner_is_not_there() {
    let ledger = Ledger::start().await;
    let owner_id = ledger.open_owner().await;
    let stranger = harness::plant_program(&ledger.database, "UTC", "EUR").await;
    let request = stranger.call(pb::GetOwnerRequest {
        owner_id: owner_id.clone(),
    });
    let status = ledger
        .owners()
        .get_owner(request)
        .await
        .expect_err("another program");
    let metadata = refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    assert_eq!(
        (metadata["resource"].as_str(), metadata["id"].as_str()),
        ("owner", owner_id.as_str())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_is_named_at_once() {
    use tonic_types::StatusExt;

    let ledger = Ledger::start().await;
    let request = pb::OpenOwnerRequest {
        request_id: "1".to_owned(),
        owner_id: String::new(),
        kind: 99,
    };
    let status = ledger
        .owners()
        .open_owner(ledger.call(request))
        .await
        .expect_err("malformed");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
    let violations = status
        .get_details_bad_request()
        .expect("BadRequest")
        .field_violations;
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, ["request_id", "owner_id", "kind"]);
}
