//! Accepts connections, and ends them: at the limit, when idle, when old, at shutdown.
//!
//! tonic's own accept loop has no limit on connections and on TLS handshakes, no end for idle ones, no jitter in their
//! age, and with a grace set it drops an old connection without telling its client first (tonic 0.14.9). So this
//! is hyper's server directly.

mod activity;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tower::ServiceExt;

use self::activity::{Activity, Counted};
use super::ServerConfig;
use crate::call::Inner;
use crate::observe::CallMetrics;

/// Longest TLS handshake: several round trips around the world.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How long the listener rests when the system has no more file handles; to try again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// By how much the age of connections differs, so that all clients do not reconnect in one moment.
const AGE_JITTER: f64 = 0.1;

/// What every connection needs.
pub(super) struct Connections<S> {
    service: S,
    builder: auto::Builder<TrackedExecutor>,
    calls: TaskTracker,
    tls: Option<TlsAcceptor>,
    lifetimes: Lifetimes,
    open_max: usize,
    metrics: Arc<CallMetrics>,
}

/// How long connections last.
#[derive(Debug, Clone, Copy)]
struct Lifetimes {
    idle_max: Duration,
    age_max: Duration,
    age_grace: Duration,
}

impl<S: Inner> Connections<S> {
    pub(super) fn new(
        config: &ServerConfig,
        service: S,
        tls: Option<TlsAcceptor>,
        metrics: Arc<CallMetrics>,
    ) -> Self {
        let calls = TaskTracker::new();
        Self {
            service,
            builder: http_builder(config, TrackedExecutor(calls.clone())),
            calls,
            tls,
            lifetimes: Lifetimes {
                idle_max: Duration::from_millis(config.connection_idle_max_ms),
                age_max: Duration::from_millis(config.connection_age_max_ms),
                age_grace: Duration::from_millis(config.connection_age_grace_ms),
            },
            open_max: config.connections_max,
            metrics,
        }
    }

    /// Accepts until `shutdown`, then lets go of the listener and waits for the calls that are still in flight. Dropped
    /// before, it drops every connection with it: that is the hard end.
    pub(super) async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let this = Arc::new(self);
        let drain = CancellationToken::new();
        let mut open = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = open.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => this.admit(stream, peer, &drain, &mut open),
                    Err(error) => rest_after(&error).await,
                },
            }
        }
        drop(listener);
        drain.cancel();
        while open.join_next().await.is_some() {}
        this.calls.close();
        this.calls.wait().await;
    }

    fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        drain: &CancellationToken,
        open: &mut JoinSet<()>,
    ) {
        if open.len() >= self.open_max {
            self.metrics.connection_refused();
            tracing::debug!(%peer, connections_max = self.open_max, "a connection too many is closed");
            return;
        }
        let this = Arc::clone(self);
        let drain = drain.clone();
        open.spawn(async move {
            this.metrics.connection_opened();
            let closed = Closed(Arc::clone(&this.metrics));
            this.handle(stream, drain).await;
            drop(closed);
        });
    }

    async fn handle(&self, stream: TcpStream, drain: CancellationToken) {
        // Small answers must not wait for a full packet. A socket that refuses is about to fail anyway.
        let _ = stream.set_nodelay(true);
        let info = TcpConnectInfo {
            local_addr: stream.local_addr().ok(),
            remote_addr: stream.peer_addr().ok(),
        };
        match &self.tls {
            None => self.speak(stream, info, drain).await,
            Some(tls) => match timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.speak(stream, info, drain).await,
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            },
        }
    }

    async fn speak<IO>(&self, io: IO, info: TcpConnectInfo, drain: CancellationToken)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::new());
        let service = Counted::new(self.service.clone(), Arc::clone(&activity)).map_request(
            move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(info.clone());
                request.map(Body::new)
            },
        );
        let connection = self
            .builder
            .serve_connection(TokioIo::new(io), TowerToHyperService::new(service));
        let mut connection = std::pin::pin!(connection);
        let ending = self.lifetimes.end(&activity, &drain);
        tokio::select! {
            ended = connection.as_mut() => report(ended),
            ending = ending => {
                connection.as_mut().graceful_shutdown();
                match ending {
                    // The drain's own end is its caller's to set: the server's future is dropped then.
                    Ending::Drain => report(connection.await),
                    Ending::Old | Ending::Idle => {
                        if let Ok(ended) = timeout(self.lifetimes.age_grace, connection).await {
                            report(ended);
                        }
                    }
                }
            }
        }
    }
}

/// Why a connection is told to end.
enum Ending {
    Drain,
    Old,
    Idle,
}

impl Lifetimes {
    /// Waits for the first reason to end a connection.
    async fn end(self, activity: &Activity, drain: &CancellationToken) -> Ending {
        let age_max = self
            .age_max
            .mul_f64(rand::random_range(1.0 - AGE_JITTER..=1.0 + AGE_JITTER));
        tokio::select! {
            () = drain.cancelled() => Ending::Drain,
            () = sleep(age_max) => Ending::Old,
            () = self.idle(activity) => Ending::Idle,
        }
    }

    async fn idle(self, activity: &Activity) {
        loop {
            match self.idle_max.checked_sub(activity.idle_for()) {
                Some(left) if !left.is_zero() => sleep(left).await,
                _ => return,
            }
        }
    }
}

fn report(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection failed");
    }
}

/// Connections that die while they wait to be accepted are nobody's concern; no file handles left is.
async fn rest_after(error: &io::Error) {
    let is_peers = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    );
    if !is_peers {
        tracing::error!(%error, "no connection can be accepted");
        sleep(ACCEPT_PAUSE).await;
    }
}

fn http_builder(config: &ServerConfig, executor: TrackedExecutor) -> auto::Builder<TrackedExecutor> {
    let mut builder = auto::Builder::new(executor);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(config.stream_window_bytes)
        .initial_connection_window_size(config.connection_window_bytes)
        .max_concurrent_streams(config.streams_per_connection_max)
        .max_frame_size(config.frame_size_max_bytes)
        .max_header_list_size(config.header_list_size_max_bytes)
        .keep_alive_interval(Duration::from_millis(config.keepalive_interval_ms))
        .keep_alive_timeout(Duration::from_millis(config.keepalive_timeout_ms));
    // With a timer hyper enforces its 30 s for the head of an HTTP/1 request.
    builder.http1().timer(TokioTimer::new());
    builder
}

/// Counts an open connection until it is dropped, however it ended.
struct Closed(Arc<CallMetrics>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}

/// Runs each HTTP/2 call as a task that the drain waits for.
#[derive(Debug, Clone)]
struct TrackedExecutor(TaskTracker);

impl<F> hyper::rt::Executor<F> for TrackedExecutor
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
