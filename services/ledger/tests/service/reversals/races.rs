//! Many who take back the same at once, over two replicas.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::reason_of;
use futures::future::join_all;

use super::super::sharing::{check_books, hold, points_of};
use super::super::support::Ledger;
use super::{capture, give, reversal, reverse, take, try_reverse};

const RACERS_COUNT: usize = 50;

/// How many of the racers had their way; all others were told that nothing is left.
async fn race(replicas: [&Ledger; 2], transaction_id: &str, value: i64) -> usize {
    let racers =
        (0..RACERS_COUNT).map(|number| try_reverse(replicas[number % 2], reversal(transaction_id, value)));
    let answers = join_all(racers).await;
    for status in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(
            reason_of(status),
            Some(ErrorReason::ReversalExceedsTransaction),
            "{status:?}"
        );
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_take_back_a_tenth_ten_succeed() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 1_000).await;
    let spent = take(&ledger, &owner, "points", 100).await;
    let held = hold(&ledger, &owner, 300).await;
    let captured = capture(&ledger, &held, 200).await.transaction_id;
    let given = give(&ledger, &owner, "points", 50).await;
    let (of_spend, of_capture, of_credit) = tokio::join!(
        race([&ledger, &replica], &spent, 10),
        race([&replica, &ledger], &captured, 20),
        race([&ledger, &replica], &given, 5),
    );
    assert_eq!((of_spend, of_capture, of_credit), (10, 10, 10));
    assert_eq!(points_of(&ledger, &owner).await, 1_000);
    for transaction_id in [&spent, &captured, &given] {
        let status = try_reverse(&replica, reversal(transaction_id, 0)).await;
        assert_eq!(super::exceeds(&status.expect_err("nothing is left")).0, "0");
    }
    assert_eq!(check_books(&ledger).await, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_that_is_sent_often_takes_back_once() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 100).await;
    let spent = take(&ledger, &owner, "points", 100).await;
    let request = reversal(&spent, 40);
    let all = (0..20).map(|number| {
        let by = [&ledger, &replica][number % 2];
        try_reverse(by, request.clone())
    });
    let answers: Vec<pb::ReverseTransactionResponse> = join_all(all)
        .await
        .into_iter()
        .map(|answer| answer.expect("reversed").into_inner())
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(reverse(&replica, &spent, 60).await.reversible_value, 0);
    assert_eq!(check_books(&ledger).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn spends_credits_and_reversals_of_one_owner_at_once_leave_whole_books() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 500).await;
    for _ in 0..5 {
        let spent = join_all((0..8).map(|_| take(&ledger, &owner, "points", 50))).await;
        let reversals = spent.iter().flat_map(|id| {
            [&ledger, &replica].map(|by| async move { try_reverse(by, reversal(id, 25)).await.is_ok() })
        });
        let spends = (0..8).map(|_| take(&replica, &owner, "points", 2));
        let gives = (0..8).map(|_| give(&ledger, &owner, "points", 2));
        let (reversed, ..) = tokio::join!(join_all(reversals), join_all(spends), join_all(gives));
        assert!(
            reversed.iter().all(|is_reversed| *is_reversed),
            "each half, once by each replica"
        );
        assert_eq!(points_of(&ledger, &owner).await, 500);
    }
    assert_eq!(check_books(&ledger).await, 500);
}
