//! A ledger whose purchases a test makes up: its feed, and nothing else.

use std::net::SocketAddr;
use std::pin::Pin;

use chrono::{DateTime, Utc};
use fealty_proto::events::v1 as pb;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::event_service_server::{EventService, EventServiceServer};
use fealty_proto::types::v1::Money;
use fealty_rpc::present::timestamp;
use fealty_runtime::Process;
use fealty_runtime::config::DrainConfig;
use futures::Stream;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::harness::new_id;

/// Its resume token is the number of events that came before.
pub struct LedgerStandIn {
    address: SocketAddr,
    events: watch::Sender<Vec<pb::Event>>,
    process: Process,
}

struct Feed(watch::Sender<Vec<pb::Event>>);

impl LedgerStandIn {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let events = watch::Sender::default();
        let service = EventServiceServer::new(Feed(events.clone()));
        let process = Process::new(&DrainConfig::default());
        let ending = process.tasks().soft_shutdown();
        process.tasks().spawn("ledger stand-in", async move {
            let serving = Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpIncoming::from(listener));
            tokio::select! {
                () = ending.cancelled() => {}
                served = serving => served.expect("it serves"),
            }
        });
        Self {
            address,
            events,
            process,
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn tell(&self, event: pb::Event) {
        self.events.send_modify(|events| events.push(event));
    }

    /// How many events there are.
    pub fn count(&self) -> usize {
        self.events.borrow().len()
    }
}

impl Drop for LedgerStandIn {
    fn drop(&mut self) {
        self.process.tasks().shut_down();
    }
}

/// A purchase as the ledger tells of it.
pub fn purchase(
    program_id: &str,
    member_id: &str,
    amount_minor: i64,
    occur_time: DateTime<Utc>,
) -> pb::Event {
    let posted = pb::TransactionPosted {
        transaction_id: new_id(),
        kind: "purchase".to_owned(),
        source: "till".to_owned(),
        receipt_id: new_id(),
        purchase_id: new_id(),
        money: Some(Money {
            currency_code: "GBP".to_owned(),
            amount_minor,
        }),
        owner_id: member_id.to_owned(),
        ..pb::TransactionPosted::default()
    };
    pb::Event {
        event_id: new_id(),
        program_id: program_id.to_owned(),
        subject_id: member_id.to_owned(),
        version: 1,
        event_type: pb::EventType::TransactionPosted.into(),
        occur_time: Some(timestamp(occur_time)),
        record_time: Some(timestamp(occur_time)),
        trace_parent: String::new(),
        payload: Some(Payload::TransactionPosted(posted)),
    }
}

/// The transaction in an event.
pub fn posted(event: &mut pb::Event) -> &mut pb::TransactionPosted {
    match &mut event.payload {
        Some(Payload::TransactionPosted(posted)) => posted,
        other => panic!("no transaction: {other:?}"),
    }
}

#[tonic::async_trait]
impl EventService for Feed {
    type WatchEventsStream = Pin<Box<dyn Stream<Item = Result<pb::WatchEventsResponse, Status>> + Send>>;

    async fn watch_events(
        &self,
        request: Request<pb::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let token = &request.get_ref().resume_token;
        let from: usize = if token.is_empty() {
            0
        } else {
            token.parse().expect("our own token")
        };
        let events = self.0.subscribe();
        let stream = futures::stream::unfold((events, from), async |(mut events, from)| {
            let seen = events.wait_for(|events| events.len() > from).await.ok()?;
            let batch = seen[from..].to_vec();
            let next = seen.len();
            drop(seen);
            let response = pb::WatchEventsResponse {
                events: batch,
                resume_token: next.to_string(),
            };
            Some((Ok(response), (events, next)))
        });
        Ok(Response::new(Box::pin(stream)))
    }
}
