//! Changes of what a program's units and earning rules say, one after the other.

use fealty_postgres::StorageError;
use fealty_types::ProgramId;
use sqlx::PgConnection;

/// Counts a change of the program's terms, and keeps every other change of them waiting until this transaction ends:
/// what is decided by looking at all rules or all units (no two rules overlap, there are not too many units) stays
/// true. Postings do not wait for it.
pub async fn lock_in_tx(tx: &mut PgConnection, program: ProgramId) -> Result<(), StorageError> {
    let locked = sqlx::query!(
        "UPDATE program SET terms_revision = terms_revision + 1 WHERE program = $1",
        program.as_uuid()
    )
    .execute(tx)
    .await?;
    if locked.rows_affected() == 1 {
        Ok(())
    } else {
        // The caller was let in by this very copy, and programs are never deleted.
        Err(StorageError::corrupt("program", "the program has no row"))
    }
}
