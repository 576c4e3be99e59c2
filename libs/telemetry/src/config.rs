//! What an operator can say about telemetry.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use crate::TelemetryError;

/// Settings of traces, metrics and logs. Every field has a usable default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Which events are logged, in the syntax of tracing's `EnvFilter`: `info`, `warn,fealty_ledger=debug`.
    pub log_filter: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Where traces, metrics and logs are sent by OTLP over gRPC (`http://collector:4317`). Nothing is sent without.
    pub otlp_endpoint: Option<String>,
    /// The share of traces that begin here and are exported, 0 to 1. A trace begun by a caller follows the caller.
    pub trace_sample_ratio: f64,
    /// How long one export may take.
    pub export_timeout_ms: u64,
    /// How long finished spans and log records wait for company before they are sent.
    pub batch_interval_ms: u64,
    /// How often metrics are pushed. Scraping does not depend on it.
    pub metric_interval_ms: u64,
    /// How long the last flush may take when the process ends.
    pub shutdown_timeout_ms: u64,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people at a terminal.
    #[default]
    Text,
    /// One JSON object per line, for machines.
    Json,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            log_filter: "info".to_owned(),
            log_format: LogFormat::Text,
            otlp_endpoint: None,
            trace_sample_ratio: 1.0,
            export_timeout_ms: 5_000,
            batch_interval_ms: 1_000,
            metric_interval_ms: 15_000,
            shutdown_timeout_ms: 3_000,
        }
    }
}

impl TelemetryConfig {
    /// Everything that is wrong with these settings, one sentence each.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        if let Err(error) = self.env_filter() {
            violations.push(format!("log_filter: {error}"));
        }
        if !(0.0..=1.0).contains(&self.trace_sample_ratio) {
            violations.push("trace_sample_ratio: must lie between 0 and 1".to_owned());
        }
        if let Some(endpoint) = &self.otlp_endpoint
            && !is_http_url(endpoint)
        {
            violations.push("otlp_endpoint: must be a URL such as http://collector:4317".to_owned());
        }
        let durations = [
            ("export_timeout_ms", self.export_timeout_ms),
            ("batch_interval_ms", self.batch_interval_ms),
            ("metric_interval_ms", self.metric_interval_ms),
            ("shutdown_timeout_ms", self.shutdown_timeout_ms),
        ];
        for (field, _) in durations.into_iter().filter(|(_, ms)| *ms == 0) {
            violations.push(format!("{field}: must be above zero"));
        }
        violations
    }

    /// The last flush's bound.
    #[must_use]
    pub fn shutdown_timeout(&self) -> Duration {
        Duration::from_millis(self.shutdown_timeout_ms)
    }

    pub(crate) fn env_filter(&self) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
        EnvFilter::builder().parse(&self.log_filter)
    }

    pub(crate) fn check(&self) -> Result<(), TelemetryError> {
        let violations = self.violations();
        if violations.is_empty() {
            Ok(())
        } else {
            Err(TelemetryError::Config(violations))
        }
    }
}

fn is_http_url(text: &str) -> bool {
    text.parse::<http::Uri>()
        .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_usable() {
        assert_eq!(TelemetryConfig::default().violations(), Vec::<String>::new());
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let config = TelemetryConfig {
            log_filter: "info,fealty=loud".to_owned(),
            otlp_endpoint: Some("collector:4317".to_owned()),
            trace_sample_ratio: 1.5,
            export_timeout_ms: 0,
            ..TelemetryConfig::default()
        };
        let named: Vec<String> = config
            .violations()
            .iter()
            .filter_map(|violation| violation.split_once(':').map(|(field, _)| field.to_owned()))
            .collect();
        assert_eq!(
            named,
            [
                "log_filter",
                "trace_sample_ratio",
                "otlp_endpoint",
                "export_timeout_ms"
            ]
        );
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let refused = toml::from_str::<TelemetryConfig>("log_level = \"info\"").expect_err("no such field");
        assert!(refused.to_string().contains("log_level"), "{refused}");
    }

    #[test]
    fn formats_are_written_in_small_letters() {
        let config: TelemetryConfig = toml::from_str("log_format = \"json\"").expect("a known format");
        assert_eq!(config.log_format, LogFormat::Json);
    }
}
