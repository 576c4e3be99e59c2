//! Another master key for what is stored: the keys of persons are wrapped anew, and what they sealed stays as it is.
//!
//! An operator puts the new key in front of the old one, in all replicas; wraps every key anew, in bounded steps that may
//! be cut off and begun again ([`Rotation`]); and takes the old one away. Hashes stay the same: their keys are kept,
//! wrapped under the new master key.

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::storage::{find_hash_keys_in_tx, upsert_hash_keys_in_tx};
use super::{MasterKeyId, Person, SealedKey, Vault, VaultError};

/// Keys of one step: some milliseconds of work, so that nobody waits for a row.
const STEP_COUNT: i64 = 500;

/// Wraps the keys of one service's persons anew.
#[derive(Debug, Clone)]
pub struct Rotation {
    jobs: PgPool,
    vault: Vault,
    /// Where the keys are: `program`, `member_id`, `data_key` and `master_key_id`.
    table: &'static str,
}

/// How far a rotation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Keys that were wrapped anew since it began.
    pub wrapped_count: u64,
    /// The last one that was looked at in this pass.
    after: (Uuid, Uuid),
    /// Whether a pass has found nothing under another master key.
    pub done: bool,
}

/// Why a rotation stopped. It can be begun again.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The database, or the way to it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A key lies under a master key that is not in the settings, or was damaged.
    #[error("the key of a person: {0}")]
    Key(#[from] VaultError),
}

impl fealty_postgres::TransactError for RotationError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Key(_) => None,
        }
    }
}

impl From<sqlx::Error> for RotationError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

type Row = (ProgramId, MemberId, Vec<u8>, String);

impl Rotation {
    /// Over the pool of the jobs' role. The vault has adopted the database's hashes
    /// ([`check_master_key`](super::check_master_key)), and seals under the new master key.
    #[must_use]
    pub const fn new(jobs: PgPool, vault: Vault, table: &'static str) -> Self {
        Self { jobs, vault, table }
    }

    /// Keeps the keys of hashes under the new master key: before the first person's key, so that nothing is lost when it
    /// is cut off.
    pub async fn begin(&self) -> Result<Progress, RotationError> {
        let options = TransactOptions::default().repeatable();
        transact(&self.jobs, "begin_rotation", Scope::Suite, options, |tx| {
            in_tx(async move {
                let stored = find_hash_keys_in_tx(&mut *tx).await?;
                if stored.is_none_or(|stored| stored.master_key_id != *self.vault.master_key_id()) {
                    upsert_hash_keys_in_tx(tx, &self.vault.wrapped_hash_keys()).await?;
                }
                Ok::<_, RotationError>(Progress::default())
            })
        })
        .await
    }

    /// Wraps some keys anew. When a pass has found nothing more, the database is one of the new master key.
    pub async fn step(&self, progress: Progress, now: DateTime<Utc>) -> Result<Progress, RotationError> {
        let options = TransactOptions::default().repeatable();
        transact(&self.jobs, "rotate_keys", Scope::Suite, options, |tx| {
            in_tx(async move {
                let rows = self.claim_in_tx(&mut *tx, progress.after).await?;
                let Some((program_id, member_id, ..)) = rows.last() else {
                    let done = self.end_in_tx(tx, now).await?;
                    let after = (Uuid::nil(), Uuid::nil());
                    return Ok(Progress {
                        after,
                        done,
                        ..progress
                    });
                };
                let after = (program_id.as_uuid(), member_id.as_uuid());
                let wrapped_count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
                self.wrap_in_tx(tx, rows).await?;
                Ok::<_, RotationError>(Progress {
                    wrapped_count: progress.wrapped_count.saturating_add(wrapped_count),
                    after,
                    done: false,
                })
            })
        })
        .await
    }

    async fn claim_in_tx(
        &self,
        tx: &mut PgConnection,
        after: (Uuid, Uuid),
    ) -> Result<Vec<Row>, RotationError> {
        let statement = format!(
            "SELECT program, member_id, data_key, master_key_id FROM {} \
             WHERE (program, member_id) > ($1, $2) AND master_key_id <> $3 \
             ORDER BY program, member_id LIMIT $4 FOR NO KEY UPDATE",
            self.table
        );
        Ok(sqlx::query_as(AssertSqlSafe(statement))
            .bind(after.0)
            .bind(after.1)
            .bind(self.vault.master_key_id().as_str())
            .bind(STEP_COUNT)
            .fetch_all(tx)
            .await?)
    }

    async fn wrap_in_tx(&self, tx: &mut PgConnection, rows: Vec<Row>) -> Result<(), RotationError> {
        let (mut programs, mut members, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for (program_id, member_id, bytes, master_key_id) in rows {
            let person = Person {
                program_id,
                member_id,
            };
            let stored = SealedKey {
                master_key_id: MasterKeyId::from_stored(master_key_id),
                bytes,
            };
            keys.push(self.vault.wrap_again(person, &stored)?.bytes);
            programs.push(program_id.as_uuid());
            members.push(member_id.as_uuid());
        }
        let statement = format!(
            "UPDATE {} AS t SET data_key = u.data_key, master_key_id = $4 \
             FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) AS u (program, member_id, data_key) \
             WHERE t.program = u.program AND t.member_id = u.member_id",
            self.table
        );
        sqlx::query(AssertSqlSafe(statement))
            .bind(programs)
            .bind(members)
            .bind(keys)
            .bind(self.vault.master_key_id().as_str())
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Whether nothing is left under another master key; then the database says so.
    async fn end_in_tx(&self, tx: &mut PgConnection, now: DateTime<Utc>) -> Result<bool, RotationError> {
        let own = self.vault.master_key_id().as_str();
        let statement = format!(
            "SELECT EXISTS (SELECT FROM {} WHERE master_key_id <> $1)",
            self.table
        );
        let left: bool = sqlx::query_scalar(AssertSqlSafe(statement))
            .bind(own)
            .fetch_one(&mut *tx)
            .await?;
        if left {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE vault_master_key SET master_key_id = $1, create_time = $2 WHERE master_key_id <> $1",
        )
        .bind(own)
        .bind(now)
        .execute(tx)
        .await?;
        Ok(true)
    }
}
