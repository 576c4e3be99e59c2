//! A panic costs the call that it happened in, not the connection that a hundred others share.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

use crate::call::{Next, Stage, refuse};
use crate::deadline::trailers_of;
use crate::errors::ApiError;

/// Answers INTERNAL where a handler, or the stream that it returned, panics.
#[derive(Debug, Clone)]
pub(crate) struct CatchPanics;

impl Stage for CatchPanics {
    async fn handle(&self, request: Request<Body>, next: &impl Next) -> Response<Body> {
        // Nothing of the call is used after a panic.
        match AssertUnwindSafe(next.call(request)).catch_unwind().await {
            Ok(response) => response.map(|body| Body::new(CatchingBody { body: Some(body) })),
            Err(panic) => refuse(&error_of(panic.as_ref())),
        }
    }
}

fn error_of(panic: &(dyn Any + Send)) -> ApiError {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    ApiError::internal_message(&format!("panicked: {message}"))
}

struct CatchingBody {
    /// None once it is over.
    body: Option<Body>,
}

impl http_body::Body for CatchingBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(body) = self.body.as_mut() else {
            return Poll::Ready(None);
        };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) {
            Ok(polled) => polled,
            Err(panic) => {
                self.body = None;
                Poll::Ready(Some(Ok(Frame::trailers(trailers_of(&error_of(panic.as_ref()))))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), http_body::Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    struct Panicking;

    impl http_body::Body for Panicking {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            panic!("the stream is broken");
        }
    }

    #[tokio::test]
    async fn a_stream_that_panics_ends_with_internal() {
        let body = CatchingBody {
            body: Some(Body::new(Panicking)),
        };
        let collected = body.collect().await.expect("it ends in order");
        let trailers = collected.trailers().expect("trailers");
        assert_eq!(
            trailers.get("grpc-status").map(http::HeaderValue::as_bytes),
            Some(&b"13"[..])
        );
        let message = trailers
            .get("grpc-message")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        assert!(
            !message.contains("broken"),
            "the caller sees the panic: {message}"
        );
    }
}
