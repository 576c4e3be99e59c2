//! Gives every error a reason, also those that tonic makes by itself: an unknown method, bytes that are no message, a
//! message over the limit. What a handler fails with without a reason is the server's fault and is not shown.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use fealty_proto::types::v1::ErrorReason;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::call::{Next, Stage};
use crate::errors::ApiError;
use crate::limits::retry_after;
use crate::violations::FieldProblem;

const STATUS_HEADER: &str = "grpc-status";
const MESSAGE_HEADER: &str = "grpc-message";
const DETAILS_HEADER: &str = "grpc-status-details-bin";

/// How tonic's own messages begin where the caller's bytes are at fault; it answers INTERNAL to all of them.
const CALLERS_FAULTS: [&str; 7] = [
    "failed to decode Protobuf message",
    "protocol error: received message",
    "Missing request message",
    "Unexpected EOF decoding stream",
    "Error decompressing",
    "tonic-web: ",
    // What prost says below its own prefix, should the prefix change.
    "invalid wire type",
];

/// Puts a reason into every status that has none.
#[derive(Debug, Clone)]
pub(crate) struct Enrich {
    pub(crate) message_size_max_bytes: usize,
}

impl Stage for Enrich {
    async fn handle(&self, request: Request<Body>, next: &impl Next) -> Response<Body> {
        let naming = Naming {
            path: request.uri().path().to_owned(),
            message_size_max_bytes: self.message_size_max_bytes,
        };
        let mut response = next.call(request).await;
        naming.enrich(response.headers_mut());
        if http_body::Body::is_end_stream(response.body()) {
            return response;
        }
        response.map(|body| Body::new(EnrichedBody { body, naming }))
    }
}

/// What the reasons of one call's errors need.
struct Naming {
    path: String,
    message_size_max_bytes: usize,
}

impl Naming {
    /// Rewrites the status in these headers or trailers, if there is one that lacks details.
    fn enrich(&self, headers: &mut HeaderMap) {
        let bare = headers.get(STATUS_HEADER).is_some_and(|status| status != "0")
            && !headers.contains_key(DETAILS_HEADER);
        if !bare {
            return;
        }
        let Some(status) = Status::from_header_map(headers) else {
            return;
        };
        let enriched = self.name(&status).to_status();
        headers.remove(STATUS_HEADER);
        headers.remove(MESSAGE_HEADER);
        // The same status again would fail to be written only if it held what no header can.
        if enriched.add_header(headers).is_err() {
            headers.insert(STATUS_HEADER, status.code().into_header());
        }
    }

    fn name(&self, status: &Status) -> ApiError {
        let (code, message) = (status.code(), status.message());
        match code {
            Code::Unimplemented if message.starts_with("Content is compressed") => {
                // The code is the gRPC specification's: clients try again without compression.
                ApiError::new(
                    code,
                    ErrorReason::InvalidFields,
                    "The message's compression is not supported; gzip is.",
                )
            }
            Code::Unimplemented => ApiError::method_unknown(&self.path),
            Code::OutOfRange if message.contains("message length too large") => {
                ApiError::message_too_large(self.message_size_max_bytes)
            }
            Code::ResourceExhausted if message.contains("size limit") => {
                ApiError::message_too_large(self.message_size_max_bytes)
            }
            Code::Internal if CALLERS_FAULTS.iter().any(|fault| message.starts_with(fault)) => {
                malformed(message)
            }
            Code::Internal | Code::Unknown | Code::DataLoss => ApiError::internal_message(message),
            other => by_code(other, message),
        }
    }
}

fn malformed(message: &str) -> ApiError {
    let problem = FieldProblem {
        field: String::new(),
        description: message.to_owned(),
    };
    ApiError::new(
        Code::InvalidArgument,
        ErrorReason::InvalidFields,
        "The request is not a message of this method.",
    )
    .with_violations(vec![problem])
}

/// For health, reflection and libraries, whose messages are made for callers.
fn by_code(code: Code, message: &str) -> ApiError {
    let reason = match code {
        Code::Unauthenticated => ErrorReason::KeyInvalid,
        Code::PermissionDenied => ErrorReason::ScopeMissing,
        Code::NotFound => ErrorReason::ResourceNotFound,
        Code::AlreadyExists => ErrorReason::ResourceExists,
        Code::Aborted => ErrorReason::Contention,
        Code::DeadlineExceeded | Code::Cancelled => ErrorReason::DeadlineExceeded,
        Code::ResourceExhausted => return ApiError::overloaded(retry_after()),
        Code::Unavailable => ErrorReason::DependencyUnavailable,
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => ErrorReason::InvalidFields,
        Code::Ok | Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => {
            ErrorReason::Internal
        }
    };
    ApiError::new(code, reason, "{detail}").with("detail", message)
}

/// The code as the header's value.
trait IntoHeader {
    fn into_header(self) -> http::HeaderValue;
}

impl IntoHeader for Code {
    fn into_header(self) -> http::HeaderValue {
        http::HeaderValue::from(self as i32)
    }
}

struct EnrichedBody {
    body: Body,
    naming: Naming,
}

impl http_body::Body for EnrichedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        polled.map_ok(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                self.naming.enrich(trailers);
            }
            frame
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::reason_of;

    fn named(status: Status) -> Status {
        let mut headers = status.into_http::<()>().into_parts().0.headers;
        Naming {
            path: "/a.B/C".to_owned(),
            message_size_max_bytes: 100,
        }
        .enrich(&mut headers);
        Status::from_header_map(&headers).expect("a status")
    }

    #[test]
    fn a_handlers_bare_fault_is_hidden() {
        let status = named(Status::unknown("password=1234"));
        assert_eq!(
            (status.code(), reason_of(&status)),
            (Code::Internal, Some(ErrorReason::Internal))
        );
        assert!(!status.message().contains("1234"));
    }

    #[test]
    fn a_status_with_details_is_left_alone() {
        let status = ApiError::key_missing().to_status();
        let after = named(status.clone());
        assert_eq!(
            (after.message(), after.details()),
            (status.message(), status.details())
        );
    }

    #[test]
    fn every_code_gets_a_reason() {
        for code in (1..=16).map(Code::from_i32) {
            let status = named(Status::new(code, "because"));
            assert!(reason_of(&status).is_some(), "{code:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_resource_exhausted() {
        let status = named(Status::out_of_range(
            "Error, decoded message length too large: found 5000 bytes, the limit is: 100 bytes",
        ));
        assert_eq!(
            (status.code(), reason_of(&status)),
            (Code::ResourceExhausted, Some(ErrorReason::MessageTooLarge))
        );
    }
}
