//! Members and a ledger that do what a test tells them to: the real ones stand in the way of nobody's test of outages.

mod ledger;
mod members;

pub use ledger::{HeldAs, LedgerStandIn};
pub use members::MembersStandIn;

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fealty_runtime::Process;
use fealty_runtime::config::DrainConfig;
use tokio::net::TcpListener;
use tonic::transport::server::{Router, TcpIncoming};

/// Whatever a test that failed left in it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves until the process is told to end.
async fn serve(name: &'static str, router: Router) -> (SocketAddr, Process) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let process = Process::new(&DrainConfig::default());
    let ending = process.tasks().soft_shutdown();
    process.tasks().spawn(name, async move {
        let serving = router.serve_with_incoming(TcpIncoming::from(listener));
        tokio::select! {
            () = ending.cancelled() => {}
            served = serving => served.expect("it serves"),
        }
    });
    (address, process)
}
