//! The health protocol of gRPC.
//!
//! Not tonic-health's own server: its watch streams never end, so one watching load balancer would hold every drain
//! until the hard end.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health as HealthProtocol;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::{Health, Readiness};

/// Answers the health protocol for the whole server (an empty name) and each of its services.
#[derive(Clone)]
pub struct GrpcHealth {
    health: Health,
}

impl GrpcHealth {
    pub(super) fn new(health: Health) -> Self {
        Self { health }
    }

    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.health.services().iter().any(|known| known == service)
    }
}

#[tonic::async_trait]
impl HealthProtocol for GrpcHealth {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if self.knows(&request.get_ref().service) {
            Ok(Response::new(response(status(&self.health.readiness()))))
        } else {
            Err(Status::not_found("no such service here"))
        }
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = self.knows(&request.get_ref().service);
        let mut last = None;
        let changes = WatchStream::new(self.health.changes())
            // The protocol wants an answer also for a service that is not here: it may come.
            .map(move |readiness| {
                if known {
                    status(&readiness)
                } else {
                    ServingStatus::ServiceUnknown
                }
            })
            .filter(move |status| {
                let news = last != Some(*status);
                last = Some(*status);
                std::future::ready(news)
            })
            .map(|status| Ok(response(status)))
            .take_until(self.health.closed().cancelled_owned());
        Ok(Response::new(changes.boxed()))
    }
}

fn status(readiness: &Readiness) -> ServingStatus {
    if readiness.is_ready() {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}
