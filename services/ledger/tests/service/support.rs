//! A ledger whose time, replicas, Postgres and Redis a test controls, and what tests of balances ask of it.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_ledger::posting::TimeSource;
use fealty_ledger::posting::config::PostingConfig;
use fealty_ledger::{LedgerConfig, ServeError, Times, serve};
use fealty_postgres::testing::TestDatabase;
use fealty_proto::events::v1::event_service_client::EventServiceClient;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_client::BalanceServiceClient;
use fealty_proto::ledger::v1::budget_service_client::BudgetServiceClient;
use fealty_proto::ledger::v1::earning_rule_service_client::EarningRuleServiceClient;
use fealty_proto::ledger::v1::hold_service_client::HoldServiceClient;
use fealty_proto::ledger::v1::household_service_client::HouseholdServiceClient;
use fealty_proto::ledger::v1::owner_service_client::OwnerServiceClient;
use fealty_proto::ledger::v1::purchase_service_client::PurchaseServiceClient;
use fealty_proto::ledger::v1::transaction_service_client::TransactionServiceClient;
use fealty_proto::ledger::v1::unit_service_client::UnitServiceClient;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_proto::types::v1::{Amount, Consistency, ErrorReason};
use fealty_rpc::errors::reason_of;
use fealty_runtime::config::{DrainConfig, Secret};
use fealty_runtime::{Outcome, Process};
use fealty_types::{Clock, ManualClock, SharedClock, SystemClock};
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

use super::harness::{self, Caller, new_id};
use super::messages::after_days;

/// What a test's ledger stands on.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Stands still until the test moves it; the real clock if there is none.
    pub clock: Option<ManualClock>,
    /// Whether what has ended is written off by the job, which then looks twenty times a second.
    pub writes_off: bool,
    /// Whether owners are told of what ends soon, twenty times a second.
    pub tells: bool,
    /// Whether what Redis holds is compared with the record, twenty times a second.
    pub checks_cache: bool,
    /// Where Redis is, in place of the test's own.
    pub redis: Redis,
    /// How postings are gathered.
    pub posting: PostingConfig,
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

/// A ledger that serves on ports of its own.
pub struct Ledger {
    pub database: Arc<TestDatabase>,
    /// A program with a key for everything.
    pub shop: Caller,
    pub config: LedgerConfig,
    channel: Channel,
    times: Times,
    /// Ends with the ledger.
    _process: JoinSet<Outcome>,
}

impl Ledger {
    /// A ledger with one program, whose units are `points` (which never end, and may be owed and sent to others) and `stamps` (which end
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
        let database = Arc::new(harness::database().await);
        let mut config = harness::config(&database).await;
        // A machine that runs all tests at once is slow.
        config.pool.acquire_timeout_ms = 20_000;
        config.posting = setting.posting;
        config.write_off.enabled = setting.writes_off;
        config.write_off.interval_ms = 50;
        config.expiry_notice.enabled = setting.tells;
        config.expiry_notice.interval_ms = 50;
        config.cache_check.enabled = setting.checks_cache;
        config.cache_check.interval_ms = 50;
        // Redis is everybody's here: what is this test's comes by seldom.
        config.cache_check.values_per_round = 1_000;
        config.cache.url = match setting.redis {
            Redis::Running => config.cache.url,
            Redis::Absent => None,
            Redis::At(url) => Some(url),
        };
        let times = match setting.clock {
            None => Times::real(SystemClock::shared()),
            Some(clock) => {
                let clock: Arc<ManualClock> = Arc::new(clock);
                Times {
                    clock: clock.clone(),
                    posting: TimeSource::Clock(clock),
                }
            }
        };
        let shop = harness::plant_program(&database, "UTC", "GBP").await;
        let ledger = Self::serve(database, config, times, shop).await;
        ledger.define_units().await;
        ledger
    }

    /// Another replica on the same database and Redis.
    pub async fn replica(&self) -> Self {
        self.replica_on(self.config.clone()).await
    }

    /// Another replica, which reaches Postgres some other way.
    pub async fn replica_by_postgres(&self, url: &str) -> Self {
        let database_url = Secret::new(url.to_owned());
        self.replica_on(LedgerConfig {
            database_url,
            ..self.config.clone()
        })
        .await
    }

    /// Another replica, which reaches Redis some other way.
    pub async fn replica_by_redis(&self, url: &str) -> Self {
        let mut config = self.config.clone();
        config.cache.url = Some(url.to_owned());
        self.replica_on(config).await
    }

    /// Another replica, whose process thinks it is some other time. Postings go by Postgres's.
    pub async fn replica_at(&self, clock: SharedClock) -> Self {
        Self::serve(
            Arc::clone(&self.database),
            self.config.clone(),
            Times::real(clock),
            self.shop.clone(),
        )
        .await
    }

    pub async fn replica_on(&self, config: LedgerConfig) -> Self {
        Self::serve(
            Arc::clone(&self.database),
            config,
            self.times.clone(),
            self.shop.clone(),
        )
        .await
    }

    async fn serve(database: Arc<TestDatabase>, config: LedgerConfig, times: Times, shop: Caller) -> Self {
        let drain = DrainConfig {
            not_serving_pause_ms: 0,
            ..DrainConfig::default()
        };
        let (started, serving) = tokio::sync::oneshot::channel();
        let mut process = JoinSet::new();
        process.spawn({
            let (config, times) = (config.clone(), times.clone());
            Process::new(&drain).run(async move |tasks| {
                let _ = started.send(serve(&config, times, &tasks).await?);
                Ok::<_, ServeError>(())
            })
        });
        let serving = serving.await.expect("it starts");
        assert!(serving.health.wait_until_ready().await);
        let url = format!("http://{}", serving.grpc);
        let channel = Channel::from_shared(url).expect("a URL").connect_lazy();
        Self {
            database,
            shop,
            config,
            channel,
            times,
            _process: process,
        }
    }

    async fn define_units(&self) {
        for (unit_code, expiry_policy, policy, debt_max) in [
            ("points", None, pb::ShortfallPolicy::Debt, 1_000_000),
            ("stamps", Some(after_days(10)), pb::ShortfallPolicy::Waive, 0),
        ] {
            let unit = pb::Unit {
                unit_code: unit_code.to_owned(),
                display_name: unit_code.to_owned(),
                expiry_policy,
                shortfall_policy: policy.into(),
                debt_max,
                transfer_rules: (unit_code == "points").then(pb::TransferRules::default),
                ..pb::Unit::default()
            };
            self.define(unit).await;
        }
    }

    pub async fn define(&self, unit: pb::Unit) {
        let request = pb::CreateUnitRequest {
            request_id: new_id(),
            unit: Some(unit),
        };
        let made = self.units().create_unit(self.call(request)).await;
        made.expect("a unit");
    }

    pub async fn open_owner(&self) -> String {
        let owner_id = new_id();
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
        self.times.clock.now()
    }

    /// A call by the shop.
    pub fn call<T>(&self, message: T) -> Request<T> {
        self.shop.call(message)
    }

    pub fn transactions(&self) -> TransactionServiceClient<Channel> {
        TransactionServiceClient::new(self.channel.clone())
    }

    pub fn balances(&self) -> BalanceServiceClient<Channel> {
        BalanceServiceClient::new(self.channel.clone())
    }

    pub fn budgets(&self) -> BudgetServiceClient<Channel> {
        BudgetServiceClient::new(self.channel.clone())
    }

    pub fn events(&self) -> EventServiceClient<Channel> {
        EventServiceClient::new(self.channel.clone())
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

    pub fn rules(&self) -> EarningRuleServiceClient<Channel> {
        EarningRuleServiceClient::new(self.channel.clone())
    }

    pub fn households(&self) -> HouseholdServiceClient<Channel> {
        HouseholdServiceClient::new(self.channel.clone())
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
        requirement: Option<Requirement>,
    ) -> Result<pb::OwnerBalance, Status> {
        let consistency = requirement.map(|requirement| Consistency {
            requirement: Some(requirement),
        });
        let request = pb::GetBalanceRequest {
            owner_id: owner_id.to_owned(),
            consistency,
            ..pb::GetBalanceRequest::default()
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

/// Corrects a balance.
pub fn adjust(owner_id: &str, unit_code: &str, value: i64) -> pb::AdjustPointsRequest {
    pb::AdjustPointsRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: unit_code.to_owned(),
            value,
        }),
        source: "test".to_owned(),
        reason: "a test".to_owned(),
        ..pb::AdjustPointsRequest::default()
    }
}

/// Sends points.
pub fn transfer(owner_id: &str, to_owner_id: &str, value: i64) -> pb::TransferPointsRequest {
    pb::TransferPointsRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        to_owner_id: to_owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: "points".to_owned(),
            value,
        }),
        source: "test".to_owned(),
        reason: "a test".to_owned(),
        ..pb::TransferPointsRequest::default()
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
pub fn refused(status: &Status, code: Code, reason: ErrorReason) -> HashMap<String, String> {
    assert_eq!(
        (status.code(), reason_of(status)),
        (code, Some(reason)),
        "{status:?}"
    );
    status.get_details_error_info().expect("ErrorInfo").metadata
}
