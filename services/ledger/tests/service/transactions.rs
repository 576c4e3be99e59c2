//! Statements and single transactions.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use tonic::{Code, Status};

use super::harness::{self, new_id};
use super::support::{Ledger, credit, days, refused, spend, timestamp};

async fn page(
    ledger: &Ledger,
    request: pb::ListTransactionsRequest,
) -> Result<pb::ListTransactionsResponse, Status> {
    let response = ledger
        .transactions()
        .list_transactions(ledger.call(request))
        .await?;
    Ok(response.into_inner())
}

fn versions(page: &pb::ListTransactionsResponse) -> Vec<i64> {
    page.transactions
        .iter()
        .map(|transaction| transaction.version)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_comes_in_pages_newest_first_with_running_balances() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    for value in 1..=7 {
        ledger.give(&owner, value).await;
    }
    let mut request = pb::ListTransactionsRequest {
        owner_id: owner.clone(),
        page_size: 3,
        ..pb::ListTransactionsRequest::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = page(&ledger, request.clone()).await.expect("a page");
        assert!(page.transactions.len() <= 3);
        seen.extend(page.transactions);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let balances: Vec<_> = seen
        .iter()
        .map(|it| (it.version, it.entries[0].balance_after))
        .collect();
    assert_eq!(
        balances,
        [(7, 28), (6, 21), (5, 15), (4, 10), (3, 6), (2, 3), (1, 1)]
    );

    let get = pb::GetTransactionRequest {
        transaction_id: seen[2].transaction_id.clone(),
    };
    let got = ledger
        .transactions()
        .get_transaction(ledger.call(get))
        .await
        .expect("found")
        .into_inner();
    assert_eq!(got.transaction.as_ref(), Some(&seen[2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_filtered_by_kind_unit_time_and_source() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let long_ago = Some(timestamp(ledger.now() - days(400)));
    let old = pb::CreditPointsRequest {
        occur_time: long_ago,
        ..credit(&owner, "points", 10)
    };
    ledger.credit(old).await.expect("credited");
    ledger
        .credit(credit(&owner, "stamps", 1))
        .await
        .expect("credited");
    let at_the_desk = pb::SpendPointsRequest {
        source: "desk".to_owned(),
        ..spend(&owner, "points", 4)
    };
    ledger.spend(at_the_desk).await.expect("spent");
    let all = pb::ListTransactionsRequest {
        owner_id: owner.clone(),
        ..pb::ListTransactionsRequest::default()
    };

    let spends = pb::ListTransactionsRequest {
        kinds: vec![pb::TransactionKind::Spend.into()],
        ..all.clone()
    };
    assert_eq!(versions(&page(&ledger, spends).await.expect("a page")), [3]);
    let points = pb::ListTransactionsRequest {
        unit_code: "points".to_owned(),
        ..all.clone()
    };
    assert_eq!(versions(&page(&ledger, points).await.expect("a page")), [3, 1]);
    let middle = Some(timestamp(ledger.now() - days(100)));
    let recent = pb::ListTransactionsRequest {
        occurred_from_time: middle,
        ..all.clone()
    };
    assert_eq!(versions(&page(&ledger, recent).await.expect("a page")), [3, 2]);
    let older = pb::ListTransactionsRequest {
        occurred_before_time: middle,
        ..all.clone()
    };
    assert_eq!(versions(&page(&ledger, older).await.expect("a page")), [1]);
    for (source, expected) in [("desk", vec![3]), ("test", vec![2, 1]), ("des", vec![])] {
        let from = pb::ListTransactionsRequest {
            source: source.to_owned(),
            ..all.clone()
        };
        assert_eq!(versions(&page(&ledger, from).await.expect("a page")), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_token_is_good_for_its_own_filter_only() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    for _ in 0..3 {
        ledger.give(&owner, 1).await;
    }
    let request = pb::ListTransactionsRequest {
        owner_id: owner,
        page_size: 1,
        ..pb::ListTransactionsRequest::default()
    };
    let first = page(&ledger, request.clone()).await.expect("a page");
    let other = pb::ListTransactionsRequest {
        page_token: first.next_page_token,
        unit_code: "points".to_owned(),
        ..request.clone()
    };
    let damaged = pb::ListTransactionsRequest {
        page_token: "x".to_owned(),
        ..request
    };
    for request in [other, damaged] {
        let status = page(&ledger, request).await.expect_err("not its token");
        refused(&status, Code::InvalidArgument, ErrorReason::PageTokenInvalid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let ledger = Ledger::start().await;
    let unknown = pb::ListTransactionsRequest {
        owner_id: new_id(),
        ..pb::ListTransactionsRequest::default()
    };
    let status = page(&ledger, unknown).await.expect_err("nobody");
    assert_eq!(
        refused(&status, Code::NotFound, ErrorReason::ResourceNotFound)["resource"],
        "owner"
    );

    // Another program's transaction, and a refusal, which is none.
    let owner = ledger.open_owner().await;
    let credited = ledger
        .credit(credit(&owner, "points", 1))
        .await
        .expect("credited")
        .into_inner();
    let stranger = harness::plant_program(&ledger.database, "UTC", "GBP").await;
    let transaction_id = credited.transaction.expect("a transaction").transaction_id;
    let request = stranger.call(pb::GetTransactionRequest { transaction_id });
    let status = ledger
        .transactions()
        .get_transaction(request)
        .await
        .expect_err("another program's");
    assert_eq!(
        refused(&status, Code::NotFound, ErrorReason::ResourceNotFound)["resource"],
        "transaction"
    );
}
