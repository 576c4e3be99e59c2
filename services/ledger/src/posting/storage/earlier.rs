//! Reads which transactions already bear the request ids and receipts of a batch.

use std::collections::HashMap;

use fealty_postgres::StorageError;
use fealty_types::{ProgramId, RequestId, TransactionId};
use sqlx::PgConnection;

use super::state::{Now, uuids};

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

/// Looks for request ids and receipts (source and number), and answers the time. A request's transaction bears its id, but
/// for those that were recorded when it had one of its own.
pub(crate) async fn find_earlier_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    request_ids: &[RequestId],
    receipts: &[(String, String)],
) -> Result<(Earlier, Now), StorageError> {
    let (requests, now) = find_requests_in_tx(&mut *tx, program, request_ids).await?;
    let mut earlier = Earlier {
        requests,
        receipts: HashMap::new(),
    };
    if !receipts.is_empty() {
        earlier.receipts = find_receipts_in_tx(tx, program, receipts).await?;
    }
    Ok((earlier, now))
}

async fn find_requests_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    request_ids: &[RequestId],
) -> Result<(HashMap<RequestId, EarlierRequest>, Now), StorageError> {
    // The first row is the time: there may be no other. statement_timestamp() is the same for the whole statement, unlike
    // clock_timestamp(), and later than the locks of the statements before, unlike now().
    let rows = sqlx::query!(
        r#"SELECT statement_timestamp() AS "now!", NULL::uuid AS "request_id: RequestId", NULL::bytea AS command_hash,
                  NULL::boolean AS accepted, NULL::bytea AS answer
           UNION ALL
           SELECT statement_timestamp(), t.request_id, t.command_hash, t.version IS NOT NULL OR t.unchanged, t.answer
           FROM transaction t
           WHERE t.program = $1 AND t.transaction_id = ANY($2) AND t.request_id = t.transaction_id
           UNION ALL
           SELECT statement_timestamp(), t.request_id, t.command_hash, t.version IS NOT NULL OR t.unchanged, t.answer
           FROM transaction t
           WHERE t.program = $1 AND t.request_id = ANY($2) AND t.request_id <> t.transaction_id"#,
        program.as_uuid(),
        &uuids(request_ids),
    )
    .fetch_all(tx)
    .await?;
    let now = rows.first().map(|row| Now(row.now));
    let now = now.ok_or_else(|| StorageError::corrupt("transaction", "there is no time"))?;
    let requests = rows.into_iter().filter_map(|row| {
        let request = EarlierRequest {
            command_hash: row.command_hash?,
            accepted: row.accepted?,
            answer: row.answer?,
        };
        Some((row.request_id?, request))
    });
    Ok((requests.collect(), now))
}

async fn find_receipts_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    receipts: &[(String, String)],
) -> Result<HashMap<(String, String), TransactionId>, StorageError> {
    let (sources, receipt_ids): (Vec<String>, Vec<String>) = receipts.iter().cloned().unzip();
    let rows = sqlx::query!(
        r#"SELECT t.transaction_id AS "transaction_id: TransactionId", t.source, t.receipt_id AS "receipt_id!"
           FROM transaction t JOIN unnest($2::text[], $3::text[]) AS r (source, receipt_id)
                ON t.source = r.source AND t.receipt_id = r.receipt_id
           WHERE t.program = $1 AND t.version IS NOT NULL AND t.receipt_id IS NOT NULL"#,
        program.as_uuid(),
        &sources,
        &receipt_ids,
    )
    .fetch_all(tx)
    .await?;
    let receipts = rows
        .into_iter()
        .map(|row| ((row.source, row.receipt_id), row.transaction_id));
    Ok(receipts.collect())
}
