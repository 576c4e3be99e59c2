//! Where a service is, as the endpoint's text has it.

use std::fmt;

use http::Uri;
use http::uri::Scheme;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::ClientConfig;
use crate::connections::{KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT};

/// Names of one endpoint: a list that somebody writes by hand.
const TARGET_COUNT_MAX: usize = 64;
/// How other gRPC clients write a name that stands for several addresses.
const DNS_SCHEME: &str = "dns:///";

/// Why a client could not be made. Nothing was connected yet: that happens with the first call.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The endpoint is no URL of a server.
    #[error(
        "the endpoint {endpoint:?} is not of the form http://host:port, https://host:port or dns:///host:port, nor a \
         list of up to {TARGET_COUNT_MAX} of one of these with commas between"
    )]
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

/// A name of the endpoint, which may stand for several addresses.
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// How to speak to each of them. Its name is the one that certificates are checked against.
    pub(crate) endpoint: Endpoint,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The endpoint's names: one, or a list with commas between. All are spoken to alike: a key that goes to one by TLS does
/// not go to another in the clear.
pub(crate) fn targets(config: &ClientConfig) -> Result<Vec<Target>, ConnectError> {
    let malformed = || ConnectError::Endpoint {
        endpoint: config.endpoint.clone(),
    };
    let uris: Option<Vec<Uri>> = config.endpoint.split(',').map(uri).collect();
    let uris = uris
        .filter(|uris| uris.len() <= TARGET_COUNT_MAX)
        .ok_or_else(malformed)?;
    let alike = uris.iter().all(|uri| uri.scheme() == uris[0].scheme());
    if !alike {
        return Err(malformed());
    }
    let tls = if uris[0].scheme() == Some(&Scheme::HTTPS) {
        Some(tls(config)?)
    } else {
        None
    };
    uris.into_iter()
        .map(|uri| target(uri, tls.as_ref()).ok_or_else(malformed)?)
        .collect()
}

fn uri(text: &str) -> Option<Uri> {
    let text = text.trim();
    let uri: Uri = match text.strip_prefix(DNS_SCHEME) {
        Some(name) => format!("http://{name}").parse().ok()?,
        None => text.parse().ok()?,
    };
    let known = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    (known && uri.host().is_some()).then_some(uri)
}

fn target(uri: Uri, tls: Option<&ClientTlsConfig>) -> Option<Result<Target, ConnectError>> {
    let usual_port = if tls.is_some() { 443 } else { 80 };
    // An IPv6 address stands in brackets in a URL, and without them everywhere else.
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(usual_port);
    let endpoint = Endpoint::from(uri)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    let endpoint = match tls {
        Some(tls) => endpoint.tls_config(tls.clone()).map_err(ConnectError::from),
        None => Ok(endpoint),
    };
    Some(endpoint.map(|endpoint| Target { host, port, endpoint }))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(endpoint: &str) -> Result<Vec<String>, ConnectError> {
        let targets = targets(&ClientConfig::new(endpoint, "key"))?;
        Ok(targets.iter().map(|target| format!("{target:?}")).collect())
    }

    #[test]
    fn a_name_a_list_and_what_other_clients_write_are_understood() {
        for (endpoint, names) in [
            ("http://ledger:7102", vec!["ledger:7102"]),
            ("dns:///ledger.shop.svc:7102", vec!["ledger.shop.svc:7102"]),
            ("http://a:1,http://b:2", vec!["a:1", "b:2"]),
            ("http://a:1, dns:///b:2", vec!["a:1", "b:2"]),
            ("http://[::1]:7102", vec!["::1:7102"]),
            ("http://ledger", vec!["ledger:80"]),
            ("https://ledger", vec!["ledger:443"]),
        ] {
            assert_eq!(read(endpoint).expect(endpoint), names);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_and_so_is_half_a_list_in_the_clear() {
        let many = vec!["http://a:1"; TARGET_COUNT_MAX + 1].join(",");
        for endpoint in [
            "",
            "a:1",
            "ftp://a:1",
            "http://a:1,",
            "dns:///",
            "http://a:1,https://b:2",
            &many,
        ] {
            assert!(
                matches!(read(endpoint), Err(ConnectError::Endpoint { .. })),
                "{endpoint}"
            );
        }
    }
}
