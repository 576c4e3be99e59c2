//! How a connection comes out of a pool.

use std::time::Duration;

use sqlx::Connection;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, Postgres};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::error::StorageError;
use crate::pool::acquire_wait;

/// A connection of the pool, if one is free or made within the pool's `acquire_timeout`.
///
/// A connection that is being made is made to its end, whether the caller still waits or not. The driver alone would
/// begin it again with every caller and give it up with them, and it yields some eight hundred times over the password:
/// in a busy process, all of whose callers want one after a restart of Postgres, each yield waits for everybody else's
/// work, nobody would wait so long, and nobody ever get one. So it is made on a thread that has nothing else to do.
pub async fn acquire(pool: &PgPool) -> Result<PoolConnection<Postgres>, StorageError> {
    // Boxed: it is some kilobytes that every transaction would carry.
    let (wait, acquired) = (acquire_wait(pool), Box::pin(pool.acquire()));
    if is_full(pool) {
        return within(wait, acquired).await?.map_err(StorageError::from);
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "ends by itself within the pool's limit for making a connection, and harms nobody when it is dropped"
    )]
    let made = tokio::spawn(make(acquired));
    match within(wait, made).await? {
        Ok(Some(connection)) => connection.map_err(StorageError::from),
        // The driver panicked, or the runtime ends.
        Ok(None) | Err(_) => Err(sqlx::Error::PoolClosed.into()),
    }
}

/// Runs on a thread of its own what would have to wait in the runtime's queues, until it is dropped.
async fn make<F>(future: F) -> Option<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let (runtime, dropped) = (Handle::current(), CancellationToken::new());
    let _guard = dropped.clone().drop_guard();
    let made = async move {
        tokio::select! {
            // First: when the runtime ends, the other must not be asked again.
            biased;
            () = dropped.cancelled() => None,
            output = future => Some(output),
        }
    };
    spawn_blocking(move || runtime.block_on(made))
        .await
        .ok()
        .flatten()
}

/// Asks Postgres for a sign of life by way of the pool.
pub async fn ping(pool: &PgPool) -> Result<(), StorageError> {
    Ok(acquire(pool).await?.ping().await?)
}

/// Whether nothing is to be made: something is free, or callers wait for each other.
fn is_full(pool: &PgPool) -> bool {
    pool.num_idle() > 0 || pool.size() >= pool.options().get_max_connections()
}

async fn within<F: Future>(wait: Duration, future: F) -> Result<F::Output, StorageError> {
    timeout(wait, future)
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut.into())
}
