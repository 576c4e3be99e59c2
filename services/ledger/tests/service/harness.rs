//! A running ledger with a database of its own, programs and keys planted into its copy of the access records, and
//! callers.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use fealty_ledger::{LedgerConfig, MIGRATOR, SERVICE_DATABASE, Serving, Times, serve};
use fealty_postgres::ServiceDatabase;
use fealty_postgres::testing::TestDatabase;
use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_client::BalanceServiceClient;
use fealty_proto::ledger::v1::earning_rule_service_client::EarningRuleServiceClient;
use fealty_proto::ledger::v1::owner_service_client::OwnerServiceClient;
use fealty_proto::ledger::v1::purchase_service_client::PurchaseServiceClient;
use fealty_proto::ledger::v1::transaction_service_client::TransactionServiceClient;
use fealty_proto::ledger::v1::unit_service_client::UnitServiceClient;
use fealty_proto::types::v1::{ErrorReason, Money};
use fealty_rpc::access::ApiKeySecret;
use fealty_rpc::errors::reason_of;
use fealty_rpc::replayed::REPLAYED_HEADER;
use fealty_runtime::config::{DrainConfig, Secret};
use fealty_runtime::{Outcome, Process, Tasks};
use fealty_types::{ApiKeyId, ProgramId, SystemClock};
use sqlx::AssertSqlSafe;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

/// All that a program's own key can hold.
const ALL_SCOPES: [Scope; 8] = [
    Scope::UnitsWrite,
    Scope::UnitsRead,
    Scope::OwnersWrite,
    Scope::LedgerRead,
    Scope::LedgerWrite,
    Scope::RulesWrite,
    Scope::RulesRead,
    Scope::PurchasesWrite,
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

    pub fn rules(&self) -> EarningRuleServiceClient<Channel> {
        EarningRuleServiceClient::new(self.channel.clone())
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
    let program = ProgramId::generate(&SystemClock);
    sqlx::query(
        "INSERT INTO program (program, time_zone, currency_code, active, sequence) VALUES ($1, $2, $3, true, 1)",
    )
    .bind(program.as_uuid())
    .bind(time_zone)
    .bind(currency_code)
    .execute(&database.jobs)
    .await
    .expect("a program");
    let key = plant_key(database, program, &ALL_SCOPES).await;
    Caller { program, key }
}

/// One more key of a program.
pub async fn plant_key(database: &TestDatabase, program: ProgramId, scopes: &[Scope]) -> String {
    let key = ApiKeySecret::generate(&mut rand::rng());
    let scopes: Vec<i32> = scopes.iter().map(|scope| i32::from(*scope)).collect();
    sqlx::query(
        "INSERT INTO api_key (program, api_key_id, short_id, secret_sha256, scopes, sequence) \
         VALUES ($1, $2, $3, $4, $5, 1)",
    )
    .bind(program.as_uuid())
    .bind(ApiKeyId::generate(&SystemClock).as_uuid())
    .bind(key.short_id())
    .bind(key.secret_sha256().to_vec())
    .bind(scopes)
    .execute(&database.jobs)
    .await
    .expect("a key");
    key.expose().to_owned()
}

/// `points` that end after a year, of which 1,000 may be owed.
pub fn points() -> pb::Unit {
    pb::Unit {
        unit_code: "points".to_owned(),
        display_name: "Points".to_owned(),
        lot_life_days: 365,
        shortfall_policy: pb::ShortfallPolicy::Debt.into(),
        debt_max: 1_000,
        ..pb::Unit::default()
    }
}

/// A rule without bounds in time.
pub fn cashback(unit_code: &str, rate: &str) -> pb::EarningRule {
    pb::EarningRule {
        display_name: format!("{rate} of {unit_code}"),
        unit_code: unit_code.to_owned(),
        formula: Some(pb::earning_rule::Formula::Cashback(pb::Cashback {
            rate: rate.to_owned(),
            rounding: pb::Rounding::Down.into(),
        })),
        ..pb::EarningRule::default()
    }
}

pub fn purchase_of(owner_id: &str, amount_minor: i64) -> pb::RecordPurchaseRequest {
    pb::RecordPurchaseRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        source: "till".to_owned(),
        receipt_id: new_id(),
        money: Some(pounds(amount_minor)),
        occur_time: None,
    }
}

pub fn refund_of(purchase_id: &str, amount_minor: i64) -> pb::RefundPurchaseRequest {
    let target = pb::refund_purchase_request::Target::PurchaseId(purchase_id.to_owned());
    refund(target, amount_minor)
}

pub fn unreferenced_refund(owner_id: &str, amount_minor: i64) -> pb::RefundPurchaseRequest {
    let target = pb::refund_purchase_request::Target::UnreferencedOwnerId(owner_id.to_owned());
    refund(target, amount_minor)
}

fn refund(target: pb::refund_purchase_request::Target, amount_minor: i64) -> pb::RefundPurchaseRequest {
    pb::RefundPurchaseRequest {
        request_id: new_id(),
        target: Some(target),
        source: "till".to_owned(),
        receipt_id: new_id(),
        money: Some(pounds(amount_minor)),
        occur_time: None,
        reason: String::new(),
    }
}

pub fn pounds(amount_minor: i64) -> Money {
    Money {
        currency_code: "GBP".to_owned(),
        amount_minor,
    }
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

/// Code and reason of a refusal.
pub fn refusal<T: Debug>(answer: Result<T, Status>) -> (Code, ErrorReason) {
    let status = answer.expect_err("it is refused");
    (
        status.code(),
        reason_of(&status).unwrap_or_else(|| panic!("no reason: {status:?}")),
    )
}

/// The bad fields of a refusal, by path.
pub fn bad_fields(status: &Status) -> Vec<String> {
    let bad = status.get_details_bad_request();
    let violations = bad.map(|bad| bad.field_violations).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

/// A value of a refusal's metadata.
pub fn value_of(status: &Status, key: &str) -> String {
    let info = status.get_details_error_info().expect("ErrorInfo");
    info.metadata
        .get(key)
        .cloned()
        .unwrap_or_else(|| panic!("no {key} in {info:?}"))
}

pub fn is_replayed<T>(response: &Response<T>) -> bool {
    response.metadata().get(REPLAYED_HEADER).is_some()
}

/// Asks again until something is true.
pub async fn until<F: Future<Output = bool>>(what: &str, ask: impl Fn() -> F) {
    let begun = Instant::now();
    while !ask().await {
        assert!(begun.elapsed() < WAIT_MAX, "never: {what}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// What a bad call is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub code: Code,
    pub reason: ErrorReason,
    pub fields: Vec<String>,
}

/// The request is malformed in these fields.
pub fn bad(fields: &[&str]) -> Expected {
    Expected {
        code: Code::InvalidArgument,
        reason: ErrorReason::InvalidFields,
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    }
}

/// There is no such thing.
pub const fn not_there() -> Expected {
    Expected {
        code: Code::NotFound,
        reason: ErrorReason::ResourceNotFound,
        fields: Vec::new(),
    }
}

/// The page token belongs to no such list.
pub const fn bad_token() -> Expected {
    Expected {
        code: Code::InvalidArgument,
        reason: ErrorReason::PageTokenInvalid,
        fields: Vec::new(),
    }
}

/// What a call was answered, to be held against what was expected.
pub fn as_expected(status: &Status) -> Expected {
    Expected {
        code: status.code(),
        reason: reason_of(status).unwrap_or(ErrorReason::Unspecified),
        fields: bad_fields(status),
    }
}

/// Makes each call of a table of (name, message, what is expected); afterwards nothing may have changed.
#[macro_export]
macro_rules! assert_refused {
    ($ledger:expr, $client:ident.$method:ident, $table:expr) => {{
        let before = $ledger.contents().await;
        for (name, message, expected) in $table {
            let answer = $ledger.$client().$method($ledger.call(message)).await;
            let status = answer.expect_err(name);
            assert_eq!(
                $crate::service::harness::as_expected(&status),
                expected,
                "{name}: {status:?}"
            );
        }
        assert_eq!($ledger.contents().await, before, "something changed");
    }};
}
