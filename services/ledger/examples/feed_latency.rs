//! How late a consumer of the ledger's events is, at half of what the ledger can post.
//!
//! `cargo run --release -p fealty-ledger --example feed_latency` (with the servers of the tests: see CONTRIBUTING.md).
//! It finds out how many postings a second saturate the ledger, posts at half of that rate, and prints the time from the
//! recording of each transaction, which is before its commit, until a consumer in another database applies it.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use fealty_client::{ClientConfig, EventsClient, LedgerClient};
use fealty_ledger::{LedgerConfig, MIGRATOR, SERVICE_DATABASE, ServeError, Serving, Times, serve};
use fealty_postgres::testing::TestDatabase;
use fealty_postgres::{PoolConfig, ServiceDatabase};
use fealty_proto::access::v1::Scope;
use fealty_proto::events::v1::Event;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_rpc::access::ApiKeySecret;
use fealty_runtime::Process;
use fealty_runtime::config::{DrainConfig, Secret};
use fealty_service::config::DatabaseConfig;
use fealty_service::consumer::{ConsumeError, Consumer, Handler, Source};
use fealty_service::ground::Ground;
use fealty_types::{ApiKeyId, Clock, ProgramId, SystemClock};
use sqlx::PgConnection;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use uuid::Uuid;

type Failure = Box<dyn Error + Send + Sync>;

/// Owners that are posted to: enough that they do not wait for each other.
const OWNER_COUNT: usize = 500;
/// Calls in flight that saturate it.
const CALLERS: usize = 64;
/// How long each part takes.
const PART: Duration = Duration::from_secs(10);

/// Takes the time of each event, and has a small effect.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Vec<Duration>>>);

impl Handler for Watch {
    async fn apply_in_tx(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ConsumeError> {
        let recorded = event.record_time.unwrap_or_default();
        let recorded = DateTime::from_timestamp(recorded.seconds, recorded.nanos.unsigned_abs());
        let delay = recorded.and_then(|recorded| (SystemClock.now() - recorded).to_std().ok());
        if let Ok(mut delays) = self.0.lock() {
            delays.extend(delay);
        }
        sqlx::query("INSERT INTO effect (event_id, record_time) VALUES ($1, $2)")
            .bind(Uuid::parse_str(&event.event_id).unwrap_or_default())
            .bind(recorded)
            .execute(tx)
            .await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let database = ledger_database().await?;
    let (program, key) = plant(&database).await?;
    let (serving, _process) = start(&database).await?;
    let endpoint = format!("http://{}", serving.grpc);
    let mut config = ClientConfig::new(endpoint, key);
    config.connection_count = 4;
    let ledger = LedgerClient::try_new(&config)?.for_program(program);
    let owners = Arc::new(open_owners(&ledger).await?);

    let saturation = saturate(&ledger, &owners).await;
    println!("saturation: {saturation:.0} postings a second with {CALLERS} calls in flight");

    let consumer_database = consumer_database().await?;
    let watch = Watch::default();
    let mut consuming = JoinSet::new();
    let source = Source {
        events: EventsClient::try_new(&config)?,
        event_types: Vec::new(),
    };
    let ground = ground(&consumer_database)?;
    consuming.spawn(Consumer::new("bench", source, &ground, watch.clone()).keep_consuming());
    let posted = post_steadily(&ledger, &owners, saturation / 2.0, &watch).await;
    println!("half of it: {:.0} postings a second", posted / PART.as_secs_f64());
    print_delays(
        "it is in the consumer's hands",
        watch.0.lock().map(|delays| delays.clone()).unwrap_or_default(),
    );
    Ok(())
}

async fn ledger_database() -> Result<TestDatabase, Failure> {
    let servers = fealty_testing::servers().await;
    let service = ServiceDatabase::new(SERVICE_DATABASE);
    Ok(TestDatabase::create(servers.postgres_admin_url(), &service, &MIGRATOR).await?)
}

async fn consumer_database() -> Result<TestDatabase, Failure> {
    let tables =
        include_str!("../../../libs/postgres/src/events/consumer_tables.sql").replace("SERVICE", "bench");
    let effect = "CREATE TABLE effect (event_id uuid PRIMARY KEY, record_time timestamptz);";
    let sql = sqlx::AssertSqlSafe(format!("{tables}\n{effect}"));
    let migration = Migration::new(
        1,
        "bench".into(),
        MigrationType::Simple,
        sqlx::SqlSafeStr::into_sql_str(sql),
        false,
    );
    let servers = fealty_testing::servers().await;
    let migrator = Migrator::with_migrations(vec![migration]);
    Ok(TestDatabase::create(
        servers.postgres_admin_url(),
        &ServiceDatabase::new("bench"),
        &migrator,
    )
    .await?)
}

fn ground(database: &TestDatabase) -> Result<Ground, Failure> {
    let pool = PoolConfig::default();
    let config = DatabaseConfig {
        url: &Secret::new(database.urls.service.clone()),
        pool: &pool,
        jobs_url: &Secret::new(database.urls.jobs.clone()),
        jobs_pool: &pool,
    };
    Ok(Ground::try_new("bench", config, SystemClock::shared())?)
}

/// A program, its unit of points, and a key of the whole suite.
async fn plant(database: &TestDatabase) -> Result<(ProgramId, String), Failure> {
    let program = ProgramId::generate(&SystemClock);
    sqlx::query("INSERT INTO program (program, time_zone, currency_code, active, sequence) VALUES ($1, 'UTC', 'GBP', true, 1)")
        .bind(program.as_uuid())
        .execute(&database.jobs)
        .await?;
    let key = ApiKeySecret::generate(&mut rand::rng());
    let scopes = [
        Scope::UnitsWrite,
        Scope::OwnersWrite,
        Scope::LedgerRead,
        Scope::LedgerWrite,
        Scope::EventsRead,
    ];
    sqlx::query(
        "INSERT INTO api_key (program, api_key_id, short_id, secret_sha256, scopes, sequence) \
         VALUES ($1, $2, $3, $4, $5, 1)",
    )
    .bind(Uuid::nil())
    .bind(ApiKeyId::generate(&SystemClock).as_uuid())
    .bind(key.short_id())
    .bind(key.secret_sha256().to_vec())
    .bind(scopes.map(i32::from).to_vec())
    .execute(&database.jobs)
    .await?;
    Ok((program, key.expose().to_owned()))
}

async fn start(database: &TestDatabase) -> Result<(Serving, JoinSet<()>), Failure> {
    let mut config = LedgerConfig::default();
    config.grpc.listen.set_port(0);
    config.admin.listen.set_port(0);
    config.database_url = Secret::new(database.urls.service.clone());
    config.jobs_database_url = Secret::new(database.urls.jobs.clone());
    config.cache.url = Some(fealty_testing::servers().await.redis_url().to_owned());
    let (started, serving) = tokio::sync::oneshot::channel();
    let mut process = JoinSet::new();
    process.spawn(async move {
        let run = Process::new(&DrainConfig::default()).run(async move |tasks| {
            let _ = started.send(serve(&config, Times::real(SystemClock::shared()), &tasks).await?);
            Ok::<_, ServeError>(())
        });
        let outcome = run.await;
        assert!(outcome.is_clean(), "the ledger ended");
    });
    let serving = serving.await?;
    serving.health.wait_until_ready().await;
    Ok((serving, process))
}

async fn open_owners(ledger: &LedgerClient) -> Result<Vec<String>, Failure> {
    let unit = pb::Unit {
        unit_code: "points".to_owned(),
        display_name: "points".to_owned(),
        shortfall_policy: pb::ShortfallPolicy::Debt.into(),
        debt_max: 1_000,
        ..pb::Unit::default()
    };
    let request = pb::CreateUnitRequest {
        unit: Some(unit),
        ..pb::CreateUnitRequest::default()
    };
    ledger.create_unit(request).await?;
    let mut owners = Vec::with_capacity(OWNER_COUNT);
    for _ in 0..OWNER_COUNT {
        let owner_id = Uuid::now_v7().to_string();
        let request = pb::OpenOwnerRequest {
            owner_id: owner_id.clone(),
            kind: pb::OwnerKind::Member.into(),
            ..pb::OpenOwnerRequest::default()
        };
        ledger.open_owner(request).await?;
        owners.push(owner_id);
    }
    Ok(owners)
}

async fn post(ledger: &LedgerClient, owner_id: &str) -> bool {
    let request = pb::CreditPointsRequest {
        owner_id: owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: "points".to_owned(),
            value: 1,
        }),
        source: "bench".to_owned(),
        reason: "measured".to_owned(),
        ..pb::CreditPointsRequest::default()
    };
    ledger.credit_points(request).await.is_ok()
}

/// Postings a second when everybody posts as fast as they can.
async fn saturate(ledger: &LedgerClient, owners: &Arc<Vec<String>>) -> f64 {
    let posted = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (ledger, owners, posted) = (ledger.clone(), Arc::clone(owners), Arc::clone(&posted));
        callers.spawn(async move {
            let mut turn = caller;
            while begun.elapsed() < PART {
                if post(&ledger, &owners[turn % OWNER_COUNT]).await {
                    posted.fetch_add(1, Ordering::Relaxed);
                }
                turn += CALLERS;
            }
        });
    }
    while callers.join_next().await.is_some() {}
    count(posted.load(Ordering::Relaxed)) / begun.elapsed().as_secs_f64()
}

/// Posts at that rate, whatever the answers take, once the consumer has caught up with what came before.
async fn post_steadily(ledger: &LedgerClient, owners: &Arc<Vec<String>>, rate: f64, watch: &Watch) -> f64 {
    let mut seen = usize::MAX;
    loop {
        sleep(Duration::from_secs(1)).await;
        let now = watch.0.lock().map(|delays| delays.len()).unwrap_or_default();
        if now == seen && now > 0 {
            break;
        }
        seen = now;
    }
    if let Ok(mut delays) = watch.0.lock() {
        delays.clear();
    }
    let mut ticks = interval(Duration::from_secs_f64(1.0 / rate.max(1.0)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (begun, mut turn) = (Instant::now(), 0);
    let mut calls = JoinSet::new();
    let mut posted = 0;
    while begun.elapsed() < PART {
        ticks.tick().await;
        let (ledger, owners) = (ledger.clone(), Arc::clone(owners));
        calls.spawn(async move { post(&ledger, &owners[turn % OWNER_COUNT]).await });
        turn += 1;
        while let Some(done) = calls.try_join_next() {
            posted += usize::from(done.unwrap_or(false));
        }
    }
    while let Some(done) = calls.join_next().await {
        posted += usize::from(done.unwrap_or(false));
    }
    sleep(Duration::from_secs(2)).await;
    count(posted)
}

fn print_delays(what: &str, mut delays: Vec<Duration>) {
    delays.sort_unstable();
    let at = |percent: usize| {
        let index = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
        delays.get(index).copied().unwrap_or_default()
    };
    println!(
        "from the record until {what}, {} events: p50 {:?}, p99 {:?}, longest {:?}",
        delays.len(),
        at(50),
        at(99),
        at(100),
    );
}

/// Counts are far below where a float loses them.
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}
