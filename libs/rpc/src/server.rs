//! A gRPC server: services with all layers around them, health, reflection, gRPC-Web, TLS.

mod config;
mod connections;
mod tls;

use std::convert::Infallible;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use http::Request;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;
#[doc(hidden)]
pub use tonic::codec::CompressionEncoding;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_web::GrpcWebLayer;
use tower::{Layer, Service};

pub use self::config::{ServerConfig, TlsConfig};
use self::connections::Connections;
use crate::access::Authenticator;
use crate::access::layer::Access;
use crate::call::{Before, Below, Endpoints, Inner, Staged, service_of};
use crate::deadline::Deadlines;
use crate::enrich::Enrich;
use crate::limits::InFlight;
use crate::observe::{CallMetrics, Observe};
use crate::panics::CatchPanics;
use crate::web::WebOrigins;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Settings that cannot be.
    #[error("the server's settings are wrong: {}", .0.join("; "))]
    Config(Vec<String>),
    /// Nobody could say who may call these.
    #[error("these methods have no scope in the protos: {}", .0.join(", "))]
    UnscopedMethods(Vec<String>),
    /// A file of TLS.
    #[error("{path}: {cause}", path = .path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The descriptors of reflection.
    #[error("reflection cannot describe the services")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Puts a generated service under the server's limits: its message size; and takes gzip. Answers are not compressed:
/// they are small, and every usual client would ask for it.
///
/// The generated servers share no trait that could do it: `server.add_service(limited!(config, MemberServiceServer::new(x)))`.
#[macro_export]
macro_rules! limited {
    ($config:expr, $service:expr) => {
        $service
            .max_decoding_message_size($config.message_size_max_bytes)
            .accept_compressed($crate::server::CompressionEncoding::Gzip)
    };
}

/// Collects what a server shall serve.
#[derive(Debug)]
pub struct ServerBuilder {
    config: ServerConfig,
    authenticator: Arc<Authenticator>,
    routes: Routes,
    service_names: Vec<&'static str>,
}

impl ServerBuilder {
    /// A server without services.
    #[must_use]
    pub fn new(config: ServerConfig, authenticator: Arc<Authenticator>) -> Self {
        Self {
            config,
            authenticator,
            routes: Routes::default(),
            service_names: Vec::new(),
        }
    }

    /// The settings, for [`limited!`](crate::limited).
    #[must_use]
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// Adds a service of the protos, under the limits ([`limited!`](crate::limited)).
    #[must_use]
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible, Response = http::Response<Body>, Future: Send>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.routes = self.routes.add_service(service);
        self.service_names.push(S::NAME);
        self
    }

    /// Adds the health service, whose reporter the caller keeps.
    #[must_use]
    pub fn add_health<H: Health>(mut self, health: HealthServer<H>) -> Self {
        self.routes = self.routes.add_service(health);
        self
    }

    /// Checks everything that can be checked before a listener is there.
    pub fn build(self) -> Result<Server, ServerError> {
        let problems = self.config.problems();
        if !problems.is_empty() {
            return Err(ServerError::Config(problems));
        }
        let unscoped = unscoped_methods(&self.service_names);
        if !unscoped.is_empty() {
            return Err(ServerError::UnscopedMethods(unscoped));
        }
        let tls = self.config.tls.as_ref().map(tls::acceptor).transpose()?;
        let routes = with_reflection(self.routes, &self.service_names)?;
        Ok(Server {
            config: self.config,
            authenticator: self.authenticator,
            endpoints: Endpoints::of(&self.service_names),
            routes,
            tls,
        })
    }
}

/// Everything ready to serve.
pub struct Server {
    config: ServerConfig,
    authenticator: Arc<Authenticator>,
    endpoints: Endpoints,
    routes: Routes,
    tls: Option<TlsAcceptor>,
}

impl Server {
    /// Serves until `shutdown`, then stops to listen, tells every client, and ends with the last call in flight.
    /// There is no bound to that: drop the future for a hard end.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let metrics = Arc::new(CallMetrics::new());
        let observe = Observe::new(self.endpoints, Arc::clone(&metrics));
        let access = Access::new(self.authenticator);
        let service = layered(&self.config, observe, access, self.routes.prepare());
        let connections = Connections::new(&self.config, service, self.tls, metrics);
        connections.serve(listener, shutdown).await;
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The layers, outermost first as documented in the crate's documentation.
fn layered(config: &ServerConfig, observe: Observe, access: Access, routes: Routes) -> impl Inner {
    let stages = Before(access, Below(routes));
    let stages = Before(
        InFlight::new(config.calls_in_flight_max, config.streams_max),
        stages,
    );
    let deadlines = Deadlines {
        default: config.deadline_default(),
        max: config.deadline_max(),
        stream_age_max: config.stream_age_max(),
    };
    let stages = Before(CatchPanics, Before(deadlines, stages));
    let enrich = Enrich {
        message_size_max_bytes: config.message_size_max_bytes,
    };
    let stages = Before(observe, Before(enrich, stages));
    let web = GrpcWebLayer::new().layer(Staged::new(stages));
    Staged::new(Before(WebOrigins::new(&config.web_origins), Below(web)))
}

/// Methods of the services whose scope the protos do not say; a service that the protos do not know at all is named
/// itself.
fn unscoped_methods(service_names: &[&str]) -> Vec<String> {
    service_names
        .iter()
        .flat_map(|name| {
            let of_service = |path: &str| service_of(path) == *name;
            let mut methods = fealty_proto::methods()
                .iter()
                .filter(|(path, _)| of_service(path))
                .peekable();
            if methods.peek().is_none() {
                return vec![format!("{name} (not in the protos)")];
            }
            methods
                .filter(|(_, method)| method.scope.is_none())
                .map(|(path, _)| path.clone())
                .collect()
        })
        .collect()
}

/// Reflection in both versions: grpcurl asks for v1, Python's client for v1alpha.
fn with_reflection(routes: Routes, service_names: &[&str]) -> Result<Routes, ServerError> {
    let builder = || {
        let described = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(fealty_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("grpc.health.v1.Health");
        service_names
            .iter()
            .fold(described, |described, name| described.with_service_name(*name))
    };
    let v1 = builder()
        .with_service_name("grpc.reflection.v1.ServerReflection")
        .build_v1()?;
    let v1alpha = builder()
        .with_service_name("grpc.reflection.v1alpha.ServerReflection")
        .build_v1alpha()?;
    Ok(routes.add_service(v1).add_service(v1alpha))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_the_protos_do_not_know_is_named() {
        assert_eq!(unscoped_methods(&["a.B"]), ["a.B (not in the protos)"]);
        assert_eq!(
            unscoped_methods(&["fealty.access.v1.AccessFeedService"]),
            Vec::<String>::new()
        );
    }
}
