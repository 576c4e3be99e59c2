//! A rewards service for one test, beside its stand-ins, and what tests ask it.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, TimeZone, Utc};
use fealty_client::{Answer, CallError, ClientConfig, RetryConfig, RewardsClient};
use fealty_postgres::ServiceDatabase;
use fealty_postgres::testing::TestDatabase;
use fealty_proto::access::v1::Scope;
use fealty_proto::rewards::v1 as pb;
use fealty_proto::types::v1::{Amount, ErrorReason};
use fealty_rewards::redemptions::fault::Faults;
use fealty_rewards::serve::serve_with_faults;
use fealty_rewards::{MIGRATOR, RewardsConfig, SERVICE_DATABASE, Serving};
use fealty_rpc::access::ApiKeySecret;
use fealty_runtime::config::{DrainConfig, Secret};
use fealty_runtime::{Listeners, Process};
use fealty_types::{ApiKeyId, Clock, ManualClock, ProgramId};
use std::sync::Arc;
use tonic::Code;
use uuid::Uuid;

use crate::real_ledger::RealLedger;
use crate::stand_ins::{HeldAs, LedgerStandIn, MembersStandIn};

/// How long anything may take that happens by itself. A loaded machine is slow; what takes longer is broken.
pub const PATIENCE: Duration = Duration::from_millis(PATIENCE_MS);
const PATIENCE_MS: u64 = 30_000;

/// What tests look for again while they wait.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Longer than any redemption is left to whoever works on it.
pub const PAST_EVERY_LEASE: TimeDelta = TimeDelta::seconds(60);

/// Longer than points stay set aside.
const PAST_EVERY_HOLD: TimeDelta = TimeDelta::hours(1);

/// The price of most rewards here.
pub const PRICE: i64 = 100;

/// All that a program's own key can hold here.
const ALL_SCOPES: [Scope; 5] = [
    Scope::RewardsWrite,
    Scope::RewardsRead,
    Scope::RedemptionsWrite,
    Scope::VouchersWrite,
    Scope::EventsRead,
];

/// A running service.
pub struct World {
    pub database: TestDatabase,
    pub members: MembersStandIn,
    pub ledger: LedgerStandIn,
    /// The real one, where a test has it stand in for its stand-in.
    pub real_ledger: Option<RealLedger>,
    pub clock: ManualClock,
    pub config: RewardsConfig,
    pub replica: Replica,
    pub program: ProgramId,
    key: String,
    ids: AtomicU64,
}

/// What a member has in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointsOf {
    pub available: i64,
    pub held: i64,
    /// Times that points which were set aside were spent.
    pub captured_count: usize,
}

/// A process of the service.
pub struct Replica {
    pub serving: Serving,
    process: Process,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(Faults::default(), |config| config).await
    }

    pub async fn start_with(faults: Faults, change: impl FnOnce(RewardsConfig) -> RewardsConfig) -> Self {
        let database = database().await;
        let (members, ledger) = (MembersStandIn::start().await, LedgerStandIn::start().await);
        let config = change(config(&database, &members, &ledger));
        let clock = ManualClock::new(
            Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0)
                .single()
                .expect("a time"),
        );
        let program = plant_program(&database, &clock).await;
        let key = plant_key(&database, &clock, program, &ALL_SCOPES).await;
        let replica = Replica::start(&config, &clock, faults).await;
        Self {
            database,
            members,
            ledger,
            real_ledger: None,
            clock,
            config,
            replica,
            program,
            key,
            ids: AtomicU64::new(0),
        }
    }

    /// Beside a real ledger.
    pub async fn start_beside_real_ledger(faults: Faults) -> Self {
        let mut world = Self::start().await;
        let real = RealLedger::start(&world.clock, world.program).await;
        world.config.ledger.endpoint = real.endpoint();
        world.config.ledger.service_key = Secret::new(real.key().to_owned());
        world.replica = Replica::start(&world.config, &world.clock, faults).await;
        world.real_ledger = Some(real);
        world
    }

    /// One more process of the service, over the same database.
    pub async fn start_replica(&self, faults: Faults) -> Replica {
        Replica::start(&self.config, &self.clock, faults).await
    }

    /// One with other settings.
    pub async fn start_replica_with(&self, config: &RewardsConfig, faults: Faults) -> Replica {
        Replica::start(config, &self.clock, faults).await
    }

    /// The shop's client.
    pub fn client(&self) -> RewardsClient {
        self.replica.client(&self.key)
    }

    /// The shop's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The shop's client of a process.
    pub fn client_at(&self, replica: &Replica) -> RewardsClient {
        replica.client(&self.key)
    }

    /// A client of another program on the same service.
    pub async fn stranger(&self) -> RewardsClient {
        let program = plant_program(&self.database, &self.clock).await;
        let key = plant_key(&self.database, &self.clock, program, &ALL_SCOPES).await;
        self.replica.client(&key)
    }

    /// A member with points.
    pub fn member(&self, points: i64) -> String {
        let member_id = new_id();
        self.members.enrol(&member_id, "");
        self.ledger.credit(&member_id, points);
        member_id
    }

    /// The same with whichever ledger there is.
    pub async fn funded_member(&self, points: i64) -> String {
        let member_id = self.member(points);
        if let Some(real) = &self.real_ledger {
            real.open_with(&member_id, points).await;
        }
        member_id
    }

    /// A member's points in whichever ledger there is.
    pub async fn points_of(&self, member_id: &str) -> PointsOf {
        if let Some(real) = &self.real_ledger {
            return real.points_of(member_id).await;
        }
        let (available, held) = self.ledger.balance(member_id);
        let holds = self.ledger.holds(member_id);
        PointsOf {
            available,
            held,
            captured_count: holds.iter().filter(|one| **one == HeldAs::Captured).count(),
        }
    }

    /// What is held of a member's ends by itself. The real ledger's time is everybody's.
    pub fn end_holds_of(&self, member_id: &str) {
        self.ledger.end_holds_of(member_id);
        if self.real_ledger.is_some() {
            self.clock.advance(PAST_EVERY_HOLD);
        }
    }

    pub async fn create(&self, reward: pb::Reward, stock_count: i64) -> pb::Reward {
        let request = pb::CreateRewardRequest {
            request_id: new_id(),
            reward: Some(reward),
            stock_count,
        };
        let made = self.client().create_reward(request).await.expect("a reward");
        made.into_message().reward.expect("a reward")
    }

    /// A reward with a stock, for [`PRICE`].
    pub async fn reward(&self, stock_count: i64) -> pb::Reward {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        let reward = pb::Reward {
            display_name: format!("Coffee {number}"),
            ..coffee()
        };
        self.create(reward, stock_count).await
    }

    pub async fn get_reward(&self, reward_id: &str) -> pb::Reward {
        let request = pb::GetRewardRequest {
            reward_id: reward_id.to_owned(),
        };
        let found = self.client().get_reward(request).await.expect("a reward");
        found.into_message().reward.expect("a reward")
    }

    pub async fn add_codes(
        &self,
        reward_id: &str,
        codes: &[String],
    ) -> Result<Answer<pb::AddCodesResponse>, CallError> {
        let request = pb::AddCodesRequest {
            request_id: new_id(),
            reward_id: reward_id.to_owned(),
            codes: codes.to_vec(),
        };
        self.client().add_codes(request).await
    }

    /// Redeems, at any price.
    pub async fn redeem(
        &self,
        member_id: &str,
        reward_id: &str,
    ) -> Result<Answer<pb::RedeemRewardResponse>, CallError> {
        self.client()
            .redeem_reward(redemption_of(member_id, reward_id))
            .await
    }

    /// A voucher that somebody has just got.
    pub async fn voucher(&self, reward: pb::Reward) -> pb::Voucher {
        let reward = self.create(reward, 0).await;
        let member_id = self.member(PRICE);
        let redeemed = self
            .redeem(&member_id, &reward.reward_id)
            .await
            .expect("redeemed");
        redeemed.into_message().voucher.expect("a voucher")
    }

    /// One number out of the database.
    pub async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement)
            .fetch_one(&self.database.owner)
            .await
            .expect("a number")
    }
}

impl Replica {
    /// A client that tries once, so that a test sees what happened.
    fn client(&self, key: &str) -> RewardsClient {
        let endpoint = format!("http://{}", self.serving.grpc);
        RewardsClient::try_new(&ClientConfig {
            deadline: PATIENCE,
            connection_count: 4,
            retry: RetryConfig {
                attempt_count_max: 1,
                ..RetryConfig::default()
            },
            ..ClientConfig::new(endpoint, key)
        })
        .expect("a client")
    }

    async fn start(config: &RewardsConfig, clock: &ManualClock, faults: Faults) -> Self {
        let process = Process::new(&DrainConfig::default());
        let listeners = Listeners::bind("rewards", config.grpc.listen, config.admin.listen)
            .await
            .expect("ports");
        let clock = Arc::new(clock.clone());
        let serving =
            serve_with_faults(config, listeners, clock, faults, &process.tasks()).expect("it starts");
        assert!(serving.health.wait_until_ready().await, "it is on its way out");
        Self { serving, process }
    }
}

fn config(database: &TestDatabase, members: &MembersStandIn, ledger: &LedgerStandIn) -> RewardsConfig {
    let mut config = RewardsConfig {
        database_url: Secret::new(database.urls.service.clone()),
        jobs_database_url: Secret::new(database.urls.jobs.clone()),
        ..RewardsConfig::default()
    };
    config.grpc.listen.set_port(0);
    config.admin.listen.set_port(0);
    // A thousand callers at once, on a machine that runs all tests at once, take their time.
    config.pool.acquire_timeout_ms = PATIENCE_MS;
    config.jobs_pool.acquire_timeout_ms = PATIENCE_MS;
    config.server.deadline_default_ms = PATIENCE_MS;
    config.members.endpoint = format!("http://{}", members.address);
    config.ledger.endpoint = format!("http://{}", ledger.address);
    config.ledger.service_key = Secret::new("fealty_key_of_rewards".to_owned());
    config
}

pub async fn database() -> TestDatabase {
    let servers = fealty_testing::servers().await;
    let service = ServiceDatabase::new(SERVICE_DATABASE);
    TestDatabase::create(servers.postgres_admin_url(), &service, &MIGRATOR)
        .await
        .expect("a database")
}

/// A program, as the feed would bring it.
async fn plant_program(database: &TestDatabase, clock: &ManualClock) -> ProgramId {
    let program = ProgramId::generate(clock);
    plant_program_as(database, program).await;
    program
}

pub async fn plant_program_as(database: &TestDatabase, program: ProgramId) {
    sqlx::query(
        "INSERT INTO program (program, time_zone, currency_code, active, sequence) \
         VALUES ($1, 'Europe/London', 'GBP', true, 1)",
    )
    .bind(program.as_uuid())
    .execute(&database.jobs)
    .await
    .expect("a program");
}

/// A key of a program.
pub async fn plant_key(
    database: &TestDatabase,
    clock: &ManualClock,
    program: ProgramId,
    scopes: &[Scope],
) -> String {
    let key = ApiKeySecret::generate(&mut rand::rng());
    let scopes: Vec<i32> = scopes.iter().map(|scope| i32::from(*scope)).collect();
    sqlx::query(
        "INSERT INTO api_key (program, api_key_id, short_id, secret_sha256, scopes, sequence) \
         VALUES ($1, $2, $3, $4, $5, 1)",
    )
    .bind(program.as_uuid())
    .bind(ApiKeyId::generate_at(clock.now()).as_uuid())
    .bind(key.short_id())
    .bind(key.secret_sha256().to_vec())
    .bind(scopes)
    .execute(&database.jobs)
    .await
    .expect("a key");
    key.expose().to_owned()
}

pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// Offered to everybody, for [`PRICE`].
pub fn coffee() -> pb::Reward {
    pb::Reward {
        display_name: "Coffee".to_owned(),
        price: Some(points(PRICE)),
        status: pb::RewardStatus::Active.into(),
        code_source: pb::CodeSource::Generated.into(),
        ..pb::Reward::default()
    }
}

/// The same in any number.
pub fn endless_coffee() -> pb::Reward {
    pb::Reward {
        stock_unlimited: true,
        ..coffee()
    }
}

/// The same with codes of the program's own.
pub fn coded_coffee() -> pb::Reward {
    pb::Reward {
        code_source: pb::CodeSource::Pool.into(),
        ..coffee()
    }
}

pub fn points(value: i64) -> Amount {
    Amount {
        unit_code: "points".to_owned(),
        value,
    }
}

pub fn redemption_of(member_id: &str, reward_id: &str) -> pb::RedeemRewardRequest {
    pb::RedeemRewardRequest {
        request_id: new_id(),
        member_id: member_id.to_owned(),
        reward_id: reward_id.to_owned(),
        expected_price: None,
    }
}

/// Asserts that a call was refused exactly so.
#[track_caller]
pub fn assert_refused<T: Debug>(
    label: &str,
    result: Result<T, CallError>,
    code: Code,
    reason: ErrorReason,
) -> CallError {
    let error = match result {
        Ok(answer) => panic!("{label}: answered {answer:?}"),
        Err(error) => error,
    };
    assert_eq!(
        (error.code, error.reason),
        (code, Some(reason)),
        "{label}: {error:?}"
    );
    error
}

/// Asserts that a call was refused by the business.
#[track_caller]
pub fn assert_precondition<T: Debug>(
    label: &str,
    result: Result<T, CallError>,
    reason: ErrorReason,
) -> CallError {
    assert_refused(label, result, Code::FailedPrecondition, reason)
}

/// Asserts that a call was refused as malformed, for exactly these fields.
#[track_caller]
pub fn assert_invalid<T: Debug>(label: &str, result: Result<T, CallError>, fields: &[&str]) {
    let error = assert_refused(label, result, Code::InvalidArgument, ErrorReason::InvalidFields);
    let named: Vec<&str> = error.fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(named, fields, "{label}: {:?}", error.fields);
}

/// Waits for what happens by itself.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(
            tokio::time::Instant::now() < end,
            "{what} did not happen within {PATIENCE:?}"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
