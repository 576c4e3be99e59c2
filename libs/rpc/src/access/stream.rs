//! A stream goes on only while its caller may still have it: a revocation holds for it as for a new call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fealty_proto::Method;
use http::HeaderMap;
use http_body::Frame;
use tokio::time::sleep;
use tonic::Status;
use tonic::body::Body;

use super::Authenticator;
use crate::deadline::trailers_of;
use crate::errors::ApiError;

/// How often the caller of a stream is verified again. With the feed's second and the two for which a record is cached
/// it stays within the five in which a revocation holds.
const INTERVAL: Duration = Duration::from_secs(1);

/// A response's body that ends with the refusal when its caller would be refused now.
pub(super) struct VerifiedBody {
    /// None once it is over.
    body: Option<Body>,
    /// Answers why the caller is not welcome any more.
    refusal: Pin<Box<dyn Future<Output = ApiError> + Send>>,
}

impl VerifiedBody {
    pub(super) fn new(
        body: Body,
        authenticator: Arc<Authenticator>,
        method: Method,
        shown: HeaderMap,
    ) -> Self {
        let refusal = Box::pin(async move {
            loop {
                sleep(INTERVAL).await;
                if let Err(refusal) = authenticator.authenticate(&method, &shown).await {
                    return refusal;
                }
            }
        });
        Self {
            body: Some(body),
            refusal,
        }
    }
}

impl http_body::Body for VerifiedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let Some(body) = this.body.as_mut() else {
            return Poll::Ready(None);
        };
        // Asked first: a stream that always has something to send must not outrun it.
        if let Poll::Ready(refusal) = this.refusal.as_mut().poll(cx) {
            this.body = None;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers_of(&refusal)))));
        }
        Pin::new(body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }
}
