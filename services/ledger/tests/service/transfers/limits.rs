//! What a unit allows.

use std::sync::Arc;

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::reason_of;
use fealty_types::ManualClock;
use tokio::task::JoinSet;
use tonic::Code;

use super::super::harness::is_replayed;
use super::super::sharing::{check_books, join, open_household, points_of};
use super::super::support::{Ledger, credit, days, refused, transfer};
use super::{send, sent, two};

/// Callers who race for a bound.
const RACERS: i64 = 50;

async fn allow(ledger: &Ledger, rules: Option<pb::TransferRules>) -> pb::Unit {
    let request = pb::UpdateUnitRequest {
        unit: Some(pb::Unit {
            unit_code: "points".to_owned(),
            transfer_rules: rules,
            ..pb::Unit::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["transfer_rules".to_owned()],
        }),
    };
    let changed = ledger.units().update_unit(ledger.call(request)).await;
    changed.expect("changed").into_inner().unit.expect("a unit")
}

const fn rules(value_min: i64, value_max: i64, day_value_max: i64, day_count_max: i32) -> pb::TransferRules {
    pb::TransferRules {
        value_min,
        value_max,
        day_value_max,
        day_count_max,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_unless_the_unit_allows_it_and_the_refusal_is_remembered() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 50).await;
    ledger.credit(credit(&ana, "stamps", 5)).await.expect("credited");
    let stamps = pb::TransferPointsRequest {
        amount: credit(&ana, "stamps", 1).amount,
        ..transfer(&ana, &ben, 1)
    };
    let status = send(&ledger, stamps).await.expect_err("not allowed");
    let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::TransferNotAllowed);
    assert_eq!(metadata["unit_code"], "stamps");

    assert_eq!(allow(&ledger, None).await.transfer_rules, None);
    let request = transfer(&ana, &ben, 10);
    let status = send(&ledger, request.clone()).await.expect_err("not any more");
    refused(&status, Code::FailedPrecondition, ErrorReason::TransferNotAllowed);
    let told = allow(&ledger, Some(rules(0, 0, 0, 0))).await.transfer_rules;
    assert_eq!(told, Some(rules(1, 0, 0, 0)), "at least one");
    let status = send(&ledger, request).await.expect_err("as before");
    refused(&status, Code::FailedPrecondition, ErrorReason::TransferNotAllowed);
    sent(&ledger, transfer(&ana, &ben, 10)).await;
    assert_eq!(points_of(&ledger, &ben).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_transfer_is_within_its_bounds() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 1_000).await;
    allow(&ledger, Some(rules(10, 60, 0, 0))).await;
    for value in [1, 9, 61, i64::MAX] {
        let request = transfer(&ana, &ben, value);
        for _ in 0..2 {
            let status = send(&ledger, request.clone()).await.expect_err("out of bounds");
            let metadata = refused(
                &status,
                Code::FailedPrecondition,
                ErrorReason::TransferValueNotAllowed,
            );
            assert_eq!(
                (
                    metadata["value_min"].as_str(),
                    metadata["value_max"].as_str(),
                    &metadata["required"]
                ),
                ("10", "60", &value.to_string())
            );
        }
    }
    for value in [10, 60] {
        sent(&ledger, transfer(&ana, &ben, value)).await;
    }
    assert_eq!(check_books(&ledger).await, 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_its_bounds_in_the_programs_time_zone_and_refusals_count_for_nothing() {
    let clock = ManualClock::new("2026-11-22T22:00:00Z".parse().expect("a time"));
    let ledger = Ledger::start_at(&clock).await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 150).await;
    allow(&ledger, Some(rules(1, 0, 100, 3))).await;
    sent(&ledger, transfer(&ana, &ben, 60)).await;
    let too_much = transfer(&ana, &ben, 41);
    let status = send(&ledger, too_much.clone())
        .await
        .expect_err("more than a day's");
    let metadata = refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::TransferLimitReached,
    );
    let told = |key: &str| metadata[key].as_str();
    assert_eq!(
        (
            told("day"),
            told("sent_value"),
            told("day_value_max"),
            told("sent_count"),
            told("day_count_max")
        ),
        ("2026-11-22", "60", "100", "1", "3")
    );
    sent(&ledger, transfer(&ana, &ben, 30)).await;
    sent(&ledger, transfer(&ana, &ben, 5)).await;
    let status = send(&ledger, transfer(&ana, &ben, 1))
        .await
        .expect_err("three is all");
    refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::TransferLimitReached,
    );
    // The receiver has a day of their own.
    sent(&ledger, transfer(&ben, &ana, 95)).await;
    clock.advance(chrono::TimeDelta::hours(2));
    let told_late = pb::TransferPointsRequest {
        occur_time: Some(super::timestamp("2026-11-22T12:00:00Z".parse().expect("a time"))),
        ..transfer(&ana, &ben, 100)
    };
    sent(&ledger, told_late).await;
    let status = send(&ledger, transfer(&ana, &ben, 1))
        .await
        .expect_err("that was the day's");
    refused(
        &status,
        Code::FailedPrecondition,
        ErrorReason::TransferLimitReached,
    );
    let again = send(&ledger, too_much).await.expect_err("as the first time");
    let metadata = refused(
        &again,
        Code::FailedPrecondition,
        ErrorReason::TransferLimitReached,
    );
    assert_eq!(metadata["day"], "2026-11-22");
    clock.advance(days(40));
    sent(&ledger, transfer(&ana, &ben, 50)).await;
    assert_eq!(check_books(&ledger).await, 150);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM transfer_day")
        .fetch_one(&ledger.database.owner)
        .await
        .expect("a count");
    assert_eq!(rows, 2, "one for each who sends");
}

/// In which zone the day is told from those before.
async fn zone_of_day(ledger: &Ledger) -> Option<String> {
    let zone = sqlx::query_scalar("SELECT time_zone FROM transfer_day").fetch_one(&ledger.database.owner);
    zone.await.expect("a day")
}

#[tokio::test(flavor = "multi_thread")]
async fn days_in_which_the_programs_time_zone_changes_verify_and_name_none_until_they_are_over() {
    let clock = ManualClock::new("2026-11-22T22:00:00Z".parse().expect("a time"));
    let ledger = Ledger::start_at(&clock).await;
    let (ana, ben) = two(&ledger).await;
    ledger.give(&ana, 150).await;
    sent(&ledger, transfer(&ana, &ben, 10)).await;
    assert_eq!(zone_of_day(&ledger).await.as_deref(), Some("UTC"));
    sqlx::query("UPDATE program SET time_zone = 'Pacific/Auckland'")
        .execute(&ledger.database.owner)
        .await
        .expect("changed");
    // One that never knew of another.
    let replica = ledger.replica().await;
    for _ in 0..3 {
        sent(&replica, transfer(&ana, &ben, 20)).await;
        assert_eq!(zone_of_day(&ledger).await, None);
        check_books(&ledger).await;
        clock.advance(days(1));
    }
    clock.advance(days(2));
    sent(&replica, transfer(&ana, &ben, 5)).await;
    assert_eq!(zone_of_day(&ledger).await.as_deref(), Some("Pacific/Auckland"));
    assert_eq!(check_books(&ledger).await, 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_members_send_from_a_households_account_counts_together() {
    let ledger = Ledger::start().await;
    let (ana, ben) = two(&ledger).await;
    let (carl, household) = (ledger.open_owner().await, open_household(&ledger).await);
    join(&ledger, &ana, &household).await;
    join(&ledger, &ben, &household).await;
    ledger.give(&household, 500).await;
    allow(&ledger, Some(rules(1, 0, 100, 0))).await;
    sent(&ledger, transfer(&ana, &carl, 60)).await;
    for from in [&ana, &ben, &household] {
        let status = send(&ledger, transfer(from, &carl, 41))
            .await
            .expect_err("together");
        refused(
            &status,
            Code::FailedPrecondition,
            ErrorReason::TransferLimitReached,
        );
    }
    sent(&ledger, transfer(&ben, &carl, 40)).await;
    assert_eq!(check_books(&ledger).await, 500);
}

/// All at once, over two replicas; how many were sent.
async fn race(ledger: &Arc<Ledger>, requests: Vec<pb::TransferPointsRequest>) -> i64 {
    let replica = Arc::new(ledger.replica().await);
    let mut racers = JoinSet::new();
    for (place, request) in requests.into_iter().enumerate() {
        let by = Arc::clone(if place % 2 == 0 { ledger } else { &replica });
        racers.spawn(async move {
            match super::races::until_known(&by, &request).await {
                Ok(answer) => i64::from(!is_replayed(&answer)),
                Err(status) => {
                    assert_eq!(
                        reason_of(&status),
                        Some(ErrorReason::TransferLimitReached),
                        "{status:?}"
                    );
                    0
                }
            }
        });
    }
    let mut sent = 0;
    while let Some(racer) = racers.join_next().await {
        sent += racer.expect("no panic");
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_race_for_the_points_of_a_day_exactly_those_that_fit_are_sent() {
    let ledger = Arc::new(Ledger::start().await);
    let ana = ledger.open_owner().await;
    ledger.give(&ana, 100_000).await;
    allow(&ledger, Some(rules(1, 0, 7 * 17 + 16, 0))).await;
    let mut requests = Vec::new();
    for _ in 0..RACERS {
        requests.push(transfer(&ana, &ledger.open_owner().await, 17));
    }
    assert_eq!(race(&ledger, requests).await, 7);
    assert_eq!(points_of(&ledger, &ana).await, 100_000 - 7 * 17);
    assert_eq!(check_books(&ledger).await, 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_who_race_for_the_transfers_of_a_day_exactly_those_that_fit_are_sent() {
    let ledger = Arc::new(Ledger::start().await);
    let (ana, ben) = two(&ledger).await;
    let household = open_household(&ledger).await;
    join(&ledger, &ana, &household).await;
    ledger.give(&ana, 100_000).await;
    allow(&ledger, Some(rules(1, 0, 0, 9))).await;
    // By two names of one account, to one receiver.
    let from = |place: i64| if place % 3 == 0 { &ana } else { &household };
    let requests = (0..RACERS).map(|place| transfer(from(place), &ben, 1)).collect();
    assert_eq!(race(&ledger, requests).await, 9);
    assert_eq!(points_of(&ledger, &ben).await, 9);
    assert_eq!(check_books(&ledger).await, 100_000);
}
