//! The door for people who operate the suite: no gRPC and no key, only the database. It plants the first key, without
//! which nobody could make another one, and the keys of the whole suite, which no call can make.
//!
//! It writes what the calls write, changes for the other services included.

use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_rpc::access::ApiKeySecret;
use fealty_types::{ApiKeyId, ProgramId, SharedClock};
use sqlx::postgres::PgPool;

use crate::api_keys::domain::{ApiKey, KeyIdentity, NewApiKey};
use crate::api_keys::{self, CreatedKey};
use crate::programs;
use crate::programs::domain::{NewProgram, Program};
use crate::refusal::{MembersError, Refusal, Resource};
use crate::staff;

/// Most keys of one listing: more than a person reads.
pub const KEYS_LISTED_MAX: i64 = 1_000;

/// What an operator can do. Over the jobs' role, which sees all programs.
#[derive(Debug, Clone)]
pub struct Operator {
    jobs: PgPool,
    clock: SharedClock,
}

impl Operator {
    /// Over the pool of the jobs' role.
    #[must_use]
    pub const fn new(jobs: PgPool, clock: SharedClock) -> Self {
        Self { jobs, clock }
    }

    /// Creates a program.
    pub async fn create_program(&self, new: NewProgram) -> Result<Program, MembersError> {
        let now = self.clock.now();
        let program = new.start(ProgramId::generate_at(now), now);
        let program = &program;
        transact(
            &self.jobs,
            "operator_create_program",
            Scope::Suite,
            TransactOptions::default(),
            |tx| in_tx(async move { programs::insert_in_tx(tx, program).await }),
        )
        .await?;
        Ok(program.clone())
    }

    /// Creates a key of a program, or of the whole suite when none is given.
    ///
    /// The scopes are the operator's to give: whether a key of a program may hold them was asked when they were read
    /// ([`KeyScopes`](crate::api_keys::domain::KeyScopes)).
    pub async fn create_key(
        &self,
        program_id: Option<ProgramId>,
        new: NewApiKey,
    ) -> Result<CreatedKey, MembersError> {
        let now = self.clock.now();
        new.check_end(now)?;
        let secret = ApiKeySecret::generate(&mut rand::rng());
        let staff_id = new.staff_id;
        let identity = KeyIdentity::of(&secret, ApiKeyId::generate_at(now), program_id);
        let api_key = new.start(identity, now);
        let key = &api_key;
        transact(
            &self.jobs,
            "operator_create_key",
            Scope::Suite,
            TransactOptions::default(),
            |tx| {
                in_tx(async move {
                    if let Some(program_id) = program_id {
                        programs::storage::find_in_tx(&mut *tx, program_id)
                            .await?
                            .ok_or_else(|| Refusal::not_found(Resource::Program, program_id))?;
                    }
                    if let Some(staff_id) = staff_id {
                        staff::check_active_in_tx(&mut *tx, program_id, staff_id).await?;
                    }
                    api_keys::insert_in_tx(tx, key).await
                })
            },
        )
        .await?;
        Ok(CreatedKey {
            api_key,
            secret: Some(secret),
        })
    }

    /// The keys of a program, or of the whole suite, after one of them, oldest first; at most [`KEYS_LISTED_MAX`].
    pub async fn list_keys(
        &self,
        program_id: Option<ProgramId>,
        after: Option<ApiKeyId>,
    ) -> Result<Vec<ApiKey>, MembersError> {
        transact(
            &self.jobs,
            "operator_list_keys",
            Scope::Suite,
            TransactOptions::read_only(),
            |tx| {
                in_tx(async move {
                    Ok(api_keys::storage::list_in_tx(tx, program_id, after, KEYS_LISTED_MAX).await?)
                })
            },
        )
        .await
    }

    /// The programs after one of them, oldest first; at most `count_max`.
    pub async fn list_programs(
        &self,
        after: Option<ProgramId>,
        count_max: i64,
    ) -> Result<Vec<Program>, MembersError> {
        transact(
            &self.jobs,
            "operator_list_programs",
            Scope::Suite,
            TransactOptions::read_only(),
            |tx| in_tx(async move { Ok(programs::storage::list_in_tx(tx, after, count_max).await?) }),
        )
        .await
    }

    /// Ends a key for good, whosever it is: named by its id or by the public part of its text.
    pub async fn revoke_key(&self, key: &KeyName) -> Result<ApiKey, MembersError> {
        let now = self.clock.now();
        transact(
            &self.jobs,
            "operator_revoke_key",
            Scope::Suite,
            TransactOptions::default(),
            |tx| {
                in_tx(async move {
                    let found = match key {
                        KeyName::Id(api_key_id) => {
                            let ids = [api_key_id.as_uuid()];
                            api_keys::storage::list_by_id_in_tx(&mut *tx, &ids).await?.pop()
                        }
                        KeyName::ShortId(short_id) => {
                            api_keys::storage::find_by_short_id_in_tx(&mut *tx, short_id).await?
                        }
                    };
                    let found = found.ok_or_else(|| Refusal::not_found(Resource::ApiKey, key))?;
                    api_keys::revoke_in_tx(tx, found.program_id, found.api_key_id, now).await
                })
            },
        )
        .await
    }
}

/// How an operator names a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyName {
    /// By its id.
    Id(ApiKeyId),
    /// By the public part of its text, which logs show.
    ShortId(String),
}

impl std::fmt::Display for KeyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(api_key_id) => api_key_id.fmt(f),
            Self::ShortId(short_id) => f.write_str(short_id),
        }
    }
}
