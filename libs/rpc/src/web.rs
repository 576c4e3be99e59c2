//! gRPC-Web for browsers: which pages may call (CORS). tonic-web, next inside, translates the calls themselves.

use std::sync::Arc;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tonic::body::Body;

use crate::call::{Next, Stage};

/// What a page may send.
const HEADERS_ALLOWED: HeaderValue = HeaderValue::from_static(
    "authorization,content-type,fealty-program-id,grpc-timeout,traceparent,tracestate,x-grpc-web,x-user-agent",
);
/// What a page may read.
const HEADERS_EXPOSED: HeaderValue =
    HeaderValue::from_static("grpc-status,grpc-message,grpc-status-details-bin,fealty-replayed");
/// How long a browser remembers the answer, in seconds: two hours, the most that Chrome takes.
const PREFLIGHT_AGE_S: HeaderValue = HeaderValue::from_static("7200");
/// Allows every page.
const ANY_ORIGIN: &str = "*";

/// Lets the pages of the allowed origins call. Calls that come from no page are not its matter.
#[derive(Debug, Clone)]
pub(crate) struct WebOrigins {
    allowed: Arc<[String]>,
}

impl WebOrigins {
    pub(crate) fn new(allowed: &[String]) -> Self {
        Self {
            allowed: allowed.into(),
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.allowed
            .iter()
            .any(|allowed| allowed == ANY_ORIGIN || allowed.as_bytes() == origin.as_bytes())
    }
}

impl Stage for WebOrigins {
    async fn handle(&self, request: Request<Body>, next: &impl Next) -> Response<Body> {
        let Some(origin) = request.headers().get(ORIGIN).cloned() else {
            return next.call(request).await;
        };
        if !self.allows(&origin) {
            return empty(StatusCode::FORBIDDEN);
        }
        let is_preflight = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let mut response = if is_preflight {
            preflight()
        } else {
            next.call(request).await
        };
        allow(response.headers_mut(), origin);
        response
    }
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HEADERS_EXPOSED);
    headers.append(VARY, HeaderValue::from_static("origin"));
}

fn preflight() -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS_ALLOWED);
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_S);
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
