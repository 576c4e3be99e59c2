//! A budget that somebody else keeps locked holds up only those whom it pays.

use std::time::{Duration, Instant};

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::points_outcome::Outcome;
use fealty_proto::ledger::v1::points_posting::Posting;
use fealty_proto::types::v1::ErrorReason;
use sqlx::{Postgres, Transaction};
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt;

use super::harness::{is_replayed, new_id, until};
use super::lanes::{Credited, HELD_FOR_EVER, awaited, lock, one_lane, send};
use super::support::{Ledger, credit, refused, spend};
use super::verify::assert_verified;

const BUDGETS: [&str; 2] = ["locked", "free"];

const NEIGHBOURS_COUNT: usize = 50;

/// Longer than anybody waits for a lock, thrice: on a machine that runs all tests at once.
const ANSWER_MAX: Duration = Duration::from_secs(10);

async fn one_lane_and_budgets() -> Ledger {
    let ledger = one_lane().await;
    for budget_code in BUDGETS {
        let request = pb::CreateBudgetRequest {
            request_id: new_id(),
            budget: Some(pb::Budget {
                budget_code: budget_code.to_owned(),
                display_name: budget_code.to_owned(),
                unit_code: "points".to_owned(),
                value_max: 1_000,
                ..pb::Budget::default()
            }),
        };
        let made = ledger.budgets().create_budget(ledger.call(request)).await;
        made.expect("a budget");
    }
    ledger
}

fn paid(budget_code: &str, owner: &str, value: i64) -> pb::CreditPointsRequest {
    pb::CreditPointsRequest {
        budget_code: budget_code.to_owned(),
        ..credit(owner, "points", value)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "somebody who is not this service holds a lock for as long as a test wants"
)]
async fn lock_budget(ledger: &Ledger) -> Transaction<'_, Postgres> {
    let mut lock = ledger.database.owner.begin().await.expect("a transaction");
    let for_ever = sqlx::query(HELD_FOR_EVER);
    for_ever.execute(&mut *lock).await.expect("set");
    let locked = sqlx::query("SELECT 1 FROM budget WHERE budget_code = 'locked' FOR UPDATE");
    let locked = locked.fetch_all(&mut *lock).await.expect("locked");
    assert_eq!(locked.len(), 1);
    lock
}

/// So many calls have reached the service and wait.
async fn arrived() {
    // Nothing outside tells; the calls are local, and half a second is a hundred times what they take.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

async fn contended(calls: &mut JoinSet<Credited>) {
    while let Some(answer) = calls.join_next().await {
        let status = answer
            .expect("no panic")
            .expect_err("somebody else has the budget");
        refused(&status, Code::Aborted, ErrorReason::Contention);
        let retry = status.get_details_retry_info();
        assert!(retry.is_some_and(|info| info.retry_delay.is_some()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_budget_fails_only_whom_it_pays_and_they_succeed_later_with_the_same_id() {
    let ledger = one_lane_and_budgets().await;
    let mut neighbours = Vec::new();
    for _ in 0..NEIGHBOURS_COUNT {
        neighbours.push(ledger.open_owner().await);
    }
    let plug = ledger.open_owner().await;
    let before = credit(&plug, "points", 1);
    let known = paid("locked", &ledger.open_owner().await, 3);
    ledger.credit(known.clone()).await.expect("paid");
    // The lane waits for this one first, so that all the others gather behind.
    let mut held_up = lock(&ledger, &plug).await;
    let mut first = JoinSet::new();
    send(&ledger, &mut first, &before);
    until("the lane waits", async || awaited(&mut held_up).await > 0).await;
    let held = lock_budget(&ledger).await;
    let (mut calls, mut busy) = (JoinSet::new(), JoinSet::new());
    for (place, neighbour) in neighbours.iter().enumerate() {
        let request = match place % 2 {
            0 => credit(neighbour, "points", 7),
            _ => paid("free", neighbour, 7),
        };
        send(&ledger, &mut calls, &request);
    }
    let owner = ledger.open_owner().await;
    let request = paid("locked", &owner, 7);
    send(&ledger, &mut busy, &request);
    // It was answered before: nothing is paid for it again.
    send(&ledger, &mut calls, &known);
    arrived().await;
    held_up.rollback().await.expect("let go");

    let begun = Instant::now();
    while let Some(credited) = calls.join_next().await {
        credited.expect("no panic").expect("a neighbour is credited");
    }
    contended(&mut busy).await;
    assert!(begun.elapsed() < ANSWER_MAX, "{:?}", begun.elapsed());

    held.rollback().await.expect("let go");
    let credited = ledger.credit(request.clone()).await.expect("credited now");
    assert!(!is_replayed(&credited), "it had not been decided");
    let again = ledger.credit(request).await.expect("the same answer");
    assert!(is_replayed(&again));
    assert_eq!(credited.into_inner(), again.into_inner());
    assert_verified(&ledger.database).await;
}

/// What each of the postings came to.
async fn outcomes(ledger: &Ledger, postings: &[Posting]) -> Vec<Option<ErrorReason>> {
    let postings = postings.iter().cloned().map(|posting| pb::PointsPosting {
        posting: Some(posting),
    });
    let request = pb::BatchPostPointsRequest {
        postings: postings.collect(),
        ..pb::BatchPostPointsRequest::default()
    };
    let posted = ledger
        .transactions()
        .batch_post_points(ledger.call(request))
        .await;
    let outcomes = posted.expect("outcomes").into_inner().outcomes;
    let reason = |outcome: &pb::PointsOutcome| match &outcome.outcome {
        Some(Outcome::Error(error)) => Some(error.reason()),
        _ => None,
    };
    outcomes.iter().map(reason).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_it_for_the_same_owner_waits_with_it() {
    let ledger = one_lane_and_budgets().await;
    let (owner, neighbour) = (ledger.open_owner().await, ledger.open_owner().await);
    let postings = [
        Posting::Credit(credit(&owner, "points", 1)),
        Posting::Credit(paid("locked", &owner, 10)),
        Posting::Credit(paid("free", &neighbour, 10)),
        Posting::Spend(spend(&owner, "points", 4)),
        Posting::Spend(spend(&neighbour, "points", 4)),
    ];
    let held = lock_budget(&ledger).await;
    let contention = Some(ErrorReason::Contention);
    assert_eq!(
        outcomes(&ledger, &postings).await,
        [None, contention, None, contention, None]
    );
    held.rollback().await.expect("let go");
    // Had the spend been decided without the credit, it would be refused for ever.
    assert_eq!(outcomes(&ledger, &postings).await, [None; 5]);
    assert_eq!(ledger.statement(&owner).await.len(), 3);
    assert_verified(&ledger.database).await;
}
