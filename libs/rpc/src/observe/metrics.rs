//! The metrics of the calls, named after OpenTelemetry's RPC conventions.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};

/// The boundaries that the conventions advise for `rpc.server.call.duration`, in seconds.
const DURATION_BOUNDARIES: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// The instruments of one server.
#[derive(Debug)]
pub(crate) struct CallMetrics {
    duration: Histogram<f64>,
    in_flight: UpDownCounter<i64>,
    connections: UpDownCounter<i64>,
    connections_refused: Counter<u64>,
}

impl CallMetrics {
    /// To be made after telemetry was started: instruments made before record nothing.
    pub(crate) fn new() -> Self {
        let meter = fealty_telemetry::meter("fealty-rpc");
        Self {
            duration: meter
                .f64_histogram("rpc.server.call.duration")
                .with_unit("s")
                .with_description("From a call's first header to the end of its answer.")
                .with_boundaries(DURATION_BOUNDARIES.to_vec())
                .build(),
            in_flight: meter
                .i64_up_down_counter("fealty.rpc.server.calls_in_flight")
                .with_description("Calls that have begun and not ended.")
                .build(),
            connections: meter
                .i64_up_down_counter("fealty.rpc.server.connections")
                .with_description("Open connections.")
                .build(),
            connections_refused: meter
                .u64_counter("fealty.rpc.server.connections_refused")
                .with_description("Connections closed at once because the server had as many as it takes.")
                .build(),
        }
    }

    pub(crate) fn begin(&self, method: &'static str) {
        self.in_flight.add(1, &[KeyValue::new("rpc.method", method)]);
    }

    pub(crate) fn end(&self, method: &'static str, code: &'static str, duration: Duration) {
        self.in_flight.add(-1, &[KeyValue::new("rpc.method", method)]);
        let attributes = [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method),
            KeyValue::new("rpc.response.status_code", code),
        ];
        self.duration.record(duration.as_secs_f64(), &attributes);
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.add(1, &[]);
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.add(-1, &[]);
    }

    pub(crate) fn connection_refused(&self) {
        self.connections_refused.add(1, &[]);
    }
}
