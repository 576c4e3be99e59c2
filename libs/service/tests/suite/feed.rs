//! A service with an event feed, with all layers of a server around it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fealty_client::{CallError, ClientConfig, EventStream, EventsClient};
use fealty_postgres::events::{NewEvent, append_in_tx};
use fealty_postgres::testing::TestDatabase;
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_proto::access::v1::Scope as KeyScope;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::event_service_client::EventServiceClient;
use fealty_proto::events::v1::event_service_server::EventServiceServer;
use fealty_proto::events::v1::{
    Event, MemberEnrolled, MemberTierChanged, WatchEventsRequest, WatchEventsResponse,
};
use fealty_rpc::access::{
    AccessRecords, ApiKeySecret, Authenticator, KeyRecord, Lookup, Nudge, ProgramRecord,
};
use fealty_rpc::limited;
use fealty_rpc::server::{ServerBuilder, ServerConfig};
use fealty_service::events::{EventFeed, EventTable, FeedWaker, new_event};
use fealty_service::ground::Ground;
use fealty_types::{ApiKeyId, Clock, ProgramId, SystemClock};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};
use uuid::Uuid;

use crate::probe;

/// Longest wait for events: a machine that runs all tests at once is slow, and their transactions hold each other up.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Who may call.
#[derive(Default)]
pub struct Records {
    keys: Mutex<HashMap<String, KeyRecord>>,
}

impl AccessRecords for Records {
    fn find_key<'a>(&'a self, short_id: &'a str) -> Lookup<'a, KeyRecord> {
        Box::pin(async move { Ok(self.keys.lock().expect("not poisoned").get(short_id).cloned()) })
    }

    fn find_program(&self, program_id: ProgramId) -> Lookup<'_, ProgramRecord> {
        Box::pin(async move {
            Ok(Some(ProgramRecord {
                program_id,
                time_zone: chrono_tz::Europe::London,
                currency: "GBP".parse().expect("a currency"),
                active: true,
            }))
        })
    }
}

/// A replica that serves the feed. Dropped, it ends at once.
pub struct Replica {
    pub address: SocketAddr,
    /// Ends its streams.
    pub closing: CancellationToken,
    pub waker: FeedWaker,
    _running: JoinSet<()>,
}

/// A database, and who may follow its events.
pub struct Feed {
    pub database: TestDatabase,
    pub ground: Ground,
    records: Arc<Records>,
}

impl Feed {
    pub async fn new() -> Self {
        let database = probe::database().await;
        Self {
            ground: probe::ground(&database),
            database,
            records: Arc::default(),
        }
    }

    /// Starts a replica.
    pub async fn serve(&self) -> Replica {
        self.serve_with(ServerConfig::default()).await
    }

    pub async fn serve_with(&self, config: ServerConfig) -> Replica {
        let (waker, closing) = (FeedWaker::default(), CancellationToken::new());
        let feed = EventFeed::new(EventTable, &self.ground, waker.clone());
        let authenticator = Authenticator::new(self.records.clone(), SystemClock::shared(), Nudge::none());
        let events = limited!(config, EventServiceServer::new(feed.grpc(closing.clone())));
        let server = ServerBuilder::new(config, Arc::new(authenticator))
            .add_service(events)
            .build()
            .expect("a server");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut running = JoinSet::new();
        running.spawn(feed.keep_tailing());
        running.spawn(server.serve(listener, std::future::pending()));
        Replica {
            address,
            closing,
            waker,
            _running: running,
        }
    }

    /// A key that may follow events: of a program, or of the whole suite.
    pub fn key(&self, program_id: Option<ProgramId>) -> ApiKeySecret {
        let key = ApiKeySecret::generate(&mut rand::rng());
        let record = KeyRecord {
            api_key_id: ApiKeyId::generate(&SystemClock),
            program_id,
            staff: None,
            secret_sha256: key.secret_sha256(),
            token_public_key: None,
            scopes: vec![KeyScope::EventsRead],
            revoke_time: None,
            expire_time: None,
        };
        let mut keys = self.records.keys.lock().expect("not poisoned");
        keys.insert(key.short_id().to_owned(), record);
        key
    }

    pub fn revoke(&self, key: &ApiKeySecret) {
        let mut keys = self.records.keys.lock().expect("not poisoned");
        let record = keys.get_mut(key.short_id()).expect("it is there");
        record.revoke_time = Some(SystemClock.now());
    }

    /// Appends events of one transaction.
    pub async fn append(&self, program: ProgramId, events: &[NewEvent]) {
        transact(
            &self.database.service,
            "append",
            Scope::Program(program),
            TransactOptions::default(),
            |tx| in_tx(append_in_tx(tx, program, events)),
        )
        .await
        .expect("appended");
    }

    /// Appends an event of each subject in turn, each in a transaction of its own.
    pub async fn append_each(&self, program: ProgramId, subjects: &[Uuid], count: usize) {
        for subject in subjects.iter().cycle().take(count) {
            self.append(program, &[tier(*subject, "gold")]).await;
        }
    }
}

/// A client of a replica.
pub fn client(replica: &Replica, key: &ApiKeySecret) -> EventsClient {
    let config = ClientConfig::new(format!("http://{}", replica.address), key.expose());
    EventsClient::try_new(&config).expect("a client")
}

/// Opens a stream without the client's patience.
pub async fn open(
    replica: &Replica,
    key: &ApiKeySecret,
    message: WatchEventsRequest,
) -> Result<Streaming<WatchEventsResponse>, Status> {
    let channel: Channel = Endpoint::from_shared(format!("http://{}", replica.address))
        .expect("a URI")
        .connect()
        .await
        .expect("a connection");
    let mut request = Request::new(message);
    let value = format!("Bearer {}", key.expose()).parse().expect("a header");
    request.metadata_mut().insert("authorization", value);
    Ok(EventServiceClient::new(channel)
        .watch_events(request)
        .await?
        .into_inner())
}

/// From the beginning.
pub fn everything() -> WatchEventsRequest {
    WatchEventsRequest::default()
}

/// The answers until that many events have come.
pub async fn take(stream: &mut EventStream, count: usize) -> Vec<WatchEventsResponse> {
    let mut answers = Vec::new();
    let mut taken = 0;
    while taken < count {
        let answer = next(stream).await.expect("an answer");
        taken += answer.events.len();
        answers.push(answer);
    }
    answers
}

/// The next answer, also an empty one.
pub async fn next(stream: &mut EventStream) -> Result<WatchEventsResponse, CallError> {
    timeout(PATIENCE, stream.next()).await.expect("it comes in time")
}

/// The events in answers.
pub fn events(answers: &[WatchEventsResponse]) -> Vec<Event> {
    answers
        .iter()
        .flat_map(|answer| answer.events.iter().cloned())
        .collect()
}

/// Subject and version of events.
pub fn places(events: &[Event]) -> Vec<(String, i64)> {
    events
        .iter()
        .map(|event| (event.subject_id.clone(), event.version))
        .collect()
}

pub fn program() -> ProgramId {
    ProgramId::generate(&SystemClock)
}

pub fn tier(subject: Uuid, code: &str) -> NewEvent {
    let payload = Payload::MemberTierChanged(MemberTierChanged {
        tier_code: code.to_owned(),
        ..MemberTierChanged::default()
    });
    let now = SystemClock.now();
    new_event(subject, payload, now, now)
}

pub fn enrolled(subject: Uuid) -> NewEvent {
    let now = SystemClock.now();
    new_event(subject, Payload::MemberEnrolled(MemberEnrolled {}), now, now)
}
