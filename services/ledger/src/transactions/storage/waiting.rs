//! What waits of credits, in the database. The locks of those who have it are what keeps it there.

use std::collections::HashSet;

use fealty_postgres::StorageError;
use fealty_types::{LotId, OwnerId, ProgramId, TransactionId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::posting::domain::{Begin, Wait};
use crate::transactions::domain::{Waiting, WaitingLot};

/// The lots that wait of these credits, whoever has them.
pub(in crate::transactions) async fn find_waiting_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    named: HashSet<TransactionId>,
) -> Result<Waiting, StorageError> {
    let ids: Vec<Uuid> = named.iter().map(TransactionId::as_uuid).collect();
    let rows = sqlx::query!(
        r#"SELECT owner_id AS "owner_id: OwnerId", lot_id AS "lot_id: LotId", begin_time, expire_time,
                  credited_by AS "credited_by!: TransactionId"
           FROM lot WHERE program = $1 AND credited_by = ANY($2) AND open AND pending"#,
        program.as_uuid(),
        &ids,
    )
    .fetch_all(tx)
    .await?;
    let lots = rows.into_iter().map(|row| {
        let wait = Wait {
            begin: row.begin_time.map_or(Begin::OnCall, Begin::At),
            credited_by: row.credited_by,
        };
        let lot = WaitingLot {
            wait,
            expire_time: row.expire_time,
        };
        ((row.owner_id, row.lot_id), lot)
    });
    Ok(Waiting {
        lots: lots.collect(),
        named,
    })
}
