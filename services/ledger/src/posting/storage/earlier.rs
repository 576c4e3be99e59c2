//! Reads which transactions already bear the request ids and receipts of a batch.

use std::collections::HashMap;

use fealty_postgres::StorageError;
use fealty_types::{ProgramId, RequestId, TransactionId};
use sqlx::PgConnection;

use super::state::uuids;

/// What came before, by the ids of a batch.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    /// The requests that were answered before.
    pub(crate) requests: HashMap<RequestId, EarlierRequest>,
    /// The receipts that are recorded, by source and number.
    pub(crate) receipts: HashMap<(String, String), TransactionId>,
}

/// A request that was answered before.
#[derive(Debug, Clone)]
pub(crate) struct EarlierRequest {
    /// Of its command.
    pub(crate) command_hash: Vec<u8>,
    /// Whether it was accepted.
    pub(crate) accepted: bool,
    /// What it was answered.
    pub(crate) answer: Vec<u8>,
}

/// Looks for request ids and receipts (source and number). A request's transaction bears its id, but for those that were
/// recorded when it had one of its own.
pub(crate) async fn find_earlier_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    request_ids: &[RequestId],
    receipts: &[(String, String)],
) -> Result<Earlier, StorageError> {
    let (sources, receipt_ids): (Vec<String>, Vec<String>) = receipts.iter().cloned().unzip();
    let rows = sqlx::query_as!(
        EarlierRow,
        r#"SELECT t.request_id AS "request_id?: RequestId", t.command_hash, t.version IS NOT NULL OR t.unchanged AS "accepted!",
                  t.answer, t.transaction_id AS "transaction_id!: TransactionId", NULL AS source, NULL AS receipt_id
           FROM transaction t
           WHERE t.program = $1 AND t.transaction_id = ANY($2) AND t.request_id = t.transaction_id
           UNION ALL
           SELECT t.request_id, t.command_hash, t.version IS NOT NULL OR t.unchanged, t.answer, t.transaction_id, NULL, NULL
           FROM transaction t
           WHERE t.program = $1 AND t.request_id = ANY($2) AND t.request_id <> t.transaction_id
           UNION ALL
           SELECT NULL, NULL, TRUE, NULL, t.transaction_id, t.source, t.receipt_id
           FROM transaction t JOIN unnest($3::text[], $4::text[]) AS r (source, receipt_id)
                ON t.source = r.source AND t.receipt_id = r.receipt_id
           WHERE t.program = $1 AND t.version IS NOT NULL AND t.receipt_id IS NOT NULL"#,
        program.as_uuid(),
        &uuids(request_ids),
        &sources,
        &receipt_ids,
    )
    .fetch_all(tx)
    .await?;
    let mut earlier = Earlier::default();
    for row in rows {
        row.add_to(&mut earlier)?;
    }
    Ok(earlier)
}

struct EarlierRow {
    request_id: Option<RequestId>,
    command_hash: Option<Vec<u8>>,
    accepted: bool,
    answer: Option<Vec<u8>>,
    transaction_id: TransactionId,
    source: Option<String>,
    receipt_id: Option<String>,
}

impl EarlierRow {
    fn add_to(self, earlier: &mut Earlier) -> Result<(), StorageError> {
        match (
            self.request_id,
            self.command_hash,
            self.answer,
            self.source,
            self.receipt_id,
        ) {
            (Some(request_id), Some(command_hash), Some(answer), _, _) => {
                let request = EarlierRequest {
                    command_hash,
                    accepted: self.accepted,
                    answer,
                };
                earlier.requests.insert(request_id, request);
            }
            (_, _, _, Some(source), Some(receipt_id)) => {
                earlier.receipts.insert((source, receipt_id), self.transaction_id);
            }
            _ => {
                return Err(StorageError::corrupt(
                    "transaction",
                    "neither a request nor a receipt",
                ));
            }
        }
        Ok(())
    }
}
