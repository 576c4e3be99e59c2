//! The telemetry of a whole process, seen from the collector's side.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use fealty_telemetry::{
    CALL_TARGET, LogFormat, ServiceIdentity, Sink, Telemetry, TelemetryConfig, TelemetryError, TracePlace,
    continue_stored_trace, continue_trace, inject, meter, trace_id, trace_parent,
};
use http::HeaderMap;
use tracing::{Instrument as _, info_span};

/// Generous: a loaded machine is slow, a broken exporter is for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// Names the collector to the test process that another test starts.
const COLLECTOR_VAR: &str = "FEALTY_TEST_COLLECTOR";

const CALLERS_TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn identity() -> ServiceIdentity {
    ServiceIdentity {
        name: "child".to_owned(),
        version: "1".to_owned(),
        instance: "a".to_owned(),
    }
}

#[tokio::test]
async fn a_call_is_one_trace_on_both_sides() {
    let traced = Telemetry::for_tests();
    let mut headers = HeaderMap::new();
    let outer = info_span!("caller", rpc.method = "Earn");
    let id = trace_id(&outer).expect("a recorded span has an id");
    async { inject(&tracing::Span::current(), &mut headers) }
        .instrument(outer)
        .await;

    let inner = info_span!("called");
    continue_trace(&inner, &headers);
    assert_eq!(trace_id(&inner), Some(id.clone()));
    async { info_span!("inside").in_scope(|| {}) }
        .instrument(inner)
        .await;

    let spans = traced
        .sink
        .wait_for_trace(&id, PATIENCE, |spans| spans.len() == 3)
        .await;
    let find = |name| {
        spans
            .iter()
            .find(|span| span.name == name)
            .expect("the span was exported")
    };
    assert_eq!(find("called").parent_span_id, find("caller").span_id);
    assert_eq!(find("inside").parent_span_id, find("called").span_id);
    assert_eq!(find("caller").parent_span_id, "");
    assert_eq!(find("caller").service, "fealty-tests");
    assert_eq!(find("caller").attributes["rpc.method"], "Earn");
}

#[tokio::test]
async fn headers_without_a_trace_begin_a_new_one() {
    let _ = Telemetry::for_tests();
    for broken in ["", "00-0-0-01", "nonsense"] {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", broken.parse().expect("a header value"));
        let span = info_span!("called");
        continue_trace(&span, &headers);
        assert!(trace_id(&span).is_some());
    }
}

#[tokio::test]
async fn what_is_done_later_is_of_the_trace_that_was_stored() {
    let _ = Telemetry::for_tests();
    let cause = info_span!("caller");
    let stored = trace_parent(&cause).expect("a recorded span is sampled here");
    let id = trace_id(&cause).expect("a recorded span has an id");
    assert_eq!(stored.len(), 55, "{stored}");
    assert_eq!(&stored[3..35], id, "{stored}");
    // Whoever is not recorded speaks for the span around it.
    let around = cause.in_scope(|| trace_parent(&tracing::Span::none()));
    assert_eq!(around, Some(stored.clone()));
    drop(cause);

    let later = info_span!("called");
    continue_stored_trace(&later, &stored);
    assert_eq!(trace_id(&later), Some(id));
}

#[tokio::test]
async fn what_nobody_samples_is_not_worth_storing() {
    let _ = Telemetry::for_tests();
    assert_eq!(trace_parent(&tracing::Span::none()), None);
    let mut headers = HeaderMap::new();
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    headers.insert("traceparent", unsampled.parse().expect("a header value"));
    let span = info_span!("called");
    continue_trace(&span, &headers);
    assert!(trace_id(&span).is_some());
    assert_eq!(trace_parent(&span), None);
}

#[tokio::test]
async fn what_is_stored_and_no_place_in_a_trace_is_passed_over() {
    let _ = Telemetry::for_tests();
    for broken in ["", "00-0-0-01", "nonsense"] {
        let span = info_span!("called");
        continue_stored_trace(&span, broken);
        assert!(trace_id(&span).is_some());
    }
}

#[tokio::test]
async fn the_exporter_does_not_report_on_itself() {
    let traced = Telemetry::for_tests();
    info_span!("something to export").in_scope(|| tracing::warn!("something to log"));
    // Each flush is a call over h2, hyper and tonic; a loop would show from the second one on.
    for _ in 0..5 {
        traced.telemetry.flush().await.expect("the collector is there");
    }
    let ours = [
        "caller",
        "called",
        "inside",
        "something to export",
        "after the shutdown",
    ];
    let foreign: Vec<_> = traced
        .sink
        .spans()
        .into_iter()
        .filter(|span| !ours.contains(&span.name.as_str()))
        .collect();
    assert_eq!(foreign, []);
    assert_eq!(
        traced
            .sink
            .logs()
            .iter()
            .filter(|message| *message == "something to log")
            .count(),
        1
    );
}

#[tokio::test]
async fn metrics_are_scraped_and_pushed() {
    let traced = Telemetry::for_tests();
    let calls = meter("fealty_test")
        .u64_counter("fealty.test.calls")
        .with_unit("{call}")
        .build();
    calls.add(3, &[opentelemetry::KeyValue::new("rpc.method", "Earn")]);
    let text = traced.telemetry.render_metrics();
    assert!(
        text.contains("fealty_test_calls_total{rpc_method=\"Earn\"} 3"),
        "{text}"
    );
    assert!(text.contains("target_info{"), "{text}");
    traced.telemetry.flush().await.expect("the collector is there");
    assert!(traced.sink.metrics().contains(&"fealty.test.calls".to_owned()));
}

#[tokio::test]
async fn a_second_telemetry_in_a_process_is_refused() {
    let _ = Telemetry::for_tests();
    let second = Telemetry::try_init(&TelemetryConfig::default(), identity());
    assert!(
        matches!(second, Err(TelemetryError::AlreadyInitialised)),
        "{second:?}"
    );
}

#[tokio::test]
async fn no_test_ends_the_telemetry_of_the_others() {
    let traced = Telemetry::for_tests();
    traced.telemetry.shutdown().await.expect("the collector is there");
    let span = info_span!("after the shutdown");
    let id = trace_id(&span).expect("a recorded span has an id");
    drop(span);
    let spans = traced
        .sink
        .wait_for_trace(&id, PATIENCE, |spans| spans.len() == 1)
        .await;
    assert_eq!(spans.len(), 1);
}

#[tokio::test]
async fn settings_are_checked_before_anything_is_set_up() {
    let config = TelemetryConfig {
        trace_sample_ratio: 2.0,
        ..TelemetryConfig::default()
    };
    let refused = Telemetry::try_init(&config, identity()).expect_err("a ratio of two");
    assert!(refused.to_string().contains("trace_sample_ratio"), "{refused}");
}

#[test]
fn a_process_that_just_ends_has_sent_its_last_span() {
    let sink = Sink::start().expect("a free port");
    let child = run_child("child_that_drops_its_telemetry", &sink.endpoint());
    assert!(child.status.success(), "{child:?}");
    let names: Vec<String> = sink.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["the last span"]);
    assert_eq!(sink.spans()[0].service, "child");
}

#[test]
fn a_collector_that_never_answers_does_not_hold_a_process() {
    // Accepts connections (the kernel does) and says nothing.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("bound"));
    let begun = Instant::now();
    let child = run_child("child_that_shuts_down", &endpoint);
    assert!(child.status.success(), "{child:?}");
    assert!(begun.elapsed() < PATIENCE, "took {:?}", begun.elapsed());
    let told = String::from_utf8_lossy(&child.stderr);
    assert!(told.contains("FlushTimeout"), "{told}");
}

#[test]
fn log_lines_of_a_process_are_json_with_ids() {
    let sink = Sink::start().expect("a free port");
    let child = run_child("child_that_logs_json", &sink.endpoint());
    assert!(child.status.success(), "{child:?}");
    let line = json_lines(&child);
    let line = line
        .iter()
        .find(|line| line["message"] == "hello")
        .expect("the line was logged");
    assert_eq!(line["trace_id"], sink.spans()[0].trace_id);
    assert_eq!(line["span_id"], sink.spans()[0].span_id);
    assert!(sink.logs().contains(&"hello".to_owned()));
}

#[test]
fn without_a_collector_the_lines_of_a_call_and_the_calls_made_for_it_bear_its_trace() {
    let child = run_child("child_without_a_collector", "");
    assert!(child.status.success(), "{child:?}");
    let lines = json_lines(&child);
    let trace_of = |message: &str| {
        let line = lines.iter().find(|line| line["message"] == message);
        let line = line.expect("the line was logged");
        line["trace_id"].as_str().expect("an id").to_owned()
    };
    // Also the line that is gathered with others, though the process ended right after it.
    for message in ["called", "inside"] {
        assert_eq!(trace_of(message), CALLERS_TRACE_ID);
    }
    let handed_on = String::from_utf8_lossy(&child.stdout);
    assert!(
        handed_on.contains(&format!("00-{CALLERS_TRACE_ID}-")),
        "{handed_on}"
    );
    let begun = trace_of("called by nobody's trace");
    assert_eq!(begun.len(), 32);
    assert_ne!(begun, CALLERS_TRACE_ID);
}

fn json_lines(child: &Output) -> Vec<serde_json::Value> {
    String::from_utf8_lossy(&child.stderr)
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Telemetry is once per process, so what happens at its end is tried in processes of their own.
fn run_child(test: &str, endpoint: &str) -> Output {
    Command::new(std::env::current_exe().expect("this test binary"))
        .args(["--ignored", "--exact", test, "--nocapture"])
        .env(COLLECTOR_VAR, endpoint)
        .output()
        .expect("the child runs")
}

fn child_config() -> TelemetryConfig {
    let endpoint = std::env::var_os(COLLECTOR_VAR).expect("set by the parent");
    TelemetryConfig {
        otlp_endpoint: Some(endpoint.into_string().expect("UTF-8")),
        // Only a flush can have sent anything.
        batch_interval_ms: 3_600_000,
        ..TelemetryConfig::default()
    }
}

#[tokio::test]
#[ignore = "a process that another test starts"]
async fn child_that_drops_its_telemetry() {
    let telemetry = Telemetry::try_init(&child_config(), identity()).expect("the first in this process");
    info_span!("the last span").in_scope(|| {});
    drop(telemetry);
}

#[tokio::test]
#[ignore = "a process that another test starts"]
async fn child_that_shuts_down() {
    let config = TelemetryConfig {
        shutdown_timeout_ms: 500,
        ..child_config()
    };
    let telemetry = Telemetry::try_init(&config, identity()).expect("the first in this process");
    info_span!("the last span").in_scope(|| {});
    let begun = Instant::now();
    eprintln!("{:?}", telemetry.shutdown().await);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "took {:?}",
        begun.elapsed()
    );
    assert!(
        telemetry.shutdown().await.is_ok(),
        "the second finds nothing to do"
    );
}

#[tokio::test]
#[ignore = "a process that another test starts"]
async fn child_that_logs_json() {
    let config = TelemetryConfig {
        log_format: LogFormat::Json,
        ..child_config()
    };
    let telemetry = Telemetry::try_init(&config, identity()).expect("the first in this process");
    info_span!("call").in_scope(|| tracing::info!("hello"));
    telemetry.shutdown().await.expect("the collector is there");
}

#[tokio::test]
#[ignore = "a process that another test starts"]
async fn child_without_a_collector() {
    let config = TelemetryConfig {
        log_format: LogFormat::Json,
        ..TelemetryConfig::default()
    };
    let telemetry = Telemetry::try_init(&config, identity()).expect("the first in this process");
    let traceparent = format!("00-{CALLERS_TRACE_ID}-00f067aa0ba902b7-01");
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", traceparent.parse().expect("a header value"));
    let place = TracePlace::of_call(&headers);
    let mut handed_on = HeaderMap::new();
    let span = info_span!("call");
    let work = async {
        tracing::warn!("inside");
        inject(&tracing::Span::current(), &mut handed_on);
    };
    place.hold(work.instrument(span)).await;
    println!("{:?}", handed_on.get("traceparent"));
    let in_place = place.enter();
    tracing::info!(target: CALL_TARGET, "called");
    drop(in_place);

    let place = TracePlace::of_call(&HeaderMap::new());
    let in_place = place.enter();
    tracing::info!(target: CALL_TARGET, "called by nobody's trace");
    drop(in_place);
    drop(telemetry);
}
