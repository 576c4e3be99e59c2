//! Deadlines, calls in flight, connections, and the drain.

use std::time::{Duration, Instant};

use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::access::Nudge;
use fealty_rpc::server::ServerConfig;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use crate::fixture::{PATIENCE, Server, assert_refused, list, with_header, with_key};

async fn start(config: ServerConfig) -> Server {
    Server::start_with(config, |_| Nudge::none()).await
}

#[tokio::test]
async fn a_handler_that_hangs_ends_at_the_servers_bound() {
    let config = ServerConfig {
        deadline_default_ms: 200,
        deadline_max_ms: 400,
        ..ServerConfig::default()
    };
    let server = start(config).await;
    let key = server.key();
    let begun = Instant::now();
    assert_refused(
        server.wish(&key, "hang").await,
        Code::DeadlineExceeded,
        ErrorReason::DeadlineExceeded,
    );
    // An hour is not granted.
    let request = with_header(with_key(list("hang"), &key), "grpc-timeout", "1H");
    let answer = server.policies().await.list_policies(request).await;
    assert_refused(answer, Code::DeadlineExceeded, ErrorReason::DeadlineExceeded);
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn the_callers_deadline_reaches_the_handler() {
    let server = start(ServerConfig::default()).await;
    let request = with_header(with_key(list("deadline"), &server.key()), "grpc-timeout", "3S");
    let answer = server
        .policies()
        .await
        .list_policies(request)
        .await
        .unwrap()
        .into_inner();
    let remaining_ms: u64 = answer.next_page_token.parse().unwrap();
    assert!((2_000..=3_000).contains(&remaining_ms), "{remaining_ms}");
}

#[tokio::test]
async fn a_full_process_refuses_at_once_and_still_says_how_it_is() {
    let server = start(ServerConfig {
        calls_in_flight_max: 2,
        ..ServerConfig::default()
    })
    .await;
    let key = server.key();
    let mut hanging = JoinSet::new();
    for _ in 0..2 {
        // On connections of their own: the limit is the process's.
        let mut client = server.policies().await;
        let request = with_key(list("hang"), &key);
        hanging.spawn(async move { client.list_policies(request).await.is_ok() });
    }
    let refused = timeout(PATIENCE, async {
        loop {
            if let Err(status) = server.wish(&key, "").await {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let status = refused.await.expect("it fills up");
    let status = assert_refused::<()>(Err(status), Code::ResourceExhausted, ErrorReason::Overloaded);
    assert!(
        status
            .get_details_retry_info()
            .is_some_and(|info| info.retry_delay.is_some())
    );

    let mut health = HealthClient::new(server.channel().await);
    assert!(health.check(HealthCheckRequest::default()).await.is_ok());

    hanging.shutdown().await;
    let freed = timeout(PATIENCE, async {
        while server.wish(&key, "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    freed.await.expect("callers who go away leave room");
}

#[tokio::test]
async fn a_connection_too_many_is_closed() {
    let server = start(ServerConfig {
        connections_max: 1,
        ..ServerConfig::default()
    })
    .await;
    let key = server.key();
    let mut first = server.policies().await;
    assert!(first.list_policies(with_key(list(""), &key)).await.is_ok());
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    let mut second =
        fealty_proto::members::v1::policy_service_client::PolicyServiceClient::new(endpoint.connect_lazy());
    let answer = timeout(PATIENCE, second.list_policies(with_key(list(""), &key)))
        .await
        .expect("an end");
    assert!(answer.is_err());
    assert!(first.list_policies(with_key(list(""), &key)).await.is_ok());
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let server = start(ServerConfig {
        connection_idle_max_ms: 150,
        ..ServerConfig::default()
    })
    .await;
    let mut quiet = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let mut said = [0; 16];
    let closed = tokio::io::AsyncReadExt::read(&mut quiet, &mut said);
    assert!(
        timeout(PATIENCE, closed).await.is_ok(),
        "a connection that says nothing is closed"
    );
    assert_eq!(server.wish(&server.key(), "slow").await.unwrap(), "done");
}

#[tokio::test]
async fn an_old_connection_ends_after_its_calls() {
    let server = start(ServerConfig {
        connection_age_max_ms: 100,
        ..ServerConfig::default()
    })
    .await;
    let key = server.key();
    let mut client = server.policies().await;
    for _ in 0..3 {
        let answer = client.list_policies(with_key(list("slow"), &key)).await;
        assert_eq!(answer.unwrap().into_inner().next_page_token, "done");
    }
}

#[tokio::test]
async fn a_drain_lets_calls_end_and_takes_no_more() {
    let mut server = start(ServerConfig::default()).await;
    let mut client = server.policies().await;
    let request = with_key(list("slow"), &server.key());
    let mut calls = JoinSet::new();
    calls.spawn(async move { client.list_policies(request).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.shutdown.take().unwrap().send(()).unwrap();
    let answer = calls.join_next().await.unwrap().unwrap();
    assert_eq!(answer.unwrap().into_inner().next_page_token, "done");
    timeout(PATIENCE, server.running.join_next())
        .await
        .expect("the drain ends");
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err());
}
