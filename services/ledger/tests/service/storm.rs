//! Many callers, two replicas, few owners, everything sent several times: afterwards each answer that anybody got is in
//! the record once, and the record verifies.
//!
//! Who checks knows the answers and the tables, and nothing of the code between them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::{Amount, ErrorReason};
use fealty_rpc::errors::reason_of;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tonic::Status;
use uuid::Uuid;

use super::harness::new_id;
use super::reversals::{reversal, try_reverse};
use super::support::{Ledger, adjust, credit, spend, transfer};
use super::verify::assert_verified;

const OWNERS_COUNT: usize = 8;
const CALLERS_COUNT: u64 = 120;
const STEPS_COUNT: usize = 12;

/// Callers wait as long as it takes on a machine that runs all tests at once.
const ATTEMPTS_MAX: u32 = 200;

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
            let capture = Step::Capture(pb::CaptureHoldRequest {
                request_id: new_id(),
                hold_id: hold_id.clone(),
                value: 1,
                reason: "a part".to_owned(),
            });
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
        sent.spawn(async move { step.until_known(&replica).await });
    }
    let mut said = Vec::new();
    while let Some(answer) = sent.join_next().await {
        said.push(answer.expect("no panic"));
    }
    assert!(said.iter().all(|answer| *answer == said[0]), "{said:?}");
    said.swap_remove(0)
}

fn hold(owner: &str, value: i64) -> pb::HoldPointsRequest {
    pb::HoldPointsRequest {
        request_id: new_id(),
        owner_id: owner.to_owned(),
        amount: Some(Amount {
            unit_code: "points".to_owned(),
            value,
        }),
        source: "test".to_owned(),
        reason: "a test".to_owned(),
        ..pb::HoldPointsRequest::default()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Credit(pb::CreditPointsRequest),
    Spend(pb::SpendPointsRequest),
    Hold(pb::HoldPointsRequest),
    Capture(pb::CaptureHoldRequest),
    Transfer(pb::TransferPointsRequest),
    Adjust(pb::AdjustPointsRequest),
    Reverse(pb::ReverseTransactionRequest),
}

impl Step {
    fn request_id(&self) -> &str {
        match self {
            Self::Credit(request) => &request.request_id,
            Self::Spend(request) => &request.request_id,
            Self::Hold(request) => &request.request_id,
            Self::Capture(request) => &request.request_id,
            Self::Transfer(request) => &request.request_id,
            Self::Adjust(request) => &request.request_id,
            Self::Reverse(request) => &request.request_id,
        }
    }

    async fn until_known(&self, ledger: &Ledger) -> (Known, Option<String>) {
        for _ in 0..ATTEMPTS_MAX {
            let status = match self.send(ledger).await {
                Ok(answered) => return answered,
                Err(status) => status,
            };
            let reason = reason_of(&status).expect("a reason");
            match reason {
                ErrorReason::Contention
                | ErrorReason::Overloaded
                | ErrorReason::DependencyUnavailable
                | ErrorReason::DeadlineExceeded => tokio::time::sleep(Duration::from_millis(50)).await,
                refused => return (Known::Refused(refused), None),
            }
        }
        panic!("never answered: {self:?}")
    }

    async fn send(&self, ledger: &Ledger) -> Result<(Known, Option<String>), Status> {
        let (transaction, hold_id) = match self.clone() {
            Self::Credit(request) => (ledger.credit(request).await?.into_inner().transaction, None),
            Self::Spend(request) => (ledger.spend(request).await?.into_inner().transaction, None),
            Self::Hold(request) => {
                let held = ledger
                    .holds()
                    .hold_points(ledger.call(request))
                    .await?
                    .into_inner();
                (held.transaction, held.hold.map(|hold| hold.hold_id))
            }
            Self::Capture(request) => {
                let captured = ledger.holds().capture_hold(ledger.call(request)).await?;
                (captured.into_inner().transaction, None)
            }
            Self::Transfer(request) => {
                let sent = ledger
                    .transactions()
                    .transfer_points(ledger.call(request))
                    .await?;
                (sent.into_inner().transaction, None)
            }
            Self::Adjust(request) => {
                let adjusted = ledger.transactions().adjust_points(ledger.call(request)).await?;
                (adjusted.into_inner().transaction, None)
            }
            Self::Reverse(request) => {
                let reversed = try_reverse(ledger, request).await?;
                (reversed.into_inner().transaction, None)
            }
        };
        let transaction = transaction.expect("a transaction");
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
        Ok((took, hold_id))
    }
}
