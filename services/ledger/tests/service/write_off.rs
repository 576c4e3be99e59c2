//! The job that writes off what has ended.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fealty_proto::events::v1::WatchEventsRequest;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::TransactionKind as Kind;
use fealty_proto::types::v1::Amount;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_types::ManualClock;
use futures::future::join_all;
use tokio::time::{Duration, sleep};

use super::harness::{self, Caller, new_id, until};
use super::messages::after_days;
use super::postings::assert_books;
use super::support::{Ledger, Setting, credit, days, spend, timestamp};

/// Owners of a program whose points end at one midnight.
const OWNERS_COUNT: usize = 120;

fn clock() -> ManualClock {
    ManualClock::new("2026-03-01T12:00:00Z".parse().expect("a time"))
}

fn writing_off(clock: &ManualClock) -> Setting {
    Setting {
        clock: Some(clock.clone()),
        writes_off: true,
        ..Setting::default()
    }
}

fn kinds(statement: &[pb::Transaction]) -> Vec<Kind> {
    statement.iter().map(pb::Transaction::kind).collect()
}

async fn stamps(ledger: &Ledger, owner: &str, value: i64) {
    ledger
        .credit(credit(owner, "stamps", value))
        .await
        .expect("given");
}

fn hold(owner: &str, unit_code: &str, value: i64) -> pb::HoldPointsRequest {
    pb::HoldPointsRequest {
        request_id: new_id(),
        owner_id: owner.to_owned(),
        amount: Some(Amount {
            unit_code: unit_code.to_owned(),
            value,
        }),
        duration_seconds: 3_600,
        ..pb::HoldPointsRequest::default()
    }
}

async fn written_off(ledger: &Ledger, owner: &str, transactions_count: usize) -> Vec<pb::Transaction> {
    until("it is written off", async || {
        ledger.statement(owner).await.len() >= transactions_count
    })
    .await;
    ledger.statement(owner).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_written_off_without_anybodys_call() {
    let clock = clock();
    let ledger = Ledger::start_in(writing_off(&clock)).await;
    let (saver, holder) = (ledger.open_owner().await, ledger.open_owner().await);
    stamps(&ledger, &saver, 5).await;
    ledger.give(&holder, 50).await;
    let held = ledger
        .holds()
        .hold_points(ledger.call(hold(&holder, "points", 20)))
        .await
        .expect("held")
        .into_inner()
        .hold
        .expect("a hold");

    clock.advance(days(1));
    let statement = written_off(&ledger, &holder, 3).await;
    assert_eq!(kinds(&statement), [Kind::Release, Kind::Hold, Kind::Credit]);
    assert_eq!(
        (statement[0].actor.as_str(), statement[0].occur_time),
        ("ledger", held.expire_time)
    );
    assert_eq!(
        ledger.statement(&saver).await.len(),
        1,
        "nothing of theirs has ended"
    );

    clock.advance(days(20));
    let statement = written_off(&ledger, &saver, 2).await;
    assert_eq!(kinds(&statement), [Kind::Expire, Kind::Credit]);
    assert_eq!((statement[0].actor.as_str(), statement[0].version), ("ledger", 2));
    let end: DateTime<Utc> = "2026-03-12T00:00:00Z".parse().expect("a time");
    assert_eq!(statement[0].occur_time, Some(timestamp(end)));
    for owner in [&saver, &holder] {
        assert_books(&ledger, owner).await;
    }
    // It went on to the cache and to those who follow.
    until("the cache has it", async || {
        ledger.balance(&saver, None).await.expect("a balance").version == 2
    })
    .await;
    let request = WatchEventsRequest {
        subject_id: saver.clone(),
        ..WatchEventsRequest::default()
    };
    let stream = ledger.events().watch_events(ledger.call(request)).await;
    let mut stream = stream.expect("a stream").into_inner();
    let mut told = Vec::new();
    while told.len() < 2 {
        let answer = stream.message().await.expect("an answer").expect("more");
        told.extend(answer.events.into_iter().filter_map(|event| match event.payload {
            Some(Payload::TransactionPosted(posted)) => Some(posted.kind),
            _ => None,
        }));
    }
    assert_eq!(told, ["credit", "expire"]);
}

/// What a reader is shown: by unit available, held and the next end, and the lots.
type Shown = (
    Vec<(String, i64, i64, Option<prost_types::Timestamp>, i64)>,
    Vec<(i64, Option<prost_types::Timestamp>)>,
);

async fn shown(ledger: &Ledger, owner: &str) -> Shown {
    let strong = Some(Requirement::Strong(true));
    let balance = ledger.balance(owner, strong).await.expect("a balance");
    let units = balance.balances.into_iter().map(|unit| {
        let pb::UnitBalance {
            unit_code,
            available,
            held,
            next_expire_time,
            next_expire_value,
            ..
        } = unit;
        (unit_code, available, held, next_expire_time, next_expire_value)
    });
    let request = pb::ListLotsRequest {
        owner_id: owner.to_owned(),
        ..pb::ListLotsRequest::default()
    };
    let page = ledger.balances().list_lots(ledger.call(request)).await;
    let lots = page.expect("a page").into_inner().lots;
    let lots = lots.into_iter().map(|lot| (lot.value_left, lot.expire_time));
    (units.collect(), lots.collect())
}

/// Some weeks of an owner, by the hour: what is shown after each, and what is refused.
async fn some_weeks(setting: Setting) -> Vec<(Shown, bool)> {
    let clock = setting.clock.clone().expect("a clock");
    let writes_off = setting.writes_off;
    let ledger = Ledger::start_in(setting).await;
    let owner = ledger.open_owner().await;
    let mut told = Vec::new();
    for day in 0..16 {
        stamps(&ledger, &owner, 1 + day).await;
        ledger.give(&owner, 3).await;
        if day % 3 == 0 {
            let unit_code = if day % 2 == 0 { "stamps" } else { "points" };
            let request = pb::HoldPointsRequest {
                // An hour, or longer than what it claims.
                duration_seconds: if day % 2 == 0 { 1_000_000 } else { 3_600 },
                ..hold(&owner, unit_code, 1)
            };
            ledger
                .holds()
                .hold_points(ledger.call(request))
                .await
                .expect("held");
        }
        clock.advance(days(1));
        if writes_off {
            // The job may come first, or not.
            sleep(Duration::from_millis(u64::try_from(day).unwrap_or_default() * 10)).await;
        }
        let shown = shown(&ledger, &owner).await;
        let spent = ledger.spend(spend(&owner, "stamps", 5 + day)).await;
        told.push((shown, spent.is_ok()));
    }
    assert_books(&ledger, &owner).await;
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_postings_say_the_same_whether_the_job_runs_or_not() {
    let off = Setting {
        clock: Some(clock()),
        ..Setting::default()
    };
    let (without, with) = tokio::join!(some_weeks(off), some_weeks(writing_off(&clock())));
    assert_eq!(without, with);
    assert!(without.iter().any(|(_, spent)| *spent) && without.iter().any(|(_, spent)| !spent));
}

/// Transactions of each kind in the database.
async fn counts(ledger: &Ledger) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT kind, count(*) FROM transaction WHERE version IS NOT NULL GROUP BY kind")
            .fetch_all(&ledger.database.owner)
            .await
            .expect("counts");
    rows.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_write_off_at_once_beside_callers_write_each_end_off_once() {
    let clock = clock();
    let ledger = Ledger::start_in(writing_off(&clock)).await;
    let replica = ledger.replica().await;
    let opened = join_all((0..OWNERS_COUNT).map(|_| ledger.open_owner())).await;
    join_all(opened.iter().map(|owner| stamps(&ledger, owner, 5))).await;
    clock.advance(days(11));
    // Every other owner comes at that very instant, through either replica.
    let callers = opened.iter().enumerate().filter(|(place, _)| place % 2 == 0);
    let calls = callers.map(|(place, owner)| {
        let through = if place % 4 == 0 { &ledger } else { &replica };
        through.give(owner, 1)
    });
    join_all(calls).await;
    let owners_count = i64::try_from(OWNERS_COUNT).expect("few");
    until("all are written off", async || {
        counts(&ledger).await.get("expire") >= Some(&owners_count)
    })
    .await;
    // Both have looked again since.
    sleep(Duration::from_millis(300)).await;
    let expected = BTreeMap::from([
        ("credit".to_owned(), owners_count * 3 / 2),
        ("expire".to_owned(), owners_count),
    ]);
    assert_eq!(counts(&ledger).await, expected);
    for owner in &opened {
        assert_books(&replica, owner).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_cannot_be_written_off_keeps_nobody_waiting() {
    let clock = clock();
    let ledger = Ledger::start_in(writing_off(&clock)).await;
    let opened = join_all((0..8).map(|_| ledger.open_owner())).await;
    join_all(opened.iter().map(|owner| stamps(&ledger, owner, 5))).await;
    // What lies in the lot is more than the account says: taking it out would leave less than nothing.
    let spoilt = &opened[3];
    sqlx::query("UPDATE account SET available = 1 WHERE owner_id = $1::uuid")
        .bind(spoilt)
        .execute(&ledger.database.jobs)
        .await
        .expect("spoilt");
    clock.advance(days(11));
    for owner in opened.iter().filter(|owner| *owner != spoilt) {
        let statement = written_off(&ledger, owner, 2).await;
        assert_eq!(kinds(&statement), [Kind::Expire, Kind::Credit]);
    }
    assert_eq!(ledger.statement(spoilt).await.len(), 1);
    // Who comes later is not kept waiting, either.
    let late = ledger.open_owner().await;
    stamps(&ledger, &late, 5).await;
    clock.advance(days(11));
    written_off(&ledger, &late, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_written_off_each_in_its_own_time_zone() {
    let clock = clock();
    let ledger = Ledger::start_in(writing_off(&clock)).await;
    let tokyo = harness::plant_program(&ledger.database, "Asia/Tokyo", "JPY").await;
    let unit = pb::Unit {
        unit_code: "stamps".to_owned(),
        display_name: "Stamps".to_owned(),
        expiry_policy: Some(after_days(10)),
        shortfall_policy: pb::ShortfallPolicy::Waive.into(),
        ..pb::Unit::default()
    };
    let request = pb::CreateUnitRequest {
        request_id: new_id(),
        unit: Some(unit),
    };
    ledger
        .units()
        .create_unit(tokyo.call(request))
        .await
        .expect("a unit");
    let theirs = opened(&ledger, &tokyo).await;
    let ours = ledger.open_owner().await;
    stamps(&ledger, &ours, 5).await;
    let request = tokyo.call(credit(&theirs, "stamps", 5));
    let given = ledger.transactions().credit_points(request).await;
    given.expect("given");
    // Midnight in Tokyo is nine hours before midnight in London.
    clock.set("2026-03-11T15:00:00Z".parse().expect("a time"));
    until("Tokyo's are written off", async || {
        counts(&ledger).await.get("expire") == Some(&1)
    })
    .await;
    assert_eq!(ledger.statement(&ours).await.len(), 1);
    clock.set("2026-03-12T00:00:00Z".parse().expect("a time"));
    written_off(&ledger, &ours, 2).await;
}

async fn opened(ledger: &Ledger, caller: &Caller) -> String {
    let owner_id = new_id();
    let request = pb::OpenOwnerRequest {
        request_id: new_id(),
        owner_id: owner_id.clone(),
        kind: pb::OwnerKind::Member.into(),
    };
    let answer = ledger.owners().open_owner(caller.call(request)).await;
    answer.expect("an owner");
    owner_id
}
