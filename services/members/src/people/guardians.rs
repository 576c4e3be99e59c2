//! What whoever names a guardian, and whoever merges one, must know of each other.
//!
//! Both hold the guardian's row: the one who names until the naming is committed, the one who merges while the merge is
//! stored and while it is made. So a merge sees every ward there is, and from when it is stored nobody becomes one more.

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{MemberId, ProgramId};
use fealty_vault::Vault;
use sqlx::PgConnection;

use super::domain::{Candidate, Majority, Member};
use super::{find_in_tx, not_found, seal, storage};
use crate::programs;
use crate::refusal::{MembersError, Refusal};

/// Wards that are looked at in one step: more than nearly all guardians have, and few enough to be read at once.
const STEP_COUNT: i64 = 50;

/// By what a program tells who is of age.
pub(super) async fn majority_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
) -> Result<Majority, StorageError> {
    let program = programs::storage::find_in_tx(tx, program_id).await?;
    let program = program.ok_or_else(|| StorageError::corrupt("member.program", "is no program"))?;
    Ok(Majority {
        age_years: program.majority_age_years,
        time_zone: program.time_zone,
    })
}

/// Keeps somebody who is to be a guardian from changes by anybody else until the end of the transaction, and then says what
/// matters of them.
pub(super) async fn lock_candidate_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    named: MemberId,
) -> Result<Candidate, MembersError> {
    if !storage::share_in_tx(&mut *tx, program_id, named).await? {
        return Err(not_found(named).into());
    }
    // Read after the lock. Whose record is about to end has wards handed over that are known already: no more may come.
    if storage::is_ending_in_tx(&mut *tx, program_id, named).await? {
        return Err(Refusal::Contended.into());
    }
    let found = find_in_tx(tx, vault, program_id, named).await?;
    Ok(Candidate::of(&found.ok_or_else(|| not_found(named))?.0))
}

/// Refuses a merge after which somebody who could not be named would answer for minors. The caller holds both members' locks.
pub(crate) async fn check_takes_wards_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    (from_member_id, into_member_id): (MemberId, MemberId),
    now: DateTime<Utc>,
) -> Result<(), MembersError> {
    let is_ward = |member: &Member| member.guardian_at(now) == Some(from_member_id);
    let mut after = None;
    loop {
        let ids =
            storage::list_ward_ids_in_tx(&mut *tx, program_id, from_member_id, after, STEP_COUNT).await?;
        let Some(last) = ids.last() else {
            return Ok(());
        };
        after = Some(*last);
        let mut wards = storage::load_in_tx(&mut *tx, program_id, &ids).await?;
        // Nobody needs to answer for a record that has ended.
        wards.retain(|ward| !ward.standing.status.is_final());
        for ward in wards {
            if is_ward(&seal::open(vault, program_id, ward)?.0) {
                let into = find_in_tx(&mut *tx, vault, program_id, into_member_id).await?;
                let (into, _) = into.ok_or_else(|| not_found(into_member_id))?;
                let majority = majority_in_tx(tx, program_id).await?;
                return Ok(majority.check_takes_over(&Candidate::of(&into), is_ward(&into), now)?);
            }
        }
    }
}
