//! Wires the service up: settings in, a running service out. Nothing is decided here.

use std::sync::Arc;

use fealty_client::EventsClient;
use fealty_proto::access::v1::access_feed_service_server::{
    AccessFeedServiceServer, SERVICE_NAME as ACCESS_FEED,
};
use fealty_proto::access::v1::personal_data_service_server::{
    PersonalDataServiceServer, SERVICE_NAME as PERSONAL_DATA,
};
use fealty_proto::access::v1::read_audit_service_server::{
    ReadAuditServiceServer, SERVICE_NAME as READ_AUDIT,
};
use fealty_proto::events::v1::event_service_server::{EventServiceServer, SERVICE_NAME as EVENTS};
use fealty_proto::members::v1::api_key_service_server::{ApiKeyServiceServer, SERVICE_NAME as API_KEYS};
use fealty_proto::members::v1::card_service_server::{CardServiceServer, SERVICE_NAME as CARDS};
use fealty_proto::members::v1::consent_service_server::{ConsentServiceServer, SERVICE_NAME as CONSENTS};
use fealty_proto::members::v1::contact_service_server::{ContactServiceServer, SERVICE_NAME as CONTACTS};
use fealty_proto::members::v1::disclosure_service_server::{
    DisclosureServiceServer, SERVICE_NAME as DISCLOSURES,
};
use fealty_proto::members::v1::erasure_service_server::{ErasureServiceServer, SERVICE_NAME as ERASURES};
use fealty_proto::members::v1::household_service_server::{
    HouseholdServiceServer, SERVICE_NAME as HOUSEHOLDS,
};
use fealty_proto::members::v1::member_service_server::{MemberServiceServer, SERVICE_NAME as MEMBERS};
use fealty_proto::members::v1::member_token_service_server::{
    MemberTokenServiceServer, SERVICE_NAME as MEMBER_TOKENS,
};
use fealty_proto::members::v1::occasion_service_server::{OccasionServiceServer, SERVICE_NAME as OCCASIONS};
use fealty_proto::members::v1::policy_service_server::{PolicyServiceServer, SERVICE_NAME as POLICIES};
use fealty_proto::members::v1::program_service_server::{ProgramServiceServer, SERVICE_NAME as PROGRAMS};
use fealty_proto::members::v1::referral_service_server::{ReferralServiceServer, SERVICE_NAME as REFERRALS};
use fealty_proto::members::v1::retention_service_server::{
    RetentionServiceServer, SERVICE_NAME as RETENTION,
};
use fealty_proto::members::v1::staff_service_server::{SERVICE_NAME as STAFF, StaffServiceServer};
use fealty_proto::members::v1::tier_service_server::{SERVICE_NAME as TIERS, TierServiceServer};
use fealty_rpc::access::{Authenticator, Nudge};
use fealty_rpc::limited;
use fealty_rpc::server::{Server, ServerBuilder, ServerError};
use fealty_runtime::{Health, Listeners, Tasks};
use fealty_service::events::{EventFeed, EventTable, FeedWaker};
use fealty_service::gate::{CheckError, WrongDatabase};
use fealty_service::ground::{Ground, ServeError, Serving};
use fealty_service::jobs::keep_forgetting_requests;
use fealty_service::personal::grpc::{Keys, PersonalDataGrpc};
use fealty_service::read_audit::grpc::ReadAuditGrpc;
use fealty_service::read_audit::{ReadAudit, ReadAuditWriter, read_audit};
use fealty_types::SharedClock;
use fealty_vault::{Vault, check_master_key};

use crate::access::grpc::AccessFeedGrpc;
use crate::access::{AccessFeed, OwnRecords};
use crate::api_keys::ApiKeys;
use crate::api_keys::grpc::ApiKeyGrpc;
use crate::cards::Cards;
use crate::cards::grpc::CardGrpc;
use crate::changes::Changes;
use crate::config::MembersConfig;
use crate::consents::Consents;
use crate::consents::grpc::ConsentGrpc;
use crate::contacts::Contacts;
use crate::contacts::grpc::ContactGrpc;
use crate::disclosures::Disclosures;
use crate::disclosures::grpc::DisclosureGrpc;
use crate::erasures::Erasures;
use crate::erasures::fault::Faults;
use crate::erasures::grpc::ErasureGrpc;
use crate::households::Households;
use crate::households::grpc::HouseholdGrpc;
use crate::jobs;
use crate::ladders::grpc::TierGrpc;
use crate::ladders::{Keeping, Ladders};
use crate::ledger::LedgerDoor;
use crate::means::Means;
use crate::member_tokens::MemberTokens;
use crate::member_tokens::grpc::MemberTokenGrpc;
use crate::occasions::Occasions;
use crate::occasions::grpc::OccasionGrpc;
use crate::people::grpc::MemberGrpc;
use crate::people::{Enrolments, People};
use crate::personal::{KEY_STATEMENT, PERSONAL_TABLES};
use crate::policies::Policies;
use crate::policies::grpc::PolicyGrpc;
use crate::programs::Programs;
use crate::programs::grpc::ProgramGrpc;
use crate::referrals::grpc::ReferralGrpc;
use crate::referrals::{Referrals, Rewarding};
use crate::retention::Retentions;
use crate::retention::grpc::RetentionGrpc;
use crate::staff::Staff;
use crate::staff::grpc::StaffGrpc;
use crate::{MIGRATOR, SERVICE_DATABASE};

/// The service in logs, and what Postgres shows of its connections.
const NAME: &str = "members";

/// What the rooms are built on.
struct Rooms {
    ground: Ground,
    means: Means,
    feed: EventFeed<EventTable>,
    /// The ledger's events; None while there is no key to the ledger.
    ledger_events: Option<EventsClient>,
    erasures: Erasures,
    audit: ReadAudit,
}

impl Rooms {
    fn enrolments(&self) -> Enrolments {
        Enrolments::new(self.means.clone())
    }

    fn changes(&self) -> Changes {
        Changes::new(self.means.clone())
    }

    fn ladders(&self) -> Ladders {
        let means = &self.means;
        Ladders::new(
            means.service.clone(),
            means.vault.clone(),
            means.clock.clone(),
            means.waker.clone(),
        )
    }

    fn keeping(&self) -> Keeping {
        let means = &self.means;
        Keeping::new(means.jobs.clone(), means.clock.clone(), means.waker.clone())
    }

    fn occasions(&self) -> Occasions {
        let means = self.means.clone();
        Occasions::new(means.service, means.jobs, means.clock, means.waker)
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

/// The same, with erasures that are cut off where a test wants it.
pub async fn serve_with_faults(
    config: &MembersConfig,
    clock: SharedClock,
    faults: Faults,
    tasks: &Tasks,
) -> Result<Serving, ServeError> {
    let listeners = Listeners::bind(NAME, config.grpc.listen, config.admin.listen).await?;
    serve_faulty_on(config, listeners, clock, faults, tasks)
}

/// The same on sockets that are bound already: whoever starts several services that call each other knows all their
/// addresses before the first one runs.
pub fn serve_on(
    config: &MembersConfig,
    listeners: Listeners,
    clock: SharedClock,
    tasks: &Tasks,
) -> Result<Serving, ServeError> {
    serve_faulty_on(config, listeners, clock, Faults::default(), tasks)
}

fn serve_faulty_on(
    config: &MembersConfig,
    listeners: Listeners,
    clock: SharedClock,
    faults: Faults,
    tasks: &Tasks,
) -> Result<Serving, ServeError> {
    let vault = config.vault.vault(SERVICE_DATABASE);
    let ground = Ground::try_new(NAME, config.database(), clock)?;
    let waker = FeedWaker::default();
    let means = Means {
        service: ground.service.clone(),
        jobs: ground.jobs.clone(),
        vault: vault.map_err(ServeError::settings("vault.master_key"))?,
        ledger: LedgerDoor::try_new(&config.ledger).map_err(ServeError::settings("ledger"))?,
        clock: ground.clock.clone(),
        waker: waker.clone(),
    };
    let ledger_events = config
        .ledger
        .has_key()
        .then(|| EventsClient::try_new(&config.ledger.client()))
        .transpose()
        .map_err(ServeError::settings("ledger"))?;
    let confirmed_by = config.erasures.confirmed_by.iter();
    let waits_for = confirmed_by.map(|service| service.as_str().to_owned()).collect();
    let (audit, writer) = read_audit(ground.jobs.clone(), ground.clock.clone());
    let rooms = Rooms {
        ledger_events,
        feed: EventFeed::new(EventTable, &ground, waker),
        erasures: Erasures::new(means.clone(), waits_for, faults),
        audit,
        ground,
        means,
    };
    let health = rooms.ground.health([
        ACCESS_FEED,
        API_KEYS,
        CARDS,
        CONSENTS,
        CONTACTS,
        DISCLOSURES,
        ERASURES,
        EVENTS,
        HOUSEHOLDS,
        MEMBERS,
        MEMBER_TOKENS,
        PERSONAL_DATA,
        OCCASIONS,
        POLICIES,
        PROGRAMS,
        READ_AUDIT,
        RETENTION,
        REFERRALS,
        STAFF,
        TIERS,
    ]);
    let server = server_of(config, &rooms, &health, tasks)?;
    let serving = rooms.ground.serve(listeners, server, health, tasks)?;
    spawn_jobs(&rooms, writer, tasks);
    Ok(serving)
}

fn server_of(
    config: &MembersConfig,
    rooms: &Rooms,
    health: &Health,
    tasks: &Tasks,
) -> Result<Server, ServerError> {
    let ground = &rooms.ground;
    let records = Arc::new(OwnRecords::new(ground.jobs.clone(), ground.gate.clone()));
    // These records are the original: there is nothing fresher to ask for.
    let authenticator = Authenticator::new(records, ground.clock.clone(), Nudge::none());
    let limits = &config.server;
    let builder = ServerBuilder::new(limits.clone(), Arc::new(authenticator));
    let builder = with_people(with_administration(builder, ground), rooms, tasks);
    let builder = with_personal_data(builder, rooms);
    let events = rooms.feed.grpc(tasks.soft_shutdown());
    builder
        .add_service(limited!(limits, EventServiceServer::new(events)))
        .add_health(health.grpc_service())
        .build()
}

/// Programs, and who may call them.
fn with_administration(builder: ServerBuilder, ground: &Ground) -> ServerBuilder {
    let limits = &builder.config().clone();
    let (service, clock) = (&ground.service, &ground.clock);
    let programs = Programs::new(service.clone(), ground.jobs.clone(), clock.clone());
    let api_keys = ApiKeys::new(service.clone(), clock.clone());
    let tokens = MemberTokens::new(service.clone(), clock.clone());
    let staff = Staff::new(service.clone(), clock.clone());
    let feed = AccessFeed::new(ground.jobs.clone());
    let policies = Policies::new(service.clone(), clock.clone());
    builder
        .add_service(limited!(
            limits,
            ProgramServiceServer::new(ProgramGrpc::new(programs))
        ))
        .add_service(limited!(
            limits,
            ApiKeyServiceServer::new(ApiKeyGrpc::new(api_keys))
        ))
        .add_service(limited!(
            limits,
            MemberTokenServiceServer::new(MemberTokenGrpc::new(tokens))
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
}

/// Members, and what becomes of them.
fn with_people(builder: ServerBuilder, rooms: &Rooms, tasks: &Tasks) -> ServerBuilder {
    let limits = &builder.config().clone();
    let Means {
        service,
        vault,
        clock,
        waker,
        ..
    } = &rooms.means;
    let contacts = Contacts::new(service.clone(), vault.clone(), clock.clone());
    let consents = Consents::new(service.clone(), vault.clone(), clock.clone(), waker.clone());
    let households = Households::new(service.clone(), rooms.changes(), clock.clone(), waker.clone());
    let referrals = Referrals::new(service.clone(), vault.clone(), clock.clone(), waker.clone());
    let people = People::new(service.clone(), vault.clone(), clock.clone(), waker.clone());
    let cards = Cards::new(service.clone(), vault.clone(), clock.clone());
    let cards = CardGrpc::new(cards, people.clone());
    let audit = rooms.audit.clone();
    let members = MemberGrpc::new(
        (people, rooms.enrolments()),
        rooms.changes(),
        clock.clone(),
        audit,
    );
    builder
        .add_service(limited!(limits, MemberServiceServer::new(members)))
        .add_service(limited!(limits, CardServiceServer::new(cards)))
        .add_service(limited!(
            limits,
            ContactServiceServer::new(ContactGrpc::new(contacts, rooms.audit.clone()))
        ))
        .add_service(limited!(
            limits,
            ConsentServiceServer::new(ConsentGrpc::new(consents))
        ))
        .add_service(limited!(
            limits,
            OccasionServiceServer::new(OccasionGrpc::new(rooms.occasions()))
        ))
        .add_service(limited!(
            limits,
            HouseholdServiceServer::new(HouseholdGrpc::new(households))
        ))
        .add_service(limited!(
            limits,
            TierServiceServer::new(TierGrpc::new(rooms.ladders(), tasks.soft_shutdown()))
        ))
        .add_service(limited!(
            limits,
            ReferralServiceServer::new(ReferralGrpc::new(referrals))
        ))
}

/// What is kept about people: exported, erased, held, disclosed, and who read it.
fn with_personal_data(builder: ServerBuilder, rooms: &Rooms) -> ServerBuilder {
    let limits = &builder.config().clone();
    let means = &rooms.means;
    let retentions = Retentions::new(means.service.clone(), means.clock.clone());
    let disclosures = Disclosures::new(means.clone());
    builder
        .add_service(limited!(
            limits,
            ErasureServiceServer::new(ErasureGrpc::new(rooms.erasures.clone()))
        ))
        .add_service(limited!(
            limits,
            PersonalDataServiceServer::new(personal_data_of(rooms))
        ))
        .add_service(limited!(
            limits,
            RetentionServiceServer::new(RetentionGrpc::new(retentions))
        ))
        .add_service(limited!(
            limits,
            DisclosureServiceServer::new(DisclosureGrpc::new(disclosures))
        ))
        .add_service(limited!(
            limits,
            ReadAuditServiceServer::new(ReadAuditGrpc::new(means.service.clone()))
        ))
}

fn personal_data_of(rooms: &Rooms) -> PersonalDataGrpc {
    let keys = Keys {
        vault: rooms.means.vault.clone(),
        statement: KEY_STATEMENT,
        audit: rooms.audit.clone(),
    };
    PersonalDataGrpc::new(&rooms.ground, PERSONAL_TABLES, Some(keys))
}

/// What runs beside the calls, once the schema is right and the personal data is under this service's own master key.
fn spawn_jobs(rooms: &Rooms, writer: ReadAuditWriter, tasks: &Tasks) {
    let (ground, vault, feed) = (
        rooms.ground.clone(),
        rooms.means.vault.clone(),
        rooms.feed.clone(),
    );
    let (enrolments, changes, means) = (rooms.enrolments(), rooms.changes(), rooms.means.clone());
    let (keeping, ledger_events) = (rooms.keeping(), rooms.ledger_events.clone());
    let erasures = rooms.erasures.clone();
    let occasions = rooms.occasions();
    let rewarding = Rewarding::new(rooms.means.clone());
    rooms.ground.spawn_jobs(tasks, async move {
        ground
            .open_when(&MIGRATOR, async || check_vault(&ground, &vault).await)
            .await?;
        tokio::join!(
            keep_forgetting_requests(ground.clone()),
            Box::pin(jobs::keep_counting(ground.clone(), ledger_events.clone())),
            Box::pin(jobs::keep_following_purchases(ground, ledger_events)),
            jobs::keep_crediting_referrals(rewarding),
            jobs::keep_tiers(keeping),
            jobs::keep_finishing_enrolments(enrolments.clone()),
            Box::pin(jobs::keep_noting_days(enrolments)),
            Box::pin(jobs::keep_telling_occasions(occasions)),
            jobs::keep_finishing_changes(changes),
            Box::pin(jobs::keep_finishing_erasures(erasures)),
            writer.keep_writing(),
            jobs::keep_noting_traits(means),
            feed.keep_tailing(),
        );
        Ok(())
    });
}

async fn check_vault(ground: &Ground, vault: &Vault) -> Result<(), CheckError> {
    match check_master_key(&ground.service, vault, ground.clock.now()).await? {
        None => Ok(()),
        Some(other) => Err(WrongDatabase::new(other).into()),
    }
}
