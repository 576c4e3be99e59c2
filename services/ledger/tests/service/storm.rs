//! Many callers, two replicas, few owners, everything sent several times: afterwards each answer that anybody got is in
//! the record once, and the record verifies.
//!
//! Who checks knows the answers and the tables, and nothing of the code between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::reversals::reversal;
use super::steps::{Step, capture, hold};
use super::support::{Ledger, adjust, credit, spend, transfer};
use super::verify::assert_verified;

const OWNERS_COUNT: usize = 8;
const CALLERS_COUNT: u64 = 120;
const STEPS_COUNT: usize = 12;

/// What a caller knows of a call of theirs in the end.
#[derive(Debug, Clone, PartialEq)]
enum Known {
    /// The owner's version that it made, and what it did to what is available.
    Took {
        owner_id: String,
        version: i64,
        value: i64,
    },
    Refused(ErrorReason),
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_two_replicas_answered_is_in_the_record_once() {
    let ledger = Arc::new(Ledger::start().await);
    let replica = Arc::new(ledger.replica().await);
    let mut owners = Vec::new();
    for _ in 0..OWNERS_COUNT {
        let owner = ledger.open_owner().await;
        ledger.give(&owner, 50).await;
        owners.push(owner);
    }
    let mut callers = JoinSet::new();
    for seed in 0..CALLERS_COUNT {
        let replicas = [Arc::clone(&ledger), Arc::clone(&replica)];
        let owners = owners.clone();
        callers.spawn(async move { call(&replicas, &owners, seed).await });
    }
    let mut known = BTreeMap::new();
    while let Some(caller) = callers.join_next().await {
        known.extend(caller.expect("no panic"));
    }
    let recorded = recorded(&ledger, &owners).await;
    let took: BTreeMap<_, _> = known
        .iter()
        .filter(|(_, known)| matches!(known, Known::Took { .. }))
        .map(|(request_id, known)| (request_id.clone(), known.clone()))
        .collect();
    assert!(
        took.len() > 100 && took.len() < known.len(),
        "some are refused, and most are not"
    );
    assert_eq!(took, recorded);
    assert_verified(&ledger.database).await;
}

/// What is in the record by the requests of callers, read by a role that calls nobody.
async fn recorded(ledger: &Ledger, owners: &[String]) -> BTreeMap<String, Known> {
    let statement = "
        SELECT t.request_id::text, t.owner_id::text, t.version,
               coalesce((SELECT sum((e->>'value')::bigint) FROM jsonb_array_elements(t.entries) e
                         WHERE e->>'account' = 'owner_available'), 0)::bigint
        FROM transaction t
        WHERE t.owner_id::text = ANY($1) AND t.version > 1 AND t.request_id IS NOT NULL";
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(statement)
        .bind(owners)
        .fetch_all(&ledger.database.owner)
        .await
        .expect("the record");
    let known = rows.into_iter().map(|(request_id, owner_id, version, value)| {
        let took = Known::Took {
            owner_id,
            version,
            value,
        };
        (request_id, took)
    });
    let requests: BTreeSet<_> = known.clone().map(|(request_id, _)| request_id).collect();
    assert_eq!(requests.len(), known.len(), "a request is recorded once");
    known.collect()
}

/// A caller: a few steps, each sent three times at once, to either replica, until the answers are known.
async fn call(replicas: &[Arc<Ledger>; 2], owners: &[String], seed: u64) -> BTreeMap<String, Known> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut known = BTreeMap::new();
    for _ in 0..STEPS_COUNT {
        let owner = &owners[random.random_range(0..owners.len())];
        let value = random.random_range(1..30);
        let other = &owners[random.random_range(0..owners.len())];
        let step = match random.random_range(0..6) {
            0 => Step::Credit(credit(owner, "points", value)),
            1 => Step::Spend(spend(owner, "points", value)),
            2 => Step::Hold(hold(owner, value)),
            3 => Step::Transfer(transfer(owner, other, value)),
            4 => Step::Adjust(adjust(owner, "points", 10 - value)),
            _ => Step::Spend(spend(owner, "points", value * 100)),
        };
        let request_id = step.request_id().to_owned();
        let said = send_thrice(replicas, step.clone(), &mut random).await;
        if let Step::Spend(_) = &step
            && let (Known::Took { .. }, _) = &said
        {
            // Twice a half and more: one of them is too much, unless the spend was of one.
            for _ in 0..2 {
                let reversal = Step::Reverse(reversal(&request_id, value / 2 + 1));
                let reversal_id = reversal.request_id().to_owned();
                let (reversed, _) = send_thrice(replicas, reversal, &mut random).await;
                known.insert(reversal_id, reversed);
            }
        }
        if let (Known::Took { .. }, Some(hold_id)) = &said {
            let capture = Step::Capture(capture(hold_id.clone(), 1));
            let capture_id = capture.request_id().to_owned();
            let (captured, _) = send_thrice(replicas, capture, &mut random).await;
            known.insert(capture_id, captured);
        }
        known.insert(request_id, said.0);
    }
    known
}

/// Three times the same, all of which have to say the same in the end.
async fn send_thrice(
    replicas: &[Arc<Ledger>; 2],
    step: Step,
    random: &mut StdRng,
) -> (Known, Option<String>) {
    let mut sent = JoinSet::new();
    for _ in 0..3 {
        let replica = Arc::clone(&replicas[random.random_range(0..2)]);
        let step = step.clone();
        sent.spawn(async move { until_known(&step, &replica).await });
    }
    let mut said = Vec::new();
    while let Some(answer) = sent.join_next().await {
        said.push(answer.expect("no panic"));
    }
    assert!(said.iter().all(|answer| *answer == said[0]), "{said:?}");
    said.swap_remove(0)
}

/// What there is to know of a step in the end, and the hold that it made.
async fn until_known(step: &Step, ledger: &Ledger) -> (Known, Option<String>) {
    let said = match step.until_known(ledger).await {
        Ok(said) => said,
        Err(reason) => return (Known::Refused(reason), None),
    };
    let transaction = said.transaction.expect("a transaction");
    Uuid::parse_str(&transaction.transaction_id).expect("an id");
    let available = transaction
        .entries
        .iter()
        .filter(|entry| entry.account() == pb::EntryAccount::OwnerAvailable);
    let took = Known::Took {
        owner_id: transaction.owner_id.clone(),
        version: transaction.version,
        value: available.map(|entry| entry.value).sum(),
    };
    let made = said.hold.filter(|_| matches!(step, Step::Hold(_)));
    (took, made.map(|hold| hold.hold_id))
}
