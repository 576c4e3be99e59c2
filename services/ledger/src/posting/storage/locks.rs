//! Locks owners: whoever changes them does it under their locks, which are taken in the order of their ids, so that nobody
//! waits in a circle.

use std::collections::{BTreeSet, HashMap, HashSet};

use fealty_postgres::StorageError;
use fealty_types::{OwnerId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::state::{Now, add_holdings_in_tx, lock_idle_states_in_tx, lock_owners_in_tx, uuids};
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

/// Who was locked, as they are, and who could not be.
#[derive(Debug, Default)]
pub(crate) struct Locked {
    pub(crate) owners: HashMap<OwnerId, OwnerState>,
    /// Later than the locks; none with no owner.
    pub(crate) now: Option<Now>,
    /// Locked by somebody else.
    pub(crate) busy: HashSet<OwnerId>,
}

/// Locks the owners for a posting, and those whose accounts they use and who are meant by them, and reads what they have.
///
/// An owner who was led elsewhere while this waited is led to somebody who is not locked: then it has to be done again.
pub(crate) async fn lock_states_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
    patience: Patience,
) -> Result<Locked, StorageError> {
    let concerned = list_concerned_in_tx(&mut *tx, program, owner_ids).await?;
    #[cfg(feature = "sabotage")]
    crate::sabotage::lock_first_in_tx(tx, program, &uuids(&concerned)).await?;
    match patience {
        Patience::All => {
            let mut owners = lock_owners_in_tx(&mut *tx, program, &concerned).await?;
            let now = add_holdings_in_tx(tx, program, &mut owners).await?;
            Ok(Locked {
                owners,
                now,
                busy: HashSet::new(),
            })
        }
        Patience::Budgets | Patience::Nobody => {
            let mut owners = lock_idle_states_in_tx(&mut *tx, program, &concerned).await?;
            let mut busy = HashSet::new();
            if owners.len() < concerned.len() {
                busy = list_existing_in_tx(&mut *tx, program, &concerned).await?;
                busy.retain(|owner_id| !owners.contains_key(owner_id));
            }
            let now = add_holdings_in_tx(tx, program, &mut owners).await?;
            Ok(Locked { owners, now, busy })
        }
    }
}

/// The owners, those whose accounts they use and who are meant by them, by id.
async fn list_concerned_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_ids: &[OwnerId],
) -> Result<Vec<OwnerId>, StorageError> {
    // Two plain statements: the fence of row-level security keeps a condition that is worked out (two lists joined, a
    // subselect) from leading into an index, and all owners of the program would be read.
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
    let concerned: BTreeSet<OwnerId> = owner_ids.iter().copied().chain(others).collect();
    Ok(concerned.into_iter().collect())
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
