//! Whether a connection has calls in flight, and since when it has none.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::call::{Below, Inner, Next};

/// The calls of one connection.
pub(super) struct Activity {
    state: Mutex<State>,
}

struct State {
    calls: usize,
    quiet_since: Instant,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                calls: 0,
                quiet_since: Instant::now(),
            }),
        }
    }

    /// How long there has been no call; zero while there is one.
    pub(super) fn idle_for(&self) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.calls > 0 {
            Duration::ZERO
        } else {
            state.quiet_since.elapsed()
        }
    }

    fn begin(self: &Arc<Self>) -> Active {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).calls += 1;
        Active(Arc::clone(self))
    }
}

/// A call in flight.
struct Active(Arc<Activity>);

impl Drop for Active {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.calls -= 1;
        state.quiet_since = Instant::now();
    }
}

/// Counts the calls that pass.
#[derive(Clone)]
pub(super) struct Counted<S> {
    next: S,
    activity: Arc<Activity>,
}

impl<S> Counted<S> {
    pub(super) fn new(next: S, activity: Arc<Activity>) -> Self {
        Self { next, activity }
    }
}

impl<S: Inner> Service<Request<Body>> for Counted<S> {
    type Response = Response<CountedBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let active = self.activity.begin();
        let next = Below(self.next.clone());
        Box::pin(async move {
            let response = next.call(request).await;
            Ok(response.map(|body| CountedBody {
                body,
                _active: active,
            }))
        })
    }
}

/// A call is in flight until its body has been sent.
pub(super) struct CountedBody {
    body: Body,
    _active: Active,
}

impl http_body::Body for CountedBody {
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
