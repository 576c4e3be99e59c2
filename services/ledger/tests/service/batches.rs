//! Many credits and spends in one call.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::points_outcome::Outcome;
use fealty_proto::ledger::v1::points_posting::Posting;
use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::harness::is_replayed;
use super::support::{Ledger, credit, of_unit, refused, spend};

fn give(owner_id: &str, value: i64) -> pb::PointsPosting {
    posting(Posting::Credit(credit(owner_id, "points", value)))
}

fn take(owner_id: &str, value: i64) -> pb::PointsPosting {
    posting(Posting::Spend(spend(owner_id, "points", value)))
}

fn posting(posting: Posting) -> pb::PointsPosting {
    pb::PointsPosting {
        posting: Some(posting),
    }
}

async fn post(
    ledger: &Ledger,
    postings: Vec<pb::PointsPosting>,
    all_or_nothing: bool,
) -> Result<Vec<pb::PointsOutcome>, Status> {
    let request = pb::BatchPostPointsRequest {
        postings,
        all_or_nothing,
    };
    let response = ledger
        .transactions()
        .batch_post_points(ledger.call(request))
        .await?;
    Ok(response.into_inner().outcomes)
}

/// What is available after it, or why it was refused.
fn told(outcome: &pb::PointsOutcome) -> Result<i64, ErrorReason> {
    let balance = match outcome.outcome.as_ref().expect("an outcome") {
        Outcome::Credit(credit) => credit.balance.as_ref(),
        Outcome::Spend(spend) => spend.balance.as_ref(),
        Outcome::Adjust(adjust) => adjust.balance.as_ref(),
        Outcome::Error(error) => return Err(error.reason()),
    };
    Ok(of_unit(balance.expect("a balance"), "points").available)
}

async fn available(ledger: &Ledger, owner_id: &str) -> i64 {
    let balance = ledger.balance(owner_id, Some(Requirement::Strong(true))).await;
    let balance = balance.expect("a balance");
    let points = balance.balances.iter().find(|unit| unit.unit_code == "points");
    points.map_or(0, |points| points.available)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_posting_of_a_batch_has_its_own_outcome_and_is_remembered_as_if_it_came_alone() {
    let ledger = Ledger::start().await;
    let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
    let postings = vec![
        give(&one, 10),
        take(&one, 4),
        take(&other, 1),
        give(&other, 7),
        take(&one, 7),
    ];
    let outcomes = post(&ledger, postings.clone(), false).await.expect("outcomes");
    let insufficient = Err(ErrorReason::InsufficientBalance);
    assert_eq!(
        outcomes.iter().map(told).collect::<Vec<_>>(),
        [Ok(10), Ok(6), insufficient, Ok(7), insufficient],
        "those of one owner in their order"
    );
    let Some(Outcome::Error(error)) = &outcomes[2].outcome else {
        panic!("refused")
    };
    assert_eq!(Code::from(error.code), Code::FailedPrecondition);
    assert_eq!(error.metadata["required"], "1");
    assert!(outcomes.iter().all(|outcome| !outcome.replayed));

    let again = post(&ledger, postings.clone(), false).await.expect("outcomes");
    for (first, again) in outcomes.iter().zip(&again) {
        assert!(again.replayed);
        assert_eq!(first.outcome, again.outcome);
    }
    // Alone it is the same command.
    let Some(Posting::Credit(request)) = postings[0].posting.clone() else {
        panic!("a credit")
    };
    assert!(is_replayed(
        &ledger.credit(request).await.expect("the same answer")
    ));
    assert_eq!(
        (available(&ledger, &one).await, available(&ledger, &other).await),
        (6, 7)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_or_nothing_does_all_or_nothing() {
    let ledger = Ledger::start().await;
    let (one, other) = (ledger.open_owner().await, ledger.open_owner().await);
    let postings = vec![give(&one, 10), take(&other, 5), give(&one, 1)];
    for _ in 0..2 {
        let outcomes = post(&ledger, postings.clone(), true).await.expect("outcomes");
        assert_eq!(outcomes[0], pb::PointsOutcome::default());
        assert_eq!(told(&outcomes[1]), Err(ErrorReason::InsufficientBalance));
        assert_eq!(outcomes[2], pb::PointsOutcome::default());
        for owner in [&one, &other] {
            let balance = ledger.balance(owner, Some(Requirement::Strong(true))).await;
            assert_eq!(balance.expect("a balance").version, 0, "nothing was done");
        }
    }
    // Nothing was remembered: once there is enough, the same call does all of it, in one commit.
    ledger.give(&other, 5).await;
    let outcomes = post(&ledger, postings.clone(), true).await.expect("outcomes");
    assert_eq!(
        outcomes.iter().map(told).collect::<Vec<_>>(),
        [Ok(10), Ok(0), Ok(11)]
    );
    let commits = "SELECT count(DISTINCT xmin::text) FROM transaction WHERE owner_id::text = $1 AND version IS NOT NULL";
    let commits: i64 = sqlx::query_scalar(commits)
        .bind(&one)
        .fetch_one(&ledger.database.owner)
        .await
        .expect("a count");
    assert_eq!(commits, 1);
    let again = post(&ledger, postings, true).await.expect("outcomes");
    assert!(again.iter().all(|outcome| outcome.replayed));
    assert_eq!(
        (available(&ledger, &one).await, available(&ledger, &other).await),
        (11, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_postings_are_a_call_and_one_more_is_not() {
    let ledger = Ledger::start().await;
    let mut owners = Vec::new();
    for _ in 0..20 {
        owners.push(ledger.open_owner().await);
    }
    let postings: Vec<_> = (0..1_000).map(|number| give(&owners[number % 20], 1)).collect();
    let outcomes = post(&ledger, postings.clone(), false).await.expect("outcomes");
    assert!(outcomes.iter().all(|outcome| told(outcome).is_ok()));
    for owner in &owners {
        assert_eq!(available(&ledger, owner).await, 50);
    }
    let mut too_many = postings;
    too_many.push(give(&owners[0], 1));
    let status = post(&ledger, too_many, false).await.expect_err("too many");
    refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
    assert_eq!(available(&ledger, &owners[0]).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_any_posting_is_named_and_nothing_is_done() {
    let ledger = Ledger::start().await;
    let owner = ledger.open_owner().await;
    let good = give(&owner, 10);
    let bad = posting(Posting::Spend(pb::SpendPointsRequest {
        reason: String::new(),
        ..spend(&owner, "points", i64::MIN)
    }));
    let postings = vec![good.clone(), bad, good, pb::PointsPosting::default()];
    for all_or_nothing in [false, true] {
        let status = post(&ledger, postings.clone(), all_or_nothing)
            .await
            .expect_err("malformed");
        refused(&status, Code::InvalidArgument, ErrorReason::InvalidFields);
        let bad = status
            .get_details_bad_request()
            .expect("bad fields")
            .field_violations;
        let fields: Vec<&str> = bad.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "postings[1].spend.amount.value",
                "postings[1].spend.reason",
                "postings[2].credit.request_id",
                "postings[3].posting"
            ]
        );
    }
    let none = post(&ledger, Vec::new(), false).await.expect_err("nothing to do");
    refused(&none, Code::InvalidArgument, ErrorReason::InvalidFields);
    let balance = ledger.balance(&owner, Some(Requirement::Strong(true))).await;
    assert_eq!(balance.expect("a balance").version, 0);
}
