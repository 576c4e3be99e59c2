//! The copy of the access records: what the feed brings goes in, and callers are verified against it.

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_rpc::access::{AccessRecords, KeyRecord, Lookup, ProgramRecord};
use fealty_types::ProgramId;
use sqlx::PgPool;

use super::domain::ChangeSet;
use super::storage;
use crate::gate::SchemaGate;
use crate::positions;

/// The name of the feed that the copy follows, among the service's positions.
const FEED: &str = "access";

/// The copy. It crosses programs, because callers are looked up before anybody knows theirs: hence the role of jobs.
#[derive(Debug, Clone)]
pub struct AccessCopy {
    jobs: PgPool,
    gate: SchemaGate,
}

/// What became of a page of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It took effect, and the position moved.
    Moved,
    /// Another replica had moved the position meanwhile: nothing was done.
    Overtaken,
}

impl AccessCopy {
    /// Over the role of jobs. Nobody is known before the gate opens: then no call is served by a database of another
    /// schema.
    #[must_use]
    pub const fn new(jobs: PgPool, gate: SchemaGate) -> Self {
        Self { jobs, gate }
    }

    /// How far the feed has been followed; empty before its beginning.
    pub async fn position(&self) -> Result<String, StorageError> {
        let options = TransactOptions::read_only();
        transact(&self.jobs, "access_position", Scope::Suite, options, |tx| {
            in_tx(async move { Ok(positions::find_in_tx(tx, FEED).await?.unwrap_or_default()) })
        })
        .await
    }

    /// Applies what was read from `from` on, and moves the position to `to`, both or neither. Only the replica that
    /// finds the position where it read from does so; of two forms of a record the newer stays.
    pub async fn apply(
        &self,
        changes: &ChangeSet,
        from: &str,
        to: &str,
        now: DateTime<Utc>,
    ) -> Result<Applied, StorageError> {
        let options = TransactOptions::default();
        transact(&self.jobs, "apply_access_changes", Scope::Suite, options, |tx| {
            in_tx(async move {
                if !positions::move_in_tx(&mut *tx, FEED, from, to, now).await? {
                    return Ok(Applied::Overtaken);
                }
                storage::upsert_programs_in_tx(&mut *tx, &changes.programs).await?;
                storage::upsert_staff_in_tx(&mut *tx, &changes.staff).await?;
                storage::upsert_keys_in_tx(tx, &changes.keys).await?;
                Ok(Applied::Moved)
            })
        })
        .await
    }

    /// Goes back to the feed's beginning, because its position there is not known any more (its database was restored):
    /// every record that the feed still has is taken over again, whatever its number.
    pub async fn start_over(&self, from: &str, now: DateTime<Utc>) -> Result<Applied, StorageError> {
        let options = TransactOptions::default();
        transact(&self.jobs, "restart_access_feed", Scope::Suite, options, |tx| {
            in_tx(async move {
                if !positions::move_in_tx(&mut *tx, FEED, from, "", now).await? {
                    return Ok(Applied::Overtaken);
                }
                storage::forget_sequences_in_tx(tx).await?;
                Ok(Applied::Moved)
            })
        })
        .await
    }

    async fn find_key(&self, short_id: &str) -> Result<Option<KeyRecord>, StorageError> {
        let options = TransactOptions::read_only();
        transact(&self.jobs, "find_api_key", Scope::Suite, options, |tx| {
            in_tx(async move { storage::find_key_in_tx(tx, short_id).await })
        })
        .await
    }

    async fn find_program(&self, program_id: ProgramId) -> Result<Option<ProgramRecord>, StorageError> {
        let options = TransactOptions::read_only();
        transact(&self.jobs, "find_program", Scope::Suite, options, |tx| {
            in_tx(async move { storage::find_program_in_tx(tx, program_id).await })
        })
        .await
    }
}

impl AccessRecords for AccessCopy {
    fn find_key<'a>(&'a self, short_id: &'a str) -> Lookup<'a, KeyRecord> {
        self.gate.looked_up(self.find_key(short_id))
    }

    fn find_program(&self, program_id: ProgramId) -> Lookup<'_, ProgramRecord> {
        self.gate.looked_up(self.find_program(program_id))
    }
}
