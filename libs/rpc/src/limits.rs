//! How many calls and streams the process works on at a time. tonic's own limit counts for one connection only, and makes callers
//! wait in its memory; this one counts for all of them and refuses at once.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;

use crate::call::{Call, Next, Stage, refuse};
use crate::errors::ApiError;

/// Shortest wait that a refused caller is asked for: a few batches of the ledger.
const RETRY_AFTER_MIN_MS: u64 = 100;
/// Longest. Between them each is told another wait, so that they do not come back together.
const RETRY_AFTER_MAX_MS: u64 = 300;

/// Refuses what comes on top of the calls in flight, and of the streams: each has places of its own, since a stream
/// keeps its place for a minute and a call for milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct InFlight {
    for_calls: Arc<Semaphore>,
    for_streams: Arc<Semaphore>,
}

impl InFlight {
    pub(crate) fn new(calls_in_flight_max: usize, streams_max: usize) -> Self {
        Self {
            for_calls: Arc::new(Semaphore::new(calls_in_flight_max)),
            for_streams: Arc::new(Semaphore::new(streams_max)),
        }
    }
}

impl Stage for InFlight {
    async fn handle(&self, request: Request<Body>, next: &impl Next) -> Response<Body> {
        // A full server still answers how it is: else a full one would be taken for a dead one.
        let endpoint = Call::current(&request).endpoint;
        if endpoint.is_open() {
            return next.call(request).await;
        }
        let free = if endpoint.is_stream() {
            &self.for_streams
        } else {
            &self.for_calls
        };
        let Ok(permit) = Arc::clone(free).try_acquire_owned() else {
            return refuse(&ApiError::overloaded(retry_after()));
        };
        let response = next.call(request).await;
        response.map(|body| {
            Body::new(PermitBody {
                body,
                _permit: permit,
            })
        })
    }
}

/// A wait that differs from caller to caller.
pub(crate) fn retry_after() -> Duration {
    Duration::from_millis(rand::random_range(RETRY_AFTER_MIN_MS..=RETRY_AFTER_MAX_MS))
}

/// A call is in flight until its body has been sent.
struct PermitBody {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl http_body::Body for PermitBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
