//! How a service comes to stand: ready once its database has been checked, at its end with another schema.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chrono::TimeDelta;
use fealty_postgres::requests::REQUEST_RETENTION;
use fealty_rpc::server::{ServerBuilder, ServerConfig};
use fealty_runtime::config::DrainConfig;
use fealty_runtime::{Listeners, Outcome, Process};
use fealty_service::access::AccessFollower;
use fealty_service::config::PeerConfig;
use fealty_service::gate::WrongDatabase;
use fealty_service::ground::{Ground, ServeError, Serving};
use fealty_service::jobs::keep_forgetting_requests;
use fealty_types::{Clock, SystemClock};
use sqlx::migrate::Migrator;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::probe::{MIGRATOR, NAME, database, ground, until};

/// Of no migration at all: another schema than any database has.
static OTHER: Migrator = Migrator::DEFAULT;

const HEALTH: &str = "grpc.health.v1.Health";

fn process() -> Process {
    Process::new(&DrainConfig {
        not_serving_pause_ms: 0,
        drain_timeout_ms: 5_000,
    })
}

/// Serves nothing but its health, and runs the jobs that every service has.
async fn serve(
    ground: Ground,
    migrator: &'static Migrator,
    tasks: &fealty_runtime::Tasks,
) -> Result<Serving, ServeError> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listeners = Listeners::bind(NAME, any, any).await?;
    let access = AccessFollower::try_new(&ground, &PeerConfig::<7101>::default())?;
    let health = ground.health([HEALTH]);
    let server = ServerBuilder::new(ServerConfig::default(), Arc::new(access.authenticator()))
        .add_health(health.grpc_service())
        .build()?;
    let serving = ground.serve(listeners, server, health, tasks)?;
    let jobs = ground.clone();
    ground.spawn_jobs(tasks, async move {
        jobs.open(migrator).await?;
        tokio::join!(access.keep_following(), keep_forgetting_requests(jobs));
        Ok::<_, WrongDatabase>(())
    });
    Ok(serving)
}

async fn run(process: Process, ground: Ground, migrator: &'static Migrator) -> (Serving, JoinSet<Outcome>) {
    let (started, serving) = oneshot::channel();
    let mut running = JoinSet::new();
    running.spawn(process.run(async move |tasks| {
        let serving = serve(ground, migrator, &tasks).await?;
        let _ = started.send(serving);
        Ok::<_, ServeError>(())
    }));
    (serving.await.expect("it starts"), running)
}

async fn outcome(mut running: JoinSet<Outcome>) -> Outcome {
    let ended = running.join_next().await.expect("it runs");
    ended.expect("no panic")
}

#[tokio::test]
async fn a_service_is_ready_once_its_database_has_been_checked_and_its_jobs_end_with_it() {
    let database = database().await;
    let (process, ground) = (process(), ground(&database));
    let tasks = process.tasks();
    let (serving, running) = run(process, ground.clone(), &MIGRATOR).await;
    assert!(serving.health.wait_until_ready().await);
    assert!(ground.gate.is_open());
    assert!(serving.grpc.port() != 0 && serving.admin.port() != 0);
    tasks.shut_down();
    assert!(outcome(running).await.is_clean());
}

#[tokio::test]
async fn another_schema_ends_the_process_and_serves_nobody() {
    let database = database().await;
    let ground = ground(&database);
    let (serving, running) = run(process(), ground.clone(), &OTHER).await;
    assert!(!serving.health.wait_until_ready().await);
    let outcome = outcome(running).await;
    assert!(!outcome.is_clean());
    let told = format!("{outcome:?}");
    assert!(
        told.contains("follower jobs") && told.contains("newer version"),
        "{told}"
    );
    assert!(!ground.gate.is_open());
}

#[tokio::test]
async fn old_request_ids_are_forgotten_by_themselves() {
    let database = database().await;
    let now = SystemClock.now();
    for age in [REQUEST_RETENTION + TimeDelta::hours(1), TimeDelta::zero()] {
        sqlx::query("INSERT INTO request VALUES ($1, $2, '/probe.Things/Create', $3, $4, $5)")
            .bind(Uuid::now_v7())
            .bind(Uuid::now_v7())
            .bind(vec![7_u8; 32])
            .bind(Uuid::now_v7())
            .bind(now - age)
            .execute(&database.owner)
            .await
            .expect("planted");
    }
    let process = process();
    let tasks = process.tasks();
    let (_serving, running) = run(process, ground(&database), &MIGRATOR).await;
    until("one is left", async || {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM request")
            .fetch_one(&database.owner)
            .await
            .expect("counted");
        count == 1
    })
    .await;
    tasks.shut_down();
    assert!(outcome(running).await.is_clean());
}
