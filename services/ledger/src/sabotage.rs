//! Faults that are made on purpose, so that a test can show that it would find them (`tests/faults/at_random`). Compiled in
//! with the feature `sabotage` alone, which no crate turns on; which fault it is, `FEALTY_SABOTAGE` says.

use std::sync::LazyLock;

use fealty_postgres::StorageError;
use fealty_types::{ProgramId, Version};
use sqlx::PgConnection;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The cache is read as if all versions were alike.
    UnversionedCache,
    /// Owners are locked one by one, the last first.
    ReversedLocks,
    /// Of what the event feed reads at once, the last row is left out.
    SkippedRows,
    /// What is remembered of an owner is taken for what they have, whatever happened since.
    UncheckedMemory,
}

static CHOSEN: LazyLock<Option<Fault>> = LazyLock::new(chosen);

#[expect(
    clippy::disallowed_methods,
    reason = "a fault is no setting, and no config may know of it"
)]
fn chosen() -> Option<Fault> {
    let name = std::env::var("FEALTY_SABOTAGE").ok()?;
    Some(match name.as_str() {
        "unversioned_cache" => Fault::UnversionedCache,
        "reversed_locks" => Fault::ReversedLocks,
        "skipped_rows" => Fault::SkippedRows,
        "unchecked_memory" => Fault::UncheckedMemory,
        other => panic!("there is no such fault: {other}"),
    })
}

fn is(fault: Fault) -> bool {
    *CHOSEN == Some(fault)
}

/// The version that the cache is asked for.
pub(crate) fn asked_of_cache(at_least: Version) -> Version {
    if is(Fault::UnversionedCache) {
        Version::ZERO
    } else {
        at_least
    }
}

/// Locks owners before they are locked in order.
pub(crate) async fn lock_first_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[Uuid],
) -> Result<(), StorageError> {
    if is(Fault::ReversedLocks) {
        let lock = "SELECT 1 FROM owner WHERE program = $1 AND owner_id = $2 FOR NO KEY UPDATE";
        for owner_id in owner_ids.iter().rev() {
            sqlx::query(lock)
                .bind(program.as_uuid())
                .bind(owner_id)
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

/// The rows that the event feed goes on with.
pub(crate) fn rows_of_feed<T>(mut rows: Vec<T>) -> Vec<T> {
    if is(Fault::SkippedRows) && rows.len() > 1 {
        rows.pop();
    }
    rows
}

/// Whether nobody asks if what is remembered is out of date.
pub(crate) fn trusts_memory() -> bool {
    is(Fault::UncheckedMemory)
}
