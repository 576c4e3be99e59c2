//! The drain of a real gRPC server.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use fealty_runtime::config::DrainConfig;
use fealty_runtime::{BindError, Health, Outcome, Process, Service, Tasks, bind};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health as HealthProtocol, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::client::{check, connect, eventually, http};

const SERVICE: &str = "a.v1.A";
/// Long enough for a loaded machine to ask a few questions meanwhile.
const PAUSE: Duration = Duration::from_millis(1_500);

/// What of the service the tests talk to.
#[derive(Clone, Copy)]
struct Addresses {
    grpc: SocketAddr,
    admin: SocketAddr,
}

/// Runs `test` against a service; `slow` replaces its health protocol by one that heeds nothing.
async fn with_service(
    slow: bool,
    drain_timeout: Duration,
    test: impl AsyncFnOnce(Addresses, Tasks) + Send + 'static,
) -> Outcome {
    let localhost: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let grpc = bind("gRPC", localhost).await.expect("a free port");
    let admin = bind("admin", localhost).await.expect("a free port");
    let addresses = Addresses {
        grpc: grpc.local_addr().expect("bound"),
        admin: admin.local_addr().expect("bound"),
    };
    let process = Process::new(&DrainConfig {
        not_serving_pause_ms: u64::try_from(PAUSE.as_millis()).expect("small"),
        drain_timeout_ms: u64::try_from(drain_timeout.as_millis()).expect("small"),
    });
    let tasks = process.tasks();
    let running = process.run(async move |tasks| {
        let health = Health::new([SERVICE]);
        let mut server = Server::builder();
        let router = if slow {
            server.add_service(HealthServer::new(Slow))
        } else {
            server.add_service(health.grpc_service())
        };
        tasks.spawn_service(
            Service {
                name: "a",
                health,
                admin,
            },
            |shutdown| router.serve_with_incoming_shutdown(TcpIncoming::from(grpc), shutdown),
        );
        Ok::<_, BindError>(())
    });
    let testing = async {
        test(addresses, tasks.clone()).await;
        tasks.shut_down();
    };
    tokio::join!(running, testing).0
}

#[tokio::test]
async fn the_protocol_answers_for_the_server_and_its_services() {
    let outcome = with_service(false, Duration::from_secs(10), async |at, _| {
        let mut client = eventually(async || connect(at.grpc).await.ok()).await;
        assert_eq!(HealthServer::<Slow>::NAME, "grpc.health.v1.Health");
        for service in ["", SERVICE] {
            assert_eq!(
                check(&mut client, service).await.expect("known"),
                ServingStatus::Serving
            );
        }
        let unknown = check(&mut client, "b.v1.B").await.expect_err("not here");
        assert_eq!(unknown.code(), tonic::Code::NotFound);
    })
    .await;
    assert!(outcome.is_clean(), "{outcome:?}");
}

#[tokio::test]
async fn a_drain_says_so_first_then_refuses_and_ends_clean() {
    let outcome = with_service(false, Duration::from_secs(10), async |at, tasks| {
        let mut client = eventually(async || connect(at.grpc).await.ok()).await;
        assert_eq!(
            check(&mut client, "").await.expect("serving"),
            ServingStatus::Serving
        );
        tasks.shut_down();
        let begun = Instant::now();

        // Still open for whoever has not noticed, and honest.
        let mut late = connect(at.grpc).await.expect("accepted during the pause");
        eventually(async || {
            (check(&mut late, SERVICE).await.ok()? == ServingStatus::NotServing).then_some(())
        })
        .await;
        assert!(http(at.admin, "GET", "/readyz").await.starts_with("HTTP/1.1 503"));

        eventually(async || connect(at.grpc).await.is_err().then_some(())).await;
        assert!(begun.elapsed() >= PAUSE, "closed after {:?}", begun.elapsed());
    })
    .await;
    assert!(outcome.is_clean(), "{outcome:?}");
}

#[tokio::test]
async fn a_watcher_hears_of_the_drain_and_does_not_hold_it() {
    let begun = Instant::now();
    let outcome = with_service(false, Duration::from_secs(15), async |at, tasks| {
        let mut client = eventually(async || connect(at.grpc).await.ok()).await;
        let request = HealthCheckRequest {
            service: SERVICE.to_owned(),
        };
        let mut known = client.watch(request).await.expect("a stream").into_inner();
        let request = HealthCheckRequest {
            service: "b.v1.B".to_owned(),
        };
        let mut unknown = client.watch(request).await.expect("a stream").into_inner();
        let next = async |stream: &mut tonic::Streaming<HealthCheckResponse>| {
            stream
                .message()
                .await
                .expect("no error")
                .map(|response| response.status())
        };
        assert_eq!(next(&mut known).await, Some(ServingStatus::Serving));
        assert_eq!(next(&mut unknown).await, Some(ServingStatus::ServiceUnknown));
        tasks.shut_down();
        assert_eq!(next(&mut known).await, Some(ServingStatus::NotServing));
        assert_eq!(next(&mut known).await, None);
        assert_eq!(next(&mut unknown).await, None);
    })
    .await;
    assert!(outcome.is_clean(), "{outcome:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "waited for the hard end"
    );
}

#[tokio::test]
async fn a_call_in_flight_finishes() {
    let outcome = with_service(true, Duration::from_secs(15), async |at, tasks| {
        let mut client = eventually(async || connect(at.grpc).await.ok()).await;
        let call = check(&mut client, "");
        let end = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            tasks.shut_down();
        };
        let (answer, ()) = tokio::join!(call, end);
        assert_eq!(
            answer.expect("answered although the server drained"),
            ServingStatus::Serving
        );
    })
    .await;
    assert!(outcome.is_clean(), "{outcome:?}");
}

#[tokio::test]
async fn a_stream_that_heeds_nothing_ends_with_the_hard_end() {
    let drain_timeout = PAUSE * 2;
    let begun = Instant::now();
    let outcome = with_service(true, drain_timeout, async move |at, tasks| {
        let mut client = eventually(async || connect(at.grpc).await.ok()).await;
        let stream = client
            .watch(HealthCheckRequest::default())
            .await
            .expect("a stream")
            .into_inner();
        tasks.shut_down();
        // Held open by the client, and by the server too.
        tokio::time::sleep(drain_timeout + Duration::from_millis(200)).await;
        drop(stream);
    })
    .await;
    assert_eq!(outcome.unfinished(), ["a gRPC"]);
    assert_eq!(outcome.exit_status(), 3);
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "took {:?}",
        begun.elapsed()
    );
}

/// A service with a call that takes its time and a stream that never ends.
struct Slow;

#[tonic::async_trait]
impl HealthProtocol for Slow {
    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        // Longer than the pause, so that it is in flight when the server stops accepting.
        tokio::time::sleep(PAUSE * 2).await;
        Ok(Response::new(HealthCheckResponse {
            status: ServingStatus::Serving.into(),
        }))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(futures::stream::pending().boxed()))
    }
}
