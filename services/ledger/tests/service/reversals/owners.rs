//! Whose account it is, whatever became of its owner.

use fealty_proto::ledger::v1 as pb;

use super::super::messages::{purchase_of, refund_of};
use super::super::sharing::{check_books, hold, join, leave, merge, open_household, points_of};
use super::super::support::Ledger;
use super::super::verify::assert_verified;
use super::{capture, give, parts, reverse, take};

async fn set_status(ledger: &Ledger, owner_id: &str, status: pb::OwnerStatus, revision: i64) {
    let request = pb::SetOwnerStatusRequest {
        owner_id: owner_id.to_owned(),
        status: status.into(),
        status_revision: revision,
    };
    let set = ledger.owners().set_owner_status(ledger.call(request)).await;
    set.expect("set");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_taken_back_also_of_who_is_suspended_or_closed() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let given = give(&ledger, &owner, "points", 50).await;
    let spent = take(&ledger, &owner, "points", 20).await;
    set_status(&ledger, &owner, pb::OwnerStatus::Suspended, 1).await;
    assert_eq!(parts(&reverse(&ledger, &spent, 5).await), (5, 0, 0));
    set_status(&ledger, &owner, pb::OwnerStatus::Closed, 2).await;
    assert_eq!(parts(&reverse(&ledger, &spent, 0).await), (15, 0, 0));
    assert_eq!(parts(&reverse(&ledger, &given, 0).await), (50, 0, 0));
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_spent_of_the_households_is_the_households_again_also_when_they_have_left() {
    let ledger = Ledger::start().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    ledger.give(&member, 50).await;
    join(&ledger, &member, &household).await;
    let spent = take(&ledger, &member, "points", 30).await;
    leave(&ledger, &member).await;
    let back = reverse(&ledger, &spent, 0).await.transaction;
    let back = back.expect("a transaction");
    assert_eq!(
        (&back.owner_id, &back.on_behalf_of_owner_id),
        (&household, &member),
        "who spent is who has it back, on whoever's account"
    );
    assert_eq!(
        (
            points_of(&ledger, &household).await,
            points_of(&ledger, &member).await
        ),
        (50, 0)
    );
    assert_eq!(check_books(&ledger).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_named_is_named_where_it_is_taken_back() {
    let ledger = Ledger::start().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    join(&ledger, &member, &household).await;
    let given = give(&ledger, &member, "points", 50).await;
    let spent = take(&ledger, &member, "points", 30).await;
    let held = hold(&ledger, &member, 10).await;
    let captured = capture(&ledger, &held, 10).await.transaction_id;
    let of_household = give(&ledger, &household, "points", 5).await;
    for transaction_id in [spent, captured, given, of_household] {
        let request = pb::GetTransactionRequest {
            transaction_id: transaction_id.clone(),
        };
        let done = ledger.transactions().get_transaction(ledger.call(request)).await;
        let done = done.expect("found").into_inner().transaction;
        let done = done.expect("a transaction");
        let back = reverse(&ledger, &transaction_id, 0).await.transaction;
        let back = back.expect("a transaction");
        assert_eq!(
            (back.owner_id, back.on_behalf_of_owner_id),
            (household.clone(), done.on_behalf_of_owner_id)
        );
    }
    assert_eq!(check_books(&ledger).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_names_who_bought_on_the_households_account() {
    let ledger = Ledger::start().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    join(&ledger, &member, &household).await;
    let bought = purchase_of(&member, 1_000);
    let bought = ledger.purchases().record_purchase(ledger.call(bought)).await;
    let bought = bought.expect("bought").into_inner().purchase.expect("a purchase");
    let refund = refund_of(&bought.purchase_id, 1_000);
    let refunded = ledger.purchases().refund_purchase(ledger.call(refund)).await;
    refunded.expect("refunded");
    for transaction in &ledger.statement(&household).await[..2] {
        assert_eq!(transaction.on_behalf_of_owner_id, member, "{transaction:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_spent_before_joining_or_merging_goes_to_the_account_that_is_used_now() {
    let ledger = Ledger::start().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    ledger.give(&member, 50).await;
    let spent = take(&ledger, &member, "points", 30).await;
    join(&ledger, &member, &household).await;
    let back = reverse(&ledger, &spent, 10)
        .await
        .transaction
        .expect("a transaction");
    assert_eq!(
        (&back.owner_id, &back.on_behalf_of_owner_id),
        (&household, &member)
    );
    take(&ledger, &member, "points", 30).await;
    // The household's own lot is closed by now, and opened again.
    reverse(&ledger, &spent, 5).await;
    assert_eq!(points_of(&ledger, &household).await, 5);
    check_books(&ledger).await;

    // In the member's own account again: their lot of before, which then comes to the household a second time.
    leave(&ledger, &member).await;
    let own = reverse(&ledger, &spent, 5)
        .await
        .transaction
        .expect("a transaction");
    assert_eq!(own.owner_id, member);
    take(&ledger, &household, "points", 5).await;
    join(&ledger, &member, &household).await;
    assert_eq!(points_of(&ledger, &household).await, 5);
    check_books(&ledger).await;
    let last = reverse(&ledger, &spent, 0).await;
    assert_eq!((parts(&last), last.reversible_value), ((10, 0, 0), 0));
    assert_eq!(check_books(&ledger).await, 15);

    let (twin, kept) = (ledger.open_owner().await, ledger.open_owner().await);
    ledger.give(&twin, 9).await;
    let spent = take(&ledger, &twin, "points", 9).await;
    merge(&ledger, &twin, &kept).await;
    let back = reverse(&ledger, &spent, 0)
        .await
        .transaction
        .expect("a transaction");
    assert_eq!((&back.owner_id, &back.on_behalf_of_owner_id), (&kept, &twin));
    assert_eq!(check_books(&ledger).await, 24);
}
