//! By what members may be found to be there twice: written with them, and once for those who were there before.

use std::time::Duration;

use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId};
use fealty_vault::{LookupHash, Vault};
use sqlx::PgConnection;

use super::domain::{IdentifierValue, Member, MemberStatus, Trait, traits_of};
use super::{seal, storage};
use crate::means::Means;
use crate::refusal::MembersError;

/// Members of one step of the job: opened and written in some tens of milliseconds, during which each of them is locked.
const STEP_COUNT: i64 = 100;

/// How long one step may take: a machine that is busy with something else is not kept from ending it.
const STEP_DURATION_MAX: Duration = Duration::from_secs(10);

/// Writes by what the member may be found to be there twice, unless `before` had the same.
pub(super) async fn note_traits_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    before: Option<&Member>,
    member: &Member,
) -> Result<(), MembersError> {
    let traits = hashed(vault, program_id, member);
    if before.is_some_and(|before| hashed(vault, program_id, before) == traits) {
        return Ok(());
    }
    Ok(storage::replace_traits_in_tx(tx, program_id, member.member_id, &traits).await?)
}

/// Whoever ended in another's record is nobody's duplicate any more.
pub(super) async fn forget_traits_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<(), MembersError> {
    Ok(storage::replace_traits_in_tx(tx, program_id, member_id, &[]).await?)
}

/// Writes for those for whom that was never done, at most so many of them that a step stays short. Answers how many it took.
/// Replicas take different ones.
pub(crate) async fn note_missing(means: &Means) -> Result<usize, MembersError> {
    let options = TransactOptions::default()
        .repeatable()
        .duration_max(STEP_DURATION_MAX);
    transact(&means.jobs, "note_missing_traits", Scope::Suite, options, |tx| {
        in_tx(async move {
            let taken = storage::claim_without_traits_in_tx(&mut *tx, STEP_COUNT).await?;
            for (program_id, member_id) in &taken {
                note_missing_in_tx(&mut *tx, &means.vault, *program_id, *member_id).await?;
            }
            Ok(taken.len())
        })
    })
    .await
}

async fn note_missing_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<(), MembersError> {
    // Those who have ended are in no list, and what they were may not be there to be opened any more.
    let found = storage::find_in_tx(&mut *tx, program_id, member_id).await?;
    let Some(sealed) = found.filter(|sealed| !sealed.standing.status.is_final()) else {
        return Ok(());
    };
    match seal::open(vault, program_id, sealed) {
        Ok((member, _)) => note_traits_in_tx(tx, vault, program_id, None, &member).await,
        Err(error) => {
            // One who cannot be read must not keep the others from being found.
            tracing::warn!(%error, %member_id, "a member cannot be opened and is not compared with others");
            Ok(())
        }
    }
}

/// Of a record that ended in another: nothing, whatever is left of it.
fn hashed(vault: &Vault, program_id: ProgramId, member: &Member) -> Vec<(Trait, LookupHash)> {
    if member.standing.status == MemberStatus::Merged {
        return Vec::new();
    }
    let values: Vec<&IdentifierValue> = member.identifiers.iter().map(|one| &one.value).collect();
    traits_of(&member.profile, &values)
        .into_iter()
        .map(|(kind, text)| (kind, vault.lookup_hash(program_id, kind.as_str(), &text)))
        .collect()
}
