//! The layer that lets nobody past without a verified caller.

use std::sync::Arc;

use http::{Request, Response};
use tonic::body::Body;

use super::stream::VerifiedBody;
use super::{Authenticator, own};
use crate::call::{Call, Endpoint, Next, Stage, refuse};
use crate::errors::ApiError;

/// Verifies the caller and puts it into the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    authenticator: Arc<Authenticator>,
}

impl Access {
    pub(crate) fn new(authenticator: Arc<Authenticator>) -> Self {
        Self { authenticator }
    }
}

impl Stage for Access {
    async fn handle(&self, mut request: Request<Body>, next: &impl Next) -> Response<Body> {
        let call = Call::current(&request);
        match call.endpoint {
            Endpoint::Open(_) => next.call(request).await,
            // Not handed on: what the protos do not know has no scope, and must never be served by an accident of
            // routing.
            Endpoint::Unknown => refuse(&ApiError::method_unknown(request.uri().path())),
            Endpoint::Method(_, method) => {
                let caller = match self.authenticator.authenticate(method, request.headers()).await {
                    Ok(caller) => caller,
                    Err(error) => return refuse(&error),
                };
                // The only layer that sets it.
                let _ = call.caller.set(caller.clone());
                if let Some(member_id) = caller.member_id() {
                    request = match own::check(request, method.member_access, member_id).await {
                        Ok(request) => request,
                        Err(error) => return refuse(&error),
                    };
                }
                request.extensions_mut().insert(caller);
                if !method.server_streaming {
                    return next.call(request).await;
                }
                let shown = request.headers().clone();
                let verified =
                    |body| VerifiedBody::new(body, Arc::clone(&self.authenticator), *method, shown);
                next.call(request).await.map(|body| Body::new(verified(body)))
            }
        }
    }
}
