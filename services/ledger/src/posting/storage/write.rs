//! Writes what a batch decided, with one statement per table.
//!
//! Inserts select from the program's one row, so that they stay on its shard; everything is sorted, so that two batches
//! take their index locks in one order; the counts are checked, because a row that was not written is a lost posting.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId, RequestId, UnitCode, Version};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::accounts::{AccountChange, write_accounts_in_tx};
use super::holds::upsert_holds_in_tx;
use super::lots::write_lots_in_tx;
use super::rows::{EntryRow, MovementRow};
use crate::posting::domain::{ChainHash, Hold, Lot, Transaction};

/// A transaction to record, or a refusal to remember.
#[derive(Debug)]
pub(crate) struct NewTransaction {
    /// What happened. Of a refusal: what was asked for, without entries.
    pub(crate) transaction: Transaction,
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// Of the command; none for what time does by itself.
    pub(crate) command_hash: Option<[u8; 32]>,
    /// What the caller is told; none for what time does by itself.
    pub(crate) answer: Option<Vec<u8>>,
    /// Where in which trace it was decided; filled in by the books.
    pub(crate) trace_parent: Option<String>,
    /// Its place in the owner's chain; none for what did not happen.
    pub(crate) chain_hash: Option<ChainHash>,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It happened, and made a version.
    Posted,
    /// It was accepted, and there was nothing to do.
    Unchanged,
    /// It was refused.
    Refused,
}

/// What a batch made of one owner.
#[derive(Debug)]
pub(crate) struct OwnerChange {
    /// Whom.
    pub(crate) owner_id: OwnerId,
    /// The version that was read under the lock.
    pub(crate) version_before: Version,
    /// The newest version.
    pub(crate) version: Version,
    /// When it was made.
    pub(crate) last_time: DateTime<Utc>,
    /// Where the owner's chain stands.
    pub(crate) chain_head: Option<ChainHash>,
    /// The accounts that changed.
    pub(crate) accounts: Vec<AccountChange>,
    /// The lots that were open when they were read, and changed.
    pub(crate) lots: Vec<(UnitCode, Lot)>,
    /// The lots that nobody has written yet.
    pub(crate) new_lots: Vec<(UnitCode, Lot)>,
    /// The lots that came back, or came from somebody else: there may be a row of them.
    pub(crate) returned_lots: Vec<(UnitCode, Lot)>,
    /// The holds that were made or changed.
    pub(crate) holds: Vec<Hold>,
}

/// Writes a batch: owners, accounts, lots, holds, transactions.
pub(crate) async fn write_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owners: &[OwnerChange],
    transactions: &[NewTransaction],
) -> Result<(), StorageError> {
    let mut feed_xids = HashMap::new();
    if !owners.is_empty() {
        feed_xids = update_owners_in_tx(tx, program, owners).await?;
        write_accounts_in_tx(tx, program, owners).await?;
        write_lots_in_tx(tx, program, owners).await?;
        upsert_holds_in_tx(tx, program, owners).await?;
    }
    insert_transactions_in_tx(tx, program, transactions, &feed_xids).await
}

/// Moves the owners on, and answers where each one's new transactions stand in the event feed: at this database
/// transaction's id, but never before the owner's last (`fealty_postgres::events` says why).
async fn update_owners_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owners: &[OwnerChange],
) -> Result<HashMap<Uuid, i64>, StorageError> {
    let owner_ids: Vec<Uuid> = owners.iter().map(|owner| owner.owner_id.as_uuid()).collect();
    let before: Vec<i64> = owners.iter().map(|owner| owner.version_before.get()).collect();
    let versions: Vec<i64> = owners.iter().map(|owner| owner.version.get()).collect();
    let times: Vec<DateTime<Utc>> = owners.iter().map(|owner| owner.last_time).collect();
    let heads: Vec<Option<Vec<u8>>> = owners.iter().map(|owner| hash_column(owner.chain_head)).collect();
    let updated = sqlx::query!(
        r#"UPDATE owner o SET version = u.version, last_time = u.last_time, chain_head = u.chain_head,
                            feed_xid = GREATEST(o.feed_xid, pg_current_xact_id())
           FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bytea[])
                AS u (owner_id, version_before, version, last_time, chain_head)
           WHERE o.program = $1 AND o.owner_id = u.owner_id AND o.version = u.version_before
           RETURNING o.owner_id, o.feed_xid::text::bigint AS "feed_xid!""#,
        program.as_uuid(),
        &owner_ids,
        &before,
        &versions,
        &times,
        &heads as &[Option<Vec<u8>>],
    )
    .fetch_all(tx)
    .await?;
    all_written(
        "owner",
        owners.len(),
        u64::try_from(updated.len()).unwrap_or(u64::MAX),
    )?;
    Ok(updated
        .into_iter()
        .map(|row| (row.owner_id, row.feed_xid))
        .collect())
}

async fn insert_transactions_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    new: &[NewTransaction],
    feed_xids: &HashMap<Uuid, i64>,
) -> Result<(), StorageError> {
    let columns = Columns::of(new, feed_xids);
    let written = sqlx::query!(
        r#"INSERT INTO transaction AS t
                  (program, transaction_id, owner_id, version, kind, request_id, command_hash, source, receipt_id,
                   purchase_id, money_minor, currency_code, entries, lot_movements, unit_codes, actor, reason,
                   occur_time, record_time, answer, unchanged, on_behalf_of, feed_xid, trace_parent, chain_hash,
                   counterpart_transaction_id, counterpart_owner_id,
                   reversed_transaction_id, hold_id)
           SELECT p.program, u.transaction_id, u.owner_id, u.version, u.kind, u.request_id, u.command_hash, u.source,
                  u.receipt_id, u.purchase_id, u.money_minor, u.currency_code, u.entries, u.lot_movements,
                  string_to_array(u.unit_codes, ' '), u.actor, u.reason, u.occur_time, u.record_time, u.answer,
                  u.unchanged, u.on_behalf_of, u.feed_xid::text::xid8,
                  CASE WHEN u.feed_xid IS NOT NULL THEN u.trace_parent END, u.chain_hash,
                  u.counterpart_transaction_id, u.counterpart_owner_id,
                  u.reversed_transaction_id, u.hold_id
           FROM program p, unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::uuid[], $7::bytea[],
                                  $8::text[], $9::text[], $10::uuid[], $11::bigint[], $12::text[], $13::jsonb[],
                                  $14::jsonb[], $15::text[], $16::text[], $17::text[], $18::timestamptz[],
                                  $19::timestamptz[], $20::bytea[], $21::boolean[], $22::uuid[], $23::bigint[], $24::text[],
                                  $25::bytea[], $26::uuid[], $27::uuid[], $28::uuid[], $29::uuid[])
                AS u (transaction_id, owner_id, version, kind, request_id, command_hash, source, receipt_id,
                      purchase_id, money_minor, currency_code, entries, lot_movements, unit_codes, actor, reason,
                      occur_time, record_time, answer, unchanged, on_behalf_of, feed_xid, trace_parent, chain_hash,
                      counterpart_transaction_id, counterpart_owner_id, reversed_transaction_id, hold_id)
           WHERE p.program = $1 ORDER BY u.transaction_id"#,
        program.as_uuid(),
        &columns.transaction_ids,
        &columns.owner_ids,
        &columns.versions as &[Option<i64>],
        &columns.kinds,
        &columns.request_ids as &[Option<Uuid>],
        &columns.command_hashes as &[Option<Vec<u8>>],
        &columns.sources,
        &columns.receipt_ids as &[Option<String>],
        &columns.purchase_ids as &[Option<Uuid>],
        &columns.money_minor as &[Option<i64>],
        &columns.currency_codes as &[Option<String>],
        &columns.entries as &[Json<Vec<EntryRow>>],
        &columns.lot_movements as &[Json<Vec<MovementRow>>],
        &columns.unit_codes,
        &columns.actors,
        &columns.reasons,
        &columns.occur_times,
        &columns.record_times,
        &columns.answers as &[Option<Vec<u8>>],
        &columns.unchanged,
        &columns.on_behalf_of as &[Option<Uuid>],
        &columns.feed_xids as &[Option<i64>],
        &columns.trace_parents as &[Option<String>],
        &columns.chain_hashes as &[Option<Vec<u8>>],
        &columns.counterpart_transaction_ids as &[Option<Uuid>],
        &columns.counterpart_owner_ids as &[Option<Uuid>],
        &columns.reversed_transaction_ids as &[Option<Uuid>],
        &columns.hold_ids as &[Option<Uuid>],
    )
    .execute(tx)
    .await?;
    all_written("transaction", new.len(), written.rows_affected())
}

/// The rows turned into columns. Unit codes are joined by spaces, which no code has: Postgres cannot unnest lists of
/// lists of different lengths.
#[derive(Default)]
struct Columns {
    transaction_ids: Vec<Uuid>,
    owner_ids: Vec<Uuid>,
    versions: Vec<Option<i64>>,
    kinds: Vec<String>,
    request_ids: Vec<Option<Uuid>>,
    command_hashes: Vec<Option<Vec<u8>>>,
    sources: Vec<String>,
    receipt_ids: Vec<Option<String>>,
    purchase_ids: Vec<Option<Uuid>>,
    money_minor: Vec<Option<i64>>,
    currency_codes: Vec<Option<String>>,
    entries: Vec<Json<Vec<EntryRow>>>,
    lot_movements: Vec<Json<Vec<MovementRow>>>,
    unit_codes: Vec<String>,
    actors: Vec<String>,
    reasons: Vec<String>,
    occur_times: Vec<DateTime<Utc>>,
    record_times: Vec<DateTime<Utc>>,
    answers: Vec<Option<Vec<u8>>>,
    unchanged: Vec<bool>,
    on_behalf_of: Vec<Option<Uuid>>,
    feed_xids: Vec<Option<i64>>,
    trace_parents: Vec<Option<String>>,
    chain_hashes: Vec<Option<Vec<u8>>>,
    counterpart_transaction_ids: Vec<Option<Uuid>>,
    counterpart_owner_ids: Vec<Option<Uuid>>,
    reversed_transaction_ids: Vec<Option<Uuid>>,
    hold_ids: Vec<Option<Uuid>>,
}

impl Columns {
    fn of(new: &[NewTransaction], feed_xids: &HashMap<Uuid, i64>) -> Self {
        let mut columns = Self::default();
        for row in new {
            columns.push(row);
            let owner_id = row.transaction.owner_id.as_uuid();
            // What has no version is no event.
            let feed_xid = feed_xids
                .get(&owner_id)
                .filter(|_| row.outcome == Outcome::Posted);
            columns.feed_xids.push(feed_xid.copied());
        }
        columns
    }

    fn push(&mut self, new: &NewTransaction) {
        let it = &new.transaction;
        self.transaction_ids.push(it.transaction_id.as_uuid());
        self.owner_ids.push(it.owner_id.as_uuid());
        let is_posted = new.outcome == Outcome::Posted;
        self.versions.push(is_posted.then_some(it.version.get()));
        self.unchanged.push(new.outcome == Outcome::Unchanged);
        self.on_behalf_of.push(it.on_behalf_of.map(Uuid::from));
        self.kinds.push(it.kind.to_string());
        self.request_ids
            .push(it.request_id.as_ref().map(RequestId::as_uuid));
        self.command_hashes
            .push(new.command_hash.map(|hash| hash.to_vec()));
        self.sources.push(it.source.clone());
        self.receipt_ids.push(it.receipt_id.clone());
        self.purchase_ids.push(it.purchase_id.map(Uuid::from));
        self.money_minor.push(it.money.map(|money| money.minor));
        self.currency_codes
            .push(it.money.map(|money| money.currency.to_string()));
        self.entries
            .push(Json(it.entries.iter().map(EntryRow::from).collect()));
        self.lot_movements
            .push(Json(it.lot_movements.iter().map(MovementRow::from).collect()));
        self.unit_codes.push(units_of(it));
        self.actors.push(it.actor.clone());
        self.reasons.push(it.reason.clone());
        self.occur_times.push(it.occur_time);
        self.record_times.push(it.record_time);
        self.answers.push(new.answer.clone());
        self.trace_parents.push(new.trace_parent.clone());
        self.chain_hashes.push(hash_column(new.chain_hash));
        let counterpart = it.counterpart.as_ref();
        self.counterpart_transaction_ids
            .push(counterpart.map(|it| it.transaction_id.as_uuid()));
        self.counterpart_owner_ids
            .push(counterpart.map(|it| it.owner_id.as_uuid()));
        self.reversed_transaction_ids
            .push(it.reversed_transaction_id.map(Uuid::from));
        self.hold_ids.push(it.hold_id.map(Uuid::from));
    }
}

fn hash_column(hash: Option<ChainHash>) -> Option<Vec<u8>> {
    hash.map(|hash| hash.as_bytes().to_vec())
}

fn units_of(transaction: &Transaction) -> String {
    let of_entries = transaction.entries.iter().map(|entry| &entry.unit_code);
    let of_lots = transaction
        .lot_movements
        .iter()
        .map(|movement| &movement.unit_code);
    let mut units: Vec<&str> = of_entries.chain(of_lots).map(UnitCode::as_str).collect();
    units.sort_unstable();
    units.dedup();
    units.join(" ")
}

pub(super) fn all_written(what: &'static str, rows: usize, written: u64) -> Result<(), StorageError> {
    if u64::try_from(rows).is_ok_and(|rows| rows == written) {
        Ok(())
    } else {
        Err(StorageError::corrupt(
            what,
            format!("{written} of {rows} rows were written"),
        ))
    }
}
