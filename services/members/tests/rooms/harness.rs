//! A members service for one test, and what tests ask it.

use std::fmt::Debug;
use std::time::Duration;

use fealty_members::api_keys::domain::{KeyScopes, NewApiKey};
use fealty_members::display_name::DisplayName;
use fealty_members::erasures::fault::Faults;
use fealty_members::operator::Operator;
use fealty_members::programs::domain::NewProgram;
use fealty_members::serve::serve_with_faults;
use fealty_members::{MIGRATOR, MembersConfig, SERVICE_DATABASE, Serving, serve};
use fealty_postgres::ServiceDatabase;
use fealty_postgres::testing::TestDatabase;
use fealty_proto::access::v1::Scope;
use fealty_proto::access::v1::access_feed_service_client::AccessFeedServiceClient;
use fealty_proto::access::v1::personal_data_service_client::PersonalDataServiceClient;
use fealty_proto::access::v1::read_audit_service_client::ReadAuditServiceClient;
use fealty_proto::events::v1::event_service_client::EventServiceClient;
use fealty_proto::members::v1::api_key_service_client::ApiKeyServiceClient;
use fealty_proto::members::v1::card_service_client::CardServiceClient;
use fealty_proto::members::v1::consent_service_client::ConsentServiceClient;
use fealty_proto::members::v1::contact_service_client::ContactServiceClient;
use fealty_proto::members::v1::disclosure_service_client::DisclosureServiceClient;
use fealty_proto::members::v1::erasure_service_client::ErasureServiceClient;
use fealty_proto::members::v1::household_service_client::HouseholdServiceClient;
use fealty_proto::members::v1::member_service_client::MemberServiceClient;
use fealty_proto::members::v1::occasion_service_client::OccasionServiceClient;
use fealty_proto::members::v1::policy_service_client::PolicyServiceClient;
use fealty_proto::members::v1::program_service_client::ProgramServiceClient;
use fealty_proto::members::v1::retention_service_client::RetentionServiceClient;
use fealty_proto::members::v1::staff_service_client::StaffServiceClient;
use fealty_proto::members::v1::tier_service_client::TierServiceClient;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_rpc::access::PROGRAM_HEADER;
use fealty_rpc::errors::reason_of;
use fealty_rpc::replayed::REPLAYED_HEADER;
use fealty_runtime::config::{DrainConfig, Secret};
use fealty_runtime::{Process, Tasks};
use fealty_types::{ProgramId, SharedClock, SystemClock};
use fealty_vault::MasterKey;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::ledger::{LEDGER_KEY, LedgerStandIn};

/// How long anything may take that happens by itself. A loaded machine is slow; what takes longer is broken.
pub const PATIENCE: Duration = Duration::from_millis(PATIENCE_MS);
const PATIENCE_MS: u64 = 20_000;

/// What tests look for again while they wait.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A running service.
pub struct World {
    pub database: TestDatabase,
    pub serving: Serving,
    pub operator: Operator,
    channel: Channel,
    pub config: MembersConfig,
    process: Process,
}

/// A second process of the same service, over the same database.
pub struct Replica {
    process: Process,
    channel: Channel,
}

impl Replica {
    pub fn contacts(&self, auth: &Auth) -> Contacts {
        ContactServiceClient::with_interceptor(self.channel.clone(), auth.clone())
    }

    pub fn erasures(&self, auth: &Auth) -> ErasureServiceClient<Authed> {
        ErasureServiceClient::with_interceptor(self.channel.clone(), auth.clone())
    }

    pub fn members(&self, auth: &Auth) -> MemberServiceClient<Authed> {
        MemberServiceClient::with_interceptor(self.channel.clone(), auth.clone())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}

/// Who calls, and for which program.
#[derive(Debug, Clone, Default)]
pub struct Auth {
    pub authorization: Option<String>,
    pub program: Option<String>,
}

impl Auth {
    pub fn key(text: &str) -> Self {
        Self {
            authorization: Some(format!("Bearer {text}")),
            program: None,
        }
    }

    pub fn of_program(mut self, program_id: &str) -> Self {
        self.program = Some(program_id.to_owned());
        self
    }
}

impl Interceptor for Auth {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let headers = [
            ("authorization", &self.authorization),
            (PROGRAM_HEADER, &self.program),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                let value = MetadataValue::try_from(value).expect("a header of ASCII");
                request.metadata_mut().insert(name, value);
            }
        }
        Ok(request)
    }
}

type Authed = InterceptedService<Channel, Auth>;
pub type Contacts = ContactServiceClient<Authed>;

impl World {
    pub async fn start() -> Self {
        let database = database().await;
        let (service, jobs) = (database.urls.service.clone(), database.urls.jobs.clone());
        let world = Self::start_over(database, service, jobs).await;
        assert!(
            world.serving.health.wait_until_ready().await,
            "the service is on its way out"
        );
        world
    }

    /// Beside a ledger, with a clock of the test's own, and with erasures that are cut off.
    pub async fn start_cut_off(ledger: &LedgerStandIn, clock: SharedClock, faults: Faults) -> Self {
        let database = database().await;
        let (service, jobs) = (database.urls.service.clone(), database.urls.jobs.clone());
        let mut config = config(service, jobs);
        config.ledger.endpoint = ledger.endpoint();
        config.ledger.service_key = Secret::new(LEDGER_KEY.to_owned());
        let world = Self::start_faulty(database, &config, clock, faults).await;
        assert!(
            world.serving.health.wait_until_ready().await,
            "the service is on its way out"
        );
        world
    }

    /// With other ways to the database than the straight one. Does not wait until it is ready.
    pub async fn start_over(database: TestDatabase, service_url: String, jobs_url: String) -> Self {
        let config = config(service_url, jobs_url);
        Self::start_with(database, &config, SystemClock::shared()).await
    }

    /// With these settings. Does not wait until it is ready.
    pub async fn start_with(database: TestDatabase, config: &MembersConfig, clock: SharedClock) -> Self {
        Self::start_faulty(database, config, clock, Faults::default()).await
    }

    async fn start_faulty(
        database: TestDatabase,
        config: &MembersConfig,
        clock: SharedClock,
        faults: Faults,
    ) -> Self {
        let process = Process::new(&DrainConfig::default());
        let serving = serve_with_faults(config, clock, faults, &process.tasks())
            .await
            .expect("the service starts");
        let channel = Endpoint::from_shared(format!("http://{}", serving.grpc))
            .expect("an address")
            .connect_lazy();
        let operator = Operator::new(database.jobs.clone(), SystemClock::shared());
        Self {
            database,
            serving,
            operator,
            channel,
            config: config.clone(),
            process,
        }
    }

    pub async fn start_replica(&self, clock: SharedClock) -> Replica {
        Self::start_replica_with(&self.config, clock).await
    }

    /// With other settings over the same database.
    pub async fn start_replica_with(config: &MembersConfig, clock: SharedClock) -> Replica {
        let process = Process::new(&DrainConfig::default());
        let serving = serve(config, clock, &process.tasks())
            .await
            .expect("the replica starts");
        assert!(
            serving.health.wait_until_ready().await,
            "the replica is on its way out"
        );
        let channel = Endpoint::from_shared(format!("http://{}", serving.grpc))
            .expect("an address")
            .connect_lazy();
        Replica { process, channel }
    }

    pub fn tasks(&self) -> Tasks {
        self.process.tasks()
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub fn programs(&self, auth: &Auth) -> ProgramServiceClient<Authed> {
        ProgramServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn api_keys(&self, auth: &Auth) -> ApiKeyServiceClient<Authed> {
        ApiKeyServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn staff(&self, auth: &Auth) -> StaffServiceClient<Authed> {
        StaffServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn policies(&self, auth: &Auth) -> PolicyServiceClient<Authed> {
        PolicyServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn members(&self, auth: &Auth) -> MemberServiceClient<Authed> {
        MemberServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn contacts(&self, auth: &Auth) -> Contacts {
        ContactServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn cards(&self, auth: &Auth) -> CardServiceClient<Authed> {
        CardServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn consents(&self, auth: &Auth) -> ConsentServiceClient<Authed> {
        ConsentServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn erasures(&self, auth: &Auth) -> ErasureServiceClient<Authed> {
        ErasureServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn personal_data(&self, auth: &Auth) -> PersonalDataServiceClient<Authed> {
        PersonalDataServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn reads(&self, auth: &Auth) -> ReadAuditServiceClient<Authed> {
        ReadAuditServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn retention(&self, auth: &Auth) -> RetentionServiceClient<Authed> {
        RetentionServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn disclosures(&self, auth: &Auth) -> DisclosureServiceClient<Authed> {
        DisclosureServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn occasions(&self, auth: &Auth) -> OccasionServiceClient<Authed> {
        OccasionServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn households(&self, auth: &Auth) -> HouseholdServiceClient<Authed> {
        HouseholdServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn tiers(&self, auth: &Auth) -> TierServiceClient<Authed> {
        TierServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn events(&self, auth: &Auth) -> EventServiceClient<Authed> {
        EventServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    pub fn access_feed(&self, auth: &Auth) -> AccessFeedServiceClient<Authed> {
        AccessFeedServiceClient::with_interceptor(self.channel(), auth.clone())
    }

    /// A program, planted by the operator.
    pub async fn program(&self) -> ProgramId {
        let new = NewProgram {
            display_name: name("Books"),
            time_zone: chrono_tz::Europe::London,
            currency_code: "GBP".parse().expect("a currency"),
        };
        let program = self.operator.create_program(new).await.expect("planted");
        program.program_id
    }

    /// A key of a program with these scopes, planted by the operator.
    pub async fn key_of(&self, program_id: ProgramId, scopes: &[Scope]) -> Auth {
        let scopes = KeyScopes::of_program(scopes.to_vec()).expect("scopes of a program");
        self.plant(Some(program_id), scopes).await
    }

    /// A key of the whole suite with these scopes, planted by the operator.
    pub async fn suite_key(&self, scopes: &[Scope]) -> Auth {
        let scopes = KeyScopes::of_suite(scopes.to_vec()).expect("scopes");
        self.plant(None, scopes).await
    }

    async fn plant(&self, program_id: Option<ProgramId>, scopes: KeyScopes) -> Auth {
        let new = NewApiKey {
            display_name: name("planted"),
            scopes,
            staff_id: None,
            expire_time: None,
        };
        let created = self.operator.create_key(program_id, new).await.expect("planted");
        Auth::key(created.secret.expect("made just now").expose())
    }

    /// Everything in the database, as one text per table: equal if nothing changed.
    pub async fn contents(&self) -> Vec<(String, Option<String>)> {
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT table_name::text FROM information_schema.tables \
             WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%' \
               AND table_name <> 'occasion_run' ORDER BY 1",
        )
        .fetch_all(&self.database.owner)
        .await
        .expect("a list of tables");
        let mut contents = Vec::new();
        for table in tables {
            let statement =
                format!("SELECT string_agg(t::text, chr(10) ORDER BY t::text) FROM \"{table}\" t");
            let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
                .fetch_one(&self.database.owner)
                .await
                .expect("the table's rows");
            contents.push((table, rows));
        }
        contents
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}

/// Settings of a service on ports of its own.
pub fn config(service_url: String, jobs_url: String) -> MembersConfig {
    let mut config = MembersConfig {
        database_url: Secret::new(service_url),
        jobs_database_url: Secret::new(jobs_url),
        ..MembersConfig::default()
    };
    config.vault.master_key = Secret::new(MasterKey::generate_text().to_string());
    config.grpc.listen.set_port(0);
    config.admin.listen.set_port(0);
    // A hundred callers at once, on a machine that runs all tests at once, take their time.
    config.pool.acquire_timeout_ms = PATIENCE_MS;
    config.jobs_pool.acquire_timeout_ms = PATIENCE_MS;
    config.server.deadline_default_ms = PATIENCE_MS;
    config
}

pub async fn database() -> TestDatabase {
    let servers = fealty_testing::servers().await;
    let service = ServiceDatabase::new(SERVICE_DATABASE);
    TestDatabase::create(servers.postgres_admin_url(), &service, &MIGRATOR)
        .await
        .expect("a database")
}

pub fn name(text: &str) -> DisplayName {
    DisplayName::try_new(text).expect("a name")
}

pub fn request_id() -> String {
    Uuid::new_v4().to_string()
}

/// An id that nothing has.
pub fn nobodys_id() -> String {
    Uuid::now_v7().to_string()
}

pub fn is_replayed<T>(response: &Response<T>) -> bool {
    response.metadata().get(REPLAYED_HEADER).is_some()
}

/// Asserts that a call was refused exactly so.
#[track_caller]
pub fn assert_refused<T: Debug>(
    label: &str,
    result: Result<T, Status>,
    code: Code,
    reason: ErrorReason,
) -> Status {
    let status = match result {
        Ok(answer) => panic!("{label}: answered {answer:?}"),
        Err(status) => status,
    };
    assert_eq!(
        (status.code(), reason_of(&status)),
        (code, Some(reason)),
        "{label}: {status:?}"
    );
    status
}

/// Asserts that a call was refused as malformed, for exactly these fields.
#[track_caller]
pub fn assert_invalid<T: Debug>(label: &str, result: Result<T, Status>, fields: &[&str]) {
    let status = assert_refused(label, result, Code::InvalidArgument, ErrorReason::InvalidFields);
    let details = status.get_details_bad_request().expect("BadRequest");
    let named: Vec<&str> = details
        .field_violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(named, fields, "{label}: {details:?}");
}

/// Waits for what happens by itself.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(
            tokio::time::Instant::now() < end,
            "{what} did not happen within {PATIENCE:?}"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
