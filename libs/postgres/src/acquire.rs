//! How a connection comes out of a pool.

use sqlx::Connection;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, Postgres};
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
        let acquired = timeout(wait, acquired).await;
        return acquired
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(StorageError::from);
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "ends by itself within the pool's limit for making a connection, and harms nobody when it is dropped"
    )]
    let made = tokio::spawn(make(acquired));
    match timeout(wait, made).await {
        Ok(Ok(Some(connection))) => Ok(connection?),
        // The driver panicked, or the runtime ends.
        Ok(Ok(None) | Err(_)) => Err(sqlx::Error::PoolClosed.into()),
        Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
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

/// Asks a Postgres that takes writes for a sign of life by way of the pool. If there is none, says why: a pool only knows
/// that it has waited.
pub async fn ping(pool: &PgPool) -> Result<(), String> {
    let is_standby = async {
        let mut connection = acquire(pool).await?;
        let asked = sqlx::query_scalar("SELECT pg_is_in_recovery()");
        Ok::<bool, StorageError>(asked.fetch_one(&mut *connection).await?)
    };
    match is_standby.await {
        Ok(false) => Ok(()),
        Ok(true) => Err(format!("{} is a standby and takes no writes", place(pool))),
        Err(error) => Err(why_away(pool).await.unwrap_or_else(|| error.to_string())),
    }
}

/// What a connection beside the pool's fails with.
async fn why_away(pool: &PgPool) -> Option<String> {
    let options = pool.connect_options();
    let error = match timeout(acquire_wait(pool), PgConnection::connect_with(&options)).await {
        Ok(Ok(_)) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer".to_owned(),
    };
    Some(format!("{}: {error}", place(pool)))
}

fn place(pool: &PgPool) -> String {
    let options = pool.connect_options();
    format!("postgres at {}:{}", options.get_host(), options.get_port())
}

/// Whether nothing is to be made: something is free, or callers wait for each other.
fn is_full(pool: &PgPool) -> bool {
    pool.num_idle() > 0 || pool.size() >= pool.options().get_max_connections()
}
