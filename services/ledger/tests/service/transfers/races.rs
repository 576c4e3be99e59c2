//! Many who send at once, over two replicas.

use std::sync::Arc;
use std::time::Duration;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::reason_of;
use futures::future::{join_all, join3};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tonic::{Response, Status};

use super::super::harness::is_replayed;
use super::super::sharing::{check_books, join, leave, open_household, points_of};
use super::super::support::{Ledger, transfer};
use super::{send, two};

/// Callers wait as long as it takes on a machine that runs all tests at once.
const ATTEMPTS_MAX: u32 = 200;

const CALLERS: u64 = 100;
const STEPS: usize = 5;

/// The same request, until its outcome is known.
pub async fn until_known(
    ledger: &Ledger,
    request: &pb::TransferPointsRequest,
) -> Result<Response<pb::TransferPointsResponse>, Status> {
    for _ in 0..ATTEMPTS_MAX {
        let answer = send(ledger, request.clone()).await;
        let Err(status) = &answer else {
            return answer;
        };
        match reason_of(status).expect("a reason") {
            ErrorReason::Contention
            | ErrorReason::Overloaded
            | ErrorReason::DependencyUnavailable
            | ErrorReason::DeadlineExceeded => tokio::time::sleep(Duration::from_millis(50)).await,
            _ => return answer,
        }
    }
    panic!("never answered: {request:?}")
}

/// Deadlocks that Postgres has met in this database.
async fn deadlocks(ledger: &Ledger) -> i64 {
    sqlx::query_scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        .fetch_one(&ledger.database.owner)
        .await
        .expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_a_hundred_send_around_a_ring_are_as_many_in_the_end() {
    let ledger = Arc::new(Ledger::start().await);
    let replica = Arc::new(ledger.replica().await);
    let mut ring = Vec::new();
    for _ in 0..3 {
        let owner = ledger.open_owner().await;
        ledger.give(&owner, 200).await;
        ring.push(owner);
    }
    let mut callers = JoinSet::new();
    for seed in 0..CALLERS {
        let (replicas, ring) = ([Arc::clone(&ledger), Arc::clone(&replica)], ring.clone());
        callers.spawn(async move {
            let mut random = StdRng::seed_from_u64(seed);
            let mut sent = 0;
            for _ in 0..STEPS {
                let place = random.random_range(0..ring.len());
                let (from, to) = (&ring[place], &ring[(place + 1) % ring.len()]);
                let request = transfer(from, to, random.random_range(1..60));
                // To both at once: one of them does it, the other tells of it.
                let (one, other) = tokio::join!(
                    until_known(&replicas[0], &request),
                    until_known(&replicas[1], &request)
                );
                match (one, other) {
                    (Ok(one), Ok(other)) => {
                        assert!(is_replayed(&one) || is_replayed(&other));
                        assert_eq!(one.get_ref(), other.get_ref());
                        sent += 1;
                    }
                    (Err(one), Err(other)) => {
                        assert_eq!(reason_of(&one), Some(ErrorReason::InsufficientBalance), "{one:?}");
                        assert_eq!(one.details(), other.details());
                    }
                    (one, other) => panic!("{one:?} {other:?}"),
                }
            }
            sent
        });
    }
    let mut sent: i64 = 0;
    while let Some(caller) = callers.join_next().await {
        sent += caller.expect("no panic");
    }
    assert!(sent > 100, "{sent} were sent");
    let sides: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM transaction WHERE kind = 'transfer' AND version IS NOT NULL",
    )
    .fetch_one(&ledger.database.owner)
    .await
    .expect("a count");
    assert_eq!(sides, 2 * sent);
    assert_eq!(deadlocks(&ledger).await, 0);
    assert_eq!(check_books(&ledger).await, 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_that_cross_wait_for_each_other() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 1_000).await;
    ledger.give(&ben, 1_000).await;
    for _ in 0..10 {
        let there = join_all((0..8).map(|_| async { until_known(&ledger, &transfer(&ana, &ben, 7)).await }));
        let back = join_all((0..8).map(|_| async { until_known(&replica, &transfer(&ben, &ana, 5)).await }));
        // And by the lanes of either replica.
        let both = join_all((0..4).map(|place| {
            let (by, from, to) = if place % 2 == 0 {
                (&ledger, &ben, &ana)
            } else {
                (&replica, &ana, &ben)
            };
            async move { until_known(by, &transfer(from, to, 1)).await }
        }));
        let (there, back, both) = join3(there, back, both).await;
        for answer in there.into_iter().chain(back).chain(both) {
            answer.expect("there is enough");
        }
    }
    assert_eq!(points_of(&ledger, &ana).await, 1_000 - 10 * (8 * 7 - 8 * 5));
    assert_eq!(deadlocks(&ledger).await, 0);
    assert_eq!(check_books(&ledger).await, 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_transfer_that_is_sent_by_many_at_once_takes_effect_once() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 1_000).await;
    let request = transfer(&ana, &ben, 30);
    let answers = join_all((0..20).map(|place| {
        let by = if place % 2 == 0 { &ledger } else { &replica };
        until_known(by, &request)
    }))
    .await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("sent")).collect();
    assert_eq!(answers.iter().filter(|answer| !is_replayed(answer)).count(), 1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.get_ref() == answers[0].get_ref())
    );
    assert_eq!(points_of(&ledger, &ben).await, 30);
    assert_eq!(check_books(&ledger).await, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_meet_members_who_come_to_a_household_and_go() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let household = open_household(&ledger).await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&household, 1_000).await;
    ledger.give(&ben, 1_000).await;
    let comes_and_goes = async {
        for _ in 0..8 {
            join(&ledger, &ana, &household).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            leave(&ledger, &ana).await;
        }
    };
    let sends = join_all((0..60).map(|place| {
        let (by, from, to) = match place % 3 {
            0 => (&ledger, &ana, &ben),
            1 => (&replica, &ben, &ana),
            _ => (&replica, &household, &ana),
        };
        async move {
            tokio::time::sleep(Duration::from_millis(place)).await;
            if let Err(status) = until_known(by, &transfer(from, to, 3)).await {
                let reason = reason_of(&status);
                let expected = [ErrorReason::InsufficientBalance, ErrorReason::TransferToSelf];
                assert!(
                    reason.is_some_and(|reason| expected.contains(&reason)),
                    "{status:?}"
                );
            }
        }
    }));
    tokio::join!(comes_and_goes, sends);
    assert_eq!(deadlocks(&ledger).await, 0);
    assert_eq!(check_books(&ledger).await, 2_000);
}
