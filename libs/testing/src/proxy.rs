//! A proxy in front of a server, to take the network away from a test: cut it, freeze it, slow it down, lose one
//! answer, cut it at a statement, give it back.

mod statements;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

pub use statements::{CutAt, Side};
use statements::{Statements, Watch};

/// Bytes moved at once.
const CHUNK_LEN: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Each answer comes that much later.
    Slow(Duration),
    Frozen,
    Cut,
}

/// Forwards connections to a server until told otherwise. Ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    mode: watch::Sender<Mode>,
    /// A request whose answer is to be lost, once.
    lost_request: LostRequest,
    watch: Arc<Mutex<Watch>>,
    acceptor: AbortHandle,
}

type LostRequest = Arc<Mutex<Option<Vec<u8>>>>;

/// What a connection needs of its proxy.
#[derive(Clone)]
struct Behaviour {
    server: String,
    mode: watch::Sender<Mode>,
    lost_request: LostRequest,
    watch: Arc<Mutex<Watch>>,
}

impl Proxy {
    /// Puts a proxy before the server in `url` and answers the URL by way of it. Belongs to the runtime it is made in.
    ///
    /// # Panics
    /// When the URL has no host and port, or no port is free.
    pub async fn in_front_of(url: &str) -> (Self, String) {
        let server = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("a bound address");
        let behaviour = Behaviour {
            server: server.clone(),
            mode: watch::Sender::new(Mode::Open),
            lost_request: LostRequest::default(),
            watch: Arc::default(),
        };
        let serving = accept(listener, behaviour.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "a test has no tracker; the task ends with the proxy"
        )]
        let acceptor = tokio::spawn(serving).abort_handle();
        let proxy = Self {
            mode: behaviour.mode,
            lost_request: behaviour.lost_request,
            watch: behaviour.watch,
            acceptor,
        };
        (proxy, url.replacen(&server, &address.to_string(), 1))
    }

    /// Ends all connections, and each new one at once: as if the server were gone.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Keeps connections and moves nothing: as if the server or the network hung.
    pub fn freeze(&self) {
        self.mode.send_replace(Mode::Frozen);
    }

    /// Hands each answer on that much later: as if the server were busy.
    pub fn slow_down(&self, delay: Duration) {
        self.mode.send_replace(Mode::Slow(delay));
    }

    /// Moves bytes again.
    pub fn restore(&self) {
        self.mode.send_replace(Mode::Open);
    }

    /// Lets the next request that contains `bytes` through, waits for the server's answer, and ends the connection
    /// instead of handing it on.
    pub fn lose_answer_to(&self, bytes: &[u8]) {
        *lock(&self.lost_request) = Some(bytes.to_vec());
    }

    /// Watches the transactions of Postgres whose BEGIN contains `begin`, from now on.
    pub fn watch(&self, begin: &[u8]) {
        lock(&self.watch).start(begin);
    }

    /// How many statements the watched transactions had that have come to COMMIT, BEGIN and COMMIT among them.
    #[must_use]
    pub fn watched(&self) -> Vec<usize> {
        lock(&self.watch).committed()
    }

    /// Ends a connection at a statement of a watched transaction, once.
    pub fn cut_at(&self, cut: CutAt) {
        lock(&self.watch).cut_at(cut);
    }

    /// Whether the statement has not come yet at which to cut.
    #[must_use]
    pub fn is_to_cut(&self) -> bool {
        lock(&self.watch).is_waiting()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of a URL that says where: `host:port`.
fn authority(url: &str) -> &str {
    let (_, rest) = url.split_once("://").expect("a URL with a scheme");
    let whole = rest.split(['/', '?']).next().unwrap_or(rest);
    let (_, place) = whole.rsplit_once('@').unwrap_or(("", whole));
    assert!(place.contains(':'), "a URL with a host and a port");
    place
}

/// Connections live within the acceptor and end with it.
async fn accept(listener: TcpListener, behaviour: Behaviour) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let behaviour = behaviour.clone();
        connections.spawn(async move {
            // Whatever ends a connection ends it for both sides.
            let _ = forward(client, &behaviour).await;
        });
    }
}

async fn forward(mut client: TcpStream, behaviour: &Behaviour) -> io::Result<()> {
    let mut mode = behaviour.mode.subscribe();
    if *mode.borrow_and_update() == Mode::Cut {
        return Ok(());
    }
    let mut server = TcpStream::connect(&behaviour.server).await?;
    let mut statements = Statements::default();
    let (mut request, mut answer) = (vec![0; CHUNK_LEN], vec![0; CHUNK_LEN]);
    loop {
        let now = *mode.borrow_and_update();
        if now == Mode::Cut {
            return Ok(());
        }
        let is_open = now != Mode::Frozen;
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return Ok(()) },
            read = client.read(&mut request), if is_open => {
                let bytes = &request[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                let cut = statements.follow(bytes, &mut lock(&behaviour.watch));
                if let Some(CutAt { is_gone: true, .. }) = cut {
                    behaviour.mode.send_replace(Mode::Cut);
                }
                if let Some(CutAt { side: Side::Before, .. }) = cut {
                    return Ok(());
                }
                server.write_all(bytes).await?;
                if cut.is_some() || is_lost(bytes, &behaviour.lost_request) {
                    // Its first bytes show that the server has done what it was asked.
                    let _answered_len = server.read(&mut answer).await?;
                    return Ok(());
                }
            }
            read = server.read(&mut answer), if is_open => {
                let bytes = &answer[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                if let Mode::Slow(delay) = now {
                    sleep(delay).await;
                }
                client.write_all(bytes).await?;
            }
        }
    }
}

fn is_lost(bytes: &[u8], lost_request: &Mutex<Option<Vec<u8>>>) -> bool {
    lock(lost_request)
        .take_if(|lost| bytes.windows(lost.len()).any(|window| window == lost.as_slice()))
        .is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_found_beside_credentials_and_paths() {
        assert_eq!(
            authority("postgres://u:p@127.0.0.1:5432/db?x=1"),
            "127.0.0.1:5432"
        );
        assert_eq!(authority("redis://127.0.0.1:6379"), "127.0.0.1:6379");
    }
}
