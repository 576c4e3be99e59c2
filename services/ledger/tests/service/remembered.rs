//! What a replica remembers of owners: used as long as nobody else changed them, and never afterwards.

use fealty_proto::types::v1::consistency::Requirement;

use super::holds::{capture, hold};
use super::sharing::{join, leave, open_household};
use super::support::{Ledger, of_unit, spend, transfer};
use super::verify::assert_verified;

async fn points(ledger: &Ledger, owner: &str) -> (i64, i64) {
    let balance = ledger.balance(owner, Some(Requirement::Strong(true))).await;
    let balance = balance.expect("a balance");
    let points = of_unit(&balance, "points");
    (points.available, points.held)
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_take_turns_at_an_owner_each_see_what_the_other_did() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let (owner, friend) = (ledger.open_owner().await, ledger.open_owner().await);
    ledger.give(&owner, 1).await;
    // Each posts for an owner whom the other has changed since.
    for (one, other) in [(&ledger, &replica), (&replica, &ledger)] {
        let (had, held) = points(one, &owner).await;
        one.give(&owner, 100).await;
        other.give(&owner, 10).await;
        one.spend(spend(&owner, "points", 5)).await.expect("spent");
        let basket = other
            .holds()
            .hold_points(other.call(hold(&owner, "points", 30)))
            .await;
        let basket = basket.expect("held").into_inner().hold.expect("a hold");
        one.transactions()
            .transfer_points(one.call(transfer(&owner, &friend, 20)))
            .await
            .expect("sent");
        other.give(&friend, 1).await;
        one.holds()
            .capture_hold(one.call(capture(&basket, 25)))
            .await
            .expect("captured");
        other.spend(spend(&owner, "points", 1)).await.expect("spent");
        assert_eq!(
            points(one, &owner).await,
            (had + 100 + 10 - 5 - 20 - 25 - 1, held)
        );
    }
    assert_eq!(points(&ledger, &friend).await, (42, 0));
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_and_leaves_by_one_replica_is_led_there_by_the_other() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    for (turn, (one, other)) in [(&ledger, &replica), (&replica, &ledger)].into_iter().enumerate() {
        one.give(&member, 7).await;
        other.give(&member, 7).await;
        join(&ledger, &member, &household).await;
        one.give(&member, 1).await;
        other.give(&member, 1).await;
        let turns = i64::try_from(turn).expect("a few") + 1;
        assert_eq!(points(one, &household).await, (16 * turns, 0));
        leave(&ledger, &member).await;
        assert_eq!(points(other, &member).await, (0, 0));
    }
    assert_verified(&ledger.database).await;
}

/// How often rows of accounts and lots were read by postings.
async fn reads(ledger: &Ledger) -> i64 {
    let statement = "SELECT sum(idx_scan)::bigint FROM pg_stat_user_indexes WHERE indexrelname = 'lot_open'";
    sqlx::query("SELECT pg_stat_clear_snapshot(), pg_stat_force_next_flush()")
        .execute(&ledger.database.owner)
        .await
        .expect("flushed");
    let count = sqlx::query_scalar(statement).fetch_one(&ledger.database.owner);
    count.await.expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_nobody_else_changed_is_not_read_again() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 1).await;
    // Postgres counts when a connection rests.
    let rest = std::time::Duration::from_millis(1_500);
    tokio::time::sleep(rest).await;
    let before = reads(&ledger).await;
    for _ in 0..50 {
        ledger.give(&owner, 1).await;
    }
    tokio::time::sleep(rest).await;
    let read = reads(&ledger).await - before;
    assert!(read < 10, "{read} reads of lots in fifty postings");
}
