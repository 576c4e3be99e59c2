//! Wires the service up: settings in, a running service out. Nothing is decided here.

use std::net::SocketAddr;
use std::sync::Arc;

use fealty_client::ConnectError;
use fealty_postgres::{SchemaError, StorageError, connect_lazy};
use fealty_proto::ledger::v1::balance_service_server::{BalanceServiceServer, SERVICE_NAME as BALANCES};
use fealty_proto::ledger::v1::earning_rule_service_server::{
    EarningRuleServiceServer, SERVICE_NAME as RULES,
};
use fealty_proto::ledger::v1::owner_service_server::{OwnerServiceServer, SERVICE_NAME as OWNERS};
use fealty_proto::ledger::v1::purchase_service_server::{PurchaseServiceServer, SERVICE_NAME as PURCHASES};
use fealty_proto::ledger::v1::transaction_service_server::{
    SERVICE_NAME as TRANSACTIONS, TransactionServiceServer,
};
use fealty_proto::ledger::v1::unit_service_server::{SERVICE_NAME as UNITS, UnitServiceServer};
use fealty_redis::{BalanceCache, ConfigError};
use fealty_rpc::access::{Authenticator, Nudge};
use fealty_rpc::limited;
use fealty_rpc::server::{Server, ServerBuilder, ServerError};
use fealty_runtime::{BindError, Health, Listeners, Service, Tasks};
use fealty_types::SharedClock;
use futures::future::join4;
use sqlx::postgres::PgPool;

use crate::access::AccessCopy;
use crate::balances::Balances;
use crate::config::LedgerConfig;
use crate::jobs;
use crate::jobs::access_feed::AccessFeed;
use crate::owners::Owners;
use crate::posting::{Posting, TimeSource};
use crate::purchases::Purchases;
use crate::rules::Rules;
use crate::schema::SchemaGate;
use crate::transactions::Transactions;
use crate::units::Units;

/// The service in logs, and what Postgres shows of its connections.
const NAME: &str = "ledger";

/// What the cache's keys would begin with if anybody were served before the database's own timeline is known.
const TIMELINE_UNKNOWN: &str = "unknown";

/// Where a started service can be found.
#[derive(Clone)]
pub struct Serving {
    /// Where it takes calls.
    pub grpc: SocketAddr,
    /// Where it answers for its health and metrics.
    pub admin: SocketAddr,
    /// Its health.
    pub health: Health,
}

/// What tells the time.
#[derive(Debug, Clone)]
pub struct Times {
    /// For everything but postings.
    pub clock: SharedClock,
    /// For postings: Postgres, unless a test moves time.
    pub posting: TimeSource,
}

impl Times {
    /// As it is outside of tests.
    #[must_use]
    pub const fn real(clock: SharedClock) -> Self {
        Self {
            clock,
            posting: TimeSource::Postgres,
        }
    }
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address is taken.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address that was bound cannot be told.
    #[error("the bound address cannot be read: {0}")]
    Address(#[from] std::io::Error),
    /// A database URL is none.
    #[error(transparent)]
    Database(#[from] StorageError),
    /// The cache's settings are at fault.
    #[error("cache: {0}")]
    Cache(#[from] ConfigError),
    /// The members service can never be reached like that.
    #[error("members: {0}")]
    Members(#[from] ConnectError),
    /// The server's settings, or its services, are at fault.
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// What the rooms are built on.
struct Ground {
    service: PgPool,
    jobs: PgPool,
    cache: Arc<BalanceCache>,
    balances: Balances,
    feed: Arc<AccessFeed>,
    copy: AccessCopy,
    times: Times,
    gate: SchemaGate,
}

/// Starts the service as tasks of the process.
///
/// It starts without Postgres, too: it is then alive and not ready, and its calls are UNAVAILABLE until Postgres
/// answers; so it is again when Postgres goes away later. It starts without members and without Redis, and goes on with
/// what it knows. A database with another schema ends the process.
pub async fn serve(config: &LedgerConfig, times: Times, tasks: &Tasks) -> Result<Serving, ServeError> {
    let listeners = Listeners::bind(NAME, config.grpc.listen, config.admin.listen).await?;
    serve_on(config, listeners, times, tasks)
}

/// The same on sockets that are bound already: whoever starts several services that call each other knows all their
/// addresses before the first one runs.
pub fn serve_on(
    config: &LedgerConfig,
    listeners: Listeners,
    times: Times,
    tasks: &Tasks,
) -> Result<Serving, ServeError> {
    let Listeners { grpc, admin } = listeners;
    let ground = Ground::try_new(config, times)?;
    let health = health_of(&ground);
    let server = server_of(config, &ground, &health)?;
    let serving = Serving {
        grpc: grpc.local_addr()?,
        admin: admin.local_addr()?,
        health: health.clone(),
    };

    spawn_jobs(&ground, tasks);
    let service = Service {
        name: NAME,
        health,
        admin,
    };
    tasks.spawn_service(service, async move |shutdown| {
        server.serve(grpc, shutdown).await;
        Ok::<_, ServeError>(())
    });
    Ok(serving)
}

impl Ground {
    fn try_new(config: &LedgerConfig, times: Times) -> Result<Self, ServeError> {
        let jobs = connect_lazy(config.jobs_database_url.expose(), NAME, &config.jobs_pool)?;
        let gate = SchemaGate::default();
        let copy = AccessCopy::new(jobs.clone(), gate.clone());
        let feed = AccessFeed::try_new(&config.members, copy.clone(), times.clock.clone())?;
        let service = connect_lazy(config.database_url.expose(), NAME, &config.pool)?;
        let cache = Arc::new(BalanceCache::try_new(&config.cache, TIMELINE_UNKNOWN)?);
        Ok(Self {
            balances: Balances::new(service.clone(), Arc::clone(&cache), times.clock.clone()),
            service,
            jobs,
            cache,
            feed: Arc::new(feed),
            copy,
            times,
            gate,
        })
    }
}

/// Ready is who reaches Postgres by both roles: calls need the one, and who calls is looked up by the other.
fn health_of(ground: &Ground) -> Health {
    let health = Health::new([BALANCES, OWNERS, PURCHASES, RULES, TRANSACTIONS, UNITS]);
    let (service, jobs) = (ground.service.clone(), ground.jobs.clone());
    let gate = ground.gate.clone();
    health.register_check("postgres", move || {
        let (service, jobs, gate) = (service.clone(), jobs.clone(), gate.clone());
        async move {
            for pool in [&service, &jobs] {
                let answer = sqlx::query("SELECT 1").execute(pool).await;
                answer.map_err(|error| error.to_string())?;
            }
            if gate.opens_soon().await {
                Ok(())
            } else {
                Err("the schema has not been checked yet".to_owned())
            }
        }
    });
    health
}

fn server_of(config: &LedgerConfig, ground: &Ground, health: &Health) -> Result<Server, ServerError> {
    let clock = || ground.times.clock.clone();
    let service = || ground.service.clone();
    let feed = Arc::clone(&ground.feed);
    let nudge = Nudge::new(move || Arc::clone(&feed).nudged());
    let authenticator = Authenticator::new(Arc::new(ground.copy.clone()), clock(), nudge);

    let balances = ground.balances.clone();
    let posting = Posting::new(service(), ground.times.posting.clone(), balances.clone());
    let owners = Owners::new(service(), clock());
    let transactions = Transactions::new(service(), posting.clone(), clock());
    let units = Units::new(service(), clock());
    let rules = Rules::new(service(), clock());
    let purchases = Purchases::new(service(), posting, clock());

    let limits = &config.server;
    ServerBuilder::new(limits.clone(), Arc::new(authenticator))
        .add_service(limited!(limits, BalanceServiceServer::new(balances)))
        .add_service(limited!(limits, OwnerServiceServer::new(owners)))
        .add_service(limited!(limits, PurchaseServiceServer::new(purchases)))
        .add_service(limited!(limits, EarningRuleServiceServer::new(rules)))
        .add_service(limited!(limits, TransactionServiceServer::new(transactions)))
        .add_service(limited!(limits, UnitServiceServer::new(units)))
        .add_health(health.grpc_service())
        .build()
}

/// What runs beside the calls. A schema of another version ends the process, and says so.
fn spawn_jobs(ground: &Ground, tasks: &Tasks) {
    let (gate, service, jobs) = (ground.gate.clone(), ground.service.clone(), ground.jobs.clone());
    let (cache, feed) = (Arc::clone(&ground.cache), Arc::clone(&ground.feed));
    let (clock, balances) = (ground.times.clock.clone(), ground.balances.clone());
    let ending = tasks.soft_shutdown();
    tasks.spawn_critical("ledger jobs", async move {
        let work = async {
            gate.open_when_checked(&service, &cache).await?;
            // Boxed: together they are some kilobytes of state.
            join4(
                Box::pin(feed.keep_following()),
                Box::pin(jobs::keep_forgetting_requests(jobs, clock)),
                Box::pin(jobs::keep_watching_timeline(service, cache)),
                Box::pin(jobs::keep_repairing_cache(balances)),
            )
            .await;
            Ok(())
        };
        tokio::select! {
            biased;
            () = ending.cancelled() => Ok::<_, SchemaError>(()),
            end = work => end,
        }
    });
}
