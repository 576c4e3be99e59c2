//! Which master key the database knows.
//!
//! A service with a vault has this table, of which its role may only read and insert:
//!
//! ```sql
//! CREATE TABLE vault_master_key (
//!     only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
//!     master_key_id text NOT NULL,
//!     create_time timestamptz NOT NULL
//! );
//! ```

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use sqlx::postgres::PgPool;

use super::MasterKeyId;

/// The personal data lies under another master key than the service's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the personal data of this database is encrypted under the master key {stored}, and vault.master_key is {own}: set \
     the one that this database was begun with"
)]
pub struct OtherMasterKey {
    /// The database's.
    pub stored: MasterKeyId,
    /// The one in the settings.
    pub own: MasterKeyId,
}

/// Asks the database under which master key its personal data lies, and answers if that is another one. The first
/// service that asks an empty database says so, for ever.
pub async fn check_master_key(
    service: &PgPool,
    own: &MasterKeyId,
    now: DateTime<Utc>,
) -> Result<Option<OtherMasterKey>, StorageError> {
    let options = TransactOptions::default().repeatable();
    let stored = transact(service, "check_master_key", Scope::Suite, options, |tx| {
        in_tx(async move {
            sqlx::query(
                "INSERT INTO vault_master_key (master_key_id, create_time) VALUES ($1, $2) \
                 ON CONFLICT (only_row) DO NOTHING",
            )
            .bind(own.as_str())
            .bind(now)
            .execute(&mut *tx)
            .await?;
            let stored: String = sqlx::query_scalar("SELECT master_key_id FROM vault_master_key")
                .fetch_one(&mut *tx)
                .await?;
            Ok::<_, StorageError>(MasterKeyId::from_stored(stored))
        })
    })
    .await?;
    Ok((stored != *own).then(|| OtherMasterKey {
        stored,
        own: own.clone(),
    }))
}
