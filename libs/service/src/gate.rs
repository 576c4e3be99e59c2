//! Whether the database is the one that this program was built for and set up for. Until that is known, nobody is
//! served.

use std::error::Error;
use std::time::Duration;

use fealty_postgres::{SchemaError, StorageError};
use fealty_rpc::access::Lookup;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// The first pause before Postgres is asked again; it doubles from there.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// The longest pause: how late a service may notice that Postgres has come.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long a probe waits for the gate: a start that goes well opens it within that, and is then ready at once instead
/// of at the next probe. Below the two seconds after which a probe counts as unanswered.
const OPENING_WAIT_MAX: Duration = Duration::from_secs(1);

/// Why a check of the database did not pass.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Postgres does not answer: it is asked again.
    #[error(transparent)]
    Away(#[from] StorageError),
    /// The database is another one.
    #[error(transparent)]
    Wrong(#[from] WrongDatabase),
}

/// The database is not the one that this program was built for or set up for. Waiting does not change it: whoever sets
/// it right starts the service again.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct WrongDatabase(Box<dyn Error + Send + Sync>);

impl WrongDatabase {
    /// For that reason, which says what to do about it.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

impl From<SchemaError> for CheckError {
    fn from(error: SchemaError) -> Self {
        match error {
            SchemaError::Storage(error) => Self::Away(error),
            other => Self::Wrong(WrongDatabase::new(other)),
        }
    }
}

/// Opens when the database has been checked. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct SchemaGate {
    open: watch::Sender<bool>,
}

impl SchemaGate {
    /// Whether the database has been checked.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Whether the database has been checked, or is within a moment.
    pub async fn opens_soon(&self) -> bool {
        let mut open = self.open.subscribe();
        timeout(OPENING_WAIT_MAX, open.wait_for(|open| *open))
            .await
            .is_ok_and(|open| open.is_ok())
    }

    /// A look-up of who calls, once the gate is open: before, no call is served by a database that may be another.
    pub fn looked_up<'a, T: Send + 'a>(
        &'a self,
        found: impl Future<Output = Result<Option<T>, StorageError>> + Send + 'a,
    ) -> Lookup<'a, T> {
        Box::pin(async move {
            if !self.is_open() {
                return Err("the schema has not been checked yet".into());
            }
            Ok(found.await?)
        })
    }

    /// Checks until Postgres answers, and opens if the check passes.
    pub async fn open_when<F>(&self, check: impl Fn() -> F) -> Result<(), WrongDatabase>
    where
        F: Future<Output = Result<(), CheckError>>,
    {
        let mut pause = PAUSE_MIN;
        loop {
            match check().await {
                Ok(()) => break,
                Err(CheckError::Wrong(wrong)) => return Err(wrong),
                Err(CheckError::Away(error)) => {
                    tracing::warn!(%error, retry_in = ?pause, "postgres does not answer");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        self.open.send_replace(true);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use fealty_postgres::migrate::Versions;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_is_asked_until_it_answers() {
        let gate = SchemaGate::default();
        let asked = AtomicU32::new(0);
        let begun = Instant::now();
        gate.open_when(async || {
            assert!(!gate.is_open());
            if asked.fetch_add(1, Ordering::SeqCst) < 10 {
                return Err(StorageError::from(sqlx::Error::PoolTimedOut).into());
            }
            Ok(())
        })
        .await
        .expect("it came back");
        assert!(gate.is_open());
        // 0.1 + 0.2 + 0.4 + 0.8 + 1.6 s, then the longest pause each time.
        assert_eq!(begun.elapsed(), Duration::from_millis(3_100 + 5 * 2_000));
    }

    #[tokio::test]
    async fn another_schema_keeps_the_gate_closed_and_is_told() {
        let gate = SchemaGate::default();
        let behind = async || Err(SchemaError::Behind(Versions(vec![7])).into());
        let wrong = gate.open_when(behind).await.expect_err("it lacks a migration");
        assert!(wrong.to_string().contains("lacks the migrations 7"), "{wrong}");
        assert!(!gate.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_waits_for_a_gate_that_opens_soon() {
        let gate = SchemaGate::default();
        assert!(!gate.opens_soon().await);
        let open = async {
            sleep(OPENING_WAIT_MAX / 2).await;
            gate.open_when(async || Ok(())).await
        };
        let (soon, opened) = tokio::join!(gate.opens_soon(), open);
        assert!(soon && opened.is_ok());
    }
}
