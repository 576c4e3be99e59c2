//! Reads transactions. The posting room writes them.

mod lot_life;
mod reversals;
mod sent;
mod waiting;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{
    CurrencyCode, HoldId, Money, OwnerId, ProgramId, PurchaseId, RequestId, TransactionId, UnitCode, Version,
};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::domain::{Holder, LOOKED_THROUGH_MAX, StatementOf, StatementPosition};
use crate::posting::domain::{Counterpart, Entry, LotMovement, Transaction, TransactionKind};
use crate::posting::{EntryRow, MovementRow};
pub(super) use lot_life::{find_lot_time_in_tx, find_version_before_in_tx, list_moving_in_tx};
pub(super) use reversals::{insert_reversals_in_tx, load_reversed_in_tx};
pub(super) use sent::{find_accounts_in_tx, find_sent_in_tx, upsert_sent_in_tx};
pub(super) use waiting::find_waiting_in_tx;

/// One that was accepted: a remembered refusal is no transaction.
pub(super) async fn find_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    id: TransactionId,
) -> Result<Option<Transaction>, StorageError> {
    sqlx::query_as!(
        TransactionRow,
        r#"SELECT transaction_id AS "transaction_id: TransactionId", owner_id AS "owner_id: OwnerId",
                  version AS "version!: Version", kind, request_id AS "request_id: RequestId", source, receipt_id,
                  purchase_id AS "purchase_id: PurchaseId", money_minor, currency_code AS "currency_code: CurrencyCode",
                  entries AS "entries: Json<Vec<EntryRow>>", lot_movements AS "lot_movements: Json<Vec<MovementRow>>",
                  actor, reason, occur_time, record_time, on_behalf_of AS "on_behalf_of: OwnerId",
                  counterpart_transaction_id AS "counterpart_transaction_id: TransactionId",
                  counterpart_owner_id AS "counterpart_owner_id: OwnerId",
                  reversed_transaction_id AS "reversed_transaction_id: TransactionId", hold_id AS "hold_id: HoldId"
           FROM transaction WHERE program = $1 AND transaction_id = $2 AND version IS NOT NULL"#,
        program.as_uuid(),
        id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?
    .map(Transaction::try_from)
    .transpose()
}

/// Who has what waits of the points that it gave, else whose they were when it gave them.
pub(super) async fn find_holder_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    id: TransactionId,
) -> Result<Option<Holder>, StorageError> {
    let gave = sqlx::query!(
        r#"SELECT owner_id AS "owner_id: OwnerId", on_behalf_of AS "on_behalf_of: OwnerId" FROM transaction
           WHERE program = $1 AND transaction_id = $2 AND version IS NOT NULL"#,
        program.as_uuid(),
        id.as_uuid(),
    );
    let Some(gave) = gave.fetch_optional(&mut *tx).await? else {
        return Ok(None);
    };
    let waits = sqlx::query_scalar!(
        r#"SELECT owner_id AS "owner_id: OwnerId" FROM lot
           WHERE program = $1 AND credited_by = $2 AND open AND pending LIMIT 1"#,
        program.as_uuid(),
        id.as_uuid(),
    );
    let waits = waits.fetch_optional(tx).await?;
    Ok(Some(Holder {
        owner_id: waits.unwrap_or(gave.owner_id),
        named_owner_id: gave.on_behalf_of.unwrap_or(gave.owner_id),
    }))
}

/// Whose account an owner uses, and its newest version; `None` if there is no such owner.
pub(super) async fn find_account_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<Option<(OwnerId, Version)>, StorageError> {
    let account = sqlx::query_scalar!(
        r#"SELECT coalesce(account_owner_id, owner_id) AS "account!: OwnerId"
           FROM owner WHERE program = $1 AND owner_id = $2"#,
        program.as_uuid(),
        owner_id.as_uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(account) = account else {
        return Ok(None);
    };
    let version = find_version_in_tx(tx, program, account).await?;
    Ok(version.map(|version| (account, version)))
}

/// An owner's newest version; `None` if there is no such owner.
pub(super) async fn find_version_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
) -> Result<Option<Version>, StorageError> {
    let version = sqlx::query_scalar!(
        r#"SELECT version AS "version: Version" FROM owner WHERE program = $1 AND owner_id = $2"#,
        program.as_uuid(),
        owner_id.as_uuid(),
    )
    .fetch_optional(tx)
    .await?;
    Ok(version)
}

/// Those before a position, newest first, and no further back than a page may look.
pub(super) async fn list_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    before: StatementPosition,
    asked: &StatementOf,
) -> Result<Vec<Transaction>, StorageError> {
    let kinds: Vec<String> = asked.kinds.iter().map(ToString::to_string).collect();
    sqlx::query_as!(
        TransactionRow,
        r#"SELECT transaction_id AS "transaction_id: TransactionId", owner_id AS "owner_id: OwnerId",
                  version AS "version!: Version", kind, request_id AS "request_id: RequestId", source, receipt_id,
                  purchase_id AS "purchase_id: PurchaseId", money_minor, currency_code AS "currency_code: CurrencyCode",
                  entries AS "entries: Json<Vec<EntryRow>>", lot_movements AS "lot_movements: Json<Vec<MovementRow>>",
                  actor, reason, occur_time, record_time, on_behalf_of AS "on_behalf_of: OwnerId",
                  counterpart_transaction_id AS "counterpart_transaction_id: TransactionId",
                  counterpart_owner_id AS "counterpart_owner_id: OwnerId",
                  reversed_transaction_id AS "reversed_transaction_id: TransactionId", hold_id AS "hold_id: HoldId"
           FROM transaction
           WHERE program = $1 AND owner_id = $2 AND version < $3 AND version >= $3 - $9::bigint
                 AND (cardinality($4::text[]) = 0 OR kind = ANY($4))
                 AND ($5::text IS NULL OR $5 = ANY(unit_codes))
                 AND ($6::timestamptz IS NULL OR occur_time >= $6)
                 AND ($7::timestamptz IS NULL OR occur_time < $7)
                 AND ($10::text IS NULL OR source = $10)
           ORDER BY version DESC LIMIT $8"#,
        program.as_uuid(),
        before.owner_id.as_uuid(),
        before.version.get(),
        &kinds,
        asked.unit_code.as_ref().map(UnitCode::as_str),
        asked.occurred_from_time,
        asked.occurred_before_time,
        asked.count_max,
        LOOKED_THROUGH_MAX,
        asked.source,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Transaction::try_from)
    .collect()
}

struct TransactionRow {
    transaction_id: TransactionId,
    owner_id: OwnerId,
    version: Version,
    kind: String,
    request_id: Option<RequestId>,
    source: String,
    receipt_id: Option<String>,
    purchase_id: Option<PurchaseId>,
    money_minor: Option<i64>,
    currency_code: Option<CurrencyCode>,
    entries: Json<Vec<EntryRow>>,
    lot_movements: Json<Vec<MovementRow>>,
    actor: String,
    reason: String,
    occur_time: DateTime<Utc>,
    record_time: DateTime<Utc>,
    on_behalf_of: Option<OwnerId>,
    counterpart_transaction_id: Option<TransactionId>,
    counterpart_owner_id: Option<OwnerId>,
    reversed_transaction_id: Option<TransactionId>,
    hold_id: Option<HoldId>,
}

impl TryFrom<TransactionRow> for Transaction {
    type Error = StorageError;

    fn try_from(row: TransactionRow) -> Result<Self, StorageError> {
        let kind = row.kind.parse::<TransactionKind>();
        let counterpart = row.counterpart_transaction_id.zip(row.counterpart_owner_id);
        Ok(Self {
            transaction_id: row.transaction_id,
            owner_id: row.owner_id,
            on_behalf_of: row.on_behalf_of,
            version: row.version,
            kind: kind.map_err(|error| StorageError::corrupt("transaction.kind", error))?,
            entries: row.entries.0.into_iter().map(Entry::from).collect(),
            lot_movements: row.lot_movements.0.into_iter().map(LotMovement::from).collect(),
            source: row.source,
            receipt_id: row.receipt_id,
            purchase_id: row.purchase_id,
            money: row
                .currency_code
                .zip(row.money_minor)
                .map(|(currency, minor)| Money::new(currency, minor)),
            actor: row.actor,
            reason: row.reason,
            request_id: row.request_id,
            occur_time: row.occur_time,
            record_time: row.record_time,
            counterpart: counterpart.map(|(transaction_id, owner_id)| Counterpart {
                transaction_id,
                owner_id,
            }),
            reversed_transaction_id: row.reversed_transaction_id,
            hold_id: row.hold_id,
        })
    }
}
