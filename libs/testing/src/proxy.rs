//! A proxy in front of a server, to take the network away from a test: cut it, freeze it, slow it down, lose one
//! answer, give it back.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

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
    acceptor: AbortHandle,
}

type LostRequest = Arc<Mutex<Option<Vec<u8>>>>;

impl Proxy {
    /// Puts a proxy before the server in `url` and answers the URL by way of it. Belongs to the runtime it is made in.
    ///
    /// # Panics
    /// When the URL has no host and port, or no port is free.
    pub async fn in_front_of(url: &str) -> (Self, String) {
        let server = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("a bound address");
        let mode = watch::Sender::new(Mode::Open);
        let lost_request = LostRequest::default();
        let serving = accept(
            listener,
            server.clone(),
            mode.subscribe(),
            Arc::clone(&lost_request),
        );
        #[expect(
            clippy::disallowed_methods,
            reason = "a test has no tracker; the task ends with the proxy"
        )]
        let acceptor = tokio::spawn(serving).abort_handle();
        let proxy = Self {
            mode,
            lost_request,
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
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

fn lock(lost_request: &Mutex<Option<Vec<u8>>>) -> std::sync::MutexGuard<'_, Option<Vec<u8>>> {
    lost_request.lock().unwrap_or_else(PoisonError::into_inner)
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
async fn accept(
    listener: TcpListener,
    server: String,
    mode: watch::Receiver<Mode>,
    lost_request: LostRequest,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (server, mode, lost_request) = (server.clone(), mode.clone(), Arc::clone(&lost_request));
        connections.spawn(async move {
            // Whatever ends a connection ends it for both sides.
            let _ = forward(client, &server, mode, &lost_request).await;
        });
    }
}

async fn forward(
    mut client: TcpStream,
    server: &str,
    mut mode: watch::Receiver<Mode>,
    lost_request: &Mutex<Option<Vec<u8>>>,
) -> io::Result<()> {
    if *mode.borrow_and_update() == Mode::Cut {
        return Ok(());
    }
    let mut server = TcpStream::connect(server).await?;
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
                server.write_all(bytes).await?;
                if is_lost(bytes, lost_request) {
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
