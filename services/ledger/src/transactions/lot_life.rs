//! Follows a lot through the transactions that moved it.

use fealty_postgres::StorageError;
use fealty_types::{Points, ProgramId, Version};
use sqlx::PgConnection;

use super::domain::{LOOKED_THROUGH_MAX, LotLife, LotLifeOf, LotLifePosition, LotRecord, follow};
use super::{get_account_in_tx, storage};
use crate::refusal::{LedgerError, Refusal, Resource};

/// Goes on where the page before stopped. What is recorded never changes, so that several statements see one history.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    asked: &LotLifeOf,
) -> Result<LotLife, LedgerError> {
    let mut position = match asked.after {
        Some(position) => position,
        None => begin_in_tx(&mut *tx, program, asked).await?,
    };
    let owner_id = position.owner_id;
    let newest = storage::find_version_in_tx(&mut *tx, program, owner_id).await?;
    let newest = newest.ok_or_else(|| Refusal::not_found(Resource::Owner, owner_id))?;
    let from = position.version.get().saturating_add(1);
    let upto = position.version.get().saturating_add(LOOKED_THROUGH_MAX);
    let upto = Version::try_new(upto).map_or(newest, |upto| upto.min(newest));
    let lot = (owner_id, asked.lot_id);
    let moving = storage::list_moving_in_tx(tx, program, lot, (from, upto.get()), asked.count_max).await?;
    let mut records = Vec::with_capacity(moving.len());
    for it in moving {
        let followed = follow(asked.lot_id, position.value_left, &it.movements);
        let (value, value_left, expire_time) = followed
            .ok_or_else(|| StorageError::corrupt("transaction.lot_movements", "they do not add up"))?;
        position.value_left = value_left;
        records.push(LotRecord {
            owner_id,
            transaction_id: it.transaction_id,
            version: it.version,
            kind: it.kind,
            value,
            value_left,
            expire_time,
            occur_time: it.occur_time,
            record_time: it.record_time,
        });
    }
    position.version = upto;
    Ok(LotLife {
        records,
        looked_to: (upto < newest).then_some(position),
    })
}

/// Before the first transaction that may have moved it: the one that was recorded when it was opened. The lot is the
/// account's that the owner uses, or one that the owner had before.
async fn begin_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    asked: &LotLifeOf,
) -> Result<LotLifePosition, LedgerError> {
    let (account, _) = get_account_in_tx(&mut *tx, program, asked.owner_id).await?;
    for owner_id in [account, asked.owner_id] {
        let opened = storage::find_lot_time_in_tx(&mut *tx, program, owner_id, asked.lot_id).await?;
        let Some(opened) = opened else {
            continue;
        };
        let before = storage::find_version_before_in_tx(tx, program, owner_id, opened).await?;
        return Ok(LotLifePosition {
            owner_id,
            version: before,
            value_left: Points::ZERO,
        });
    }
    Err(Refusal::not_found(Resource::Lot, asked.lot_id).into())
}
