//! A running surveys service with a database of its own, programs and keys planted into its copy of the access records,
//! and what tests ask it.

use std::fmt::{Debug, Write as _};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_client::{Answer, CallError, ClientConfig, RetryConfig, SurveysClient};
use fealty_postgres::ServiceDatabase;
use fealty_postgres::testing::TestDatabase;
use fealty_proto::access::v1::Scope;
use fealty_proto::surveys::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::access::ApiKeySecret;
use fealty_runtime::Process;
use fealty_runtime::config::{DrainConfig, Secret};
use fealty_surveys::{MIGRATOR, SERVICE_DATABASE, Serving, SurveysConfig, serve};
use fealty_types::{ApiKeyId, Clock, ManualClock, ProgramId, SystemClock};
use fealty_vault::MasterKey;
use sqlx::AssertSqlSafe;
use tonic::Code;
use uuid::Uuid;

use crate::ledger::LedgerStandIn;
use crate::members::MembersStandIn;

/// How long anything may take that happens by itself. A loaded machine is slow; what takes longer is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What tests look for again while they wait.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The key by which surveys calls the others.
pub const SERVICE_KEY: &str = "fealty_key_of_surveys";

/// All that a program's own key needs here.
const ALL_SCOPES: [Scope; 5] = [
    Scope::SurveysWrite,
    Scope::SurveysRead,
    Scope::InvitationsWrite,
    Scope::AnswersWrite,
    Scope::EventsRead,
];

/// A surveys service between a members service and a ledger that do what they are told, at a time of the test's own.
pub struct World {
    pub database: TestDatabase,
    pub serving: Serving,
    pub members: MembersStandIn,
    pub ledger: LedgerStandIn,
    pub clock: ManualClock,
    pub config: SurveysConfig,
    /// A program with a key that may do everything.
    pub shop: Shop,
    process: Process,
}

/// A program, a key by which it calls, and its client.
#[derive(Debug, Clone)]
pub struct Shop {
    pub program: ProgramId,
    pub key: String,
    pub client: SurveysClient,
}

/// A second process of the same service, over the same database.
pub struct Replica {
    process: Process,
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}

/// A time on a Sunday in spring, at which nothing particular happens.
pub fn noon() -> DateTime<Utc> {
    "2026-03-15T12:00:00Z".parse().expect("a time")
}

/// Bytes as Postgres shows them.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}

pub async fn database() -> TestDatabase {
    let servers = fealty_testing::servers().await;
    let service = ServiceDatabase::new(SERVICE_DATABASE);
    TestDatabase::create(servers.postgres_admin_url(), &service, &MIGRATOR)
        .await
        .expect("a database")
}

/// Settings for a database, on free ports.
pub fn config(database: &TestDatabase) -> SurveysConfig {
    let mut config = SurveysConfig {
        database_url: Secret::new(database.urls.service.clone()),
        jobs_database_url: Secret::new(database.urls.jobs.clone()),
        ..SurveysConfig::default()
    };
    config.vault.master_key = Secret::new(MasterKey::generate_text().to_string());
    config.grpc.listen.set_port(0);
    config.admin.listen.set_port(0);
    config
}

impl World {
    /// Ready for calls.
    pub async fn start() -> Self {
        let database = database().await;
        let (members, ledger) = (MembersStandIn::start().await, LedgerStandIn::start().await);
        let mut config = config(&database);
        config.members.endpoint = members.endpoint();
        config.members.service_key = Secret::new(SERVICE_KEY.to_owned());
        config.ledger.endpoint = ledger.endpoint();
        config.ledger.service_key = Secret::new(SERVICE_KEY.to_owned());
        let clock = ManualClock::new(noon());
        let process = Process::new(&DrainConfig::default());
        let serving = serve(&config, Arc::new(clock.clone()), &process.tasks())
            .await
            .expect("the service starts");
        assert!(
            serving.health.wait_until_ready().await,
            "the service is on its way out"
        );
        let shop = plant_shop(&database, &serving).await;
        Self {
            database,
            serving,
            members,
            ledger,
            clock,
            config,
            shop,
            process,
        }
    }

    /// One more process of the service.
    pub async fn start_replica(&self) -> Replica {
        let process = Process::new(&DrainConfig::default());
        let serving = serve(&self.config, Arc::new(self.clock.clone()), &process.tasks())
            .await
            .expect("the replica starts");
        assert!(serving.health.wait_until_ready().await);
        Replica { process }
    }

    /// One more program.
    pub async fn another_shop(&self) -> Shop {
        plant_shop(&self.database, &self.serving).await
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn pass(&self, time: TimeDelta) {
        self.clock.advance(time);
    }

    /// A survey of the shop that asks.
    pub async fn open_survey(&self, survey: pb::Survey, version: pb::SurveyVersion) -> pb::Survey {
        let survey_id = self.create_survey(survey).await.survey_id;
        self.publish(&survey_id, version).await
    }

    pub async fn create_survey(&self, survey: pb::Survey) -> pb::Survey {
        let request = pb::CreateSurveyRequest {
            request_id: new_id(),
            survey: Some(survey),
        };
        let made = self.shop.client.create_survey(request).await;
        made.expect("a survey").message.survey.expect("a survey")
    }

    pub async fn publish(&self, survey_id: &str, version: pb::SurveyVersion) -> pb::Survey {
        let request = pb::PublishSurveyVersionRequest {
            request_id: new_id(),
            survey_id: survey_id.to_owned(),
            version: Some(version),
        };
        let published = self.shop.client.publish_survey_version(request).await;
        published.expect("a version").message.survey.expect("a survey")
    }

    pub async fn close(&self, survey_id: &str) -> pb::Survey {
        let request = pb::CloseSurveyRequest {
            survey_id: survey_id.to_owned(),
        };
        let closed = self.shop.client.close_survey(request).await;
        closed.expect("closed").message.survey.expect("a survey")
    }

    pub async fn invite(
        &self,
        survey_id: &str,
        member_id: &str,
    ) -> Result<Answer<pb::InviteMemberResponse>, CallError> {
        let request = pb::InviteMemberRequest {
            request_id: new_id(),
            survey_id: survey_id.to_owned(),
            member_id: member_id.to_owned(),
            channel: 0,
        };
        self.shop.client.invite_member(request).await
    }

    /// The token of a member who was just invited.
    pub async fn invited(&self, survey_id: &str, member_id: &str) -> (pb::Invitation, String) {
        let invited = self.invite(survey_id, member_id).await.expect("invited");
        let invitation = invited.message.invitation.expect("an invitation");
        let issued = self.issue(&invitation.invitation_id).await.expect("issued");
        (issued.invitation.expect("an invitation"), issued.token)
    }

    pub async fn issue(&self, invitation_id: &str) -> Result<pb::IssueInvitationTokenResponse, CallError> {
        let request = pb::IssueInvitationTokenRequest {
            invitation_id: invitation_id.to_owned(),
        };
        let issued = self.shop.client.issue_invitation_token(request).await;
        issued.map(|answer| answer.message)
    }

    pub async fn submit(
        &self,
        token: &str,
        score: i32,
        text: &str,
    ) -> Result<Answer<pb::SubmitAnswerResponse>, CallError> {
        self.shop.client.submit_answer(reply(token, score, text)).await
    }

    pub async fn invitation(&self, invitation_id: &str) -> pb::Invitation {
        let request = pb::GetInvitationRequest {
            invitation_id: invitation_id.to_owned(),
        };
        let found = self.shop.client.get_invitation(request).await;
        found.expect("it is there").message.invitation.expect("one")
    }

    /// Newest first.
    pub async fn invitations(&self, survey_id: &str) -> Vec<pb::Invitation> {
        let request = pb::ListInvitationsRequest {
            survey_id: survey_id.to_owned(),
            ..pb::ListInvitationsRequest::default()
        };
        let listed = self.shop.client.list_invitations(request).await;
        listed.expect("a list").message.invitations
    }

    /// Waits until the one invitation of a survey has that status.
    pub async fn one_invitation(&self, survey_id: &str, status: pb::InvitationStatus) -> pb::Invitation {
        eventually(&format!("an invitation that is {status:?}"), async || {
            let invitations = self.invitations(survey_id).await;
            assert!(invitations.len() <= 1, "{invitations:?}");
            invitations
                .into_iter()
                .find(|invitation| invitation.status() == status)
        })
        .await
    }

    /// Waits until the service has applied everything that the ledger told.
    pub async fn has_followed_the_ledger(&self) {
        let token = self.ledger.count().to_string();
        eventually("the ledger's events are applied", async || {
            let position: Option<String> =
                sqlx::query_scalar("SELECT resume_token FROM feed_position WHERE feed = 'ledger_purchases'")
                    .fetch_optional(&self.database.jobs)
                    .await
                    .expect("a position");
            position.filter(|position| *position == token)
        })
        .await;
    }

    /// Everything in the tables, by table: what is to be the same before and after a refused call.
    pub async fn contents(&self) -> Vec<(String, Option<String>)> {
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
        )
        .fetch_all(&self.database.owner)
        .await
        .expect("tables");
        let mut contents = Vec::new();
        for table in tables {
            let statement =
                format!("SELECT string_agg(t::text, chr(10) ORDER BY t::text) FROM \"{table}\" AS t");
            let rows = sqlx::query_scalar(AssertSqlSafe(statement))
                .fetch_one(&self.database.owner)
                .await
                .expect("its rows");
            contents.push((table, rows));
        }
        contents
    }
}

/// A program with a key for everything, as the feed would bring them.
async fn plant_shop(database: &TestDatabase, serving: &Serving) -> Shop {
    let program = ProgramId::generate(&SystemClock);
    sqlx::query(
        "INSERT INTO program (program, time_zone, currency_code, active, sequence) \
         VALUES ($1, 'Europe/London', 'GBP', true, 1)",
    )
    .bind(program.as_uuid())
    .execute(&database.jobs)
    .await
    .expect("a program");
    let key = ApiKeySecret::generate(&mut rand::rng());
    let scopes: Vec<i32> = ALL_SCOPES.iter().map(|scope| i32::from(*scope)).collect();
    sqlx::query(
        "INSERT INTO api_key (program, api_key_id, short_id, secret_sha256, scopes, sequence) \
         VALUES ($1, $2, $3, $4, $5, 1)",
    )
    .bind(program.as_uuid())
    .bind(ApiKeyId::generate(&SystemClock).as_uuid())
    .bind(key.short_id())
    .bind(key.secret_sha256().to_vec())
    .bind(scopes)
    .execute(&database.jobs)
    .await
    .expect("a key");
    Shop {
        program,
        key: key.expose().to_owned(),
        client: client(serving, key.expose()),
    }
}

/// A client that takes every refusal as it comes.
pub fn client(serving: &Serving, key: &str) -> SurveysClient {
    SurveysClient::try_new(&client_config(serving, key)).expect("a client")
}

pub fn client_config(serving: &Serving, key: &str) -> ClientConfig {
    ClientConfig {
        deadline: PATIENCE,
        retry: RetryConfig {
            attempt_count_max: 1,
            ..RetryConfig::default()
        },
        ..ClientConfig::new(format!("http://{}", serving.grpc), key)
    }
}

/// Asks after a purchase of 10.00 or more, at once, for two weeks.
pub fn after_purchases() -> pb::Survey {
    pb::Survey {
        purchase_trigger: Some(pb::PurchaseTrigger {
            delay_seconds: 0,
            amount_minor_min: 1_000,
        }),
        ..by_hand()
    }
}

/// Asks whom it is told to, for two weeks.
pub fn by_hand() -> pb::Survey {
    pb::Survey {
        display_name: "How was it?".to_owned(),
        topic: "nps".to_owned(),
        invitation_life_days: 14,
        ..pb::Survey::default()
    }
}

/// Asks for a score alone.
pub fn plain() -> pb::SurveyVersion {
    pb::SurveyVersion {
        score_question: "How likely are you to recommend us?".to_owned(),
        ..pb::SurveyVersion::default()
    }
}

pub fn asking(follow_ups: &[(pb::ScoreGroup, bool)]) -> pb::SurveyVersion {
    let follow_up = |(asked_of, required): &(pb::ScoreGroup, bool)| pb::FollowUp {
        asked_of: (*asked_of).into(),
        question: format!("Asked of {asked_of:?}"),
        required: *required,
    };
    pb::SurveyVersion {
        follow_ups: follow_ups.iter().map(follow_up).collect(),
        ..plain()
    }
}

pub fn reply(token: &str, score: i32, text: &str) -> pb::SubmitAnswerRequest {
    pb::SubmitAnswerRequest {
        request_id: new_id(),
        token: token.to_owned(),
        score: Some(score),
        follow_up_text: text.to_owned(),
    }
}

/// Asserts that a call was refused exactly so.
#[track_caller]
pub fn refused<T: Debug>(result: Result<T, CallError>, code: Code, reason: ErrorReason) -> CallError {
    let error = result.expect_err("it is refused");
    assert_eq!((error.code, error.reason), (code, Some(reason)), "{error:?}");
    error
}

/// Asserts that a call was refused as malformed, for exactly these fields.
#[track_caller]
pub fn invalid<T: Debug>(result: Result<T, CallError>, fields: &[&str]) {
    let error = refused(result, Code::InvalidArgument, ErrorReason::InvalidFields);
    let named: Vec<&str> = error.fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(named, fields, "{error:?}");
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
            "{what}: not within {PATIENCE:?}"
        );
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
