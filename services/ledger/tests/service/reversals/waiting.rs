//! Credits that wait for their beginning: they are taken back from whoever has them by then.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::credit_points_request::Begin;
use fealty_proto::ledger::v1::reverse_transaction_response::Outcome;
use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use super::super::pending::{activate, activation, give, has, waiting};
use super::super::sharing::{join, leave, merge, open_household};
use super::super::support::{Ledger, refused};
use super::super::verify::assert_verified;
use super::reverse;

/// A member whose 100 points wait for a call, in the account of the household that they have left.
async fn left_behind(ledger: &Ledger) -> (String, String, String) {
    let (member, household) = (ledger.open_owner().await, open_household(ledger).await);
    let given = waiting(&member, "points", 100, Begin::BeginOnCall(true));
    let given = give(ledger, given).await.transaction_id;
    join(ledger, &member, &household).await;
    leave(ledger, &member).await;
    assert_eq!(has(ledger, &household, "points").await, (0, 100, 0));
    (member, household, given)
}

fn from_pending(reversed: &pb::ReverseTransactionResponse) -> i64 {
    match reversed.outcome.expect("an outcome") {
        Outcome::Credit(credit) => credit.from_pending,
        Outcome::Spend(_) => panic!("a credit was taken back"),
    }
}

async fn assert_begins_no_more(ledger: &Ledger, credited_by: &str) {
    let status = activate(ledger, activation(credited_by)).await;
    let status = status.expect_err("it was taken back");
    refused(&status, Code::FailedPrecondition, ErrorReason::NothingPending);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_the_account_of_a_household_that_was_left_is_taken_back_there() {
    let ledger = Ledger::start().await;
    let (member, household, given) = left_behind(&ledger).await;
    let reversed = reverse(&ledger, &given, 0).await;
    assert_begins_no_more(&ledger, &given).await;
    assert_eq!(from_pending(&reversed), 100);
    let transaction = reversed.transaction.expect("a transaction");
    assert_eq!(
        (&transaction.owner_id, &transaction.on_behalf_of_owner_id),
        (&household, &member)
    );
    for owner in [&member, &household] {
        let rest = ledger.balance(owner, None).await.expect("a balance").balances;
        assert!(
            rest.iter()
                .all(|unit| (unit.available, unit.pending, unit.debt) == (0, 0, 0))
        );
    }
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn halves_of_what_waits_are_taken_back_wherever_it_is_and_only_the_rest_begins() {
    let ledger = Ledger::start().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    let given = waiting(&member, "points", 100, Begin::BeginOnCall(true));
    let given = give(&ledger, given).await.transaction_id;
    assert_eq!(from_pending(&reverse(&ledger, &given, 30).await), 30);
    join(&ledger, &member, &household).await;
    assert_eq!(from_pending(&reverse(&ledger, &given, 20).await), 20);
    leave(&ledger, &member).await;
    let third = reverse(&ledger, &given, 10).await;
    assert_eq!((from_pending(&third), third.reversible_value), (10, 40));
    let begun = activate(&ledger, activation(&given)).await.expect("it begins");
    let begun = begun.into_inner().transaction.expect("a transaction");
    assert_eq!(begun.owner_id, household);
    assert_eq!(has(&ledger, &household, "points").await, (40, 0, 0));
    // What has begun is the household's; what is taken back of it now is owed by who was given it.
    let last = reverse(&ledger, &given, 0).await;
    assert_eq!((from_pending(&last), last.reversible_value), (0, 0));
    assert_eq!(has(&ledger, &household, "points").await, (40, 0, 0));
    assert_eq!(has(&ledger, &member, "points").await, (0, 0, 40));
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_taken_back_also_where_it_went_on_to_others() {
    let ledger = Ledger::start().await;
    let (member, household, given) = left_behind(&ledger).await;
    let other = open_household(&ledger).await;
    merge(&ledger, &household, &other).await;
    // The member is in a third one by now.
    let third = open_household(&ledger).await;
    join(&ledger, &member, &third).await;
    let reversed = reverse(&ledger, &given, 0).await;
    assert_eq!(from_pending(&reversed), 100);
    let transaction = reversed.transaction.expect("a transaction");
    assert_eq!(
        (&transaction.owner_id, &transaction.on_behalf_of_owner_id),
        (&other, &member)
    );
    assert_begins_no_more(&ledger, &given).await;
    assert_verified(&ledger.database).await;
}
