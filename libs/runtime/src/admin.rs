//! Health and metrics over HTTP/1, for probes, scrapers and people.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fealty_telemetry::Telemetry;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::health::{Health, Phase};

/// Connections at once: a few probes, a few scrapers, a person. More wait in the listener's queue.
const CONNECTIONS_MAX: usize = 64;

/// How long a client may take for the head of a request; also how long a connection may idle.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection lives. Scrapers come every few seconds and connect again without being asked twice.
const CONNECTION_AGE_MAX: Duration = Duration::from_mins(1);

/// The head of a request that reads one of three paths is small; this is the least that hyper takes.
const REQUEST_HEAD_BYTES_MAX: usize = 8_192;

/// A failing accept (too many open files) is not tried again at full speed.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What Prometheus expects of its text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct Admin {
    health: Health,
    telemetry: Option<Telemetry>,
}

/// Serves until dropped; its connections are dropped with it.
pub(crate) async fn serve(listener: TcpListener, health: Health, telemetry: Option<Telemetry>) {
    let admin = Admin { health, telemetry };
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin listener cannot accept");
                sleep(ACCEPT_RETRY_PAUSE).await;
                continue;
            }
        };
        // Those who are through leave the set, so that it does not grow.
        while connections.try_join_next().is_some() {}
        let admin = admin.clone();
        connections.spawn(async move {
            let _place = place;
            // Whoever talks too long or nonsense is cut off; there is nobody to tell.
            let _ = timeout(CONNECTION_AGE_MAX, admin.connection(stream)).await;
        });
    }
}

impl Admin {
    async fn connection(self, stream: TcpStream) -> hyper::Result<()> {
        let service = service_fn(move |request: Request<Incoming>| {
            let response = self.answer(request.method(), request.uri().path());
            async move { Ok::<_, Infallible>(response) }
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_READ_TIMEOUT)
            .max_buf_size(REQUEST_HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .await
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
            refused
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match path {
            "/livez" => text(StatusCode::OK, "alive\n".to_owned()),
            "/readyz" => self.readyz(),
            "/metrics" => self.metrics(),
            _ => text(
                StatusCode::NOT_FOUND,
                "here are /livez, /readyz and /metrics\n".to_owned(),
            ),
        }
    }

    fn readyz(&self) -> Response<Full<Bytes>> {
        let readiness = self.health.readiness();
        if readiness.is_ready() {
            return text(StatusCode::OK, "ready\n".to_owned());
        }
        let mut body = match readiness.phase {
            Phase::Starting => "not ready: starting\n".to_owned(),
            Phase::Draining => "not ready: draining\n".to_owned(),
            Phase::Running => "not ready\n".to_owned(),
        };
        for check in readiness.failing {
            // Writing to a string cannot fail.
            let _ = writeln!(body, "{}: {}", check.name, check.reason);
        }
        text(StatusCode::SERVICE_UNAVAILABLE, body)
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let body = self
            .telemetry
            .as_ref()
            .map(Telemetry::render_metrics)
            .unwrap_or_default();
        let mut response = text(StatusCode::OK, body);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE));
        response
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
