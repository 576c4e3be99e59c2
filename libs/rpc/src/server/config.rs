//! How a server is set up. Every field has a default that is right for a shop with one server.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of a gRPC server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Calls that the process works on at a time; one more is refused with `RESOURCE_EXHAUSTED` and a time to come back.
    /// Twice what the ledger was measured to gain from.
    pub calls_in_flight_max: usize,
    /// Streams that the process serves at a time, counted apart from calls: a stream stays, and must not take a call's
    /// place. One more is refused as a call is. Each costs a task and some kilobytes.
    pub streams_max: usize,
    /// How old a stream may become, less up to a fifth by chance: callers must come again now and then, or a new replica
    /// gets none. Below `connection_age_grace_ms`, so that no stream is cut off with its old connection.
    pub stream_age_max_ms: u64,
    /// Open connections; one more is closed at once. Below the 10,240 files that the usual service limits allow.
    pub connections_max: usize,
    /// Calls at a time on one connection: what edge guides advise. A client with more opens a second connection.
    pub streams_per_connection_max: u32,
    /// Bytes that a caller may send on a stream before they are read.
    pub stream_window_bytes: u32,
    /// Bytes that a caller may send on a connection before they are read: what one connection can cost in memory.
    pub connection_window_bytes: u32,
    /// Largest HTTP/2 frame taken: the protocol's own default.
    pub frame_size_max_bytes: u32,
    /// Largest list of headers taken: keys and traces are a few hundred bytes.
    pub header_list_size_max_bytes: u32,
    /// Largest message taken, also after decompression.
    pub message_size_max_bytes: usize,
    /// How long a call may take whose caller does not say.
    pub deadline_default_ms: u64,
    /// How long a call may take whatever its caller says.
    pub deadline_max_ms: u64,
    /// How often a quiet connection is asked whether its peer is alive.
    pub keepalive_interval_ms: u64,
    /// How long the peer may take to say so.
    pub keepalive_timeout_ms: u64,
    /// How old a connection may become, give or take a tenth by chance: clients must reconnect now and then, or a new
    /// replica gets no work.
    pub connection_age_max_ms: u64,
    /// How long the calls of a connection that became too old may go on: longer than any call may take.
    pub connection_age_grace_ms: u64,
    /// How long a connection without a call is kept.
    pub connection_idle_max_ms: u64,
    /// Origins of web pages that may call by gRPC-Web, such as `https://shop.example`; `*` for all. None by default.
    pub web_origins: Vec<String>,
    /// TLS, if the server does it itself.
    pub tls: Option<TlsConfig>,
}

/// Where the files of TLS are. They are read when the server starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The server's certificate and what leads to its root, in PEM.
    pub certificate_path: PathBuf,
    /// The certificate's private key, in PEM.
    pub key_path: PathBuf,
    /// When set, callers must show a certificate that one of these (PEM) has signed.
    #[serde(default)]
    pub client_ca_path: Option<PathBuf>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            calls_in_flight_max: 2_048,
            streams_max: 512,
            stream_age_max_ms: 60_000,
            connections_max: 8_192,
            streams_per_connection_max: 100,
            stream_window_bytes: 64 * 1024,
            connection_window_bytes: 1024 * 1024,
            frame_size_max_bytes: 16 * 1024,
            header_list_size_max_bytes: 16 * 1024,
            message_size_max_bytes: 4 * 1024 * 1024,
            deadline_default_ms: 10_000,
            deadline_max_ms: 60_000,
            keepalive_interval_ms: 20_000,
            keepalive_timeout_ms: 10_000,
            connection_age_max_ms: 300_000,
            connection_age_grace_ms: 70_000,
            connection_idle_max_ms: 120_000,
            web_origins: Vec::new(),
            tls: None,
        }
    }
}

impl ServerConfig {
    /// Everything that is wrong with the settings.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let positive = [
            ("calls_in_flight_max", self.calls_in_flight_max as u64),
            ("streams_max", self.streams_max as u64),
            ("stream_age_max_ms", self.stream_age_max_ms),
            ("connections_max", self.connections_max as u64),
            (
                "streams_per_connection_max",
                self.streams_per_connection_max.into(),
            ),
            ("message_size_max_bytes", self.message_size_max_bytes as u64),
            (
                "header_list_size_max_bytes",
                self.header_list_size_max_bytes.into(),
            ),
            ("deadline_default_ms", self.deadline_default_ms),
            ("deadline_max_ms", self.deadline_max_ms),
            ("keepalive_interval_ms", self.keepalive_interval_ms),
            ("keepalive_timeout_ms", self.keepalive_timeout_ms),
            ("connection_age_max_ms", self.connection_age_max_ms),
            ("connection_idle_max_ms", self.connection_idle_max_ms),
        ];
        let mut problems: Vec<String> = positive
            .iter()
            .filter(|(_, value)| *value == 0)
            .map(|(name, _)| format!("{name} must be above 0"))
            .collect();
        // RFC 9113, sections 6.5.2 and 6.9.1.
        if !(16_384..=16_777_215).contains(&self.frame_size_max_bytes) {
            problems.push("frame_size_max_bytes must be 16384 to 16777215".to_owned());
        }
        for (name, bytes) in [
            ("stream_window_bytes", self.stream_window_bytes),
            ("connection_window_bytes", self.connection_window_bytes),
        ] {
            if !(65_535..=0x7FFF_FFFF).contains(&bytes) {
                problems.push(format!("{name} must be 65535 to 2147483647"));
            }
        }
        if self.deadline_default_ms > self.deadline_max_ms {
            problems.push("deadline_default_ms must not be above deadline_max_ms".to_owned());
        }
        if self.stream_age_max_ms > self.connection_age_grace_ms {
            problems.push("stream_age_max_ms must not be above connection_age_grace_ms".to_owned());
        }
        problems
    }

    pub(super) fn stream_age_max(&self) -> Duration {
        Duration::from_millis(self.stream_age_max_ms)
    }

    pub(super) fn deadline_default(&self) -> Duration {
        Duration::from_millis(self.deadline_default_ms)
    }

    pub(super) fn deadline_max(&self) -> Duration {
        Duration::from_millis(self.deadline_max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_an_empty_file_is_them() {
        let config: ServerConfig = toml::from_str("").expect("every field has a default");
        assert_eq!(config, ServerConfig::default());
        assert_eq!(config.problems(), Vec::<String>::new());
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(toml::from_str::<ServerConfig>("conections_max = 3").is_err());
    }

    #[test]
    fn every_problem_is_named() {
        let config = ServerConfig {
            connections_max: 0,
            stream_window_bytes: 1,
            deadline_max_ms: 5,
            ..ServerConfig::default()
        };
        assert_eq!(config.problems().len(), 3);
    }
}
