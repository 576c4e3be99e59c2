//! Baseline (a), the usual design, behind the same server with the same layers: a transaction of Postgres per call, which
//! locks the member's row and the program's, writes the posting, and updates both. Statements are prepared; the locks come
//! in one order, so nothing deadlocks; there are no foreign keys, and two entries are one statement.
//!
//! It speaks the ledger's own protos, so callers are the same.

use std::sync::Arc;

use fealty_ledger::MIGRATOR;
use fealty_postgres::{PoolConfig, StorageError, acquire, connect_lazy};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::balance_service_server::{BalanceServiceServer, SERVICE_NAME as BALANCES};
use fealty_proto::ledger::v1::transaction_service_server::{
    SERVICE_NAME as TRANSACTIONS, TransactionService, TransactionServiceServer,
};
use fealty_rpc::limited;
use fealty_rpc::server::ServerBuilder;
use fealty_runtime::config::Secret;
use fealty_runtime::{Listeners, Tasks};
use fealty_service::access::AccessFollower;
use fealty_service::call::serve;
use fealty_service::config::DatabaseConfig;
use fealty_service::ground::{Ground, ServeError};
use fealty_service::status::storage_status;
use fealty_types::SystemClock;
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection, PgPool};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::empty::Empty;
use crate::serving::Config;

/// Its tables.
pub const SCHEMA: &str = include_str!("usual.sql");
/// The account that every posting has its other side on.
pub const PROGRAM_ACCOUNT: Uuid = Uuid::from_u128(1);

const NAME: &str = "usual";
/// How long a call may wait for a connection or a lock: as long as its caller, since a thousand queue for one row.
const WAIT_MAX_MS: u64 = 10_000;

/// Settings of the usual design.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct UsualConfig {
    /// Its database.
    pub database_url: Secret<String>,
    /// Its connections.
    pub pool_size: u32,
}

/// Serves the baselines (a) and (c), to callers whom the ledger's own copy of the access records knows.
pub(crate) async fn serve_baselines(config: &Config, tasks: &Tasks) -> Result<(), ServeError> {
    let ledger = &config.ledger;
    let listeners = Listeners::bind(NAME, ledger.grpc.listen, ledger.admin.listen).await?;
    let database = DatabaseConfig {
        url: &ledger.database_url,
        pool: &ledger.pool,
        jobs_url: &ledger.jobs_database_url,
        jobs_pool: &ledger.jobs_pool,
    };
    let ground = Ground::try_new(NAME, database, SystemClock::shared())?;
    let access = AccessFollower::try_new(&ground, &ledger.members)?;
    let health = ground.health([TRANSACTIONS, BALANCES]);
    let limits = &ledger.server;
    let usual = Usual {
        pool: connect_lazy(
            config.usual.database_url.expose(),
            NAME,
            &pool(config.usual.pool_size),
        )?,
    };
    let server = ServerBuilder::new(limits.clone(), Arc::new(access.authenticator()))
        .add_service(limited!(limits, TransactionServiceServer::new(usual)))
        .add_service(limited!(limits, BalanceServiceServer::new(Empty)))
        .add_health(health.grpc_service())
        .build()?;
    ground.serve(listeners, server, health, tasks)?;
    let opened = ground.clone();
    ground.spawn_jobs(tasks, async move {
        opened.open(&MIGRATOR).await?;
        access.keep_following().await;
        Ok(())
    });
    Ok(())
}

fn pool(size: u32) -> PoolConfig {
    PoolConfig {
        size,
        acquire_timeout_ms: WAIT_MAX_MS,
        lock_timeout_ms: WAIT_MAX_MS,
        statement_timeout_ms: WAIT_MAX_MS,
        ..PoolConfig::default()
    }
}

struct Usual {
    pool: PgPool,
}

/// What is posted.
struct Posting {
    transaction_id: Uuid,
    request_id: Uuid,
    member: Uuid,
    value: i64,
    source: String,
    reason: String,
}

impl Usual {
    async fn post(&self, posting: &Posting) -> Result<i64, StorageError> {
        let mut connection = acquire(&self.pool).await?;
        let mut tx = connection.begin().await?;
        let member = lock_in_tx(&mut tx, posting.member).await? + posting.value;
        let program = lock_in_tx(&mut tx, PROGRAM_ACCOUNT).await? - posting.value;
        insert_in_tx(&mut tx, posting, [member, program]).await?;
        update_in_tx(&mut tx, posting.member, member).await?;
        update_in_tx(&mut tx, PROGRAM_ACCOUNT, program).await?;
        tx.commit().await?;
        Ok(member)
    }
}

async fn lock_in_tx(tx: &mut PgConnection, account: Uuid) -> Result<i64, StorageError> {
    let locked = sqlx::query_scalar("SELECT balance FROM account WHERE account_id = $1 FOR UPDATE");
    Ok(locked.bind(account).fetch_one(tx).await?)
}

async fn insert_in_tx(tx: &mut PgConnection, posting: &Posting, after: [i64; 2]) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO transaction (transaction_id, request_id, kind, source, reason) VALUES ($1, $2, 'credit', $3, $4)",
    )
    .bind(posting.transaction_id)
    .bind(posting.request_id)
    .bind(&posting.source)
    .bind(&posting.reason)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO entry (account_id, transaction_id, value, balance_after) VALUES ($1, $2, $3, $4), ($5, $2, $6, $7)",
    )
    .bind(posting.member)
    .bind(posting.transaction_id)
    .bind(posting.value)
    .bind(after[0])
    .bind(PROGRAM_ACCOUNT)
    .bind(-posting.value)
    .bind(after[1])
    .execute(tx)
    .await?;
    Ok(())
}

async fn update_in_tx(tx: &mut PgConnection, account: Uuid, balance: i64) -> Result<(), StorageError> {
    let updated = sqlx::query("UPDATE account SET balance = $2 WHERE account_id = $1");
    updated.bind(account).bind(balance).execute(tx).await?;
    Ok(())
}

fn id(text: &str) -> Result<Uuid, fealty_rpc::errors::ApiError> {
    Uuid::try_parse(text).map_err(|_| fealty_rpc::errors::ApiError::internal_message("not a UUID"))
}

/// The service with the one method that is compared, and with all others that it has to have.
macro_rules! transaction_service {
    ({ $($compared:tt)* } $($name:ident: $request:ident => $response:ident;)+) => {
        #[tonic::async_trait]
        impl TransactionService for Usual {
            $($compared)*

            $(async fn $name(&self, _: Request<pb::$request>) -> Result<Response<pb::$response>, Status> {
                Err(Status::unimplemented("only credits are compared"))
            })+
        }
    };
}

transaction_service! {
    {
    async fn credit_points(
        &self,
        request: Request<pb::CreditPointsRequest>,
    ) -> Result<Response<pb::CreditPointsResponse>, Status> {
        serve(request, async |caller, message| {
            caller.program_id()?;
            let amount = message.amount.unwrap_or_default();
            let posting = Posting {
                transaction_id: Uuid::now_v7(),
                request_id: id(&message.request_id)?,
                member: id(&message.owner_id)?,
                value: amount.value,
                source: message.source,
                reason: message.reason,
            };
            let available = self
                .post(&posting)
                .await
                .map_err(|error| storage_status(&error))?;
            Ok(pb::CreditPointsResponse {
                transaction: Some(pb::Transaction {
                    transaction_id: posting.transaction_id.to_string(),
                    owner_id: message.owner_id.clone(),
                    request_id: message.request_id,
                    source: posting.source,
                    reason: posting.reason,
                    ..pb::Transaction::default()
                }),
                balance: Some(pb::OwnerBalance {
                    owner_id: message.owner_id,
                    balances: vec![pb::UnitBalance {
                        unit_code: amount.unit_code,
                        available,
                        ..pb::UnitBalance::default()
                    }],
                    ..pb::OwnerBalance::default()
                }),
            })
        })
        .await
    }
    }
    spend_points: SpendPointsRequest => SpendPointsResponse;
    activate_points: ActivatePointsRequest => ActivatePointsResponse;
    adjust_points: AdjustPointsRequest => AdjustPointsResponse;
    transfer_points: TransferPointsRequest => TransferPointsResponse;
    batch_post_points: BatchPostPointsRequest => BatchPostPointsResponse;
    reverse_transaction: ReverseTransactionRequest => ReverseTransactionResponse;
    get_transaction: GetTransactionRequest => GetTransactionResponse;
    list_transactions: ListTransactionsRequest => ListTransactionsResponse;
    list_lot_movements: ListLotMovementsRequest => ListLotMovementsResponse;
}
