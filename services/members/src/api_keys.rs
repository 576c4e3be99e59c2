//! Callers' keys. The text of a key is given out once, by the call that makes it, and is kept nowhere.

pub mod domain;
pub mod grpc;
pub(crate) mod storage;

use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_proto::access::v1::Scope as AccessScope;
use fealty_rpc::access::ApiKeySecret;
use fealty_types::{ApiKeyId, ProgramId, SharedClock};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use crate::access::domain::RecordKind;
use crate::access::note_change_in_tx;
use crate::refusal::{MembersError, Refusal, Resource};
use crate::staff;
use domain::{ApiKey, KeyIdentity, NewApiKey, check_hand_out};

/// What can be done with the keys of a program.
#[derive(Debug, Clone)]
pub struct ApiKeys {
    service: PgPool,
    clock: SharedClock,
}

/// A key and, for whoever made it just now, its text.
#[derive(Debug, Clone)]
pub struct CreatedKey {
    /// As stored.
    pub api_key: ApiKey,
    /// The text. None when an earlier attempt made the key: its text was in that answer, and nobody has kept it.
    pub secret: Option<ApiKeySecret>,
}

impl ApiKeys {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, clock: SharedClock) -> Self {
        Self { service, clock }
    }

    /// Creates a key of a program. `own` are the scopes of whoever asks for it.
    pub async fn create(
        &self,
        program_id: ProgramId,
        own: &[AccessScope],
        request: &Request,
        new: &NewApiKey,
    ) -> Result<Made<CreatedKey>, MembersError> {
        check_hand_out(&new.scopes, own)?;
        let now = self.clock.now();
        let secret = &ApiKeySecret::generate(&mut rand::rng());
        let api_key_id = ApiKeyId::generate_at(now);
        let scope = Scope::Program(program_id);
        // A further attempt after a lost answer to COMMIT would find the first one's key and could not tell its text.
        let options = TransactOptions::default();
        transact(&self.service, "create_api_key", scope, options, |tx| {
            in_tx(async move {
                if let Some(made) = claim_in_tx(&mut *tx, request, api_key_id.as_uuid(), now).await? {
                    let api_key_id = ApiKeyId::try_from(made)
                        .map_err(|error| StorageError::corrupt("request.resource_id", error))?;
                    let api_key = find_in_tx(tx, Some(program_id), api_key_id).await?;
                    return Ok(Made::before(CreatedKey {
                        api_key,
                        secret: None,
                    }));
                }
                new.check_end(now)?;
                if let Some(staff_id) = new.staff_id {
                    staff::check_active_in_tx(&mut *tx, Some(program_id), staff_id).await?;
                }
                let identity = KeyIdentity::of(secret, api_key_id, Some(program_id));
                let api_key = new.clone().start(identity, now);
                insert_in_tx(tx, &api_key).await?;
                let secret = Some(secret.clone());
                Ok(Made::now(CreatedKey { api_key, secret }))
            })
        })
        .await
    }

    /// Ends a key for good. One that is revoked stays as it is.
    pub async fn revoke(&self, program_id: ProgramId, api_key_id: ApiKeyId) -> Result<ApiKey, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        transact(&self.service, "revoke_api_key", scope, options, |tx| {
            in_tx(async move { revoke_in_tx(tx, Some(program_id), api_key_id, now).await })
        })
        .await
    }

    /// The keys after one of them, oldest first.
    pub async fn list(
        &self,
        program_id: ProgramId,
        after: Option<ApiKeyId>,
        count_max: i64,
    ) -> Result<Vec<ApiKey>, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        transact(&self.service, "list_api_keys", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_in_tx(tx, Some(program_id), after, count_max).await?) })
        })
        .await
    }
}

impl KeyIdentity {
    /// Of a new key with that secret.
    pub(crate) fn of(secret: &ApiKeySecret, api_key_id: ApiKeyId, program_id: Option<ProgramId>) -> Self {
        Self {
            api_key_id,
            program_id,
            short_id: secret.short_id().to_owned(),
            secret_sha256: secret.secret_sha256(),
            token_public_key: secret.token_public_key(),
        }
    }
}

/// Inserts a key together with its change.
pub(crate) async fn insert_in_tx(tx: &mut PgConnection, key: &ApiKey) -> Result<(), MembersError> {
    storage::insert_in_tx(&mut *tx, key).await?;
    note_in_tx(tx, key.program_id, key.api_key_id).await
}

/// Revokes a key, which must exist, together with its change.
pub(crate) async fn revoke_in_tx(
    tx: &mut PgConnection,
    program_id: Option<ProgramId>,
    api_key_id: ApiKeyId,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<ApiKey, MembersError> {
    if storage::revoke_in_tx(&mut *tx, program_id, api_key_id, now).await? {
        note_in_tx(&mut *tx, program_id, api_key_id).await?;
    }
    find_in_tx(tx, program_id, api_key_id).await
}

async fn find_in_tx(
    tx: &mut PgConnection,
    program_id: Option<ProgramId>,
    api_key_id: ApiKeyId,
) -> Result<ApiKey, MembersError> {
    let found = storage::find_in_tx(tx, program_id, api_key_id).await?;
    found.ok_or_else(|| Refusal::not_found(Resource::ApiKey, api_key_id).into())
}

async fn note_in_tx(
    tx: &mut PgConnection,
    program_id: Option<ProgramId>,
    api_key_id: ApiKeyId,
) -> Result<(), MembersError> {
    let program = storage::program_column(program_id);
    Ok(note_change_in_tx(tx, program, RecordKind::ApiKey, api_key_id.as_uuid()).await?)
}
