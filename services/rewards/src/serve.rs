//! Wires the service up: settings in, a running service out. Nothing is decided here.

use std::sync::Arc;

use fealty_proto::access::v1::personal_data_service_server::{
    PersonalDataServiceServer, SERVICE_NAME as PERSONAL_DATA,
};
use fealty_proto::events::v1::event_service_server::{EventServiceServer, SERVICE_NAME as EVENTS};
use fealty_proto::rewards::v1::redemption_service_server::{
    RedemptionServiceServer, SERVICE_NAME as REDEMPTIONS,
};
use fealty_proto::rewards::v1::reward_service_server::{RewardServiceServer, SERVICE_NAME as REWARDS};
use fealty_proto::rewards::v1::voucher_service_server::{SERVICE_NAME as VOUCHERS, VoucherServiceServer};
use fealty_rpc::limited;
use fealty_rpc::server::ServerBuilder;
use fealty_runtime::{Listeners, Tasks};
use fealty_service::access::AccessFollower;
use fealty_service::config::DatabaseConfig;
use fealty_service::erasing::{Erasing, keep_erasing};
use fealty_service::events::{EventFeed, EventTable, FeedWaker};
use fealty_service::ground::{Ground, ServeError, Serving};
use fealty_service::jobs::keep_forgetting_requests;
use fealty_service::personal::grpc::PersonalDataGrpc;
use fealty_types::SharedClock;

use crate::MIGRATOR;
use crate::catalogue::Catalogue;
use crate::catalogue::grpc::RewardGrpc;
use crate::config::RewardsConfig;
use crate::jobs::keep_finishing_redemptions;
use crate::personal::{EraseRedemptions, PERSONAL_TABLES};
use crate::redemptions::fault::Faults;
use crate::redemptions::grpc::RedemptionGrpc;
use crate::redemptions::{Doors, LedgerDoor, MembersDoor, Process, Redemptions};
use crate::vouchers::Vouchers;
use crate::vouchers::grpc::VoucherGrpc;

/// The service in logs, and what Postgres shows of its connections.
const NAME: &str = "rewards";

/// Starts the service as tasks of the process.
///
/// It starts without Postgres, too: it is then alive and not ready, and its calls are UNAVAILABLE until Postgres
/// answers; so it is again when Postgres goes away later. It starts without members and the ledger: redemptions that are
/// under way then wait for them. A database with another schema ends the process.
pub async fn serve(config: &RewardsConfig, clock: SharedClock, tasks: &Tasks) -> Result<Serving, ServeError> {
    let listeners = Listeners::bind(NAME, config.grpc.listen, config.admin.listen).await?;
    serve_on(config, listeners, clock, tasks)
}

/// The same on sockets that are bound already: whoever starts several services that call each other knows all their
/// addresses before the first one runs.
pub fn serve_on(
    config: &RewardsConfig,
    listeners: Listeners,
    clock: SharedClock,
    tasks: &Tasks,
) -> Result<Serving, ServeError> {
    serve_with_faults(config, listeners, clock, Faults::default(), tasks)
}

/// The same with crashes where a test wants them.
pub fn serve_with_faults(
    config: &RewardsConfig,
    listeners: Listeners,
    clock: SharedClock,
    faults: Faults,
    tasks: &Tasks,
) -> Result<Serving, ServeError> {
    let database = DatabaseConfig {
        url: &config.database_url,
        pool: &config.pool,
        jobs_url: &config.jobs_database_url,
        jobs_pool: &config.jobs_pool,
    };
    let ground = Ground::try_new(NAME, database, clock)?;
    let access = AccessFollower::try_new(&ground, &config.members)?;
    let waker = FeedWaker::default();
    let feed = EventFeed::new(EventTable, &ground, waker.clone());
    let redemptions = redemptions_of(config, &ground, &waker, faults)?;
    let catalogue = Catalogue::new(ground.service.clone(), ground.clock.clone());
    let vouchers = Vouchers::new(ground.service.clone(), ground.clock.clone(), waker);

    let erasing = Erasing::try_new(&ground, &config.members).map_err(ServeError::settings("members"))?;
    let personal_data = PersonalDataGrpc::new(&ground, PERSONAL_TABLES, None);

    let health = ground.health([EVENTS, PERSONAL_DATA, REDEMPTIONS, REWARDS, VOUCHERS]);
    let limits = &config.server;
    let server = ServerBuilder::new(limits.clone(), Arc::new(access.authenticator()))
        .add_service(limited!(
            limits,
            RewardServiceServer::new(RewardGrpc::new(catalogue, ground.clock.clone()))
        ))
        .add_service(limited!(
            limits,
            RedemptionServiceServer::new(RedemptionGrpc::new(redemptions.clone(), ground.clock.clone()))
        ))
        .add_service(limited!(
            limits,
            VoucherServiceServer::new(VoucherGrpc::new(vouchers, ground.clock.clone()))
        ))
        .add_service(limited!(limits, PersonalDataServiceServer::new(personal_data)))
        .add_service(limited!(
            limits,
            EventServiceServer::new(feed.grpc(tasks.soft_shutdown()))
        ))
        .add_health(health.grpc_service())
        .build()?;
    let serving = ground.serve(listeners, server, health, tasks)?;
    let erasing = keep_erasing(erasing, EraseRedemptions);
    spawn_jobs(&ground, (access, erasing), redemptions, feed, tasks);
    Ok(serving)
}

fn redemptions_of(
    config: &RewardsConfig,
    ground: &Ground,
    waker: &FeedWaker,
    faults: Faults,
) -> Result<Redemptions, ServeError> {
    let doors = Doors {
        members: MembersDoor::try_new(&config.members).map_err(ServeError::settings("members"))?,
        ledger: LedgerDoor::try_new(&config.ledger).map_err(ServeError::settings("ledger"))?,
    };
    let (service, clock) = (ground.service.clone(), ground.clock.clone());
    let process = Process::new(
        service.clone(),
        doors.ledger.clone(),
        clock.clone(),
        waker.clone(),
        faults,
    );
    Ok(Redemptions::new(
        service,
        ground.jobs.clone(),
        process,
        doors,
        clock,
    ))
}

/// What runs beside the calls. A schema of another version ends the process, and says so.
fn spawn_jobs(
    ground: &Ground,
    (access, erasing): (AccessFollower, impl Future<Output = ()> + Send + 'static),
    redemptions: Redemptions,
    feed: EventFeed<EventTable>,
    tasks: &Tasks,
) {
    let jobs = ground.clone();
    ground.spawn_jobs(tasks, async move {
        jobs.open(&MIGRATOR).await?;
        // Boxed: together they are some kilobytes of state.
        tokio::join!(
            Box::pin(access.keep_following()),
            Box::pin(keep_forgetting_requests(jobs)),
            Box::pin(keep_finishing_redemptions(redemptions)),
            Box::pin(feed.keep_tailing()),
            Box::pin(erasing),
        );
        Ok(())
    });
}
