//! Settings that all services have.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a service listens for calls. The default port is part of the type, so that a file that sets something else
/// in this section still leaves every service on its own port.
///
/// By default only this machine is listened to; a container sets `0.0.0.0`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcListenConfig<const PORT: u16> {
    /// The address for gRPC.
    #[serde(default = "loopback::<PORT>")]
    pub listen: SocketAddr,
}

impl<const PORT: u16> Default for GrpcListenConfig<PORT> {
    fn default() -> Self {
        Self {
            listen: loopback::<PORT>(),
        }
    }
}

/// Where a service answers `/livez`, `/readyz` and `/metrics`, by HTTP and without authentication: not for the
/// outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig<const PORT: u16> {
    /// The address for health and metrics.
    #[serde(default = "loopback::<PORT>")]
    pub listen: SocketAddr,
}

impl<const PORT: u16> Default for AdminConfig<PORT> {
    fn default() -> Self {
        Self {
            listen: loopback::<PORT>(),
        }
    }
}

fn loopback<const PORT: u16>() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))
}

/// How a process ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrainConfig {
    /// How long a service goes on accepting after it has said that it is not serving. Long enough for load balancers
    /// to notice: longer than the period of their probe.
    pub not_serving_pause_ms: u64,
    /// When the end comes for what has not finished, counted from the signal, the pause included. Below Kubernetes'
    /// `terminationGracePeriodSeconds` (30 s unless set), with some seconds left for the last flush.
    pub drain_timeout_ms: u64,
}

impl Default for DrainConfig {
    fn default() -> Self {
        Self {
            not_serving_pause_ms: 3_000,
            drain_timeout_ms: 20_000,
        }
    }
}

impl DrainConfig {
    /// Everything that is wrong with these settings, one sentence each.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        if self.drain_timeout_ms > self.not_serving_pause_ms {
            Vec::new()
        } else {
            vec!["drain_timeout_ms: must be above not_serving_pause_ms, or no call could finish".to_owned()]
        }
    }

    pub(crate) fn not_serving_pause(&self) -> Duration {
        Duration::from_millis(self.not_serving_pause_ms)
    }

    pub(crate) fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        grpc: GrpcListenConfig<7102>,
        admin: AdminConfig<9102>,
        drain: DrainConfig,
    }

    #[test]
    fn an_empty_section_keeps_the_services_own_port() {
        let settings: Settings =
            toml::from_str("[grpc]\n[admin]\n[drain]\n").expect("all fields have defaults");
        assert_eq!(settings.grpc.listen.port(), 7102);
        assert_eq!(settings.admin.listen.port(), 9102);
        assert_eq!(settings.drain.violations(), Vec::<String>::new());
    }

    #[test]
    fn a_drain_that_ends_before_it_begins_is_refused() {
        let config = DrainConfig {
            not_serving_pause_ms: 5_000,
            drain_timeout_ms: 5_000,
        };
        assert_eq!(config.violations().len(), 1);
    }
}
