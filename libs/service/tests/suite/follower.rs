//! Following the feed, which a test plays. How callers fare meanwhile is tried in the services.

use std::sync::{Arc, Mutex};

use fealty_proto::access::v1 as pb;
use fealty_proto::access::v1::access_change::Record;
use fealty_proto::access::v1::access_feed_service_server::{AccessFeedService, AccessFeedServiceServer};
use fealty_rpc::access::AccessRecords;
use fealty_runtime::config::Secret;
use fealty_service::access::AccessFollower;
use fealty_service::config::PeerConfig;
use fealty_service::ground::ServeError;
use fealty_types::{Clock, ProgramId, SystemClock};
use tokio::task::JoinSet;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::probe::{MIGRATOR, database, ground};

/// Changes of a page, so that a few records are several pages.
const PAGE_COUNT: usize = 2;

/// A feed whose token is the number of changes that were read.
#[derive(Clone, Default)]
struct Members {
    changes: Arc<Mutex<Vec<pb::AccessChange>>>,
}

impl Members {
    fn add(&self, program_id: ProgramId, time_zone: &str) {
        let mut changes = self.changes.lock().expect("no panic in it");
        let sequence = i64::try_from(changes.len()).expect("a few") + 1;
        changes.push(pb::AccessChange {
            record: Some(Record::Program(pb::ProgramRecord {
                program_id: program_id.to_string(),
                time_zone: time_zone.to_owned(),
                currency_code: "GBP".to_owned(),
                active: true,
            })),
            sequence,
        });
    }

    /// The feed on a port of its own.
    fn serve(&self) -> (PeerConfig<7101>, JoinSet<()>) {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let peer = PeerConfig {
            endpoint: format!("http://{}", incoming.local_addr().expect("bound")),
            service_key: Secret::new("fealty_any".to_owned()),
            certificate_authority_file: None,
        };
        let router = Server::builder().add_service(AccessFeedServiceServer::new(self.clone()));
        let mut server = JoinSet::new();
        server.spawn(async move { router.serve_with_incoming(incoming).await.expect("serves") });
        (peer, server)
    }
}

#[tonic::async_trait]
impl AccessFeedService for Members {
    async fn list_access_changes(
        &self,
        request: Request<pb::ListAccessChangesRequest>,
    ) -> Result<Response<pb::ListAccessChangesResponse>, Status> {
        let changes = self.changes.lock().expect("no panic in it");
        let from: usize = request.get_ref().resume_token.parse().unwrap_or(0);
        let page: Vec<_> = changes.iter().skip(from).take(PAGE_COUNT).cloned().collect();
        let next = from + page.len();
        Ok(Response::new(pb::ListAccessChangesResponse {
            changes: page,
            next_resume_token: next.to_string(),
            more: next < changes.len(),
        }))
    }
}

fn program_id() -> ProgramId {
    ProgramId::generate_at(SystemClock.now())
}

#[tokio::test]
async fn a_round_takes_over_every_page_and_passes_what_cannot_be_read() {
    let database = database().await;
    let ground = ground(&database);
    ground.open(&MIGRATOR).await.expect("migrated");
    let members = Members::default();
    let programs: Vec<ProgramId> = (0..5).map(|_| program_id()).collect();
    for (index, program_id) in programs.iter().enumerate() {
        let time_zone = if index == 1 { "Nowhere" } else { "Europe/London" };
        members.add(*program_id, time_zone);
    }
    let (peer, _server) = members.serve();
    let follower = AccessFollower::try_new(&ground, &peer).expect("an endpoint");
    follower.run_round().await.expect("the feed answers");
    assert_eq!(follower.copy().position().await.expect("a position"), "5");
    for (index, program_id) in programs.into_iter().enumerate() {
        let found = follower.copy().find_program(program_id).await.expect("asked");
        assert_eq!(found.is_some(), index != 1, "{index}");
    }
}

#[tokio::test]
async fn a_follower_goes_on_where_another_replica_stopped() {
    let database = database().await;
    let ground = ground(&database);
    ground.open(&MIGRATOR).await.expect("migrated");
    let members = Members::default();
    members.add(program_id(), "Europe/London");
    let (peer, _server) = members.serve();
    let first = AccessFollower::try_new(&ground, &peer).expect("an endpoint");
    first.run_round().await.expect("the feed answers");
    let late = program_id();
    members.add(late, "Europe/London");
    let second = AccessFollower::try_new(&ground, &peer).expect("an endpoint");
    second.run_round().await.expect("the feed answers");
    assert_eq!(first.copy().position().await.expect("a position"), "2");
    assert!(first.copy().find_program(late).await.expect("asked").is_some());
}

#[tokio::test]
async fn without_a_key_nothing_is_asked_and_without_members_a_round_fails() {
    let database = database().await;
    let ground = ground(&database);
    let keyless = AccessFollower::try_new(&ground, &PeerConfig::<7101>::default()).expect("no endpoint");
    assert!(keyless.run_round().await.is_ok());
    let (peer, server) = Members::default().serve();
    drop(server);
    let follower = AccessFollower::try_new(&ground, &peer).expect("an endpoint");
    assert!(follower.run_round().await.is_err());
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_told_with_its_section() {
    let database = database().await;
    let peer = PeerConfig::<7101> {
        endpoint: "members".to_owned(),
        service_key: Secret::new("fealty_any".to_owned()),
        certificate_authority_file: None,
    };
    let refused = AccessFollower::try_new(&ground(&database), &peer).expect_err("no URL");
    assert!(
        matches!(
            refused,
            ServeError::Settings {
                section: "members",
                ..
            }
        ),
        "{refused}"
    );
}
