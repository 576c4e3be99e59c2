//! Vouchers: found by their code at a till, and used there once.

pub mod domain;
pub mod grpc;
mod storage;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{MemberId, ProgramId, SharedClock, VoucherId};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use crate::catalogue::domain::PoolCode;
use crate::events;
use crate::refusal::{Refusal, Resource, RewardsError};
use domain::{CodeKeys, Till, UseDecision, Voucher};

pub(crate) use storage::insert_in_tx;

/// What can be done with vouchers.
#[derive(Debug, Clone)]
pub struct Vouchers {
    service: PgPool,
    clock: SharedClock,
    waker: FeedWaker,
}

impl Vouchers {
    /// Over the pool of the service's role. The waker is told of what is used.
    #[must_use]
    pub const fn new(service: PgPool, clock: SharedClock, waker: FeedWaker) -> Self {
        Self {
            service,
            clock,
            waker,
        }
    }

    /// The voucher with a code.
    pub async fn lookup(&self, program_id: ProgramId, keys: &CodeKeys) -> Result<Voucher, RewardsError> {
        let options = TransactOptions::read_only();
        let scope = Scope::Program(program_id);
        transact(&self.service, "lookup_voucher", scope, options, |tx| {
            in_tx(async move {
                let found = storage::find_by_code_in_tx(tx, program_id, keys.as_slice()).await?;
                Ok(found.ok_or(Refusal::NoVoucherWithCode)?)
            })
        })
        .await
    }

    /// Uses the voucher with a code, once.
    pub async fn use_once(
        &self,
        program_id: ProgramId,
        request: &Request,
        keys: &CodeKeys,
        at: &Till,
    ) -> Result<Made<Voucher>, RewardsError> {
        let now = self.clock.now();
        let options = TransactOptions::default().repeatable();
        let scope = Scope::Program(program_id);
        let used = transact(&self.service, "use_voucher", scope, options, |tx| {
            in_tx(async move {
                let found = storage::find_by_code_in_tx(&mut *tx, program_id, keys.as_slice()).await?;
                let voucher_id = found.ok_or(Refusal::NoVoucherWithCode)?.voucher_id;
                if claim_in_tx(&mut *tx, request, voucher_id.as_uuid(), now)
                    .await?
                    .is_some()
                {
                    return Ok(Made::before(get_in_tx(tx, program_id, voucher_id).await?));
                }
                storage::lock_in_tx(&mut *tx, program_id, voucher_id).await?;
                let voucher = get_in_tx(&mut *tx, program_id, voucher_id).await?;
                let UseDecision::Uses(used) = voucher.decide_use(at, now)? else {
                    return Ok(Made::before(voucher));
                };
                storage::update_use_in_tx(&mut *tx, program_id, &used).await?;
                events::append_in_tx(tx, program_id, &events::voucher_used(&used, now)).await?;
                Ok::<_, RewardsError>(Made::now(used))
            })
        })
        .await?;
        if !used.replayed {
            self.waker.wake();
        }
        Ok(used)
    }

    /// A member's vouchers after one, newest first.
    pub async fn list(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        after: Option<(DateTime<Utc>, VoucherId)>,
        count_max: i64,
    ) -> Result<Vec<Voucher>, RewardsError> {
        let options = TransactOptions::read_only();
        let scope = Scope::Program(program_id);
        transact(&self.service, "list_vouchers", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_in_tx(tx, program_id, member_id, after, count_max).await?) })
        })
        .await
    }
}

/// A voucher that must exist.
pub(crate) async fn get_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    voucher_id: VoucherId,
) -> Result<Voucher, RewardsError> {
    let found = storage::find_in_tx(tx, program_id, voucher_id).await?;
    Ok(found.ok_or_else(|| Refusal::not_found(Resource::Voucher, voucher_id))?)
}

/// Which of these codes are on vouchers already: generated ones that a program happens to bring along, too.
pub(crate) async fn find_taken_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    codes: &[PoolCode],
) -> Result<HashSet<String>, StorageError> {
    let keys: Vec<String> = codes.iter().map(|code| code.as_str().to_owned()).collect();
    storage::find_taken_in_tx(tx, program_id, &keys).await
}
