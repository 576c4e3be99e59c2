//! A running ledger with a database of its own, programs and keys planted into its copy of the access records, and
//! callers.

use std::collections::BTreeMap;
use std::time::Duration;

use fealty_ledger::{LedgerConfig, MIGRATOR, SERVICE_DATABASE, Serving, Times, serve};
use fealty_postgres::ServiceDatabase;
use fealty_postgres::testing::TestDatabase;
use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_client::BalanceServiceClient;
use fealty_proto::ledger::v1::budget_service_client::BudgetServiceClient;
use fealty_proto::ledger::v1::earning_rule_service_client::EarningRuleServiceClient;
use fealty_proto::ledger::v1::hold_service_client::HoldServiceClient;
use fealty_proto::ledger::v1::owner_service_client::OwnerServiceClient;
use fealty_proto::ledger::v1::purchase_service_client::PurchaseServiceClient;
use fealty_proto::ledger::v1::transaction_service_client::TransactionServiceClient;
use fealty_proto::ledger::v1::unit_service_client::UnitServiceClient;
use fealty_rpc::replayed::REPLAYED_HEADER;
use fealty_runtime::config::{DrainConfig, Secret};
use fealty_runtime::{Outcome, Process, Tasks};
use fealty_service::testing;
use fealty_types::{ProgramId, SystemClock};
use sqlx::AssertSqlSafe;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::messages::{cashback, points};

/// All that a program's own key can hold.
const ALL_SCOPES: [Scope; 12] = [
    Scope::UnitsWrite,
    Scope::UnitsRead,
    Scope::OwnersWrite,
    Scope::LedgerRead,
    Scope::LedgerWrite,
    Scope::LedgerAdjust,
    Scope::RulesWrite,
    Scope::RulesRead,
    Scope::BudgetsWrite,
    Scope::BudgetsRead,
    Scope::PurchasesWrite,
    Scope::EventsRead,
];

/// Longest wait for something that is to become true.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// A ledger that serves on ports of its own.
pub struct Ledger {
    pub database: TestDatabase,
    pub serving: Serving,
    /// A program with a key that may do everything.
    pub shop: Caller,
    pub channel: Channel,
    tasks: Tasks,
    process: JoinSet<Outcome>,
}

/// A program, and a key by which it calls.
#[derive(Debug, Clone)]
pub struct Caller {
    pub program: ProgramId,
    pub key: String,
}

/// A database for a ledger.
pub async fn database() -> TestDatabase {
    let servers = fealty_testing::servers().await;
    let service = ServiceDatabase::new(SERVICE_DATABASE);
    TestDatabase::create(servers.postgres_admin_url(), &service, &MIGRATOR)
        .await
        .expect("a database")
}

/// Settings for a database, on free ports.
pub async fn config(database: &TestDatabase) -> LedgerConfig {
    let mut config = LedgerConfig::default();
    config.grpc.listen.set_port(0);
    config.admin.listen.set_port(0);
    config.database_url = Secret::new(database.urls.service.clone());
    config.jobs_database_url = Secret::new(database.urls.jobs.clone());
    // Time moves when a test moves it, and what has ended is then written off by who looks at it: tests of the job itself
    // turn it on.
    config.write_off.enabled = false;
    config.expiry_notice.enabled = false;
    // So is what Redis holds put right by nobody else than who is meant to.
    config.cache_check.enabled = false;
    config.cache.url = Some(fealty_testing::servers().await.redis_url().to_owned());
    config
}

impl Ledger {
    /// Ready for calls.
    pub async fn start() -> Self {
        let database = database().await;
        let config = config(&database).await;
        let ledger = Self::start_with(database, config).await;
        assert!(ledger.serving.health.wait_until_ready().await);
        ledger
    }

    /// Started, ready or not.
    pub async fn start_with(database: TestDatabase, config: LedgerConfig) -> Self {
        let drain = DrainConfig {
            not_serving_pause_ms: 0,
            drain_timeout_ms: 5_000,
        };
        let process = Process::new(&drain);
        let tasks = process.tasks();
        let (started, serving) = tokio::sync::oneshot::channel();
        let mut running = JoinSet::new();
        running.spawn(process.run(async move |tasks| {
            let serving = serve(&config, Times::real(SystemClock::shared()), &tasks).await?;
            let _ = started.send(serving);
            Ok::<_, fealty_ledger::ServeError>(())
        }));
        let serving = serving.await.expect("it starts");
        let channel = Channel::from_shared(format!("http://{}", serving.grpc))
            .expect("a URL")
            .connect_lazy();
        let shop = plant_program(&database, "Europe/London", "GBP").await;
        Self {
            database,
            serving,
            shop,
            channel,
            tasks,
            process: running,
        }
    }

    /// Ends it as a signal does; whether it ended well.
    pub async fn stop(mut self) -> bool {
        self.tasks.shut_down();
        let outcome = self.process.join_next().await.expect("it runs");
        outcome.expect("no panic").is_clean()
    }

    /// A call by the shop.
    pub fn call<T>(&self, message: T) -> Request<T> {
        self.shop.call(message)
    }

    pub fn units(&self) -> UnitServiceClient<Channel> {
        UnitServiceClient::new(self.channel.clone())
    }

    pub fn budgets(&self) -> BudgetServiceClient<Channel> {
        BudgetServiceClient::new(self.channel.clone())
    }

    pub fn rules(&self) -> EarningRuleServiceClient<Channel> {
        EarningRuleServiceClient::new(self.channel.clone())
    }

    pub fn holds(&self) -> HoldServiceClient<Channel> {
        HoldServiceClient::new(self.channel.clone())
    }

    pub fn owners(&self) -> OwnerServiceClient<Channel> {
        OwnerServiceClient::new(self.channel.clone())
    }

    pub fn purchases(&self) -> PurchaseServiceClient<Channel> {
        PurchaseServiceClient::new(self.channel.clone())
    }

    pub fn transactions(&self) -> TransactionServiceClient<Channel> {
        TransactionServiceClient::new(self.channel.clone())
    }

    pub fn balances(&self) -> BalanceServiceClient<Channel> {
        BalanceServiceClient::new(self.channel.clone())
    }

    /// A unit of the shop: `points` that end after a year, of which 1,000 may be owed.
    pub async fn define_points(&self) {
        self.define(points()).await;
    }

    pub async fn define(&self, unit: pb::Unit) {
        let request = pb::CreateUnitRequest {
            request_id: new_id(),
            unit: Some(unit),
        };
        let made = self.units().create_unit(self.call(request)).await;
        made.expect("a unit");
    }

    /// A rule of the shop without bounds in time.
    pub async fn define_cashback(&self, unit_code: &str, rate: &str) -> String {
        let request = pb::CreateEarningRuleRequest {
            request_id: new_id(),
            earning_rule: Some(cashback(unit_code, rate)),
        };
        let made = self.rules().create_earning_rule(self.call(request)).await;
        let rule = made.expect("a rule").into_inner().earning_rule;
        rule.expect("a rule").rule_id
    }

    /// A member of the shop.
    pub async fn open_owner(&self) -> String {
        let request = pb::OpenOwnerRequest {
            request_id: new_id(),
            owner_id: new_id(),
            kind: pb::OwnerKind::Member.into(),
        };
        let opened = self.owners().open_owner(self.call(request)).await;
        opened
            .expect("an owner")
            .into_inner()
            .owner
            .expect("an owner")
            .owner_id
    }

    pub async fn buy(
        &self,
        request: pb::RecordPurchaseRequest,
    ) -> Result<pb::RecordPurchaseResponse, Status> {
        let answer = self.purchases().record_purchase(self.call(request)).await;
        answer.map(Response::into_inner)
    }

    pub async fn refund(
        &self,
        request: pb::RefundPurchaseRequest,
    ) -> Result<pb::RefundPurchaseResponse, Status> {
        let answer = self.purchases().refund_purchase(self.call(request)).await;
        answer.map(Response::into_inner)
    }

    pub async fn purchase(&self, purchase_id: &str) -> pb::Purchase {
        let request = pb::GetPurchaseRequest {
            purchase_id: purchase_id.to_owned(),
        };
        let found = self.purchases().get_purchase(self.call(request)).await;
        found
            .expect("it is there")
            .into_inner()
            .purchase
            .expect("a purchase")
    }

    /// Everything in the ledger's tables, by table: what is to be the same before and after a refused call.
    pub async fn contents(&self) -> BTreeMap<String, Option<String>> {
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'feed_position'",
        )
        .fetch_all(&self.database.owner)
        .await
        .expect("tables");
        let mut contents = BTreeMap::new();
        for table in tables {
            let statement =
                format!("SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} AS t");
            let hash = sqlx::query_scalar(AssertSqlSafe(statement))
                .fetch_one(&self.database.owner)
                .await
                .expect("its rows");
            contents.insert(table, hash);
        }
        contents
    }
}

impl Caller {
    /// A call with this key.
    pub fn call<T>(&self, message: T) -> Request<T> {
        with_key(&self.key, message)
    }
}

/// A call with a key.
pub fn with_key<T>(key: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let bearer = format!("Bearer {key}").parse().expect("a header");
    request.metadata_mut().insert("authorization", bearer);
    request
}

/// A program with a key for everything, as the feed would bring them.
pub async fn plant_program(database: &TestDatabase, time_zone: &str, currency_code: &str) -> Caller {
    let program = testing::plant_program(&database.jobs, time_zone, currency_code)
        .await
        .expect("a program");
    let key = plant_key(database, program, &ALL_SCOPES).await;
    Caller { program, key }
}

/// One more key of a program.
pub async fn plant_key(database: &TestDatabase, program: ProgramId, scopes: &[Scope]) -> String {
    testing::plant_key(&database.jobs, program, scopes)
        .await
        .expect("a key")
}

pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// Available and debt of a unit.
pub fn holding(balance: Option<&pb::OwnerBalance>, unit_code: &str) -> (i64, i64) {
    let balances = &balance.expect("a balance").balances;
    let unit = balances.iter().find(|unit| unit.unit_code == unit_code);
    unit.map_or((0, 0), |unit| (unit.available, unit.debt))
}

pub fn is_replayed<T>(response: &Response<T>) -> bool {
    response.metadata().get(REPLAYED_HEADER).is_some()
}

/// Asks again until something is true.
pub async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !ask().await {
        assert!(begun.elapsed() < WAIT_MAX, "never: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}
