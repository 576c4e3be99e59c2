//! The real ledger, in the same process: what the books of redemptions must agree with in the end.

use std::sync::Arc;

use fealty_client::{ClientConfig, LedgerClient};
use fealty_ledger::posting::TimeSource;
use fealty_ledger::{LedgerConfig, Times};
use fealty_postgres::ServiceDatabase;
use fealty_postgres::testing::TestDatabase;
use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Consistency;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_runtime::Process;
use fealty_runtime::config::{DrainConfig, Secret};
use fealty_types::{ManualClock, ProgramId, SharedClock};

use crate::harness::{PointsOf, new_id, plant_key, plant_program_as, points};

/// What the ledger's key of this program may do.
const SCOPES: [Scope; 4] = [
    Scope::UnitsWrite,
    Scope::OwnersWrite,
    Scope::LedgerRead,
    Scope::LedgerWrite,
];

pub struct RealLedger {
    client: LedgerClient,
    endpoint: String,
    key: String,
    process: Process,
    _database: TestDatabase,
}

impl RealLedger {
    /// With the program, and `points` as its unit. Its time is the test's.
    pub async fn start(clock: &ManualClock, program: ProgramId) -> Self {
        let servers = fealty_testing::servers().await;
        let service = ServiceDatabase::new(fealty_ledger::SERVICE_DATABASE);
        let database = TestDatabase::create(servers.postgres_admin_url(), &service, &fealty_ledger::MIGRATOR)
            .await
            .expect("a database");
        let mut config = LedgerConfig::default();
        config.grpc.listen.set_port(0);
        config.admin.listen.set_port(0);
        config.database_url = Secret::new(database.urls.service.clone());
        config.jobs_database_url = Secret::new(database.urls.jobs.clone());
        plant_program_as(&database, program).await;
        let key = plant_key(&database, clock, program, &SCOPES).await;

        let clock: SharedClock = Arc::new(clock.clone());
        let times = Times {
            clock: Arc::clone(&clock),
            posting: TimeSource::Clock(clock),
        };
        let process = Process::new(&DrainConfig::default());
        let serving = fealty_ledger::serve(&config, times, &process.tasks())
            .await
            .expect("it starts");
        assert!(serving.health.wait_until_ready().await);
        let endpoint = format!("http://{}", serving.grpc);
        let client = LedgerClient::try_new(&ClientConfig::new(&endpoint, &key)).expect("a client");
        let unit = pb::Unit {
            unit_code: "points".to_owned(),
            display_name: "Points".to_owned(),
            shortfall_policy: pb::ShortfallPolicy::Waive.into(),
            ..pb::Unit::default()
        };
        let request = pb::CreateUnitRequest {
            request_id: new_id(),
            unit: Some(unit),
        };
        client.create_unit(request).await.expect("a unit");
        Self {
            client,
            endpoint,
            key,
            process,
            _database: database,
        }
    }

    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// An owner with so many points; none, if so many are none.
    pub async fn open_with(&self, owner_id: &str, value: i64) {
        let request = pb::OpenOwnerRequest {
            request_id: new_id(),
            owner_id: owner_id.to_owned(),
            kind: pb::OwnerKind::Member.into(),
        };
        self.client.open_owner(request).await.expect("an owner");
        if value == 0 {
            return;
        }
        let request = pb::CreditPointsRequest {
            request_id: new_id(),
            owner_id: owner_id.to_owned(),
            amount: Some(points(value)),
            source: "tests".to_owned(),
            reason: "what a case begins with".to_owned(),
            ..pb::CreditPointsRequest::default()
        };
        self.client.credit_points(request).await.expect("credited");
    }

    /// What its books say of an owner: of the balance, and of the statement.
    pub async fn points_of(&self, owner_id: &str) -> PointsOf {
        let request = pb::GetBalanceRequest {
            owner_id: owner_id.to_owned(),
            consistency: Some(Consistency {
                requirement: Some(Requirement::Strong(true)),
            }),
            ..pb::GetBalanceRequest::default()
        };
        let balance = self.client.get_balance(request).await.expect("a balance");
        let balances = balance.into_message().balance.expect("a balance").balances;
        let unit = balances
            .into_iter()
            .find(|unit| unit.unit_code == "points")
            .unwrap_or_default();
        let request = pb::ListTransactionsRequest {
            owner_id: owner_id.to_owned(),
            page_size: 1_000,
            ..pb::ListTransactionsRequest::default()
        };
        let statement = self.client.list_transactions(request).await.expect("a statement");
        let captures = statement
            .into_message()
            .transactions
            .into_iter()
            .filter(|transaction| transaction.kind() == pb::TransactionKind::Capture);
        PointsOf {
            available: unit.available,
            held: unit.held,
            captured_count: captures.count(),
        }
    }
}

impl Drop for RealLedger {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}
