//! Points that wait are let begin by a call while they move from one owner to another.

use std::time::Duration;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::reason_of;
use futures::future::join_all;
use tokio::time::sleep;
use tonic::Code;

use super::super::sharing::{check_books, join, leave, merge, open_household, points_of};
use super::super::support::Ledger;
use super::{activate, activation, give, waiting};

/// Each meets the moves at other points of their way.
const ROUNDS: u64 = 8;
const RACERS_COUNT: u64 = 10;
const VALUE: i64 = 100;

/// Asks until it is known what came of it: the transaction, or that nothing waits any more.
async fn until_known(ledger: &Ledger, request: &pb::ActivatePointsRequest) -> Option<pb::Transaction> {
    loop {
        match activate(ledger, request.clone()).await {
            Ok(begun) => return begun.into_inner().transaction,
            Err(status) if status.code() == Code::Aborted => sleep(Duration::from_millis(5)).await,
            Err(status) => {
                assert_eq!(
                    reason_of(&status),
                    Some(ErrorReason::NothingPending),
                    "{status:?}"
                );
                return None;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_are_let_begin_while_their_owner_joins_and_leaves_are_given_exactly_once() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    for round in 0..ROUNDS {
        let member = ledger.open_owner().await;
        let homes = [
            open_household(&ledger).await,
            open_household(&ledger).await,
            open_household(&ledger).await,
        ];
        let given = waiting(&member, "points", VALUE, Begin::BeginOnCall(true));
        let given = give(&ledger, given).await.transaction_id;
        // Everybody asks through both replicas: once by the same request, and once by another.
        let requests: Vec<_> = (0..RACERS_COUNT).map(|_| activation(&given)).collect();
        let racers = (0..).zip(&requests).map(|(place, request)| {
            let (one, other) = if place % 2 == 0 {
                (&ledger, &replica)
            } else {
                (&replica, &ledger)
            };
            async move {
                sleep(Duration::from_millis(place * (round + 1))).await;
                let (answer, again) = tokio::join!(until_known(one, request), until_known(other, request));
                assert_eq!(answer, again, "a request has one outcome");
                answer
            }
        });
        let moves = async {
            join(&ledger, &member, &homes[0]).await;
            merge(&replica, &homes[0], &homes[1]).await;
            leave(&ledger, &member).await;
            merge(&replica, &homes[1], &homes[2]).await;
            join(&ledger, &member, &homes[2]).await;
            leave(&replica, &member).await;
        };
        let (begun, ()) = tokio::join!(join_all(racers), moves);
        let begun: Vec<pb::Transaction> = begun.into_iter().flatten().collect();
        let [begun] = begun.as_slice() else {
            panic!("it begins once: {begun:?}");
        };
        let named = if begun.owner_id == member { "" } else { &member };
        assert_eq!(begun.on_behalf_of_owner_id, named);
        assert_eq!(
            points_of(&ledger, &homes[2]).await,
            VALUE,
            "all went there in the end"
        );
        assert_eq!(points_of(&replica, &member).await, 0);
    }
    let all = i64::try_from(ROUNDS).expect("a few") * VALUE;
    assert_eq!(
        check_books(&ledger).await,
        all,
        "nothing is lost, and nothing given twice"
    );
}
