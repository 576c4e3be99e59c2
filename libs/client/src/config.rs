//! How to reach a service, and how hard to try.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fealty_types::ProgramId;

use crate::{Resolve, SystemResolver};

/// How to reach one service.
#[derive(Clone)]
pub struct ClientConfig {
    /// `http://host:port`, or `https://host:port` for TLS. Calls are spread over all addresses that the host stands for,
    /// or that the hosts of a list with commas between do. `dns:///host:port`, as other clients write it, is the first.
    pub endpoint: String,
    /// The key's text.
    pub key: String,
    /// The program of each call. Only a key that is bound to no program needs it.
    pub program_id: Option<ProgramId>,
    /// PEM file of the authority that signed the server's certificate. None trusts none but for `http`.
    pub certificate_authority_file: Option<PathBuf>,
    /// How long a call may take with all its retries.
    pub deadline: Duration,
    /// How long one connection attempt may take.
    pub connect_timeout: Duration,
    /// Connections to each address: a server takes about a hundred calls at once on each.
    pub connection_count: usize,
    /// How long connections are kept while nobody calls.
    pub idle_max: Duration,
    /// Finds the addresses.
    pub resolver: Arc<dyn Resolve>,
    /// How often it is asked again. It also is, at once, when a connection is lost.
    pub resolve_interval: Duration,
    /// How hard to try.
    pub retry: RetryConfig,
}

/// How hard to try.
#[derive(Debug, Clone, Copy)]
pub struct RetryConfig {
    /// Attempts of one call at the most, the first among them.
    pub attempt_count_max: u32,
    /// The pause before the second attempt; it doubles from there.
    pub pause_min: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// Retries that are always allowed, however few calls there are.
    pub budget_per_second_min: u32,
    /// Retries allowed on top, as a share of the calls of the last seconds.
    pub budget_share: f32,
}

impl ClientConfig {
    /// The usual settings for an endpoint and a key.
    #[must_use]
    pub fn new(endpoint: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            key: key.into(),
            program_id: None,
            certificate_authority_file: None,
            // A till's customer waits that long, and a restart of a service takes less.
            deadline: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(2),
            connection_count: 1,
            // Before the servers close them, so that no call meets a goodbye.
            idle_max: Duration::from_secs(90),
            resolver: Arc::new(SystemResolver),
            // A new replica has work soon after it is ready; a look-up is answered by a cache nearby.
            resolve_interval: Duration::from_secs(10),
            retry: RetryConfig::default(),
        }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            // With the pauses below these fill the default deadline; the budget bounds them all together.
            attempt_count_max: 16,
            pause_min: Duration::from_millis(20),
            pause_max: Duration::from_secs(1),
            budget_per_second_min: 10,
            budget_share: 0.2,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("endpoint", &self.endpoint)
            .field("program_id", &self.program_id)
            .field("deadline", &self.deadline)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
