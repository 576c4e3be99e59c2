//! A request id is claimed once, and belongs to its first command.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::requests::{
    Claim, ClaimError, REQUEST_RETENTION, Request, claim_in_tx, purge, try_claim_in_tx,
};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{Clock, ProgramId, RequestId, SystemClock};
use futures::future::join_all;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::probe::{database, program};

fn request(program: ProgramId, request_id: RequestId, command: u8) -> Request {
    Request::of_program(program, request_id, "/probe.Things/Create", [command; 32])
}

async fn claim(pool: &PgPool, request: &Request, now: DateTime<Utc>) -> (Claim, Uuid) {
    let made = Uuid::now_v7();
    let program = ProgramId::try_from(request.program).unwrap();
    let claim = transact(
        pool,
        "claim",
        Scope::Program(program),
        TransactOptions::default(),
        |tx| in_tx(try_claim_in_tx(tx, request, made, now)),
    )
    .await
    .unwrap_or_else(|error: StorageError| panic!("{error}"));
    (claim, made)
}

#[tokio::test]
async fn a_hundred_at_once_make_one() {
    let database = database().await;
    let now = SystemClock.now();
    let request = request(program(), RequestId::generate_at(now), 1);
    let claims = join_all((0..100).map(|_| claim(&database.service, &request, now))).await;
    let made: Vec<Uuid> = claims
        .iter()
        .filter(|(claim, _)| *claim == Claim::New)
        .map(|(_, made)| *made)
        .collect();
    assert_eq!(made.len(), 1);
    let replays = claims
        .iter()
        .filter(|(claim, _)| *claim == Claim::Replay { resource_id: made[0] });
    assert_eq!(replays.count(), 99);
}

#[tokio::test]
async fn another_command_or_program_is_kept_apart() {
    let database = database().await;
    let now = SystemClock.now();
    let (program_id, request_id) = (program(), RequestId::generate_at(now));
    assert_eq!(
        claim(&database.service, &request(program_id, request_id, 1), now)
            .await
            .0,
        Claim::New
    );
    assert_eq!(
        claim(&database.service, &request(program_id, request_id, 2), now)
            .await
            .0,
        Claim::Reused
    );
    assert_eq!(
        claim(&database.service, &request(program(), request_id, 2), now)
            .await
            .0,
        Claim::New
    );
}

#[tokio::test]
async fn a_retry_is_told_what_was_made_and_another_command_is_refused() {
    let database = database().await;
    let now = SystemClock.now();
    let (program_id, request_id) = (program(), RequestId::generate_at(now));
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    let ask = async |command, made| {
        let request = request(program_id, request_id, command);
        let options = TransactOptions::default();
        transact(
            &database.service,
            "claim",
            Scope::Program(program_id),
            options,
            |tx| in_tx(async { claim_in_tx(tx, &request, made, now).await }),
        )
        .await
    };
    assert!(matches!(ask(1, first).await, Ok(None)));
    assert!(matches!(ask(1, second).await, Ok(Some(made)) if made == first));
    assert!(matches!(ask(2, second).await, Err(ClaimError::Reused(id)) if id == request_id));
}

#[tokio::test]
async fn the_purge_forgets_what_is_old_and_nothing_else() {
    let database = database().await;
    let now = SystemClock.now();
    let program = program();
    let old = request(program, RequestId::generate_at(now), 1);
    let fresh = request(program, RequestId::generate_at(now), 1);
    claim(
        &database.service,
        &old,
        now - REQUEST_RETENTION - TimeDelta::seconds(1),
    )
    .await;
    claim(
        &database.service,
        &fresh,
        now - REQUEST_RETENTION + TimeDelta::seconds(60),
    )
    .await;
    assert_eq!(purge(&database.jobs, now).await.unwrap(), 1);
    assert_eq!(claim(&database.service, &old, now).await.0, Claim::New);
    assert!(matches!(
        claim(&database.service, &fresh, now).await.0,
        Claim::Replay { .. }
    ));
}
