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
