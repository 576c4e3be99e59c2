//! Calls that wait together are committed together, and none of them pays for another.
//!
//! A lane is held up here by somebody else's lock on one owner: what comes meanwhile is the next batch.

use std::collections::HashSet;
use std::time::Duration;

use fealty_ledger::posting::config::PostingConfig;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::points_outcome::Outcome;
use fealty_proto::ledger::v1::points_posting::Posting;
use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement;
use sqlx::{AssertSqlSafe, Postgres, Transaction};
use tokio::task::JoinSet;
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

use super::harness::{is_replayed, until};
use super::support::{Ledger, Setting, credit, of_unit, refused, spend};

/// Calls of a batch: more than a few, and fewer than a batch may have.
const CALLS_COUNT: usize = 60;

/// Who is silent for too long loses their locks: not here.
pub const HELD_FOR_EVER: &str = "SET LOCAL idle_in_transaction_session_timeout = 0";

pub type Credited = Result<Response<pb::CreditPointsResponse>, Status>;

/// One lane, so that all calls meet.
pub async fn one_lane() -> Ledger {
    one_lane_for(PostingConfig::default().queue_calls_max).await
}

/// The same, in which no more may wait.
async fn one_lane_for(queue_calls_max: usize) -> Ledger {
    let posting = PostingConfig {
        lanes: 1,
        queue_calls_max,
        ..PostingConfig::default()
    };
    Ledger::start_in(Setting {
        posting,
        ..Setting::default()
    })
    .await
}

/// Somebody's lock on an owner, and a call that waits for it in the lane.
pub struct HeldUp<'a> {
    lock: Transaction<'a, Postgres>,
    waiting: JoinSet<Credited>,
}

impl<'a> HeldUp<'a> {
    pub async fn lane(ledger: &'a Ledger) -> Self {
        let owner = ledger.open_owner().await;
        let mut lock = lock(ledger, &owner).await;
        let mut waiting = JoinSet::new();
        send(ledger, &mut waiting, &credit(&owner, "points", 1));
        until("the lane waits for the lock", async || {
            awaited(&mut lock).await > 0
        })
        .await;
        Self { lock, waiting }
    }

    /// Lets the lane go on. If it took longer than anybody may wait for a lock, it has gone on by itself, and only the call
    /// that waited for the lock has failed.
    pub async fn let_go(mut self) {
        self.lock.rollback().await.expect("let go");
        let held_up = self
            .waiting
            .join_next()
            .await
            .expect("it waits")
            .expect("no panic");
        if let Err(status) = held_up {
            refused(&status, Code::Aborted, ErrorReason::Contention);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "somebody who is not this service holds a lock for as long as a test wants"
)]
pub async fn lock<'a>(ledger: &'a Ledger, owner: &str) -> Transaction<'a, Postgres> {
    let mut lock = ledger.database.owner.begin().await.expect("a transaction");
    let statement = format!("SELECT 1 FROM owner WHERE owner_id = '{owner}' FOR UPDATE");
    for statement in [HELD_FOR_EVER, &statement] {
        sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&mut *lock)
            .await
            .expect("locked");
    }
    lock
}

/// How many wait for what this transaction has locked.
pub async fn awaited(lock: &mut Transaction<'_, Postgres>) -> i64 {
    let waiting = "SELECT count(*) FROM pg_locks w
                   WHERE NOT w.granted AND w.transactionid IN
                         (SELECT transactionid FROM pg_locks WHERE pid = pg_backend_pid() AND transactionid IS NOT NULL)";
    let waiting = sqlx::query_scalar(waiting).fetch_one(&mut **lock);
    waiting.await.expect("a count")
}

pub fn send(ledger: &Ledger, calls: &mut JoinSet<Credited>, request: &pb::CreditPointsRequest) {
    let (mut transactions, request) = (ledger.transactions(), ledger.call(request.clone()));
    calls.spawn(async move { transactions.credit_points(request).await });
}

/// How many database transactions wrote the newest transactions of these owners.
async fn commits(ledger: &Ledger, owners: &[String]) -> i64 {
    let statement = "SELECT count(DISTINCT t.xmin::text) FROM transaction t
                     WHERE t.owner_id::text = ANY($1) AND t.version = 1";
    let count = sqlx::query_scalar(statement)
        .bind(owners)
        .fetch_one(&ledger.database.owner);
    count.await.expect("a count")
}

async fn open_owners(ledger: &Ledger, count: usize) -> Vec<String> {
    let mut owners = Vec::new();
    for _ in 0..count {
        owners.push(ledger.open_owner().await);
    }
    owners
}

/// So many calls have reached the service and wait.
async fn arrived() {
    // Nothing outside tells; the calls are local, and half a second is a hundred times what they take.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_a_commit_is_in_flight_is_committed_together() {
    let ledger = one_lane().await;
    let owners = open_owners(&ledger, CALLS_COUNT).await;
    let held_up = HeldUp::lane(&ledger).await;
    let mut calls = JoinSet::new();
    for owner in &owners {
        send(&ledger, &mut calls, &credit(owner, "points", 7));
    }
    arrived().await;
    held_up.let_go().await;
    while let Some(credited) = calls.join_next().await {
        credited.expect("no panic").expect("credited");
    }
    let commits = commits(&ledger, &owners).await;
    assert!(commits <= 3, "{CALLS_COUNT} calls took {commits} commits");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_many_times_in_a_batch_takes_effect_once() {
    let ledger = one_lane().await;
    let owner = ledger.open_owner().await;
    let held_up = HeldUp::lane(&ledger).await;
    let request = credit(&owner, "points", 7);
    let other = pb::CreditPointsRequest {
        reason: "another command under the same id".to_owned(),
        ..request.clone()
    };
    let mut calls = JoinSet::new();
    for _ in 0..CALLS_COUNT {
        send(&ledger, &mut calls, &request);
    }
    arrived().await;
    send(&ledger, &mut calls, &other);
    arrived().await;
    held_up.let_go().await;
    let (mut firsts, mut replays, mut reused) = (0, 0, 0);
    let mut answers = Vec::new();
    while let Some(credited) = calls.join_next().await {
        match credited.expect("no panic") {
            Ok(response) if is_replayed(&response) => {
                replays += 1;
                answers.push(response.into_inner());
            }
            Ok(response) => {
                firsts += 1;
                answers.push(response.into_inner());
            }
            Err(status) => {
                refused(&status, Code::AlreadyExists, ErrorReason::RequestIdReused);
                reused += 1;
            }
        }
    }
    assert_eq!((firsts, replays, reused), (1, CALLS_COUNT - 1, 1));
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(ledger.statement(&owner).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_owner_in_a_batch_see_each_other_in_their_order() {
    let ledger = one_lane().await;
    let owner = ledger.open_owner().await;
    ledger.give(&owner, 10).await;
    let held_up = HeldUp::lane(&ledger).await;
    let mut spends = JoinSet::new();
    for _ in 0..CALLS_COUNT {
        let (mut transactions, request) = (ledger.transactions(), ledger.call(spend(&owner, "points", 1)));
        spends.spawn(async move { transactions.spend_points(request).await });
    }
    arrived().await;
    held_up.let_go().await;
    let mut left = HashSet::new();
    let mut refusals = 0;
    while let Some(spent) = spends.join_next().await {
        match spent.expect("no panic") {
            Ok(spent) => {
                let balance = spent.into_inner().balance.expect("a balance");
                left.insert(of_unit(&balance, "points").available);
            }
            Err(status) => {
                let refusal = refused(
                    &status,
                    Code::FailedPrecondition,
                    ErrorReason::InsufficientBalance,
                );
                assert_eq!(refusal["available"], "0");
                refusals += 1;
            }
        }
    }
    assert_eq!(
        left,
        (0..10).collect(),
        "each of ten saw what the ones before left"
    );
    assert_eq!(refusals, CALLS_COUNT - 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_decided_fails_alone() {
    let ledger = one_lane().await;
    let mut owners = open_owners(&ledger, CALLS_COUNT).await;
    let broken = owners.remove(CALLS_COUNT / 2);
    let statement = format!("UPDATE owner SET status = 'nobody knows' WHERE owner_id = '{broken}'");
    let without_check = "ALTER TABLE owner DROP CONSTRAINT IF EXISTS owner_status_check";
    for statement in [without_check, &statement] {
        sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&ledger.database.owner)
            .await
            .expect("broken");
    }
    let held_up = HeldUp::lane(&ledger).await;
    let mut calls = JoinSet::new();
    for owner in &owners {
        send(&ledger, &mut calls, &credit(owner, "points", 7));
    }
    let mut poisoned = JoinSet::new();
    send(&ledger, &mut poisoned, &credit(&broken, "points", 7));
    arrived().await;
    held_up.let_go().await;
    while let Some(credited) = calls.join_next().await {
        credited.expect("no panic").expect("credited");
    }
    let failed = poisoned.join_next().await.expect("one").expect("no panic");
    refused(
        &failed.expect_err("it cannot be read"),
        Code::Internal,
        ErrorReason::Internal,
    );
    for owner in &owners {
        assert_eq!(ledger.statement(owner).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_lane_says_so_at_once_and_nothing_was_done() {
    let ledger = one_lane_for(2).await;
    let owners = open_owners(&ledger, 5).await;
    let held_up = HeldUp::lane(&ledger).await;
    let mut waiting = JoinSet::new();
    for owner in &owners[..2] {
        send(&ledger, &mut waiting, &credit(owner, "points", 7));
    }
    arrived().await;
    for owner in &owners[2..] {
        let status = ledger.credit(credit(owner, "points", 7)).await.expect_err("full");
        refused(&status, Code::ResourceExhausted, ErrorReason::Overloaded);
        assert!(
            status
                .get_details_retry_info()
                .is_some_and(|info| info.retry_delay.is_some())
        );
    }
    held_up.let_go().await;
    while let Some(credited) = waiting.join_next().await {
        credited.expect("no panic").expect("credited");
    }
    for owner in &owners[2..] {
        let balance = ledger.balance(owner, Some(Requirement::Strong(true))).await;
        assert_eq!(balance.expect("a balance").version, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_left_before_the_decision_has_asked_for_nothing() {
    let ledger = one_lane().await;
    let owner = ledger.open_owner().await;
    let held_up = HeldUp::lane(&ledger).await;
    let left = ledger.credit(credit(&owner, "points", 7));
    tokio::time::timeout(Duration::from_millis(300), left)
        .await
        .expect_err("it waits");
    arrived().await;
    held_up.let_go().await;
    // Whoever comes after is decided after.
    assert_eq!(ledger.give(&owner, 1).await, 1);
}

fn credit_and_spend(owner: &str) -> pb::BatchPostPointsRequest {
    let postings = [
        Posting::Credit(credit(owner, "points", 10)),
        Posting::Spend(spend(owner, "points", 4)),
    ];
    pb::BatchPostPointsRequest {
        postings: postings
            .into_iter()
            .map(|posting| pb::PointsPosting {
                posting: Some(posting),
            })
            .collect(),
        ..pb::BatchPostPointsRequest::default()
    }
}

async fn outcomes(ledger: &Ledger, request: &pb::BatchPostPointsRequest) -> Vec<Option<ErrorReason>> {
    let response = ledger
        .transactions()
        .batch_post_points(ledger.call(request.clone()))
        .await;
    let outcomes = response.expect("outcomes").into_inner().outcomes;
    let reason = |outcome: &pb::PointsOutcome| match &outcome.outcome {
        Some(Outcome::Error(error)) => Some(error.reason()),
        _ => None,
    };
    outcomes.iter().map(reason).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_failed_posting_of_its_owner_is_not_decided() {
    let posting = PostingConfig {
        lanes: 1,
        batch_calls_max: 1,
        ..PostingConfig::default()
    };
    let ledger = Ledger::start_in(Setting {
        posting,
        ..Setting::default()
    })
    .await;
    let owner = ledger.open_owner().await;
    let request = credit_and_spend(&owner);
    let mut held = lock(&ledger, &owner).await;
    let (told, ()) = tokio::join!(outcomes(&ledger, &request), async {
        until("the credit waits for the lock", async || {
            awaited(&mut held).await > 0
        })
        .await;
        until("the credit has given up", async || awaited(&mut held).await == 0).await;
        held.rollback().await.expect("let go");
    });
    assert_eq!(told, [Some(ErrorReason::Contention); 2]);
    // Had the spend been decided without the credit, it would be refused for ever.
    assert_eq!(outcomes(&ledger, &request).await, [None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_bulk_refuses_no_lone_call() {
    let ledger = one_lane_for(2).await;
    let owner = ledger.open_owner().await;
    let request = credit_and_spend(&owner);
    assert_eq!(
        outcomes(&ledger, &request).await,
        [Some(ErrorReason::Overloaded); 2]
    );
    assert_eq!(ledger.give(&owner, 1).await, 1, "nothing of the batch was done");
}
