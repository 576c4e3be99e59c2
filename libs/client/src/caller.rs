//! One call: headers, deadline, attempts.

mod stream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fealty_proto::ledger::v1::OwnerBalance;
use fealty_types::{Clock as _, ProgramId, RequestId, SystemClock};
use http::uri::PathAndQuery;
use prost::Message;
use tokio::time::Instant;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tracing::{Instrument as _, Span};

pub(crate) use self::stream::OpenStream;
use crate::connections::{Connection, Connections, was_never_taken};
use crate::method::Shows;
use crate::retry::Retries;
use crate::versions::{Ask, Versions};
use crate::{Answer, CallError, ClientConfig, ConnectError};

/// Set by a server on the answer of an earlier attempt.
const REPLAYED_HEADER: &str = "fealty-replayed";
/// Names the program of a call whose key is bound to none.
const PROGRAM_HEADER: &str = "fealty-program-id";
/// Connections of a call that had ended before it was sent: more than that do not end by chance, one after the other.
const ENDED_COUNT_MAX: u32 = 16;
/// How far two timers for the same instant lie apart.
const TIMER_SLACK: Duration = Duration::from_millis(10);
/// The largest answer taken: a full page of the largest resources, with room.
const ANSWER_SIZE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Makes calls to one service. Cheap to clone; clones share connections, budget and what they have seen.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    shared: Arc<Shared>,
    program: Option<AsciiMetadataValue>,
    deadline: Duration,
}

#[derive(Debug)]
struct Shared {
    connections: Connections,
    authorization: AsciiMetadataValue,
    retries: Retries,
    versions: Versions,
}

impl Caller {
    pub(crate) fn try_new(config: &ClientConfig) -> Result<Self, ConnectError> {
        let mut authorization: AsciiMetadataValue = format!("Bearer {}", config.key)
            .parse()
            .map_err(|_| ConnectError::Key)?;
        authorization.set_sensitive(true);
        let shared = Shared {
            connections: Connections::try_new(config)?,
            authorization,
            retries: Retries::new(config.retry),
            versions: Versions::new(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            program: config.program_id.map(program_value),
            deadline: config.deadline,
        })
    }

    pub(crate) fn for_program(&self, program_id: ProgramId) -> Self {
        Self {
            program: Some(program_value(program_id)),
            ..self.clone()
        }
    }

    pub(crate) fn within(&self, deadline: Duration) -> Self {
        Self {
            deadline,
            ..self.clone()
        }
    }

    /// What to ask for when an owner is read.
    pub(crate) fn ask(&self, owner_id: &str) -> Ask {
        self.shared.versions.ask(self.program_name(), owner_id)
    }

    /// Takes what the ledger of record said about an owner whose account was unclear.
    pub(crate) fn settle(&self, owner_id: &str, answers: u64, balance: Option<&OwnerBalance>) {
        self.shared
            .versions
            .settle(self.program_name(), owner_id, answers, balance);
    }

    /// Forgets it: the ledger was restored to an earlier state.
    pub(crate) fn forget_version(&self, owner_id: &str) {
        self.shared.versions.forget(self.program_name(), owner_id);
    }

    /// The program of the calls; empty where it is the key's own.
    fn program_name(&self) -> &str {
        let named = self.program.as_ref().and_then(|program| program.to_str().ok());
        named.unwrap_or_default()
    }

    /// Gives a write its request id, unless the caller has given it one to tie it to something of their own.
    #[expect(
        clippy::unused_self,
        reason = "the generated methods call it like everything else of the caller"
    )]
    pub(crate) fn name_attempt(&self, request_id: &mut String) {
        if request_id.is_empty() {
            *request_id = RequestId::generate_at(SystemClock.now()).to_string();
        }
    }

    /// Makes a call about an owner, with all its attempts: whose account the response shows is the one that they use.
    pub(crate) async fn unary_about<Req, Res>(
        &self,
        method: &'static str,
        request: Req,
        owner_id: &str,
    ) -> Result<Answer<Res>, CallError>
    where
        Req: Message + Clone + 'static,
        Res: Message + Default + Shows + 'static,
    {
        let answer = self.unary::<Req, Res>(method, request).await?;
        self.shared
            .versions
            .saw_account(self.program_name(), owner_id, answer.message.balance());
        Ok(answer)
    }

    /// Makes a call, with all its attempts.
    pub(crate) async fn unary<Req, Res>(
        &self,
        method: &'static str,
        request: Req,
    ) -> Result<Answer<Res>, CallError>
    where
        Req: Message + Clone + 'static,
        Res: Message + Default + Shows + 'static,
    {
        let span = tracing::info_span!(
            "rpc.client",
            otel.name = method.trim_start_matches('/'),
            otel.kind = "client",
            rpc.system.name = "grpc",
            rpc.method = method.trim_start_matches('/'),
            rpc.response.status_code = tracing::field::Empty,
            network.peer.address = tracing::field::Empty,
        );
        let answer = self
            .attempts::<Req, Res>(method, &request)
            .instrument(span.clone())
            .await;
        match &answer {
            Ok(answer) => {
                span.record("rpc.response.status_code", "OK");
                for balance in answer.message.balances() {
                    self.shared.versions.saw(self.program_name(), balance);
                }
                for transaction in answer.message.transactions() {
                    self.shared
                        .versions
                        .saw_transaction(self.program_name(), transaction);
                }
                for owner in answer.message.owners() {
                    self.shared.versions.saw_owner(self.program_name(), owner);
                }
            }
            Err(error) => {
                span.record("rpc.response.status_code", tracing::field::debug(error.code));
            }
        }
        answer
    }

    async fn attempts<Req, Res>(&self, method: &'static str, request: &Req) -> Result<Answer<Res>, CallError>
    where
        Req: Message + Clone + 'static,
        Res: Message + Default + 'static,
    {
        let ends = Instant::now() + self.deadline;
        self.shared.retries.call_begins();
        let mut tried = Vec::new();
        let mut attempt_count = 0;
        let mut last: Option<Status> = None;
        loop {
            let left = ends.saturating_duration_since(Instant::now());
            let attempt = self.attempt(method, request, ends, &mut tried);
            let Ok(outcome) = tokio::time::timeout(left, attempt).await else {
                return Err(CallError::out_of_time(
                    method,
                    self.deadline,
                    attempt_count + 1,
                    last.as_ref(),
                ));
            };
            attempt_count += 1;
            let status = match outcome {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            let elsewhere = self.shared.connections.offer_another_than(&tried);
            let pause = self.shared.retries.pause_after(&status, attempt_count, elsewhere);
            let Some(pause) = pause.filter(|pause| Instant::now() + *pause < ends) else {
                return Err(self.failed(method, &status, attempt_count, ends));
            };
            tracing::debug!(method, attempt_count, code = ?status.code(), ?tried, ?pause, "the call is tried again");
            tokio::time::sleep(pause).await;
            last = Some(status);
        }
    }

    fn failed(&self, method: &'static str, status: &Status, attempt_count: u32, ends: Instant) -> CallError {
        // The transport watches the deadline too, and calls its end a cancellation.
        let timed_out = status.code() == Code::Cancelled && Instant::now() + TIMER_SLACK >= ends;
        if timed_out {
            return CallError::out_of_time(method, self.deadline, attempt_count, None);
        }
        CallError::from_status(method, status, attempt_count)
    }

    /// Asks one replica, of those that were not tried yet if there is one. A connection that had ended before it could
    /// be asked counts for nothing.
    async fn attempt<Req, Res>(
        &self,
        method: &'static str,
        request: &Req,
        ends: Instant,
        tried: &mut Vec<SocketAddr>,
    ) -> Result<Answer<Res>, Status>
    where
        Req: Message + Clone + 'static,
        Res: Message + Default + 'static,
    {
        let mut ended_count = 0;
        loop {
            let connection = self.shared.connections.next(tried).await?;
            let status = match self.send(&connection, method, request, ends).await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            connection.learn(&status);
            if was_never_taken(&status) && ended_count < ENDED_COUNT_MAX {
                ended_count += 1;
                continue;
            }
            tried.push(connection.address());
            return Err(status);
        }
    }

    async fn send<Req, Res>(
        &self,
        connection: &Connection,
        method: &'static str,
        request: &Req,
        ends: Instant,
    ) -> Result<Answer<Res>, Status>
    where
        Req: Message + Clone + 'static,
        Res: Message + Default + 'static,
    {
        Span::current().record(
            "network.peer.address",
            tracing::field::display(connection.address()),
        );
        let mut grpc =
            tonic::client::Grpc::new(connection.channel()).max_decoding_message_size(ANSWER_SIZE_MAX_BYTES);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::from_error(Box::new(error)))?;
        let mut outgoing = Request::new(request.clone());
        outgoing.set_timeout(ends.saturating_duration_since(Instant::now()));
        self.write_headers(outgoing.metadata_mut());
        let response = grpc
            .unary(
                outgoing,
                PathAndQuery::from_static(method),
                ProstCodec::<Req, Res>::default(),
            )
            .await?;
        let replayed = response
            .metadata()
            .get(REPLAYED_HEADER)
            .is_some_and(|value| value == "true");
        Ok(Answer {
            message: response.into_inner(),
            replayed,
        })
    }

    fn write_headers(&self, metadata: &mut MetadataMap) {
        metadata.insert("authorization", self.shared.authorization.clone());
        if let Some(program) = &self.program {
            metadata.insert(PROGRAM_HEADER, program.clone());
        }
        let mut headers = std::mem::take(metadata).into_headers();
        fealty_telemetry::inject(&Span::current(), &mut headers);
        *metadata = MetadataMap::from_headers(headers);
    }
}

fn program_value(program_id: ProgramId) -> AsciiMetadataValue {
    // A UUID's text is ASCII.
    program_id
        .to_string()
        .parse()
        .unwrap_or_else(|_| AsciiMetadataValue::from_static(""))
}
