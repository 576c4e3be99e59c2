//! One connection, and what calls say about it.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status, TimeoutExpired};

/// How long a replica is left alone that says it is unavailable: a probe takes as long to take it out, or to let it in.
const REST: Duration = Duration::from_secs(1);

/// The connection had ended before the call was sent.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection has ended")]
pub(super) struct ConnectionEnded;

/// A connection to one replica.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    channel: Channel,
    ended: CancellationToken,
    resting: AtomicBool,
    needs_rest: Notify,
}

impl Connection {
    pub(super) fn new(address: SocketAddr, channel: Channel) -> Self {
        Self {
            address,
            channel,
            ended: CancellationToken::new(),
            resting: AtomicBool::new(false),
            needs_rest: Notify::new(),
        }
    }

    /// Whom it connects to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What calls and streams are sent by. It lives on while one of them does.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Takes from the failure of a call or stream what it says about this connection.
    pub(crate) fn learn(&self, status: &Status) {
        if broke_the_connection(status) {
            self.ended.cancel();
        } else if status.code() == Code::Unavailable && !self.resting.swap(true, Ordering::Relaxed) {
            self.needs_rest.notify_one();
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    pub(super) fn rests(&self) -> bool {
        self.resting.load(Ordering::Relaxed)
    }

    /// Lets it rest whenever it needs to, until it has ended.
    pub(super) async fn until_ended(&self) {
        loop {
            tokio::select! {
                () = self.ended.cancelled() => return,
                () = self.needs_rest.notified() => {}
            }
            // Whether it has ended meanwhile is looked at above.
            let _ = timeout(REST, self.ended.cancelled()).await;
            self.resting.store(false, Ordering::Relaxed);
        }
    }
}

/// No replica has worked on the call: it is no attempt, and goes to another connection as if nothing had been. It met
/// the end of its connection before it was sent, or just after the replica had said goodbye.
pub(crate) fn was_never_taken(status: &Status) -> bool {
    causes(status).any(|cause| {
        cause.is::<ConnectionEnded>()
            || cause
                .downcast_ref::<hyper::Error>()
                .is_some_and(hyper::Error::is_canceled)
            || cause.downcast_ref::<h2::Error>().is_some_and(is_goodbye)
    })
}

fn is_goodbye(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR)
}

/// The failure is the transport's, and not only of this one stream: calls that come after it would fail too.
fn broke_the_connection(status: &Status) -> bool {
    let of_the_call_alone = |cause: &(dyn Error + 'static)| {
        cause.is::<TimeoutExpired>() || cause.downcast_ref::<h2::Error>().is_some_and(h2::Error::is_reset)
    };
    status.source().is_some() && !causes(status).any(of_the_call_alone)
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |&cause| cause.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_transport(cause: impl Error + Send + Sync + 'static) -> Status {
        Status::from_error(Box::new(cause))
    }

    #[test]
    fn what_a_failure_says_about_its_connection() {
        let ended = by_transport(ConnectionEnded);
        assert!(was_never_taken(&ended) && broke_the_connection(&ended));

        let cut = by_transport(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(!was_never_taken(&cut) && broke_the_connection(&cut));

        let out_of_time = by_transport(TimeoutExpired(()));
        assert!(out_of_time.source().is_some() && !broke_the_connection(&out_of_time));

        for answered in [Code::Unavailable, Code::Internal, Code::NotFound] {
            assert!(
                !broke_the_connection(&Status::new(answered, "no")),
                "{answered:?}"
            );
        }
    }
}
