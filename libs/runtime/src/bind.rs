//! Listening sockets.

use std::net::SocketAddr;

use tokio::net::TcpListener;

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {purpose}: {source}")]
pub struct BindError {
    /// What was to be served there.
    pub purpose: String,
    /// Where.
    pub address: SocketAddr,
    /// What the system says.
    pub source: std::io::Error,
}

/// Listens on an address; an error says for what.
///
/// Bound before anything is served, so that a taken port is told before a service half stands.
pub async fn bind(purpose: &str, address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError {
        purpose: purpose.to_owned(),
        address,
        source,
    })
}

/// The two sockets of a service.
#[derive(Debug)]
pub struct Listeners {
    /// For calls.
    pub grpc: TcpListener,
    /// For health and metrics.
    pub admin: TcpListener,
}

impl Listeners {
    /// Binds both; port 0 is any free one.
    pub async fn bind(service: &str, grpc: SocketAddr, admin: SocketAddr) -> Result<Self, BindError> {
        Ok(Self {
            grpc: bind(&format!("calls of {service}"), grpc).await?,
            admin: bind(&format!("health and metrics of {service}"), admin).await?,
        })
    }
}
