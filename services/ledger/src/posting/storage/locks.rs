//! Locks owners: whoever changes them does it under their locks, which are taken in the order of their ids, so that nobody
//! waits in a circle.

use std::collections::{BTreeSet, HashMap, HashSet};

use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::state::{lock_idle_rows_in_tx, lock_rows_in_tx, uuids};
use crate::posting::domain::OwnerState;

/// Whose locks one waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Everybody's, as long as anybody may.
    All,
    /// Those of budgets, which others pay by, too, and soon let go: owners who are busy are left out.
    Budgets,
    /// Nobody's: who is busy is left out.
    Nobody,
}

/// Who was locked, as their rows are, and who could not be.
#[derive(Debug, Default)]
pub(crate) struct Locked {
    /// Without what they have.
    pub(crate) owners: HashMap<OwnerId, OwnerState>,
    /// Locked by somebody else.
    pub(crate) busy: HashSet<OwnerId>,
}

/// Locks the owners for a posting.
pub(crate) async fn lock_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &BTreeSet<OwnerId>,
    patience: Patience,
) -> Result<Locked, StorageError> {
    let owner_ids: Vec<OwnerId> = owner_ids.iter().copied().collect();
    #[cfg(feature = "sabotage")]
    crate::sabotage::lock_first_in_tx(tx, program, &uuids(&owner_ids)).await?;
    let mut busy = HashSet::new();
    let owners = match patience {
        Patience::All => lock_rows_in_tx(tx, program, &owner_ids).await?,
        Patience::Budgets | Patience::Nobody => {
            let owners = lock_idle_rows_in_tx(&mut *tx, program, &owner_ids).await?;
            if owners.len() < owner_ids.len() {
                busy = list_existing_in_tx(tx, program, &owner_ids).await?;
                busy.retain(|owner_id| !owners.contains_key(owner_id));
            }
            owners
        }
    };
    Ok(Locked { owners, busy })
}

/// Those whose accounts the owners use, and those who are meant by them. They may be led elsewhere until they are locked.
pub(crate) async fn list_others_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &BTreeSet<OwnerId>,
) -> Result<Vec<OwnerId>, StorageError> {
    // A plain statement of its own: the fence of row-level security keeps a condition that is worked out (two lists joined,
    // a subselect) from leading into an index, and all owners of the program would be read.
    let led = sqlx::query!(
        r#"SELECT account_owner_id AS "account_owner_id!: OwnerId", merged_into_owner_id AS "merged_into_owner_id: OwnerId"
           FROM owner WHERE program = $1 AND owner_id = ANY($2) AND account_owner_id IS NOT NULL"#,
        program.as_uuid(),
        &uuids(owner_ids),
    )
    .fetch_all(tx)
    .await?;
    let others = led
        .into_iter()
        .flat_map(|row| row.merged_into_owner_id.into_iter().chain([row.account_owner_id]));
    Ok(others.collect())
}

async fn list_existing_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
) -> Result<HashSet<OwnerId>, StorageError> {
    let owner_ids: Vec<Uuid> = uuids(owner_ids);
    let existing = sqlx::query_scalar!(
        r#"SELECT owner_id AS "owner_id: OwnerId" FROM owner WHERE program = $1 AND owner_id = ANY($2)"#,
        program.as_uuid(),
        &owner_ids,
    )
    .fetch_all(tx)
    .await?;
    Ok(existing.into_iter().collect())
}
