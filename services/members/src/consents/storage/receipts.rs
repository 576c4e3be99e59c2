//! Receipts in the database: written once, never changed.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{channel_column, parse_item, parse_party, party_column};
use crate::consents::domain::{Change, Giver, Item, Origin, Receipt, Shown};
use crate::policies::storage::{parse_text_hash, parse_version};

struct ReceiptRow {
    member_id: MemberId,
    receipt_id: Uuid,
    change: String,
    purposes: Vec<String>,
    channels: Vec<String>,
    for_group: Option<bool>,
    company_code: String,
    giver: String,
    guardian_member_id: Option<MemberId>,
    source: String,
    actor: Option<String>,
    policy_version: Option<i64>,
    policy_text_sha256: Option<Vec<u8>>,
    consent_time: DateTime<Utc>,
    record_time: DateTime<Utc>,
}

impl TryFrom<ReceiptRow> for Receipt {
    type Error = StorageError;

    fn try_from(row: ReceiptRow) -> Result<Self, StorageError> {
        let pairs = row.purposes.iter().zip(&row.channels);
        let policy = match (row.policy_version, &row.policy_text_sha256) {
            (Some(version), Some(hash)) => Some(Shown {
                version: parse_version(version)?,
                text_hash: parse_text_hash(hash)?,
            }),
            _ => None,
        };
        Ok(Self {
            receipt_id: row.receipt_id,
            member_id: row.member_id,
            change: Change::from_column(&row.change)
                .ok_or_else(|| StorageError::corrupt("consent_receipt.change", &row.change))?,
            items: pairs
                .map(|(purpose, channel)| parse_item(purpose, channel))
                .collect::<Result<_, _>>()?,
            for_group: row.for_group,
            said_to: parse_party(&row.company_code)?,
            origin: Origin {
                giver: Giver::from_column(&row.giver)
                    .ok_or_else(|| StorageError::corrupt("consent_receipt.giver", &row.giver))?,
                guardian_member_id: row.guardian_member_id,
                source: row.source,
            },
            actor: row.actor,
            policy,
            consent_time: row.consent_time,
            record_time: row.record_time,
        })
    }
}

/// Keeps a receipt.
pub(in crate::consents) async fn insert_receipt_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    receipt: &Receipt,
) -> Result<(), StorageError> {
    let column = |text: fn(&Item) -> &str| -> Vec<String> {
        receipt.items.iter().map(|item| text(item).to_owned()).collect()
    };
    let purposes = column(|item| item.purpose.as_str());
    let channels = column(|item| channel_column(item.channel));
    sqlx::query!(
        "INSERT INTO consent_receipt \
         (program, member_id, receipt_id, change, purposes, channels, for_group, company_code, giver, \
          guardian_member_id, source, actor, policy_version, policy_text_sha256, consent_time, record_time) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        program_id.as_uuid(),
        receipt.member_id.as_uuid(),
        receipt.receipt_id,
        receipt.change.as_str(),
        &purposes,
        &channels,
        receipt.for_group,
        party_column(&receipt.said_to),
        receipt.origin.giver.as_str(),
        receipt
            .origin
            .guardian_member_id
            .map(|guardian| guardian.as_uuid()),
        receipt.origin.source,
        receipt.actor,
        receipt.policy.map(|policy| policy.version.get()),
        receipt
            .policy
            .as_ref()
            .map(|policy| policy.text_hash.as_bytes().as_slice()),
        receipt.consent_time,
        receipt.record_time,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A receipt by its id.
pub(in crate::consents) async fn find_receipt_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    receipt_id: Uuid,
) -> Result<Option<Receipt>, StorageError> {
    sqlx::query_as!(
        ReceiptRow,
        r#"SELECT member_id AS "member_id: MemberId", receipt_id, change, purposes, channels, for_group, company_code,
                  giver, guardian_member_id AS "guardian_member_id: MemberId", source, actor, policy_version,
                  policy_text_sha256, consent_time, record_time
           FROM consent_receipt WHERE program = $1 AND receipt_id = $2"#,
        program_id.as_uuid(),
        receipt_id,
    )
    .fetch_optional(tx)
    .await?
    .map(Receipt::try_from)
    .transpose()
}

/// What a member said before a place in their history, newest first.
pub(in crate::consents) async fn list_receipts_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    before: Option<(DateTime<Utc>, Uuid)>,
    count_max: i64,
) -> Result<Vec<Receipt>, StorageError> {
    // The greatest of all ids lies after everything.
    let (before_time, before_id) = before.unwrap_or((DateTime::<Utc>::MAX_UTC, Uuid::max()));
    sqlx::query_as!(
        ReceiptRow,
        r#"SELECT member_id AS "member_id: MemberId", receipt_id, change, purposes, channels, for_group, company_code,
                  giver, guardian_member_id AS "guardian_member_id: MemberId", source, actor, policy_version,
                  policy_text_sha256, consent_time, record_time
           FROM consent_receipt
           WHERE program = $1 AND member_id = $2 AND (record_time, receipt_id) < ($3, $4)
           ORDER BY record_time DESC, receipt_id DESC LIMIT $5"#,
        program_id.as_uuid(),
        member_id.as_uuid(),
        before_time,
        before_id,
        count_max,
    )
    .fetch_all(tx)
    .await?
    .into_iter()
    .map(Receipt::try_from)
    .collect()
}
