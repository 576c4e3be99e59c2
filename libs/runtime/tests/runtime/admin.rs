//! Health and metrics over a real socket.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fealty_runtime::config::DrainConfig;
use fealty_runtime::{BindError, Health, Process, Service, Tasks, bind};
use fealty_telemetry::{Telemetry, meter};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{PATIENCE, eventually, http};

/// Runs `test` against the admin port of a service whose only check passes when the switch is on.
async fn with_service(test: impl AsyncFnOnce(SocketAddr, Arc<AtomicBool>, Tasks) + Send + 'static) {
    let up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&up);
    let admin = bind("admin", (Ipv4Addr::LOCALHOST, 0).into())
        .await
        .expect("a free port");
    let address = admin.local_addr().expect("bound");
    let config = DrainConfig {
        not_serving_pause_ms: 300,
        drain_timeout_ms: 5_000,
    };
    let process = Process::new(&config).with_telemetry(Telemetry::for_tests().telemetry.clone());
    let tasks = process.tasks();
    let running = process.run(async move |tasks| {
        let health = Health::new(["a.v1.A"]);
        health.register_check("postgres", move || {
            let up = seen.load(Ordering::SeqCst);
            async move { if up { Ok(()) } else { Err("connection refused") } }
        });
        tasks.spawn_service(
            Service {
                name: "a",
                health,
                admin,
            },
            |shutdown| async {
                shutdown.await;
                Ok::<_, BindError>(())
            },
        );
        Ok::<_, BindError>(())
    });
    let testing = async {
        test(address, up, tasks.clone()).await;
        tasks.shut_down();
    };
    let (outcome, ()) = tokio::join!(running, testing);
    assert!(outcome.is_clean(), "{outcome:?}");
}

#[tokio::test]
async fn readiness_follows_the_checks_and_liveness_does_not() {
    with_service(async |address, up, tasks| {
        let refused = eventually(async || {
            let answer = http(address, "GET", "/readyz").await;
            answer.contains("connection refused").then_some(answer)
        })
        .await;
        assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
        assert!(refused.contains("postgres: connection refused"), "{refused}");
        assert!(http(address, "GET", "/livez").await.starts_with("HTTP/1.1 200"));

        up.store(true, Ordering::SeqCst);
        eventually(async || {
            http(address, "GET", "/readyz")
                .await
                .starts_with("HTTP/1.1 200")
                .then_some(())
        })
        .await;

        tasks.shut_down();
        let draining = eventually(async || {
            let answer = http(address, "GET", "/readyz").await;
            answer.starts_with("HTTP/1.1 503").then_some(answer)
        })
        .await;
        assert!(draining.contains("not ready: draining"), "{draining}");
        assert!(http(address, "GET", "/livez").await.starts_with("HTTP/1.1 200"));
    })
    .await;
}

#[tokio::test]
async fn metrics_are_there_to_be_scraped() {
    with_service(async |address, _, _| {
        meter("test")
            .u64_counter("fealty.runtime.test")
            .build()
            .add(2, &[]);
        let answer = http(address, "GET", "/metrics").await;
        assert!(answer.contains("text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains("fealty_runtime_test_total 2"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    with_service(async |address, _, _| {
        assert!(http(address, "GET", "/").await.starts_with("HTTP/1.1 404"));
        let refused = http(address, "POST", "/readyz").await;
        assert!(
            refused.starts_with("HTTP/1.1 405") && refused.contains("allow: GET, HEAD"),
            "{refused}"
        );
        let head = http(address, "HEAD", "/livez").await;
        assert!(
            head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_request_is_cut_off() {
    with_service(async |address, _, _| {
        let mut stream = TcpStream::connect(address).await.expect("open");
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost:")
            .await
            .expect("taken");
        let mut rest = Vec::new();
        let cut = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(cut.is_ok(), "still open after {PATIENCE:?}");
    })
    .await;
}

#[tokio::test]
async fn connections_are_bounded_and_those_beyond_wait_their_turn() {
    with_service(async |address, _, _| {
        let mut held = Vec::new();
        for _ in 0..64 {
            held.push(TcpStream::connect(address).await.expect("open"));
        }
        // Let the server take them before the next one comes.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let waiting = tokio::time::timeout(Duration::from_millis(300), http(address, "GET", "/livez")).await;
        assert!(waiting.is_err(), "the 65th was answered");
        drop(held);
        assert!(http(address, "GET", "/livez").await.starts_with("HTTP/1.1 200"));
    })
    .await;
}
