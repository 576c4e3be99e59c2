//! Following the members service's access records, here from a feed that a test plays.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fealty_ledger::LedgerConfig;
use fealty_proto::access::v1 as pb;
use fealty_proto::access::v1::Scope;
use fealty_proto::access::v1::access_change::Record;
use fealty_proto::access::v1::access_feed_service_server::{AccessFeedService, AccessFeedServiceServer};
use fealty_proto::ledger::v1::ListUnitsRequest;
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::access::ApiKeySecret;
use fealty_rpc::errors::ApiError;
use fealty_runtime::config::Secret;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

use super::harness::{Ledger, config, database, new_id, until, with_key};
use super::refusals::refusal;

/// A feed whose token is the number of changes that were read, after a prefix that a "restore" changes.
#[derive(Clone, Default)]
struct Members {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    restored_count: usize,
    changes: Vec<pb::AccessChange>,
    calls: usize,
}

impl Members {
    fn add(&self, record: Record) {
        let mut state = self.state.lock().expect("no panic in it");
        let sequence = i64::try_from(state.changes.len()).expect("a few") + 1;
        state.changes.push(pb::AccessChange {
            record: Some(record),
            sequence,
        });
    }

    /// As after a restore: other tokens, and fewer changes.
    fn restore(&self, changes: Vec<pb::AccessChange>) {
        let mut state = self.state.lock().expect("no panic in it");
        state.restored_count += 1;
        state.changes = changes;
    }
}

#[tonic::async_trait]
impl AccessFeedService for Members {
    async fn list_access_changes(
        &self,
        request: Request<pb::ListAccessChangesRequest>,
    ) -> Result<Response<pb::ListAccessChangesResponse>, Status> {
        let mut state = self.state.lock().expect("no panic in it");
        state.calls += 1;
        let token = &request.get_ref().resume_token;
        let prefix = format!("{}:", state.restored_count);
        let from = match token.strip_prefix(&prefix) {
            _ if token.is_empty() => 0,
            Some(number) => number.parse().expect("our own token"),
            None => return Err(ApiError::page_token_invalid().into()),
        };
        // Two at a time, so that there are pages.
        let changes: Vec<_> = state.changes.iter().skip(from).take(2).cloned().collect();
        let next = from + changes.len();
        Ok(Response::new(pb::ListAccessChangesResponse {
            changes,
            next_resume_token: format!("{prefix}{next}"),
            more: next < state.changes.len(),
        }))
    }
}

/// The feed on a port of its own.
fn serve(members: &Members) -> (String, JoinSet<()>) {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let url = format!("http://{}", incoming.local_addr().expect("bound"));
    let router = Server::builder().add_service(AccessFeedServiceServer::new(members.clone()));
    let mut server = JoinSet::new();
    server.spawn(async move { router.serve_with_incoming(incoming).await.expect("serves") });
    (url, server)
}

async fn following(members: &Members) -> (Ledger, JoinSet<()>) {
    let (endpoint, server) = serve(members);
    let database = database().await;
    let mut config: LedgerConfig = config(&database).await;
    config.members.endpoint = endpoint;
    config.members.service_key = Secret::new("fealty_any".to_owned());
    let ledger = Ledger::start_with(database, config).await;
    assert!(ledger.serving.health.wait_until_ready().await);
    (ledger, server)
}

fn program(program_id: &str) -> Record {
    Record::Program(pb::ProgramRecord {
        program_id: program_id.to_owned(),
        time_zone: "Europe/London".to_owned(),
        currency_code: "GBP".to_owned(),
        active: true,
    })
}

fn key_record(key: &ApiKeySecret, key_id: &str, program_id: &str) -> pb::ApiKeyRecord {
    pb::ApiKeyRecord {
        api_key_id: key_id.to_owned(),
        program_id: program_id.to_owned(),
        short_id: key.short_id().to_owned(),
        secret_sha256: key.secret_sha256().to_vec().into(),
        scopes: vec![Scope::UnitsRead.into()],
        ..pb::ApiKeyRecord::default()
    }
}

fn revoked(record: pb::ApiKeyRecord) -> Record {
    Record::ApiKey(pb::ApiKeyRecord {
        revoke_time: Some(prost_types::Timestamp {
            seconds: 1_000,
            nanos: 0,
        }),
        ..record
    })
}

fn secret() -> ApiKeySecret {
    ApiKeySecret::generate(&mut rand::rng())
}

async fn list_units(ledger: &Ledger, key: &ApiKeySecret) -> Result<(), Status> {
    let request = with_key(key.expose(), ListUnitsRequest::default());
    ledger.units().list_units(request).await.map(|_| ())
}

#[tokio::test]
async fn a_key_made_a_moment_ago_is_known_at_its_first_call() {
    let members = Members::default();
    let (ledger, _server) = following(&members).await;
    let (key, program_id) = (secret(), new_id());
    members.add(program(&program_id));
    members.add(Record::ApiKey(key_record(&key, &new_id(), &program_id)));
    list_units(&ledger, &key).await.expect("the feed was nudged");
    assert!(ledger.stop().await);
}

#[tokio::test]
async fn a_revocation_holds_within_five_seconds() {
    let members = Members::default();
    let (key, program_id) = (secret(), new_id());
    let record = key_record(&key, &new_id(), &program_id);
    members.add(Record::ApiKey(record.clone()));
    members.add(program(&program_id));
    let (ledger, _server) = following(&members).await;
    list_units(&ledger, &key).await.expect("known");
    members.add(revoked(record));
    let begun = Instant::now();
    until("revoked", async || list_units(&ledger, &key).await.is_err()).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let refused = list_units(&ledger, &key).await;
    assert_eq!(refusal(refused), (Code::Unauthenticated, ErrorReason::KeyRevoked));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_keeps_none_after_it_away() {
    let members = Members::default();
    let (key, program_id) = (secret(), new_id());
    members.add(Record::Program(pb::ProgramRecord {
        time_zone: "Nowhere".to_owned(),
        ..pb::ProgramRecord::default()
    }));
    members.add(program(&program_id));
    members.add(Record::ApiKey(key_record(&key, &new_id(), &program_id)));
    let (ledger, _server) = following(&members).await;
    list_units(&ledger, &key).await.expect("known");
}

#[tokio::test]
async fn a_feed_that_was_restored_is_followed_from_its_beginning() {
    let members = Members::default();
    let (key, program_id) = (secret(), new_id());
    let record = key_record(&key, &new_id(), &program_id);
    for _ in 0..5 {
        members.add(program(&program_id));
    }
    members.add(Record::ApiKey(record.clone()));
    let (ledger, _server) = following(&members).await;
    list_units(&ledger, &key).await.expect("known");
    // In the restored feed the key is revoked, under a smaller number than the one that the ledger has.
    members.restore(vec![pb::AccessChange {
        record: Some(revoked(record)),
        sequence: 1,
    }]);
    until("revoked", async || list_units(&ledger, &key).await.is_err()).await;
}

#[tokio::test]
async fn two_replicas_follow_and_each_change_takes_effect() {
    let members = Members::default();
    let (endpoint, _server) = serve(&members);
    let first_database = database().await;
    let mut settings = config(&first_database).await;
    settings.members.endpoint = endpoint;
    settings.members.service_key = Secret::new("fealty_any".to_owned());
    let program_id = new_id();
    members.add(program(&program_id));
    let keys: Vec<ApiKeySecret> = (0..20).map(|_| secret()).collect();
    for key in &keys {
        members.add(Record::ApiKey(key_record(key, &new_id(), &program_id)));
    }
    let second_settings = settings.clone();
    let first = Ledger::start_with(first_database, settings).await;
    // The second lives on the first's database; its own is only there to be owned.
    let second = Ledger::start_with(database().await, second_settings).await;
    for key in &keys {
        until("known to both", async || {
            list_units(&first, key).await.is_ok() && list_units(&second, key).await.is_ok()
        })
        .await;
    }
    assert!(members.state.lock().unwrap().calls > 1);
}
