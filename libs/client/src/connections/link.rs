//! Keeps one connection to one address, and makes it again when it has ended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::Channel;

use super::connection::{Connection, ConnectionEnded};
use super::{Hope, Plan, Shared};

/// The pause after a connection that could not be made; it doubles from there.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// The longest one: how late a replica is noticed that is back at its address.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A connection that lasted so long was sound: it is made again at once. Servers end them when they are old.
const SOUND_AFTER: Duration = Duration::from_secs(1);

/// Never ends. Dropped, it takes its connection out of the view.
pub(super) async fn keep(mut hope: Hope, address: SocketAddr, target: usize) {
    let shared = Arc::clone(&hope.0);
    let mut pause = PAUSE_MIN;
    loop {
        let begun = Instant::now();
        let was_sound = match connect(&shared.plan, address, target).await {
            Ok(channel) => {
                let listed = Listed::new(&shared, Connection::new(address, channel));
                drop(hope);
                listed.connection.until_ended().await;
                hope = shared.hope();
                shared.failed(format!("{address}: {ConnectionEnded}"));
                begun.elapsed() > SOUND_AFTER
            }
            Err(error) => {
                shared.failed(format!("{address}: {error}"));
                false
            }
        };
        shared.lost.notify_one();
        if was_sound {
            pause = PAUSE_MIN;
        } else {
            drop(hope);
            sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
            pause = (pause * 2).min(PAUSE_MAX);
            hope = shared.hope();
        }
    }
}

async fn connect(plan: &Plan, address: SocketAddr, target: usize) -> Result<Channel, String> {
    let connecting = async {
        let stream = TcpStream::connect(address).await.map_err(told)?;
        stream.set_nodelay(true).map_err(told)?;
        let mut stream = Some(hyper_util::rt::TokioIo::new(stream));
        // Asked a second time when the connection has ended: see the module's documentation.
        let once =
            tower::service_fn(move |_: http::Uri| std::future::ready(stream.take().ok_or(ConnectionEnded)));
        let endpoint = &plan.targets[target].endpoint;
        endpoint.connect_with_connector(once).await.map_err(told)
    };
    timeout(plan.connect_timeout, connecting)
        .await
        .unwrap_or_else(|_| Err("no connection in time".to_owned()))
}

/// With what is behind it: "transport error" alone helps nobody.
fn told(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// An open connection in the view.
struct Listed<'a> {
    shared: &'a Shared,
    connection: Arc<Connection>,
}

impl<'a> Listed<'a> {
    fn new(shared: &'a Shared, connection: Connection) -> Self {
        let connection = Arc::new(connection);
        let listed = Arc::clone(&connection);
        shared.view.send_modify(|view| view.open.push(listed));
        Self { shared, connection }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let gone = |other: &Arc<Connection>| Arc::ptr_eq(other, &self.connection);
        self.shared
            .view
            .send_modify(|view| view.open.retain(|other| !gone(other)));
    }
}
