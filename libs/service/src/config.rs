//! Settings that the services have in common.

use std::path::PathBuf;

use fealty_client::ClientConfig;
use fealty_postgres::PoolConfig;
use fealty_runtime::config::Secret;
use serde::Deserialize;

/// Where each service of the suite listens unless it is told otherwise: services do not know each other's code, and
/// have to know where the others are.
pub mod ports {
    /// Calls of members.
    pub const MEMBERS: u16 = 7101;
    /// Calls of the ledger.
    pub const LEDGER: u16 = 7102;
    /// Calls of rewards.
    pub const REWARDS: u16 = 7103;
    /// Calls of surveys.
    pub const SURVEYS: u16 = 7104;
    /// Health and metrics of members.
    pub const MEMBERS_ADMIN: u16 = 9101;
    /// Health and metrics of the ledger.
    pub const LEDGER_ADMIN: u16 = 9102;
    /// Health and metrics of rewards.
    pub const REWARDS_ADMIN: u16 = 9103;
    /// Health and metrics of surveys.
    pub const SURVEYS_ADMIN: u16 = 9104;
}

/// How to reach another service of the suite. Its default port is part of the type, so that a file that sets the key
/// alone still leaves the endpoint.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig<const PORT: u16> {
    /// `http://host:port`, or `https://host:port` for TLS.
    #[serde(default = "loopback::<PORT>")]
    pub endpoint: String,
    /// This service's own key: one of the whole suite with the scopes that it needs there. Empty until one has been
    /// planted (`fealty keys create`).
    #[serde(default)]
    pub service_key: Secret<String>,
    /// PEM file of the authority that signed the other's certificate, when it is none of the system's.
    #[serde(default)]
    pub certificate_authority_file: Option<PathBuf>,
}

fn loopback<const PORT: u16>() -> String {
    format!("http://127.0.0.1:{PORT}")
}

impl<const PORT: u16> Default for PeerConfig<PORT> {
    fn default() -> Self {
        Self {
            endpoint: loopback::<PORT>(),
            service_key: Secret::default(),
            certificate_authority_file: None,
        }
    }
}

impl<const PORT: u16> PeerConfig<PORT> {
    /// Whether a key has been planted: without one the other service refuses every call.
    #[must_use]
    pub fn has_key(&self) -> bool {
        !self.service_key.expose().is_empty()
    }

    /// The usual settings of a client with this endpoint and key.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        ClientConfig {
            certificate_authority_file: self.certificate_authority_file.clone(),
            ..ClientConfig::new(self.endpoint.clone(), self.service_key.expose().clone())
        }
    }
}

/// Where a service's database is, by its two roles, out of the service's own settings.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseConfig<'a> {
    /// By the role that serves calls and sees one program at a time.
    pub url: &'a Secret<String>,
    /// The pool of that role.
    pub pool: &'a PoolConfig,
    /// By the role of what crosses programs.
    pub jobs_url: &'a Secret<String>,
    /// The pool of that role, which also answers who calls.
    pub jobs_pool: &'a PoolConfig,
}

/// What is wrong with the sections of a service's settings, one sentence each, with its section in front.
pub fn violations_of(sections: impl IntoIterator<Item = (&'static str, Vec<String>)>) -> Vec<String> {
    sections
        .into_iter()
        .flat_map(|(section, problems)| {
            problems
                .into_iter()
                .map(move |problem| format!("{section}.{problem}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Members = PeerConfig<{ ports::MEMBERS }>;

    #[test]
    fn a_section_with_a_key_alone_keeps_the_peers_own_port() {
        let peer: Members = toml::from_str("service_key = 'fealty_x'").unwrap();
        assert_eq!(peer.endpoint, "http://127.0.0.1:7101");
        assert!(peer.has_key());
        assert!(!Members::default().has_key());
        assert_eq!(toml::from_str::<Members>("").unwrap(), Members::default());
    }

    #[test]
    fn a_field_that_no_peer_has_is_refused() {
        let error = toml::from_str::<Members>("endpiont = ''").unwrap_err();
        assert!(error.to_string().contains("endpiont"), "{error}");
    }

    #[test]
    fn the_client_trusts_the_authority_that_was_named() {
        let peer: Members = toml::from_str("certificate_authority_file = '/ca.pem'").unwrap();
        let client = peer.client();
        assert_eq!(client.certificate_authority_file, peer.certificate_authority_file);
        assert_eq!(client.endpoint, peer.endpoint);
    }

    #[test]
    fn a_violation_names_its_section() {
        let found = violations_of([("pool", vec!["size is 0".to_owned()]), ("server", vec![])]);
        assert_eq!(found, ["pool.size is 0"]);
    }
}
