//! TLS from files.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore};

use super::{ServerError, TlsConfig};

/// gRPC over HTTP/2, gRPC-Web over either.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Reads the files. What is wrong with them is said before anything listens.
pub(super) fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, ServerError> {
    let certificates = certificates(&config.certificate_path)?;
    let key =
        PrivateKeyDer::from_pem_file(&config.key_path).map_err(|error| unusable(&config.key_path, &error))?;
    // Named, because several providers may be linked and rustls refuses to choose.
    let provider = Arc::new(ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&config.certificate_path, &error))?;
    let builder = match &config.client_ca_path {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in self::certificates(path)? {
                roots.add(certificate).map_err(|error| unusable(path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| unusable(path, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut tls = builder
        .with_single_cert(certificates, key)
        .map_err(|error| unusable(&config.certificate_path, &error))?;
    tls.alpn_protocols = PROTOCOLS.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

fn certificates(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, ServerError> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, &"it holds no certificate"));
    }
    Ok(certificates)
}

fn unusable(path: &std::path::Path, cause: &dyn std::fmt::Display) -> ServerError {
    ServerError::Tls {
        path: path.to_owned(),
        cause: cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let config = TlsConfig {
            certificate_path: "nowhere/cert.pem".into(),
            key_path: "nowhere/key.pem".into(),
            client_ca_path: None,
        };
        let Err(error) = acceptor(&config) else {
            panic!("there is no such file");
        };
        assert!(error.to_string().contains("nowhere/cert.pem"), "{error}");
    }
}
