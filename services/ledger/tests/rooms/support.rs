//! A running ledger with a database of its own, and callers.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_ledger::balances::Balances;
use fealty_ledger::owners::Owners;
use fealty_ledger::posting::{Posting, TimeSource};
use fealty_ledger::transactions::Transactions;
use fealty_ledger::units::Units;
use fealty_postgres::testing::TestDatabase;
use fealty_postgres::{PoolConfig, ServiceDatabase};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_client::BalanceServiceClient;
use fealty_proto::ledger::v1::balance_service_server::BalanceServiceServer;
use fealty_proto::ledger::v1::owner_service_client::OwnerServiceClient;
use fealty_proto::ledger::v1::owner_service_server::OwnerServiceServer;
use fealty_proto::ledger::v1::transaction_service_client::TransactionServiceClient;
use fealty_proto::ledger::v1::transaction_service_server::TransactionServiceServer;
use fealty_proto::ledger::v1::unit_service_client::UnitServiceClient;
use fealty_proto::ledger::v1::unit_service_server::UnitServiceServer;
use fealty_proto::types::v1::{Amount, Consistency, ErrorReason};
use fealty_redis::{BalanceCache, BalanceCacheConfig};
use fealty_rpc::access::{Caller, CallerKey, ProgramContext};
use fealty_rpc::errors::reason_of;
use fealty_types::{ApiKeyId, Clock, ManualClock, OwnerId, ProgramId, SharedClock, SystemClock};
use sqlx::PgPool;
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

/// Names the program of a call, as keys of the whole suite do.
const PROGRAM_HEADER: &str = "fealty-program-id";

/// What a test's ledger stands on.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Stands still until the test moves it; the real clock if there is none.
    pub clock: Option<ManualClock>,
    /// Where Redis is, in place of the test's own.
    pub redis: Redis,
}

#[derive(Debug, Clone, Default)]
pub enum Redis {
    /// The test's own.
    #[default]
    Running,
    /// None is configured.
    Absent,
    /// One is configured, and does not answer there.
    At(String),
}

/// A ledger that serves on a port of its own.
pub struct Ledger {
    pub program: ProgramId,
    pub database: Arc<TestDatabase>,
    pub channel: Channel,
    pub cache_config: BalanceCacheConfig,
    /// Part of the cache's keys: the tests share one Redis.
    pub timeline: String,
    clock: SharedClock,
    /// Ends with the ledger.
    _server: JoinSet<()>,
}

impl Ledger {
    /// A ledger with one program, whose units are `points` (which never end and may be owed) and `stamps` (which end
    /// after ten days, and of which a shortfall is waived).
    pub async fn start() -> Self {
        Self::start_in(Setting::default()).await
    }

    /// A ledger whose time stands still until the clock is moved.
    pub async fn start_at(clock: &ManualClock) -> Self {
        Self::start_in(Setting {
            clock: Some(clock.clone()),
            ..Setting::default()
        })
        .await
    }

    pub async fn start_in(setting: Setting) -> Self {
        let servers = fealty_testing::servers().await;
        let service = ServiceDatabase::new("ledger");
        let database = TestDatabase::create(servers.postgres_admin_url(), &service, &fealty_ledger::MIGRATOR);
        let database = Arc::new(database.await.expect("a database"));
        let url = match &setting.redis {
            Redis::Running => Some(servers.redis_url().to_owned()),
            Redis::Absent => None,
            Redis::At(url) => Some(url.clone()),
        };
        let cache_config = BalanceCacheConfig {
            url,
            ..BalanceCacheConfig::default()
        };
        let timeline = Uuid::now_v7().simple().to_string();
        let pool = database.service.clone();
        let mut ledger = Self::serve(database, pool, (cache_config, timeline), setting.clock);
        ledger.program = ledger.plant_program("UTC", "GBP").await;
        ledger.define_units(ledger.program).await;
        ledger
    }

    /// Another replica on the same database and Redis.
    pub fn replica(&self) -> Self {
        self.replica_on(self.database.service.clone(), self.cache_config.clone())
    }

    /// Another replica, which reaches Postgres some other way.
    pub async fn replica_by_postgres(&self, url: &str) -> Self {
        let pool = fealty_postgres::connect(url, "test-replica", &PoolConfig::default()).await;
        self.replica_on(pool.expect("a pool"), self.cache_config.clone())
    }

    /// Another replica, which reaches Redis some other way.
    pub fn replica_by_redis(&self, url: &str) -> Self {
        self.replica_on(self.database.service.clone(), BalanceCacheConfig::with_url(url))
    }

    fn replica_on(&self, pool: PgPool, cache_config: BalanceCacheConfig) -> Self {
        let database = Arc::clone(&self.database);
        let mut replica = Self::serve(database, pool, (cache_config, self.timeline.clone()), None);
        replica.program = self.program;
        replica
    }

    fn serve(
        database: Arc<TestDatabase>,
        pool: PgPool,
        (cache_config, timeline): (BalanceCacheConfig, String),
        manual: Option<ManualClock>,
    ) -> Self {
        let (clock, time): (SharedClock, TimeSource) = match manual {
            Some(clock) => (Arc::new(clock.clone()), TimeSource::Clock(Arc::new(clock))),
            None => (SystemClock::shared(), TimeSource::Postgres),
        };
        let cache = Arc::new(BalanceCache::try_new(&cache_config, &timeline).expect("a cache"));
        let balances = Balances::new(pool.clone(), cache, clock.clone());
        let posting = Posting::new(pool.clone(), time, balances.clone());
        let transactions = Transactions::new(pool.clone(), posting, clock.clone());
        let owners = Owners::new(pool.clone(), clock.clone());
        let units = Units::new(pool, clock.clone());
        let router = Server::builder()
            .add_service(TransactionServiceServer::with_interceptor(transactions, admit))
            .add_service(BalanceServiceServer::with_interceptor(balances, admit))
            .add_service(OwnerServiceServer::with_interceptor(owners, admit))
            .add_service(UnitServiceServer::with_interceptor(units, admit));
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = incoming.local_addr().expect("bound");
        let mut server = JoinSet::new();
        server.spawn(async move { router.serve_with_incoming(incoming).await.expect("serves") });
        let channel = Channel::from_shared(format!("http://{address}"))
            .expect("a URL")
            .connect_lazy();
        let program = ProgramId::generate(&clock);
        Self {
            program,
            database,
            channel,
            cache_config,
            timeline,
            clock,
            _server: server,
        }
    }

    /// A program, as the access feed would bring it.
    pub async fn plant_program(&self, time_zone: &str, currency_code: &str) -> ProgramId {
        let program = ProgramId::generate(&self.clock);
        sqlx::query(
            "INSERT INTO program (program, time_zone, currency_code, active, sequence) VALUES ($1, $2, $3, true, 1)",
        )
        .bind(program.as_uuid())
        .bind(time_zone)
        .bind(currency_code)
        .execute(&self.database.jobs)
        .await
        .expect("a program");
        program
    }

    pub async fn define_units(&self, program: ProgramId) {
        for (unit_code, lot_life_days, policy, debt_max) in [
            ("points", 0, pb::ShortfallPolicy::Debt, 1_000_000),
            ("stamps", 10, pb::ShortfallPolicy::Waive, 0),
        ] {
            let unit = pb::Unit {
                unit_code: unit_code.to_owned(),
                display_name: unit_code.to_owned(),
                lot_life_days,
                shortfall_policy: policy.into(),
                debt_max,
                ..pb::Unit::default()
            };
            let request = pb::CreateUnitRequest {
                request_id: new_id(),
                unit: Some(unit),
            };
            self.units()
                .create_unit(self.of(program, request))
                .await
                .expect("a unit");
        }
    }

    pub async fn open_owner(&self) -> String {
        let owner_id = OwnerId::generate(&self.clock).to_string();
        let request = pb::OpenOwnerRequest {
            request_id: new_id(),
            owner_id: owner_id.clone(),
            kind: pb::OwnerKind::Member.into(),
        };
        self.owners()
            .open_owner(self.call(request))
            .await
            .expect("an owner");
        owner_id
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A call in the ledger's program.
    pub fn call<T>(&self, message: T) -> Request<T> {
        self.of(self.program, message)
    }

    /// A call in any program.
    #[expect(clippy::unused_self, reason = "reads like the calls beside it")]
    pub fn of<T>(&self, program: ProgramId, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let program = program.to_string().parse().expect("a header");
        request.metadata_mut().insert(PROGRAM_HEADER, program);
        request
    }

    pub fn transactions(&self) -> TransactionServiceClient<Channel> {
        TransactionServiceClient::new(self.channel.clone())
    }

    pub fn balances(&self) -> BalanceServiceClient<Channel> {
        BalanceServiceClient::new(self.channel.clone())
    }

    pub fn owners(&self) -> OwnerServiceClient<Channel> {
        OwnerServiceClient::new(self.channel.clone())
    }

    pub fn units(&self) -> UnitServiceClient<Channel> {
        UnitServiceClient::new(self.channel.clone())
    }

    pub async fn credit(
        &self,
        request: pb::CreditPointsRequest,
    ) -> Result<Response<pb::CreditPointsResponse>, Status> {
        self.transactions().credit_points(self.call(request)).await
    }

    pub async fn spend(
        &self,
        request: pb::SpendPointsRequest,
    ) -> Result<Response<pb::SpendPointsResponse>, Status> {
        self.transactions().spend_points(self.call(request)).await
    }

    /// Credits points that are simply to be there; answers the version.
    pub async fn give(&self, owner_id: &str, value: i64) -> i64 {
        let credited = self
            .credit(credit(owner_id, "points", value))
            .await
            .expect("a credit")
            .into_inner();
        credited.balance.expect("a balance").version
    }

    pub async fn balance(
        &self,
        owner_id: &str,
        consistency: Option<Consistency>,
    ) -> Result<pb::OwnerBalance, Status> {
        let request = pb::GetBalanceRequest {
            owner_id: owner_id.to_owned(),
            consistency,
        };
        let response = self.balances().get_balance(self.call(request)).await?;
        Ok(response.into_inner().balance.expect("a balance"))
    }

    /// All of an owner's transactions, newest first.
    pub async fn statement(&self, owner_id: &str) -> Vec<pb::Transaction> {
        let request = pb::ListTransactionsRequest {
            owner_id: owner_id.to_owned(),
            page_size: 1_000,
            ..pb::ListTransactionsRequest::default()
        };
        let page = self
            .transactions()
            .list_transactions(self.call(request))
            .await
            .expect("a page")
            .into_inner();
        assert!(page.next_page_token.is_empty(), "one page is enough for a test");
        page.transactions
    }
}

/// What the access layer does: the caller of a request. Here anybody who names a program is let in.
fn admit(mut request: Request<()>) -> Result<Request<()>, Status> {
    let header = request
        .metadata()
        .get(PROGRAM_HEADER)
        .and_then(|value| value.to_str().ok());
    let program_id: ProgramId = header
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Status::invalid_argument("no program"))?;
    let key = CallerKey {
        api_key_id: ApiKeyId::try_from(Uuid::from_u128(7)).expect("not nil"),
        short_id: "test".to_owned(),
        program_id: None,
        staff_id: None,
        scopes: Vec::new(),
    };
    let program = ProgramContext {
        program_id,
        time_zone: chrono_tz::UTC,
        currency: "GBP".parse().expect("a currency"),
    };
    request.extensions_mut().insert(Caller::new(key, Some(program)));
    Ok(request)
}

pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

pub fn credit(owner_id: &str, unit_code: &str, value: i64) -> pb::CreditPointsRequest {
    pb::CreditPointsRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: unit_code.to_owned(),
            value,
        }),
        source: "test".to_owned(),
        reason: "a test".to_owned(),
        ..pb::CreditPointsRequest::default()
    }
}

pub fn spend(owner_id: &str, unit_code: &str, value: i64) -> pb::SpendPointsRequest {
    pb::SpendPointsRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: unit_code.to_owned(),
            value,
        }),
        source: "test".to_owned(),
        reason: "a test".to_owned(),
        ..pb::SpendPointsRequest::default()
    }
}

pub fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).expect("below a second"),
    }
}

pub fn days(count: i64) -> TimeDelta {
    TimeDelta::days(count)
}

/// The unit's balance, which has to be there.
pub fn of_unit<'a>(balance: &'a pb::OwnerBalance, unit_code: &str) -> &'a pb::UnitBalance {
    let found = balance
        .balances
        .iter()
        .find(|balance| balance.unit_code == unit_code);
    found.expect("the unit was held")
}

/// Asserts code and reason of a refusal, and gives its metadata.
pub fn refused(
    status: &Status,
    code: Code,
    reason: ErrorReason,
) -> std::collections::HashMap<String, String> {
    assert_eq!(
        (status.code(), reason_of(status)),
        (code, Some(reason)),
        "{status:?}"
    );
    status.get_details_error_info().expect("ErrorInfo").metadata
}

pub fn is_replayed<T>(response: &Response<T>) -> bool {
    response
        .metadata()
        .get(fealty_rpc::replayed::REPLAYED_HEADER)
        .is_some()
}
