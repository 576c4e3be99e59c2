//! Connections: made when first needed, kept alive, made again when lost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::ClientConfig;

/// A connection is asked for a sign of life this often while calls are in flight; a server that is frozen is noticed
/// then, and its calls are tried elsewhere or again.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long it may take to give one.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a client could not be made. Nothing was connected yet: that happens with the first call.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The endpoint is no URL of a server.
    #[error("the endpoint {endpoint:?} is not of the form http://host:port")]
    Endpoint {
        /// What was given.
        endpoint: String,
    },
    /// The key cannot be sent in a header.
    #[error("the key has characters that no key has")]
    Key,
    /// The authority's certificate cannot be read.
    #[error("cannot read the certificate authority {path}")]
    CertificateAuthority {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The TLS settings do not hold.
    #[error("TLS cannot be set up")]
    Tls(#[from] tonic::transport::Error),
}

/// A few connections to one endpoint, taken in turn.
#[derive(Debug)]
pub(crate) struct Connections {
    channels: Vec<Channel>,
    next: AtomicUsize,
}

impl Connections {
    pub(crate) fn try_new(config: &ClientConfig) -> Result<Self, ConnectError> {
        let endpoint = endpoint(config)?;
        let channels = (0..config.connection_count.max(1))
            .map(|_| endpoint.connect_lazy())
            .collect();
        Ok(Self {
            channels,
            next: AtomicUsize::new(0),
        })
    }

    pub(crate) fn next(&self) -> Channel {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.channels[turn % self.channels.len()].clone()
    }
}

fn endpoint(config: &ClientConfig) -> Result<Endpoint, ConnectError> {
    let malformed = || ConnectError::Endpoint {
        endpoint: config.endpoint.clone(),
    };
    let uri: http::Uri = config.endpoint.parse().map_err(|_| malformed())?;
    let tls = match uri.scheme_str() {
        Some("http") => None,
        Some("https") => Some(tls(config)?),
        _ => return Err(malformed()),
    };
    uri.host().ok_or_else(malformed)?;
    let endpoint = Endpoint::from(uri)
        .connect_timeout(config.connect_timeout)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    Ok(match tls {
        Some(tls) => endpoint.tls_config(tls)?,
        None => endpoint,
    })
}

fn tls(config: &ClientConfig) -> Result<ClientTlsConfig, ConnectError> {
    let Some(path) = &config.certificate_authority_file else {
        return Ok(ClientTlsConfig::new());
    };
    let pem = std::fs::read(path).map_err(|source| ConnectError::CertificateAuthority {
        path: path.display().to_string(),
        source,
    })?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}
