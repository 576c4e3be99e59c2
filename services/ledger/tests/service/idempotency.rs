//! Request ids and receipts: the same call twice takes effect once.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Amount, ErrorReason};
use futures::future::join_all;
use tonic::{Code, Response, Status};

use super::harness::{is_replayed, new_id};
use super::support::{Ledger, credit, of_unit, refused, spend};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_is_answered_byte_for_byte_and_takes_effect_once() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let request = credit(&owner, "points", 50);
    let first = ledger.credit(request.clone()).await.expect("credited");
    // Something happens in between: the answer is the first one all the same.
    ledger.give(&owner, 7).await;
    let again = ledger.credit(request).await.expect("credited");
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.into_inner(), again.into_inner());
    let balance = ledger
        .balance(&owner, Some(Requirement::Strong(true)))
        .await
        .expect("a balance");
    assert_eq!((balance.version, of_unit(&balance, "points").available), (2, 57));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_bears_the_id_of_its_request() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let request = credit(&owner, "points", 50);
    let first = ledger
        .credit(request.clone())
        .await
        .expect("credited")
        .into_inner();
    let transaction = first.transaction.clone().expect("a transaction");
    assert_eq!(transaction.transaction_id, request.request_id);

    // One that was recorded when it had an id of its own is found by its request all the same.
    let statement = format!(
        "UPDATE transaction SET transaction_id = gen_random_uuid() WHERE request_id = '{}'",
        request.request_id
    );
    let updated = sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&ledger.database.owner)
        .await;
    assert_eq!(updated.expect("updated").rows_affected(), 1);
    let again = ledger.credit(request).await.expect("the same answer");
    assert!(is_replayed(&again));
    assert_eq!(again.into_inner(), first);
    assert_eq!(ledger.statement(&owner).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_command_under_the_same_request_id_is_refused() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let request = credit(&owner, "points", 50);
    ledger.credit(request.clone()).await.expect("credited");

    let amount = Some(Amount {
        unit_code: "points".to_owned(),
        value: 51,
    });
    let other = pb::CreditPointsRequest {
        amount,
        ..request.clone()
    };
    let status = ledger.credit(other).await.expect_err("another amount");
    let metadata = refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);
    assert_eq!(metadata["request_id"], request.request_id);

    // Another method is another command too.
    let other = pb::SpendPointsRequest {
        request_id: request.request_id.clone(),
        ..spend(&owner, "points", 50)
    };
    let status = ledger.spend(other).await.expect_err("another method");
    refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);

    // And so is another owner's, whose lock is another one.
    let stranger = ledger.open_owner().await;
    let other = pb::CreditPointsRequest {
        owner_id: stranger,
        ..request
    };
    let status = ledger.credit(other).await.expect_err("another owner");
    refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_remembered_as_well() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 30).await;
    let request = spend(&owner, "points", 50);
    let first = ledger.spend(request.clone()).await.expect_err("too little");
    let metadata = refused(&first, Code::FailedPrecondition, ErrorReason::InsufficientBalance);
    assert_eq!(
        (metadata["available"].as_str(), metadata["required"].as_str()),
        ("30", "50")
    );

    // Now there would be enough; the retry has the outcome of the first all the same.
    ledger.give(&owner, 100).await;
    let again = ledger.spend(request).await.expect_err("the first answer");
    assert_eq!(
        (first.code(), first.message(), first.details()),
        (again.code(), again.message(), again.details())
    );
    assert!(
        again.metadata().get("fealty-replayed").is_some()
            && first.metadata().get("fealty-replayed").is_none()
    );
    assert_eq!(
        ledger.statement(&owner).await.len(),
        2,
        "a refusal is no transaction"
    );
    ledger
        .spend(spend(&owner, "points", 50))
        .await
        .expect("another attempt is decided anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_malformed_or_not_there_yet_is_not_remembered() {
    let ledger = Ledger::start().await;
    let owner = new_id();
    let request = credit(&owner, "points", 50);
    let status = ledger.credit(request.clone()).await.expect_err("nobody yet");
    refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    let open = pb::OpenOwnerRequest {
        request_id: new_id(),
        owner_id: owner.clone(),
        kind: pb::OwnerKind::Member.into(),
    };
    ledger
        .owners()
        .open_owner(ledger.call(open))
        .await
        .expect("opened");
    let response = ledger.credit(request).await.expect("credited");
    assert!(!is_replayed(&response));

    let status = ledger
        .credit(credit(&owner, "pints", 50))
        .await
        .expect_err("no such unit");
    let metadata = refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    assert_eq!(
        (metadata["resource"].as_str(), metadata["id"].as_str()),
        ("unit", "pints")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_callers_with_one_request_id_credit_once() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let owner = ledger.open_owner().await;
    let request = credit(&owner, "points", 50);
    let calls = (0..100).map(|place| if place % 2 == 0 { &ledger } else { &replica }.credit(request.clone()));
    let answers = join_all(calls).await;
    let answers: Vec<Response<_>> = answers
        .into_iter()
        .map(|answer| answer.expect("credited"))
        .collect();
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.get_ref() == answers[0].get_ref())
    );
    assert_eq!(ledger.statement(&owner).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_id_for_many_owners_at_once_takes_effect_for_one() {
    let ledger = Ledger::start().await;
    let request_id = new_id();
    let mut owners = Vec::new();
    for _ in 0..20 {
        owners.push(ledger.open_owner().await);
    }
    // Each has a lock of their own, so only the unique net stands between them.
    let calls = owners.iter().map(|owner| {
        ledger.credit(pb::CreditPointsRequest {
            request_id: request_id.clone(),
            ..credit(owner, "points", 5)
        })
    });
    let answers = join_all(calls).await;
    let (accepted, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(accepted.len(), 1);
    for status in others.into_iter().filter_map(Result::err) {
        refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);
    }
}

fn with_receipt(owner: &str, receipt_id: &str) -> pb::CreditPointsRequest {
    pb::CreditPointsRequest {
        receipt_id: receipt_id.to_owned(),
        ..credit(owner, "points", 5)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_recorded_once_and_the_refusal_names_the_first() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let first = ledger
        .credit(with_receipt(&owner, "r-1"))
        .await
        .expect("credited")
        .into_inner();
    let first = first.transaction.expect("a transaction");

    let stranger = ledger.open_owner().await;
    for other in [&owner, &stranger] {
        let status = ledger
            .credit(with_receipt(other, "r-1"))
            .await
            .expect_err("recorded already");
        let metadata = refused(&status, Code::AlreadyExists, ErrorReason::ReceiptAlreadyUsed);
        assert_eq!(metadata["transaction_id"], first.transaction_id);
        assert_eq!(
            (metadata["source"].as_str(), metadata["receipt_id"].as_str()),
            ("test", "r-1")
        );
    }
    let elsewhere = pb::CreditPointsRequest {
        source: "other till".to_owned(),
        ..with_receipt(&owner, "r-1")
    };
    ledger
        .credit(elsewhere)
        .await
        .expect("another source has numbers of its own");
    ledger
        .credit(with_receipt(&owner, "r-2"))
        .await
        .expect("another number");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_was_refused_can_be_tried_again() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let spend_5 = || pb::SpendPointsRequest {
        receipt_id: "r-1".to_owned(),
        ..spend(&owner, "points", 5)
    };
    let status = ledger.spend(spend_5()).await.expect_err("nothing there");
    refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::InsufficientBalance,
    );
    ledger.give(&owner, 5).await;
    ledger
        .spend(spend_5())
        .await
        .expect("spent with another request id");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_for_many_owners_at_once_is_recorded_for_one() {
    let ledger = Ledger::start().await;
    let mut owners = Vec::new();
    for _ in 0..20 {
        owners.push(ledger.open_owner().await);
    }
    let answers = join_all(
        owners
            .iter()
            .map(|owner| ledger.credit(with_receipt(owner, "r-1"))),
    )
    .await;
    let (accepted, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(accepted.len(), 1);
    let first = accepted
        .into_iter()
        .find_map(Result::ok)
        .and_then(|answer| answer.into_inner().transaction);
    let first = first.expect("a transaction").transaction_id;
    let others: Vec<Status> = others.into_iter().filter_map(Result::err).collect();
    for status in &others {
        let metadata = refused(status, Code::AlreadyExists, ErrorReason::ReceiptAlreadyUsed);
        assert_eq!(metadata["transaction_id"], first);
    }
}
