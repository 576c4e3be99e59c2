//! How long a call may take: what the caller grants (`grpc-timeout`), at most what the server grants.
//!
//! tonic's own timeout answers CANCELLED and stops counting at the response's headers; this one answers
//! `DEADLINE_EXCEEDED` and covers a streamed body too. What is left travels in the request's extensions as [`Deadline`].
//!
//! A stream has no deadline but the one that its caller names: it opens within a call's time, and its handler ends it at
//! an age of the server's ([`StreamEnd`]).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tonic::Status;
use tonic::body::Body;

use crate::call::{Call, Next, Stage, refuse};
use crate::errors::ApiError;

const TIMEOUT_HEADER: &str = "grpc-timeout";
/// Most digits of a `grpc-timeout`, by the gRPC specification.
const TIMEOUT_DIGITS_MAX: usize = 8;

/// By how much the age at which streams end differs.
const STREAM_AGE_JITTER: f64 = 0.2;
/// How long the handler of a stream that is due may take to end it, before it is cut off: it may be waiting for a page
/// from Postgres, which takes two seconds at most.
const STREAM_END_GRACE: Duration = Duration::from_secs(5);

/// When the answer is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline that far from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// The deadline of a request that came through the deadline layer.
    #[must_use]
    pub fn from_request<T>(request: &tonic::Request<T>) -> Option<Self> {
        request.extensions().get().copied()
    }

    /// What is left; zero when it has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The instant itself, for `tokio::time::timeout_at`.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.0
    }

    /// Hands what is left on to a call made further down.
    pub fn apply_to<T>(&self, request: &mut tonic::Request<T>) {
        request.set_timeout(self.remaining());
    }
}

/// When the handler of a stream ends it in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamEnd(Instant);

impl StreamEnd {
    /// Somewhat before that age, by chance, so that streams that began together do not end together.
    fn before_age(age_max: Duration) -> Self {
        let age = age_max.mul_f64(rand::random_range(1.0 - STREAM_AGE_JITTER..=1.0));
        Self(Instant::now() + age)
    }

    /// The end of a stream whose request came through the deadline layer.
    #[must_use]
    pub fn from_request<T>(request: &tonic::Request<T>) -> Option<Self> {
        request.extensions().get().copied()
    }

    /// The instant itself.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.0
    }
}

/// Ends calls at their deadline.
#[derive(Debug, Clone)]
pub(crate) struct Deadlines {
    /// For callers who name none.
    pub(crate) default: Duration,
    /// However long the caller would wait.
    pub(crate) max: Duration,
    /// However long the caller of a stream would stay.
    pub(crate) stream_age_max: Duration,
}

impl Deadlines {
    /// A stream: bounded while it opens, then by its caller's own deadline, and in any case some time after its handler
    /// should have ended it.
    async fn open_stream(&self, mut request: Request<Body>, next: &impl Next) -> Response<Body> {
        let end = StreamEnd::before_age(self.stream_age_max);
        request.extensions_mut().insert(end);
        let overdue = Deadline(end.0 + STREAM_END_GRACE);
        let deadline =
            timeout_of(request.headers()).map_or(overdue, |named| Deadline::after(named).min(overdue));
        let opened = Deadline::after(self.default).min(deadline);
        match timeout_at(opened.0, next.call(request)).await {
            Ok(response) => response.map(|body| Body::new(DeadlineBody::new(body, deadline))),
            Err(_) => refuse(&ApiError::deadline_exceeded()),
        }
    }
}

impl Stage for Deadlines {
    async fn handle(&self, mut request: Request<Body>, next: &impl Next) -> Response<Body> {
        // A watcher of the health, or of the reflection, stays as long as it likes.
        let endpoint = Call::current(&request).endpoint;
        if endpoint.is_open() {
            return next.call(request).await;
        }
        if endpoint.is_stream() {
            return self.open_stream(request, next).await;
        }
        let granted = timeout_of(request.headers())
            .unwrap_or(self.default)
            .min(self.max);
        let deadline = Deadline::after(granted);
        request.extensions_mut().insert(deadline);
        match timeout_at(deadline.0, next.call(request)).await {
            Ok(response) => response.map(|body| Body::new(DeadlineBody::new(body, deadline))),
            Err(_) => refuse(&ApiError::deadline_exceeded()),
        }
    }
}

/// The caller's timeout. A malformed one counts as none, as in tonic and in the C core.
fn timeout_of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT_HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > TIMEOUT_DIGITS_MAX || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// A response's body that ends with `DEADLINE_EXCEEDED` when it is not done in time.
struct DeadlineBody {
    /// None once it is over.
    body: Option<Body>,
    timer: Pin<Box<Sleep>>,
}

impl DeadlineBody {
    fn new(body: Body, deadline: Deadline) -> Self {
        Self {
            body: Some(body),
            timer: Box::pin(sleep_until(deadline.0)),
        }
    }
}

impl http_body::Body for DeadlineBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(body) = self.body.as_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // Dropping the body drops the handler's stream with it.
        self.body = None;
        Poll::Ready(Some(Ok(Frame::trailers(trailers_of(
            &ApiError::deadline_exceeded(),
        )))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }
}

/// A refusal as the trailers of a body that has begun.
pub(crate) fn trailers_of(error: &ApiError) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // A message is percent-encoded and details are base64: there is nothing that a header could not hold.
    let _ = error.to_status().add_header(&mut trailers);
    trailers
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http_body_util::BodyExt;

    fn timeout_in(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT_HEADER, HeaderValue::from_str(text).unwrap());
        timeout_of(&headers)
    }

    #[test]
    fn a_timeout_is_read_in_each_unit() {
        assert_eq!(timeout_in("2H"), Some(Duration::from_hours(2)));
        assert_eq!(timeout_in("3M"), Some(Duration::from_mins(3)));
        assert_eq!(timeout_in("82m"), Some(Duration::from_millis(82)));
        assert_eq!(timeout_in("99999999S"), Some(Duration::from_secs(99_999_999)));
        for malformed in ["", "m", "1", "-1S", "1.5S", "123456789S", "5x", " 5S"] {
            assert_eq!(timeout_in(malformed), None, "{malformed}");
        }
    }

    /// A body that never sends anything.
    struct Hanging;

    impl http_body::Body for Hanging {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_hangs_ends_with_deadline_exceeded() {
        let body = DeadlineBody::new(Body::new(Hanging), Deadline::after(Duration::from_secs(3)));
        let collected = body.collect().await.expect("it ends in order");
        let trailers = collected.trailers().expect("trailers");
        assert_eq!(
            trailers.get("grpc-status").map(HeaderValue::as_bytes),
            Some(&b"4"[..])
        );
        assert!(trailers.contains_key("grpc-status-details-bin"));
    }
}
