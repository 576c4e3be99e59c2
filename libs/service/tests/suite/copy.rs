//! The copy of the access records: newer wins, each page takes effect once, and nobody is known too early.

use chrono::{DateTime, Utc};
use fealty_postgres::testing::TestDatabase;
use fealty_proto::access::v1::Scope;
use fealty_rpc::access::AccessRecords;
use fealty_service::access::domain::{Change, ChangeSet, Key, Program, Staff};
use fealty_service::access::{AccessCopy, Applied};
use fealty_service::gate::SchemaGate;
use fealty_types::{ApiKeyId, Clock, ProgramId, StaffId, SystemClock};

use crate::probe::database;

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

/// The copy, open for look-ups.
async fn copy(database: &TestDatabase) -> AccessCopy {
    let gate = SchemaGate::default();
    gate.open_when(async || Ok(())).await.expect("nothing is checked");
    AccessCopy::new(database.jobs.clone(), gate)
}

fn program(program_id: ProgramId, sequence: i64, active: bool) -> Change {
    Change::Program(Program {
        program_id,
        time_zone: chrono_tz::Europe::London,
        currency: "GBP".parse().expect("a currency"),
        active,
        sequence,
    })
}

fn key(program_id: Option<ProgramId>, staff_id: Option<StaffId>, sequence: i64) -> Key {
    Key {
        api_key_id: ApiKeyId::generate_at(now()),
        program_id,
        staff_id,
        short_id: format!("short{sequence}"),
        secret_sha256: [7; 32],
        token_public_key: None,
        scopes: vec![Scope::UnitsRead.into(), 9_999],
        revoke_time: None,
        expire_time: DateTime::from_timestamp(4_000_000_000, 0),
        sequence,
    }
}

async fn apply(copy: &AccessCopy, changes: Vec<Change>, from: &str, to: &str) -> Applied {
    copy.apply(&ChangeSet::new(changes), from, to, now())
        .await
        .expect("it is stored")
}

async fn is_active(copy: &AccessCopy, program_id: ProgramId) -> Option<bool> {
    let found = copy.find_program(program_id).await.expect("it is looked up");
    found.map(|program| program.active)
}

#[tokio::test]
async fn of_two_forms_the_newer_stays_whatever_the_order() {
    let database = database().await;
    let copy = copy(&database).await;
    let program_id = ProgramId::generate_at(now());
    assert_eq!(is_active(&copy, program_id).await, None);
    assert_eq!(
        apply(&copy, vec![program(program_id, 5, false)], "", "a").await,
        Applied::Moved
    );
    assert_eq!(
        apply(&copy, vec![program(program_id, 4, true)], "a", "b").await,
        Applied::Moved
    );
    assert_eq!(is_active(&copy, program_id).await, Some(false));
    apply(&copy, vec![program(program_id, 6, true)], "b", "c").await;
    assert_eq!(is_active(&copy, program_id).await, Some(true));
    let found = copy
        .find_program(program_id)
        .await
        .expect("found")
        .expect("known");
    assert_eq!(found.time_zone, chrono_tz::Europe::London);
    assert_eq!(found.currency.to_string(), "GBP");
}

#[tokio::test]
async fn a_page_takes_effect_for_whoever_moves_the_position_first() {
    let database = database().await;
    let copy = copy(&database).await;
    let (first, second) = (ProgramId::generate_at(now()), ProgramId::generate_at(now()));
    assert_eq!(copy.position().await.expect("a position"), "");
    assert_eq!(
        apply(&copy, vec![program(first, 1, true)], "", "a").await,
        Applied::Moved
    );
    assert_eq!(
        apply(&copy, vec![program(second, 2, true)], "", "b").await,
        Applied::Overtaken
    );
    assert_eq!(copy.position().await.expect("a position"), "a");
    assert_eq!(is_active(&copy, second).await, None);
}

#[tokio::test]
async fn a_feed_that_starts_over_is_taken_over_whatever_its_numbers() {
    let database = database().await;
    let copy = copy(&database).await;
    let program_id = ProgramId::generate_at(now());
    apply(&copy, vec![program(program_id, 50, true)], "", "a").await;
    assert_eq!(
        copy.start_over("z", now()).await.expect("asked"),
        Applied::Overtaken
    );
    assert_eq!(copy.start_over("a", now()).await.expect("asked"), Applied::Moved);
    assert_eq!(copy.position().await.expect("a position"), "");
    apply(&copy, vec![program(program_id, 1, false)], "", "b").await;
    assert_eq!(is_active(&copy, program_id).await, Some(false));
}

#[tokio::test]
async fn a_key_is_found_with_the_state_of_whoever_holds_it() {
    let database = database().await;
    let copy = copy(&database).await;
    let program_id = ProgramId::generate_at(now());
    let staff_id = StaffId::generate_at(now());
    let held = key(Some(program_id), Some(staff_id), 1);
    let suite = key(None, None, 2);
    let keys = vec![Change::Key(held.clone()), Change::Key(suite.clone())];
    apply(&copy, keys, "", "a").await;

    let found = copy
        .find_key(&held.short_id)
        .await
        .expect("asked")
        .expect("known");
    assert_eq!(found.api_key_id, held.api_key_id);
    assert_eq!(found.program_id, Some(program_id));
    assert_eq!(found.secret_sha256, held.secret_sha256);
    assert_eq!((found.revoke_time, found.expire_time), (None, held.expire_time));
    // What this build does not know opens nothing in it, and is kept.
    assert_eq!(found.scopes, [Scope::UnitsRead]);
    // Nothing has been heard of its holder yet.
    assert!(
        found
            .staff
            .is_some_and(|staff| staff.staff_id == staff_id && !staff.active)
    );

    let holder = Staff {
        staff_id,
        program_id,
        active: true,
        sequence: 3,
    };
    apply(&copy, vec![Change::Staff(holder)], "a", "b").await;
    let found = copy
        .find_key(&held.short_id)
        .await
        .expect("asked")
        .expect("known");
    assert!(found.staff.is_some_and(|staff| staff.active));

    let found = copy
        .find_key(&suite.short_id)
        .await
        .expect("asked")
        .expect("known");
    assert_eq!((found.program_id, found.staff), (None, None));
    assert!(copy.find_key("unknown").await.expect("asked").is_none());
}

#[tokio::test]
async fn nobody_is_known_before_the_database_has_been_checked() {
    let database = database().await;
    let open = copy(&database).await;
    let program_id = ProgramId::generate_at(now());
    apply(&open, vec![program(program_id, 1, true)], "", "a").await;
    let closed = AccessCopy::new(database.jobs.clone(), SchemaGate::default());
    assert!(closed.find_program(program_id).await.is_err());
    assert!(closed.find_key("short1").await.is_err());
    assert!(open.find_program(program_id).await.is_ok());
}
