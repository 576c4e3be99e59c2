//! An owner whom somebody else keeps locked holds up nobody who shares a batch with them.

use std::time::{Duration, Instant};

use fealty_proto::types::v1::ErrorReason;
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt;

use super::harness::{is_replayed, until};
use super::lanes::{awaited, lock, one_lane, send};
use super::sharing::{join, open_household};
use super::support::{Ledger, credit, refused};
use super::verify::assert_verified;

const NEIGHBOURS_COUNT: usize = 50;

/// Longer than anybody waits for a lock, twice: on a machine that runs all tests at once.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Database transactions that wrote the first transactions of these owners.
async fn commits(ledger: &Ledger, owners: &[String]) -> Vec<i64> {
    let statement = "SELECT count(*) FROM transaction t
                     WHERE t.owner_id::text = ANY($1) GROUP BY t.xmin::text ORDER BY 1";
    let counts = sqlx::query_scalar(statement)
        .bind(owners)
        .fetch_all(&ledger.database.owner);
    counts.await.expect("counts")
}

/// The neighbours and one call about `named` go into the same batch, while somebody else has `locked`.
async fn neighbours_of(ledger: &Ledger, locked: &str, named: &str) {
    let mut neighbours = Vec::new();
    for _ in 0..NEIGHBOURS_COUNT {
        neighbours.push(ledger.open_owner().await);
    }
    let plug = ledger.open_owner().await;
    // The lane waits for this one first, so that all the others gather behind.
    let mut held_up = lock(ledger, &plug).await;
    let mut first = JoinSet::new();
    send(ledger, &mut first, &credit(&plug, "points", 1));
    until("the lane waits", async || awaited(&mut held_up).await > 0).await;
    let held = lock(ledger, locked).await;
    let (mut calls, mut busy) = (JoinSet::new(), JoinSet::new());
    for neighbour in &neighbours {
        send(ledger, &mut calls, &credit(neighbour, "points", 7));
    }
    let request = credit(named, "points", 7);
    send(ledger, &mut busy, &request);
    tokio::time::sleep(Duration::from_millis(500)).await;
    held_up.rollback().await.expect("let go");
    first
        .join_next()
        .await
        .expect("one")
        .expect("no panic")
        .expect("credited");

    let begun = Instant::now();
    while let Some(credited) = calls.join_next().await {
        credited.expect("no panic").expect("a neighbour is credited");
    }
    let status = busy.join_next().await.expect("one").expect("no panic");
    let status = status.expect_err("somebody else has the owner");
    assert!(begun.elapsed() < ANSWER_MAX, "{:?}", begun.elapsed());
    refused(&status, Code::Aborted, ErrorReason::Contention);
    assert!(
        status
            .get_details_retry_info()
            .is_some_and(|info| info.retry_delay.is_some())
    );
    let together = i64::try_from(NEIGHBOURS_COUNT).expect("a few");
    assert_eq!(
        commits(ledger, &neighbours).await,
        [together],
        "they were one batch, and it was run as one"
    );

    held.rollback().await.expect("let go");
    let credited = ledger.credit(request.clone()).await.expect("credited now");
    assert!(!is_replayed(&credited), "it had not been decided");
    let again = ledger.credit(request).await.expect("the same answer");
    assert!(is_replayed(&again));
    assert_eq!(credited.into_inner(), again.into_inner());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_owner_fails_alone_and_succeeds_later_with_the_same_id() {
    let ledger = one_lane().await;
    let owner = ledger.open_owner().await;
    neighbours_of(&ledger, &owner, &owner).await;
    assert_eq!(ledger.statement(&owner).await.len(), 1);
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_whose_account_somebody_else_has_locked() {
    let ledger = one_lane().await;
    let member = ledger.open_owner().await;
    let household = open_household(&ledger).await;
    join(&ledger, &member, &household).await;
    neighbours_of(&ledger, &household, &member).await;
    assert_verified(&ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_locked_owner_are_all_told_to_try_again() {
    let ledger = one_lane().await;
    let (owner, neighbour) = (ledger.open_owner().await, ledger.open_owner().await);
    let plug = ledger.open_owner().await;
    let mut held_up = lock(&ledger, &plug).await;
    let mut first = JoinSet::new();
    send(&ledger, &mut first, &credit(&plug, "points", 1));
    until("the lane waits", async || awaited(&mut held_up).await > 0).await;
    let held = lock(&ledger, &owner).await;
    let nobody = super::harness::new_id();
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        send(&ledger, &mut calls, &credit(&owner, "points", 1));
    }
    let (mut others, mut strangers) = (JoinSet::new(), JoinSet::new());
    send(&ledger, &mut others, &credit(&neighbour, "points", 1));
    send(&ledger, &mut strangers, &credit(&nobody, "points", 1));
    tokio::time::sleep(Duration::from_millis(500)).await;
    held_up.rollback().await.expect("let go");
    while let Some(answer) = calls.join_next().await {
        let status = answer
            .expect("no panic")
            .expect_err("somebody else has the owner");
        refused(&status, Code::Aborted, ErrorReason::Contention);
    }
    others
        .join_next()
        .await
        .expect("one")
        .expect("no panic")
        .expect("credited");
    let status = strangers.join_next().await.expect("one").expect("no panic");
    let status = status.expect_err("nobody has that id");
    refused(&status, Code::NotFound, ErrorReason::ResourceNotFound);
    held.rollback().await.expect("let go");
    assert_eq!(ledger.give(&owner, 1).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_neighbours_are_answered_before_anybody_waits_for_the_locked_one() {
    let ledger = one_lane().await;
    let (owner, plug) = (ledger.open_owner().await, ledger.open_owner().await);
    let mut held_up = lock(&ledger, &plug).await;
    let mut first = JoinSet::new();
    send(&ledger, &mut first, &credit(&plug, "points", 1));
    until("the lane waits", async || awaited(&mut held_up).await > 0).await;
    let held = lock(&ledger, &owner).await;
    let (mut busy, mut calls) = (JoinSet::new(), JoinSet::new());
    send(&ledger, &mut busy, &credit(&owner, "points", 1));
    for _ in 0..NEIGHBOURS_COUNT {
        let neighbour = ledger.open_owner().await;
        send(&ledger, &mut calls, &credit(&neighbour, "points", 7));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    held_up.rollback().await.expect("let go");
    while let Some(credited) = calls.join_next().await {
        credited.expect("no panic").expect("a neighbour is credited");
    }
    // Had they been answered when the lane had waited long enough, this one had been, too.
    held.rollback().await.expect("let go");
    let credited = busy.join_next().await.expect("one").expect("no panic");
    credited.expect("it was still waited for");
    assert_eq!(ledger.statement(&owner).await.len(), 1);
}
