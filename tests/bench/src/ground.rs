//! A ledger with a program and its members.

use std::sync::Arc;

use anyhow::Context as _;
use fealty_ledger::{MIGRATOR, SERVICE_DATABASE};
use fealty_postgres::ServiceDatabase;
use fealty_postgres::testing::TestDatabase;
use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::budget_service_client::BudgetServiceClient;
use fealty_proto::ledger::v1::expiry_policy::Policy;
use fealty_proto::ledger::v1::lot_life::Length;
use fealty_proto::ledger::v1::owner_service_client::OwnerServiceClient;
use fealty_proto::ledger::v1::transaction_service_client::TransactionServiceClient;
use fealty_proto::ledger::v1::unit_service_client::UnitServiceClient;
use fealty_proto::types::v1::Amount;
use fealty_service::testing;
use fealty_testing::TestServers;
use sqlx::Connection as _;
use uuid::Uuid;

use crate::child::Child;
use crate::connections::{Connection, Connections};
use crate::copies::{Copies, unbounded};
use crate::postgres::Postgres;
use crate::serving::Role;

/// Members of the program: more than anybody's cache of a processor, and a mid-sized shop.
pub const MEMBER_COUNT: usize = 100_000;
/// What each of them holds when it begins.
const FIRST_POINTS: i64 = 10;
/// What is counted.
pub const UNIT: &str = "points";
/// What pays, if something does.
pub const BUDGET: &str = "campaign";
/// What postings say of themselves.
pub const SOURCE: &str = "benchmark";
/// Why points are given or taken: about as long as a shop's own.
pub const REASON: &str = "Points for a purchase";

const SCOPES: [Scope; 5] = [
    Scope::UnitsWrite,
    Scope::BudgetsWrite,
    Scope::OwnersWrite,
    Scope::LedgerRead,
    Scope::LedgerWrite,
];

/// A running ledger on a database of its own, with one program of [`MEMBER_COUNT`] members.
#[derive(Debug)]
pub struct Ground {
    // First: it ends before its database is dropped.
    ledger: Child,
    postgres: Postgres,
    /// Its database.
    pub database: TestDatabase,
    /// The program.
    pub program: Uuid,
    /// Whose rows the members' are copies of.
    pub first: Uuid,
    /// The members, by id.
    pub members: Arc<[String]>,
    /// A key of the program.
    pub key: String,
    settings: Vec<(String, String)>,
}

impl Ground {
    /// A ledger that has been used: every member holds a few points, and Postgres knows its tables.
    pub async fn start(servers: &TestServers) -> anyhow::Result<Self> {
        let ground = Self::start_fresh(servers).await?;
        ground.credit(ground.first, FIRST_POINTS, 0).await?;
        let members: Vec<Uuid> = ground.members.iter().filter_map(|id| id.parse().ok()).collect();
        ground.copy_holdings(ground.first, &members).await?;
        ground.postgres.analyze(ground.database.database_name()).await?;
        Ok(ground)
    }

    /// A ledger's first minute: nobody holds anything, and Postgres has never looked at its tables. Makes the database,
    /// starts the ledger, and fills in the members: the first by a call, all others by SQL as copies of that one.
    pub async fn start_fresh(servers: &TestServers) -> anyhow::Result<Self> {
        let service = ServiceDatabase::new(SERVICE_DATABASE);
        let database = TestDatabase::create(servers.postgres_admin_url(), &service, &MIGRATOR).await?;
        let program = testing::plant_program(&database.jobs, "Europe/London", "GBP").await?;
        let key = testing::plant_key(&database.jobs, program, &SCOPES).await?;
        let settings = settings(&database, servers.redis_url());
        let ledger = Child::start(Role::Ledger, settings.clone()).await?;
        let mut ground = Self {
            postgres: Postgres::at(servers.postgres_admin_url()),
            database,
            first: Uuid::nil(),
            program: program.as_uuid(),
            members: Arc::default(),
            key,
            ledger,
            settings,
        };
        ground.define_points().await?;
        ground.first = ground.open_member().await?;
        ground.members = ground.copy_members(ground.first, MEMBER_COUNT).await?;
        Ok(ground)
    }

    /// Where the ledger takes calls.
    #[must_use]
    pub fn url(&self) -> &str {
        self.ledger.url()
    }

    /// How a child reaches the ledger's database.
    #[must_use]
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Connections for so many calls at a time.
    pub fn connections(&self, in_flight: usize) -> anyhow::Result<Connections> {
        Connections::to(self.url(), &self.key, in_flight)
    }

    /// Another replica of the ledger, fresh.
    pub async fn start_replica(&self) -> anyhow::Result<Child> {
        Child::start(Role::Ledger, self.settings.clone()).await
    }

    /// So many members more, each with as many points in each of `lot_count` lots, which end a day after each other. One
    /// gets them by calls, the others by SQL as copies of that one.
    pub async fn add_funded_members(
        &self,
        count: usize,
        lot_count: usize,
        points_per_lot: i64,
    ) -> anyhow::Result<Arc<[String]>> {
        let first = self.open_member().await?;
        for lot in 0..lot_count {
            self.credit(first, points_per_lot, lot).await?;
        }
        let members = self.copy_members(first, count).await?;
        let ids: Vec<Uuid> = members.iter().filter_map(|id| id.parse().ok()).collect();
        self.copy_holdings(first, &ids).await?;
        self.postgres.analyze(self.database.database_name()).await?;
        Ok(members)
    }

    /// Gives members who hold nothing what the first holds, and with it the version that says so.
    async fn copy_holdings(&self, first: Uuid, members: &[Uuid]) -> anyhow::Result<()> {
        let copies = Copies {
            table: "account",
            of: (self.program, first),
            replaced: &[("owner_id", "c.owner_id")],
            source: COPIED_FOR,
        };
        copies.insert(&self.database.owner, members).await?;
        let copies = Copies {
            table: "lot",
            replaced: &[("owner_id", "c.owner_id"), ("lot_id", "gen_random_uuid()")],
            ..copies
        };
        copies.insert(&self.database.owner, members).await?;
        let mut connection = unbounded(&self.database.owner).await?;
        sqlx::query(
            "UPDATE owner o SET version = f.version, chain_head = f.chain_head FROM owner f \
             WHERE f.program = $1 AND f.owner_id = $2 AND o.program = $1 AND o.owner_id = ANY ($3)",
        )
        .bind(self.program)
        .bind(first)
        .bind(members)
        .execute(&mut connection)
        .await
        .context("the members' versions")?;
        connection.close().await?;
        Ok(())
    }

    async fn copy_members(&self, first: Uuid, count: usize) -> anyhow::Result<Arc<[String]>> {
        let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
        let copies = Copies {
            table: "owner",
            of: (self.program, first),
            replaced: &[("owner_id", "c.owner_id")],
            source: COPIED_FOR,
        };
        copies.insert(&self.database.owner, &ids).await?;
        Ok(ids.iter().map(Uuid::to_string).collect())
    }

    fn connection(&self) -> anyhow::Result<Connection> {
        Ok(self.connections(1)?.of(0))
    }

    async fn define_points(&self) -> anyhow::Result<()> {
        let connection = self.connection()?;
        let request = pb::CreateUnitRequest {
            request_id: new_id(),
            unit: Some(pb::Unit {
                unit_code: UNIT.to_owned(),
                display_name: "Points".to_owned(),
                expiry_policy: Some(after_a_year()),
                shortfall_policy: pb::ShortfallPolicy::Debt.into(),
                debt_max: 1_000,
                ..pb::Unit::default()
            }),
        };
        let mut units = UnitServiceClient::new(connection.channel.clone());
        units
            .create_unit(connection.request(request))
            .await
            .context("a unit")?;
        Ok(())
    }

    /// A budget that is never used up.
    pub async fn set_up_budget(&self) -> anyhow::Result<()> {
        let connection = self.connection()?;
        let request = pb::CreateBudgetRequest {
            request_id: new_id(),
            budget: Some(pb::Budget {
                budget_code: BUDGET.to_owned(),
                display_name: "Campaign".to_owned(),
                unit_code: UNIT.to_owned(),
                value_max: i64::MAX,
                ..pb::Budget::default()
            }),
        };
        let mut budgets = BudgetServiceClient::new(connection.channel.clone());
        let made = budgets.create_budget(connection.request(request)).await;
        made.map(drop).context("a budget")
    }

    /// A member, as members opens it.
    async fn open_member(&self) -> anyhow::Result<Uuid> {
        let connection = self.connection()?;
        let member = Uuid::now_v7();
        let request = pb::OpenOwnerRequest {
            request_id: new_id(),
            owner_id: member.to_string(),
            kind: pb::OwnerKind::Member.into(),
        };
        let mut owners = OwnerServiceClient::new(connection.channel.clone());
        owners
            .open_owner(connection.request(request))
            .await
            .context("an owner")?;
        Ok(member)
    }

    /// Gives points that end so many days after the first.
    async fn credit(&self, member: Uuid, points: i64, days: usize) -> anyhow::Result<()> {
        let connection = self.connection()?;
        let mut transactions = TransactionServiceClient::new(connection.channel.clone());
        let mut request = credit(&member.to_string(), points);
        request.lot_expire_time = Some(end_after(days));
        transactions
            .credit_points(connection.request(request))
            .await
            .context("a credit")?;
        Ok(())
    }
}

/// The rows of [`Copies`] that are there for each owner.
const COPIED_FOR: &str = "unnest($2::uuid[]) AS c (owner_id)";

/// A post.
#[must_use]
pub fn credit(member: &str, points: i64) -> pb::CreditPointsRequest {
    pb::CreditPointsRequest {
        request_id: new_id(),
        owner_id: member.to_owned(),
        amount: Some(amount(points)),
        source: SOURCE.to_owned(),
        reason: REASON.to_owned(),
        ..pb::CreditPointsRequest::default()
    }
}

/// So many points.
#[must_use]
pub fn amount(points: i64) -> Amount {
    Amount {
        unit_code: UNIT.to_owned(),
        value: points,
    }
}

/// A UUID of version 7, as clients make them.
#[must_use]
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// So many days after a time that no benchmark lives to see.
fn end_after(days: usize) -> prost_types::Timestamp {
    const FIRST_END_SECONDS: i64 = 4_102_444_800;
    const DAY_SECONDS: i64 = 86_400;
    prost_types::Timestamp {
        seconds: FIRST_END_SECONDS + i64::try_from(days).unwrap_or(0) * DAY_SECONDS,
        nanos: 0,
    }
}

fn settings(database: &TestDatabase, redis_url: &str) -> Vec<(String, String)> {
    [
        ("DATABASE_URL", &database.urls.service),
        ("JOBS_DATABASE_URL", &database.urls.jobs),
        ("CACHE__URL", &redis_url.to_owned()),
    ]
    .map(|(name, value)| (format!("FEALTY__LEDGER__{name}"), value.clone()))
    .into()
}

fn after_a_year() -> pb::ExpiryPolicy {
    let life = pb::LotLife {
        length: Some(Length::LifeDays(365)),
        ..pb::LotLife::default()
    };
    pb::ExpiryPolicy {
        policy: Some(Policy::AfterEarning(life)),
    }
}
