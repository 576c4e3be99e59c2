//! A request id that comes at once by two replicas, each time with another command and among other calls: one takes effect,
//! the other is refused, and nobody beside them pays for it.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use futures::future::join_all;
use tonic::Code;

use super::harness::new_id;
use super::lanes::one_lane;
use super::steps::Step;
use super::support::{Ledger, credit, refused, spend};
use super::verify::assert_verified;

const ROUNDS: usize = 12;
const NEIGHBOURS_COUNT: usize = 20;

/// Two commands under one id: another amount, another owner, another method.
fn commands(round: usize, one: &str, other: &str) -> [Step; 2] {
    let request_id = new_id();
    let credited = |owner: &str, value| {
        Step::Credit(pb::CreditPointsRequest {
            request_id: request_id.clone(),
            ..credit(owner, "points", value)
        })
    };
    let second = match round % 3 {
        0 => credited(one, 6),
        1 => credited(other, 5),
        _ => Step::Spend(pb::SpendPointsRequest {
            request_id: request_id.clone(),
            ..spend(other, "points", 5)
        }),
    };
    [credited(one, 5), second]
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_commands_under_one_id_by_two_replicas_one_takes_effect() {
    let ledger = one_lane().await;
    let replica = ledger.replica().await;
    let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
    ledger.give(&one, 1_000).await;
    ledger.give(&other, 1_000).await;
    let mut neighbours = Vec::new();
    for _ in 0..2 * NEIGHBOURS_COUNT {
        neighbours.push(ledger.open_owner().await);
    }
    for round in 0..ROUNDS {
        let commands = commands(round, &one, &other);
        let (by_ledger, by_replica) = neighbours.split_at(NEIGHBOURS_COUNT);
        let beside = async |ledger: &Ledger, owners: &[String]| {
            join_all(owners.iter().map(|owner| ledger.give(owner, 1))).await;
        };
        let (first, second, (), ()) = tokio::join!(
            commands[0].send(&ledger),
            commands[1].send(&replica),
            beside(&ledger, by_ledger),
            beside(&replica, by_replica),
        );
        let (taken, lost) = match (first, second) {
            (Ok(taken), Err(lost)) => ((0, taken), lost),
            (Err(lost), Ok(taken)) => ((1, taken), lost),
            (first, second) => panic!("one takes effect: {first:?} {second:?}"),
        };
        refused(&lost, Code::AlreadyExists, ErrorReason::RequestIdReused);
        let (winner, said) = taken;
        assert!(!said.is_replay);
        // And so it stays, wherever anybody asks again.
        for ledger in [&ledger, &replica] {
            let again = commands[winner].send(ledger).await.expect("the same answer");
            assert!(again.is_replay && again.message == said.message);
            let lost = commands[1 - winner]
                .send(ledger)
                .await
                .expect_err("another command");
            refused(&lost, Code::AlreadyExists, ErrorReason::RequestIdReused);
        }
    }
    for neighbour in &neighbours {
        assert_eq!(ledger.statement(neighbour).await.len(), ROUNDS);
    }
    let count = ledger.statement(&one).await.len() + ledger.statement(&other).await.len();
    assert_eq!(count, 2 + ROUNDS);
    assert_verified(&ledger.database).await;
}
