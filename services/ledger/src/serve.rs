//! Wires the service up: settings in, a running service out. Nothing is decided here.

use std::sync::Arc;

use fealty_postgres::connect_lazy;
use fealty_proto::access::v1::personal_data_service_server::{
    PersonalDataServiceServer, SERVICE_NAME as PERSONAL_DATA,
};
use fealty_proto::events::v1::event_service_server::{EventServiceServer, SERVICE_NAME as EVENTS};
use fealty_proto::ledger::v1::balance_service_server::{BalanceServiceServer, SERVICE_NAME as BALANCES};
use fealty_proto::ledger::v1::budget_service_server::{BudgetServiceServer, SERVICE_NAME as BUDGETS};
use fealty_proto::ledger::v1::earning_rule_service_server::{
    EarningRuleServiceServer, SERVICE_NAME as RULES,
};
use fealty_proto::ledger::v1::hold_service_server::{HoldServiceServer, SERVICE_NAME as HOLDS};
use fealty_proto::ledger::v1::household_service_server::{
    HouseholdServiceServer, SERVICE_NAME as HOUSEHOLDS,
};
use fealty_proto::ledger::v1::owner_service_server::{OwnerServiceServer, SERVICE_NAME as OWNERS};
use fealty_proto::ledger::v1::purchase_service_server::{PurchaseServiceServer, SERVICE_NAME as PURCHASES};
use fealty_proto::ledger::v1::transaction_service_server::{
    SERVICE_NAME as TRANSACTIONS, TransactionServiceServer,
};
use fealty_proto::ledger::v1::unit_service_server::{SERVICE_NAME as UNITS, UnitServiceServer};
use fealty_redis::BalanceCache;
use fealty_rpc::limited;
use fealty_rpc::server::{Server, ServerBuilder, ServerError};
use fealty_runtime::{Health, Listeners, Tasks};
use fealty_service::access::AccessFollower;
use fealty_service::events::{EventFeed, EventGrpc, FeedWaker};
use fealty_service::ground::{Ground, ServeError, Serving};
use fealty_service::jobs::keep_forgetting_requests;
use fealty_service::personal::grpc::PersonalDataGrpc;
use fealty_types::SharedClock;
use futures::future::join5;

use crate::MIGRATOR;
use crate::balances::Balances;
use crate::budgets::Budgets;
use crate::clock::RecordClock;
use crate::config::LedgerConfig;
use crate::events::TransactionEvents;
use crate::holds::Holds;
use crate::jobs;
use crate::jobs::check_cache::CacheCheckConfig;
use crate::jobs::expiry_notice::ExpiryNoticeConfig;
use crate::jobs::write_off::WriteOffConfig;
use crate::owners::Owners;
use crate::personal::PERSONAL_TABLES;
use crate::posting::{Lane, Posting, Sweeper, TimeSource};
use crate::purchases::Purchases;
use crate::rules::Rules;
use crate::transactions::Transactions;
use crate::units::Units;

/// The service in logs, and what Postgres shows of its connections.
const NAME: &str = "ledger";

/// What Postgres shows of the lanes' connections.
const LANES_NAME: &str = "ledger lanes";

/// What the cache's keys would begin with if anybody were served before the database's own timeline is known.
const TIMELINE_UNKNOWN: &str = "unknown";

/// What tells the time.
#[derive(Debug, Clone)]
pub struct Times {
    /// For what is only this process's: who may call, and for how long it waits.
    pub clock: SharedClock,
    /// For postings and all that is shown of them: Postgres, unless a test moves time.
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

/// What the rooms are built on.
struct Rooms {
    ground: Ground,
    /// What time it is for the record.
    clock: Arc<RecordClock>,
    posting: Posting,
    cache: Arc<BalanceCache>,
    balances: Balances,
    access: AccessFollower,
    feed: EventFeed<TransactionEvents>,
    sweeper: Sweeper,
    write_off: WriteOffConfig,
    expiry_notice: ExpiryNoticeConfig,
    cache_check: CacheCheckConfig,
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
    let clock = Arc::new(RecordClock::new(&times.posting, &times.clock));
    let ground = Ground::try_new(NAME, config.database(), times.clock)?;
    let cache =
        BalanceCache::try_new(&config.cache, TIMELINE_UNKNOWN).map_err(ServeError::settings("cache"))?;
    let cache = Arc::new(cache);
    let feed_waker = FeedWaker::default();
    let balances = Balances::new(ground.service.clone(), Arc::clone(&cache), Arc::clone(&clock));
    let lanes_pool = connect_lazy(config.database_url.expose(), LANES_NAME, &config.lanes_pool())?;
    let waker = feed_waker.clone();
    let posting_time = times.posting.clone();
    let (posting, lanes) = Posting::new(
        (ground.service.clone(), lanes_pool),
        times.posting,
        balances.clone(),
        waker,
        &config.posting,
    );
    let rooms = Rooms {
        sweeper: Sweeper {
            pool: ground.service.clone(),
            jobs_pool: ground.jobs.clone(),
            time: posting_time,
            balances: balances.clone(),
            feed: feed_waker.clone(),
        },
        write_off: config.write_off.clone(),
        expiry_notice: config.expiry_notice.clone(),
        cache_check: config.cache_check.clone(),
        balances,
        posting,
        access: AccessFollower::try_new(&ground, &config.members)?,
        feed: EventFeed::new(TransactionEvents, &ground, feed_waker),
        ground,
        clock,
        cache,
    };
    let health = rooms.ground.health([
        BALANCES,
        BUDGETS,
        EVENTS,
        HOLDS,
        HOUSEHOLDS,
        OWNERS,
        PERSONAL_DATA,
        PURCHASES,
        RULES,
        TRANSACTIONS,
        UNITS,
    ]);
    let events = EventServiceServer::new(rooms.feed.grpc(tasks.soft_shutdown()));
    let server = server_of(config, &rooms, &health, events)?;
    let serving = rooms.ground.serve(listeners, server, health, tasks)?;
    spawn_lanes(lanes, tasks);
    spawn_jobs(rooms, tasks);
    Ok(serving)
}

fn server_of(
    config: &LedgerConfig,
    rooms: &Rooms,
    health: &Health,
    events: EventServiceServer<EventGrpc<TransactionEvents>>,
) -> Result<Server, ServerError> {
    let clock = || -> SharedClock { rooms.clock.clone() };
    let service = || rooms.ground.service.clone();
    let balances = rooms.balances.clone();
    let posting = rooms.posting.clone();
    let owners = Owners::new(service(), posting.clone(), clock());
    let transactions = Transactions::new(service(), posting.clone(), clock());
    let units = Units::new(service(), clock());
    let budgets = Budgets::new(service(), clock());
    let rules = Rules::new(service(), clock());
    let holds = Holds::new(service(), posting.clone(), clock());
    let purchases = Purchases::new(service(), posting, clock());
    let personal_data = PersonalDataGrpc::new(&rooms.ground, PERSONAL_TABLES, None);

    let limits = &config.server;
    ServerBuilder::new(limits.clone(), Arc::new(rooms.access.authenticator()))
        .add_service(limited!(limits, BalanceServiceServer::new(balances)))
        .add_service(limited!(limits, BudgetServiceServer::new(budgets)))
        .add_service(limited!(limits, events))
        .add_service(limited!(limits, HoldServiceServer::new(holds)))
        .add_service(limited!(limits, HouseholdServiceServer::new(owners.clone())))
        .add_service(limited!(limits, OwnerServiceServer::new(owners)))
        .add_service(limited!(limits, PersonalDataServiceServer::new(personal_data)))
        .add_service(limited!(limits, PurchaseServiceServer::new(purchases)))
        .add_service(limited!(limits, EarningRuleServiceServer::new(rules)))
        .add_service(limited!(limits, TransactionServiceServer::new(transactions)))
        .add_service(limited!(limits, UnitServiceServer::new(units)))
        .add_health(health.grpc_service())
        .build()
}

/// Lanes serve the calls, so they end after them.
fn spawn_lanes(lanes: Vec<Lane>, tasks: &Tasks) {
    for (number, lane) in lanes.into_iter().enumerate() {
        tasks.spawn_attendant(format!("{NAME} lane {number}"), lane.run());
    }
}

/// What runs beside the calls, once the schema is right and the cache speaks of this very database.
fn spawn_jobs(rooms: Rooms, tasks: &Tasks) {
    let Rooms {
        ground,
        clock,
        cache,
        balances,
        access,
        feed,
        sweeper,
        write_off,
        expiry_notice,
        cache_check,
        ..
    } = rooms;
    let jobs = ground.clone();
    ground.spawn_jobs(tasks, async move {
        jobs.open_when(&MIGRATOR, async || {
            Ok(jobs::use_timeline(&jobs.service, &cache, &clock).await?)
        })
        .await?;
        // Boxed: together they are some kilobytes of state.
        let rest = join5(
            Box::pin(jobs::keep_statistics(jobs.jobs.clone())),
            Box::pin(jobs::keep_repairing_cache(balances.clone())),
            Box::pin(jobs::keep_checking_cache(balances, cache_check)),
            Box::pin(jobs::keep_writing_off(sweeper.clone(), write_off)),
            Box::pin(jobs::keep_telling(sweeper, expiry_notice)),
        );
        join5(
            Box::pin(feed.keep_tailing()),
            Box::pin(access.keep_following()),
            Box::pin(keep_forgetting_requests(jobs.clone())),
            Box::pin(jobs::keep_watching_timeline(jobs.service, cache, clock)),
            rest,
        )
        .await;
        Ok(())
    });
}
