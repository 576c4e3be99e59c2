//! This service's answer to who calls: its own tables, which are the original of what the others copy.

use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_rpc::access::{AccessRecords, KeyRecord, Lookup, ProgramRecord, StaffState};
use fealty_service::gate::SchemaGate;
use fealty_types::{ApiKeyId, ProgramId};
use sqlx::postgres::PgPool;

use super::storage::{self, KeyRow};
use crate::api_keys::storage::{parse_hash, parse_scopes, parse_token_key};
use crate::programs;

/// The access records in this service's own tables.
#[derive(Debug, Clone)]
pub struct OwnRecords {
    jobs: PgPool,
    gate: SchemaGate,
}

impl OwnRecords {
    /// Over the pool of the jobs' role: before a key is found, nobody knows the program.
    pub(crate) const fn new(jobs: PgPool, gate: SchemaGate) -> Self {
        Self { jobs, gate }
    }

    async fn find_key_record(&self, short_id: &str) -> Result<Option<KeyRecord>, StorageError> {
        let options = TransactOptions::read_only();
        transact(&self.jobs, "find_key", Scope::Suite, options, |tx| {
            in_tx(async move {
                storage::find_key_in_tx(tx, short_id)
                    .await?
                    .map(KeyRecord::try_from)
                    .transpose()
            })
        })
        .await
    }

    async fn find_program_record(
        &self,
        program_id: ProgramId,
    ) -> Result<Option<ProgramRecord>, StorageError> {
        let options = TransactOptions::read_only();
        let program = transact(&self.jobs, "find_program", Scope::Suite, options, |tx| {
            in_tx(async move { programs::storage::find_in_tx(tx, program_id).await })
        })
        .await?;
        Ok(program.map(|program| ProgramRecord {
            program_id: program.program_id,
            time_zone: program.time_zone,
            currency: program.currency_code,
            active: program.active,
        }))
    }
}

impl AccessRecords for OwnRecords {
    fn find_key<'a>(&'a self, short_id: &'a str) -> Lookup<'a, KeyRecord> {
        self.gate.looked_up(self.find_key_record(short_id))
    }

    fn find_program(&self, program_id: ProgramId) -> Lookup<'_, ProgramRecord> {
        self.gate.looked_up(self.find_program_record(program_id))
    }
}

impl TryFrom<KeyRow> for KeyRecord {
    type Error = StorageError;

    fn try_from(row: KeyRow) -> Result<Self, StorageError> {
        Ok(Self {
            api_key_id: ApiKeyId::try_from(row.api_key_id)
                .map_err(|error| StorageError::corrupt("api_key.api_key_id", error))?,
            // Nil, which is no program's id, stands for the whole suite.
            program_id: ProgramId::try_from(row.program).ok(),
            staff: row.staff_id.map(|staff_id| StaffState {
                staff_id,
                // A key whose holder cannot be found is as good as one whose holder has left.
                active: row.staff_active.unwrap_or(false),
            }),
            secret_sha256: parse_hash(&row.secret_sha256)?,
            token_public_key: row.token_public_key.as_deref().map(parse_token_key).transpose()?,
            scopes: parse_scopes(&row.scopes)?,
            revoke_time: row.revoke_time,
            expire_time: row.expire_time,
        })
    }
}
