//! What the layers know of a call, and the shape that they share.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use fealty_proto::Method;
use http::{Request, Response};
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::access::Caller;
use crate::errors::ApiError;

/// Methods that need no key, count towards no limit and are logged as debugging: health and reflection. Full paths,
/// because what follows a known service's name could be anything.
const OPEN_METHODS: [&str; 4] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Which method a call names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Endpoint {
    /// A method of the protos.
    Method(&'static str, &'static Method),
    /// Health or reflection.
    Open(&'static str),
    /// None that anybody knows.
    Unknown,
}

impl Endpoint {
    /// `fealty.members.v1.MemberService/GetMember`; `_OTHER` where a stranger could make up as many as they like.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Method(path, _) | Self::Open(path) => path.trim_start_matches('/'),
            Self::Unknown => "_OTHER",
        }
    }

    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// Whether its answer is a stream, which stays for as long as its caller likes.
    pub(crate) fn is_stream(self) -> bool {
        matches!(self, Self::Method(_, method) if method.server_streaming)
    }
}

/// A call on its way through the layers, found in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    /// Set by the access layer, read by the log.
    pub(crate) caller: Arc<OnceLock<Caller>>,
}

impl Call {
    /// The call that the observing layer began.
    pub(crate) fn current(request: &Request<Body>) -> Self {
        let known = request.extensions().get::<Self>().cloned();
        known.unwrap_or_else(|| Self {
            endpoint: Endpoint::Unknown,
            caller: Arc::default(),
        })
    }
}

/// The methods that a server serves. What the protos have and this server has not is unknown to it.
#[derive(Debug)]
pub(crate) struct Endpoints(HashMap<&'static str, Endpoint>);

impl Endpoints {
    pub(crate) fn of(service_names: &[&str]) -> Self {
        let methods = fealty_proto::methods()
            .iter()
            .filter(|(path, _)| service_names.iter().any(|name| service_of(path) == *name));
        let methods = methods.map(|(path, method)| (path.as_str(), Endpoint::Method(path, method)));
        let open = OPEN_METHODS.into_iter().map(|path| (path, Endpoint::Open(path)));
        Self(methods.chain(open).collect())
    }

    /// A call of a request that has just come in.
    pub(crate) fn begin(&self, request: &Request<Body>) -> Call {
        let endpoint = self
            .0
            .get(request.uri().path())
            .copied()
            .unwrap_or(Endpoint::Unknown);
        Call {
            endpoint,
            caller: Arc::default(),
        }
    }
}

/// `fealty.members.v1.MemberService` of `/fealty.members.v1.MemberService/GetMember`.
pub(crate) fn service_of(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// A refusal as the whole answer to a call.
pub(crate) fn refuse(error: &ApiError) -> Response<Body> {
    error.to_status().into_http()
}

/// A tower service that serves calls.
pub(crate) trait Inner:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Inner for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// What is below a stage.
///
/// Not a tower service: those are cloned and boxed once per layer and call, and there are half a dozen layers around
/// each of thousands of calls a second. All stages of a call borrow one stack, in one future.
pub(crate) trait Next: Send + Sync + 'static {
    /// Handles the call.
    fn call(&self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send;
}

/// One layer: what happens around a call.
pub(crate) trait Stage: Send + Sync + 'static {
    /// Handles the call, usually by handing it on.
    fn handle(&self, request: Request<Body>, next: &impl Next)
    -> impl Future<Output = Response<Body>> + Send;
}

/// A stage before what it wraps.
#[derive(Debug)]
pub(crate) struct Before<T, N>(pub(crate) T, pub(crate) N);

impl<T: Stage, N: Next> Next for Before<T, N> {
    fn call(&self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send {
        self.0.handle(request, &self.1)
    }
}

/// A tower service at the end of the stages.
#[derive(Debug)]
pub(crate) struct Below<S>(pub(crate) S);

impl<S: Inner> Next for Below<S> {
    async fn call(&self, request: Request<Body>) -> Response<Body> {
        match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// The stages as a tower service.
#[derive(Debug)]
pub(crate) struct Staged<N>(Arc<N>);

impl<N: Next> Staged<N> {
    pub(crate) fn new(stages: N) -> Self {
        Self(Arc::new(stages))
    }
}

impl<N> Clone for Staged<N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<N: Next> Service<Request<Body>> for Staged<N> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is below is asked with each call (`oneshot`).
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let stages = Arc::clone(&self.0);
        Box::pin(async move { Ok(stages.call(request).await) })
    }
}
