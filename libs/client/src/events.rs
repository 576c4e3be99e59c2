//! Follows the events of a service.

use std::net::SocketAddr;

use fealty_proto::events::v1::{WatchEventsRequest, WatchEventsResponse};
use fealty_types::ProgramId;
use tokio::time::sleep;
use tonic::{Code, Status};

use crate::caller::{Caller, OpenStream};
use crate::{CallError, ClientConfig, ConnectError};

const WATCH_EVENTS: &str = "/fealty.events.v1.EventService/WatchEvents";

/// Follows the events of one service: of members, the ledger, rewards or surveys, depending on its endpoint. Cheap to
/// clone; clones share connections.
#[derive(Debug, Clone)]
pub struct EventsClient {
    caller: Caller,
}

impl EventsClient {
    /// Prepares a client. It connects with its first stream.
    pub fn try_new(config: &ClientConfig) -> Result<Self, ConnectError> {
        Ok(Self {
            caller: Caller::try_new(config)?,
        })
    }

    /// The same client, following one program: for keys that are bound to none, which else follow all.
    #[must_use]
    pub fn for_program(&self, program_id: ProgramId) -> Self {
        Self {
            caller: self.caller.for_program(program_id),
        }
    }

    /// Follows events. Nothing is asked for before the first [`EventStream::next`].
    #[must_use]
    pub fn watch(&self, request: WatchEventsRequest) -> EventStream {
        EventStream {
            caller: self.caller.clone(),
            request,
            open: None,
            tried: Vec::new(),
            failure_count: 0,
        }
    }
}

/// A stream of events that opens itself again, at the last token, whenever a replica ends it or goes away.
#[derive(Debug)]
pub struct EventStream {
    caller: Caller,
    request: WatchEventsRequest,
    open: Option<OpenStream<WatchEventsResponse>>,
    /// Where it could not be opened since the last answer.
    tried: Vec<SocketAddr>,
    /// How often since then.
    failure_count: u32,
}

impl EventStream {
    /// The next events, in order, and the token of where they end; waits for them as long as it takes. Empty ones move
    /// the token only.
    ///
    /// Fails for what no waiting helps against: a request that is malformed, a key that may not follow, a token that the
    /// service does not take. Dropped while it waits, it loses nothing.
    pub async fn next(&mut self) -> Result<WatchEventsResponse, CallError> {
        loop {
            let ended = match &mut self.open {
                Some(open) => open.next().await,
                None => match self
                    .caller
                    .open(WATCH_EVENTS, &self.request, &mut self.tried)
                    .await
                {
                    Ok(open) => {
                        self.open = Some(open);
                        continue;
                    }
                    Err(status) => Err(status),
                },
            };
            match ended {
                Ok(Some(answer)) => return Ok(self.note(answer)),
                // A replica lets go of its streams now and then, to spread them. The pause is for one that does so at once.
                Ok(None) => {
                    self.open = None;
                    sleep(self.caller.pause_before_reopening(&Status::unavailable(""), 1)).await;
                }
                Err(status) => self.recover(&status).await?,
            }
        }
    }

    /// Where it goes on from after a loss: the token of the last answer.
    #[must_use]
    pub fn resume_token(&self) -> &str {
        &self.request.resume_token
    }

    fn note(&mut self, answer: WatchEventsResponse) -> WatchEventsResponse {
        self.request.resume_token.clone_from(&answer.resume_token);
        self.request.from_now = false;
        self.tried.clear();
        self.failure_count = 0;
        answer
    }

    /// Lets go of the stream, and waits before the next is opened.
    async fn recover(&mut self, status: &Status) -> Result<(), CallError> {
        self.open = None;
        self.failure_count = self.failure_count.saturating_add(1);
        if is_final(status) {
            return Err(CallError::from_status(WATCH_EVENTS, status, self.failure_count));
        }
        let pause = self.caller.pause_before_reopening(status, self.failure_count);
        tracing::debug!(code = ?status.code(), message = status.message(), ?pause, "the stream of events is opened again");
        sleep(pause).await;
        Ok(())
    }
}

/// What the same request will be answered again.
fn is_final(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::InvalidArgument
            | Code::OutOfRange
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::NotFound
            | Code::Unimplemented
    )
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::service::Routes;
    use tonic::transport::Server;

    use super::*;

    #[tokio::test]
    async fn a_replica_that_refuses_for_days_is_remembered_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut running = JoinSet::new();
        running.spawn(
            Server::builder()
                .add_routes(Routes::default())
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        let config = ClientConfig::new(format!("http://{address}"), "key");
        let client = EventsClient::try_new(&config).expect("a client");
        let mut stream = client.watch(WatchEventsRequest::default());
        for _ in 0..3 {
            let refused = stream.next().await.expect_err("it serves nothing");
            assert_eq!(refused.code, Code::Unimplemented);
        }
        assert_eq!(stream.tried, [address]);
    }
}
