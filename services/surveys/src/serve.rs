//! Wires the service up: settings in, a running service out. Nothing is decided here.

use std::sync::Arc;

use fealty_client::EventsClient;
use fealty_proto::access::v1::personal_data_service_server::{
    PersonalDataServiceServer, SERVICE_NAME as PERSONAL_DATA,
};
use fealty_proto::access::v1::read_audit_service_server::{
    ReadAuditServiceServer, SERVICE_NAME as READ_AUDIT,
};
use fealty_proto::events::v1::event_service_server::{EventServiceServer, SERVICE_NAME as EVENTS};
use fealty_proto::surveys::v1::answer_service_server::{AnswerServiceServer, SERVICE_NAME as ANSWERS};
use fealty_proto::surveys::v1::invitation_service_server::{
    InvitationServiceServer, SERVICE_NAME as INVITATIONS,
};
use fealty_proto::surveys::v1::score_service_server::{SERVICE_NAME as SCORES, ScoreServiceServer};
use fealty_proto::surveys::v1::survey_service_server::{SERVICE_NAME as SURVEYS, SurveyServiceServer};
use fealty_rpc::limited;
use fealty_rpc::server::{Server, ServerBuilder, ServerError};
use fealty_runtime::{Health, Listeners, Tasks};
use fealty_service::access::AccessFollower;
use fealty_service::config::DatabaseConfig;
use fealty_service::erasing::{Erasing, keep_erasing};
use fealty_service::events::{EventFeed, EventTable, FeedWaker};
use fealty_service::gate::{CheckError, WrongDatabase};
use fealty_service::ground::{Ground, ServeError, Serving};
use fealty_service::jobs::keep_forgetting_requests;
use fealty_service::personal::grpc::{Keys, PersonalDataGrpc};
use fealty_service::read_audit::grpc::ReadAuditGrpc;
use fealty_service::read_audit::{ReadAudit, ReadAuditWriter, read_audit};
use fealty_types::SharedClock;
use fealty_vault::{Vault, check_master_key};

use crate::answers::Answers;
use crate::config::SurveysConfig;
use crate::invitations::Invitations;
use crate::jobs::{keep_deciding_invitations, keep_planning_invitations};
use crate::members_door::MembersDoor;
use crate::personal::{EraseAnswers, KEY_STATEMENT, PERSONAL_TABLES};
use crate::scores::Scores;
use crate::surveys::Surveys;
use crate::{MIGRATOR, SERVICE_DATABASE};

/// The service in logs, and what Postgres shows of its connections.
const NAME: &str = "surveys";

/// What the service is put together from.
struct Parts {
    ground: Ground,
    access: AccessFollower,
    vault: Vault,
    invitations: Invitations,
    waker: FeedWaker,
    feed: EventFeed<EventTable>,
    /// None while there is no key to the ledger.
    ledger: Option<EventsClient>,
    /// None while there is no key to members.
    erasing: Option<Erasing>,
    audit: ReadAudit,
    audit_writer: ReadAuditWriter,
}

/// Starts the service as tasks of the process.
///
/// It starts without Postgres, too: it is then alive and not ready, and its calls are UNAVAILABLE until Postgres
/// answers; so it is again when Postgres goes away later. It starts without members and without the ledger: what needs
/// them waits. A database with another schema, or with answers under another master key, ends the process.
pub async fn serve(config: &SurveysConfig, clock: SharedClock, tasks: &Tasks) -> Result<Serving, ServeError> {
    let listeners = Listeners::bind(NAME, config.grpc.listen, config.admin.listen).await?;
    serve_on(config, listeners, clock, tasks)
}

/// The same on sockets that are bound already: whoever starts several services that call each other knows all their
/// addresses before the first one runs.
pub fn serve_on(
    config: &SurveysConfig,
    listeners: Listeners,
    clock: SharedClock,
    tasks: &Tasks,
) -> Result<Serving, ServeError> {
    let parts = Parts::try_new(config, clock)?;
    let health = parts.ground.health([
        ANSWERS,
        EVENTS,
        INVITATIONS,
        PERSONAL_DATA,
        READ_AUDIT,
        SCORES,
        SURVEYS,
    ]);
    let server = server_of(config, &parts, &health, tasks)?;
    let serving = parts.ground.serve(listeners, server, health, tasks)?;
    spawn_jobs(parts, tasks);
    Ok(serving)
}

impl Parts {
    fn try_new(config: &SurveysConfig, clock: SharedClock) -> Result<Self, ServeError> {
        let database = DatabaseConfig {
            url: &config.database_url,
            pool: &config.pool,
            jobs_url: &config.jobs_database_url,
            jobs_pool: &config.jobs_pool,
        };
        let ground = Ground::try_new(NAME, database, clock)?;
        let access = AccessFollower::try_new(&ground, &config.members)?;
        let vault = config.vault.vault(SERVICE_DATABASE);
        let vault = vault.map_err(ServeError::settings("vault.master_key"))?;
        let members = MembersDoor::try_new(&config.members).map_err(ServeError::settings("members"))?;
        let ledger = config
            .ledger
            .has_key()
            .then(|| EventsClient::try_new(&config.ledger.client()))
            .transpose()
            .map_err(ServeError::settings("ledger"))?;
        let waker = FeedWaker::default();
        let erasing = Erasing::try_new(&ground, &config.members).map_err(ServeError::settings("members"))?;
        let (audit, audit_writer) = read_audit(ground.jobs.clone(), ground.clock.clone());
        Ok(Self {
            erasing,
            audit,
            audit_writer,
            access,
            vault,
            invitations: Invitations::new(&ground, members, waker.clone()),
            feed: EventFeed::new(EventTable, &ground, waker.clone()),
            waker,
            ledger,
            ground,
        })
    }
}

fn server_of(
    config: &SurveysConfig,
    parts: &Parts,
    health: &Health,
    tasks: &Tasks,
) -> Result<Server, ServerError> {
    let ground = &parts.ground;
    let surveys = Surveys::new(ground.service.clone(), ground.clock.clone());
    let answers = Answers::new(
        ground,
        parts.vault.clone(),
        parts.waker.clone(),
        parts.audit.clone(),
    );
    let scores = Scores::new(ground.service.clone());
    let events = parts.feed.grpc(tasks.soft_shutdown());
    let keys = Keys {
        vault: parts.vault.clone(),
        statement: KEY_STATEMENT,
        audit: parts.audit.clone(),
    };
    let personal_data = PersonalDataGrpc::new(ground, PERSONAL_TABLES, Some(keys));
    let reads = ReadAuditGrpc::new(ground.service.clone());

    let limits = &config.server;
    ServerBuilder::new(limits.clone(), Arc::new(parts.access.authenticator()))
        .add_service(limited!(limits, SurveyServiceServer::new(surveys)))
        .add_service(limited!(
            limits,
            InvitationServiceServer::new(parts.invitations.clone())
        ))
        .add_service(limited!(limits, AnswerServiceServer::new(answers)))
        .add_service(limited!(limits, ScoreServiceServer::new(scores)))
        .add_service(limited!(limits, EventServiceServer::new(events)))
        .add_service(limited!(limits, PersonalDataServiceServer::new(personal_data)))
        .add_service(limited!(limits, ReadAuditServiceServer::new(reads)))
        .add_health(health.grpc_service())
        .build()
}

/// What runs beside the calls, from when the database has been checked.
fn spawn_jobs(parts: Parts, tasks: &Tasks) {
    let ground = parts.ground.clone();
    parts.ground.spawn_jobs(tasks, async move {
        ground
            .open_when(&MIGRATOR, || check_vault(&ground, &parts.vault))
            .await?;
        // Boxed: together they are some kilobytes of state.
        tokio::join!(
            Box::pin(parts.access.keep_following()),
            Box::pin(parts.feed.keep_tailing()),
            Box::pin(keep_forgetting_requests(ground.clone())),
            Box::pin(keep_planning_invitations(ground.clone(), parts.ledger)),
            Box::pin(keep_deciding_invitations(parts.invitations)),
            Box::pin(keep_erasing(parts.erasing, EraseAnswers)),
            parts.audit_writer.keep_writing(),
        );
        Ok(())
    });
}

/// Whether the words in the database lie under the master key of the settings.
async fn check_vault(ground: &Ground, vault: &Vault) -> Result<(), CheckError> {
    match check_master_key(&ground.service, vault, ground.clock.now()).await? {
        None => Ok(()),
        Some(other) => Err(WrongDatabase::new(other).into()),
    }
}
