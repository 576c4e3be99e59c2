//! Wires the service up: settings in, a running service out. Nothing is decided here.

use std::net::SocketAddr;
use std::sync::Arc;

use fealty_client::ConnectError;
use fealty_postgres::{StorageError, connect_lazy};
use fealty_proto::access::v1::access_feed_service_server::{
    AccessFeedServiceServer, SERVICE_NAME as ACCESS_FEED,
};
use fealty_proto::members::v1::api_key_service_server::{ApiKeyServiceServer, SERVICE_NAME as API_KEYS};
use fealty_proto::members::v1::member_service_server::{MemberServiceServer, SERVICE_NAME as MEMBERS};
use fealty_proto::members::v1::policy_service_server::{PolicyServiceServer, SERVICE_NAME as POLICIES};
use fealty_proto::members::v1::program_service_server::{ProgramServiceServer, SERVICE_NAME as PROGRAMS};
use fealty_proto::members::v1::staff_service_server::{SERVICE_NAME as STAFF, StaffServiceServer};
use fealty_rpc::access::{Authenticator, Nudge};
use fealty_rpc::limited;
use fealty_rpc::server::{Server, ServerBuilder, ServerError};
use fealty_runtime::{BindError, Health, Listeners, Service, Tasks};
use fealty_types::SharedClock;
use fealty_vault::{MasterKeyError, Vault};
use sqlx::postgres::PgPool;

use crate::SERVICE_DATABASE;
use crate::access::grpc::AccessFeedGrpc;
use crate::access::{AccessFeed, OwnRecords};
use crate::api_keys::ApiKeys;
use crate::api_keys::grpc::ApiKeyGrpc;
use crate::config::MembersConfig;
use crate::jobs;
use crate::people::grpc::MemberGrpc;
use crate::people::{Enrolments, LedgerDoor, People};
use crate::policies::Policies;
use crate::policies::grpc::PolicyGrpc;
use crate::programs::Programs;
use crate::programs::grpc::ProgramGrpc;
use crate::schema::{GateError, SchemaGate};
use crate::staff::Staff;
use crate::staff::grpc::StaffGrpc;

/// The service in logs, and what Postgres shows of its connections.
const NAME: &str = "members";

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
    /// The server's settings, or its services, are at fault.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Personal data cannot be encrypted.
    #[error("vault.master_key {0}")]
    MasterKey(#[from] MasterKeyError),
    /// The settings of the ledger are at fault.
    #[error("ledger: {0}")]
    Ledger(#[from] ConnectError),
}

/// What the rooms are built on.
struct Ground {
    service: PgPool,
    jobs: PgPool,
    clock: SharedClock,
    gate: SchemaGate,
    vault: Vault,
    ledger: LedgerDoor,
}

impl Ground {
    fn enrolments(&self) -> Enrolments {
        Enrolments::new(
            self.service.clone(),
            self.jobs.clone(),
            self.vault.clone(),
            self.ledger.clone(),
            self.clock.clone(),
        )
    }
}

/// Starts the service as tasks of the process.
///
/// It starts without Postgres, too: it is then alive and not ready, and its calls are UNAVAILABLE until Postgres
/// answers; so it is again when Postgres goes away later. A database with another schema ends the process.
pub async fn serve(config: &MembersConfig, clock: SharedClock, tasks: &Tasks) -> Result<Serving, ServeError> {
    let listeners = Listeners::bind(NAME, config.grpc.listen, config.admin.listen).await?;
    serve_on(config, listeners, clock, tasks)
}

/// The same on sockets that are bound already: whoever starts several services that call each other knows all their
/// addresses before the first one runs.
pub fn serve_on(
    config: &MembersConfig,
    listeners: Listeners,
    clock: SharedClock,
    tasks: &Tasks,
) -> Result<Serving, ServeError> {
    let Listeners { grpc, admin } = listeners;
    let ground = Ground {
        service: connect_lazy(config.database_url.expose(), NAME, &config.pool)?,
        jobs: connect_lazy(config.jobs_database_url.expose(), NAME, &config.jobs_pool)?,
        clock,
        gate: SchemaGate::default(),
        vault: Vault::new(config.vault.master_key(SERVICE_DATABASE)?),
        ledger: LedgerDoor::try_new(&config.ledger)?,
    };
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

fn health_of(ground: &Ground) -> Health {
    let health = Health::new([ACCESS_FEED, API_KEYS, MEMBERS, POLICIES, PROGRAMS, STAFF]);
    let (service, gate) = (ground.service.clone(), ground.gate.clone());
    health.register_check("postgres", move || {
        let (service, gate) = (service.clone(), gate.clone());
        async move {
            sqlx::query("SELECT 1")
                .execute(&service)
                .await
                .map_err(|error| error.to_string())?;
            if gate.is_open() {
                Ok(())
            } else {
                Err("the schema has not been checked yet".to_owned())
            }
        }
    });
    health
}

fn server_of(config: &MembersConfig, ground: &Ground, health: &Health) -> Result<Server, ServerError> {
    let records = Arc::new(OwnRecords::new(ground.jobs.clone(), ground.gate.clone()));
    // These records are the original: there is nothing fresher to ask for.
    let authenticator = Authenticator::new(records, ground.clock.clone(), Nudge::none());

    let programs = Programs::new(ground.service.clone(), ground.jobs.clone(), ground.clock.clone());
    let api_keys = ApiKeys::new(ground.service.clone(), ground.clock.clone());
    let staff = Staff::new(ground.service.clone(), ground.clock.clone());
    let feed = AccessFeed::new(ground.jobs.clone());
    let policies = Policies::new(ground.service.clone(), ground.clock.clone());
    let people = People::new(ground.service.clone(), ground.vault.clone(), ground.clock.clone());
    let members = MemberGrpc::new(people, ground.enrolments(), ground.clock.clone());

    let limits = &config.server;
    ServerBuilder::new(limits.clone(), Arc::new(authenticator))
        .add_service(limited!(
            limits,
            ProgramServiceServer::new(ProgramGrpc::new(programs))
        ))
        .add_service(limited!(
            limits,
            ApiKeyServiceServer::new(ApiKeyGrpc::new(api_keys))
        ))
        .add_service(limited!(limits, StaffServiceServer::new(StaffGrpc::new(staff))))
        .add_service(limited!(
            limits,
            AccessFeedServiceServer::new(AccessFeedGrpc::new(feed))
        ))
        .add_service(limited!(
            limits,
            PolicyServiceServer::new(PolicyGrpc::new(policies))
        ))
        .add_service(limited!(limits, MemberServiceServer::new(members)))
        .add_health(health.grpc_service())
        .build()
}

/// What runs beside the calls. A schema of another version ends the process, and says so.
fn spawn_jobs(ground: &Ground, tasks: &Tasks) {
    let (jobs, clock, gate) = (ground.jobs.clone(), ground.clock.clone(), ground.gate.clone());
    let checks = ground.service.clone();
    let (vault, enrolments) = (ground.vault.clone(), ground.enrolments());
    let ending = tasks.soft_shutdown();
    tasks.spawn_critical("members jobs", async move {
        let work = async {
            gate.open_when_checked(&checks, vault.master_key_id(), &clock)
                .await?;
            tokio::join!(
                jobs::keep_forgetting_requests(jobs, clock),
                jobs::keep_finishing_enrolments(enrolments),
            );
            Ok(())
        };
        tokio::select! {
            biased;
            () = ending.cancelled() => Ok::<_, GateError>(()),
            end = work => end,
        }
    });
}
