//! Which master key the database knows.
//!
//! A service with a vault has these tables, of which its role may only read the second, and read and insert the first:
//!
//! ```sql
//! CREATE TABLE vault_master_key (
//!     only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
//!     master_key_id text NOT NULL,
//!     create_time timestamptz NOT NULL
//! );
//! CREATE TABLE vault_hash_key (
//!     only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
//!     master_key_id text NOT NULL,
//!     lookup_key bytea NOT NULL,
//!     command_key bytea NOT NULL
//! );
//! ```

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use super::hash_keys::WrappedHashKeys;
use super::{MasterKeyId, Vault};

/// The personal data lies under a master key that the service does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the personal data of this database is encrypted under the master key {stored}, and vault.master_key is {own}: set \
     the one that this database was begun with, or add it to vault.previous_master_keys"
)]
pub struct OtherMasterKey {
    /// The database's.
    pub stored: MasterKeyId,
    /// The newest one in the settings.
    pub own: MasterKeyId,
}

/// Asks the database under which master key its personal data lies, and answers if the vault does not have that one. The
/// first service that asks an empty database says so. Lets the vault hash by the keys that the database's hashes were made
/// with.
pub async fn check_master_key(
    service: &PgPool,
    vault: &Vault,
    now: DateTime<Utc>,
) -> Result<Option<OtherMasterKey>, StorageError> {
    let own = vault.master_key_id();
    let options = TransactOptions::default().repeatable();
    let (stored, hash_keys) = transact(service, "check_master_key", Scope::Suite, options, |tx| {
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
            let hash_keys = find_hash_keys_in_tx(tx).await?;
            Ok::<_, StorageError>((MasterKeyId::from_stored(stored), hash_keys))
        })
    })
    .await?;
    let other = |stored: MasterKeyId| {
        Some(OtherMasterKey {
            stored,
            own: own.clone(),
        })
    };
    if !vault.has_master_key(&stored) {
        return Ok(other(stored));
    }
    if let Some(wrapped) = &hash_keys
        && !vault.has_master_key(&wrapped.master_key_id)
    {
        return Ok(other(wrapped.master_key_id.clone()));
    }
    vault
        .adopt_hash_keys(&stored, hash_keys.as_ref())
        .map_err(|error| StorageError::corrupt("vault_hash_key", error))?;
    Ok(None)
}

pub(super) async fn find_hash_keys_in_tx(
    tx: &mut PgConnection,
) -> Result<Option<WrappedHashKeys>, StorageError> {
    let row: Option<(String, Vec<u8>, Vec<u8>)> =
        sqlx::query_as("SELECT master_key_id, lookup_key, command_key FROM vault_hash_key")
            .fetch_optional(tx)
            .await?;
    Ok(
        row.map(|(master_key_id, lookup_key, command_key)| WrappedHashKeys {
            master_key_id: MasterKeyId::from_stored(master_key_id),
            lookup_key,
            command_key,
        }),
    )
}

pub(super) async fn upsert_hash_keys_in_tx(
    tx: &mut PgConnection,
    wrapped: &WrappedHashKeys,
) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO vault_hash_key (master_key_id, lookup_key, command_key) VALUES ($1, $2, $3) \
         ON CONFLICT (only_row) DO UPDATE SET master_key_id = excluded.master_key_id, \
             lookup_key = excluded.lookup_key, command_key = excluded.command_key",
    )
    .bind(wrapped.master_key_id.as_str())
    .bind(&wrapped.lookup_key)
    .bind(&wrapped.command_key)
    .execute(tx)
    .await?;
    Ok(())
}
