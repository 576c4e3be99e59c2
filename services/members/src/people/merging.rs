//! What the record that stays takes over from the one that ends.

use fealty_types::{IdentifierId, MemberId, ProgramId};
use fealty_vault::Vault;
use sqlx::PgConnection;

use super::domain::Identifier;
use super::seal::SealedIdentifier;
use super::traits::{forget_traits_in_tx, note_traits_in_tx};
use super::{find_in_tx, not_found, seal, storage};
use crate::refusal::MembersError;

/// Gives a member the identifiers of another, as many as a member may have: under the new bearer's key, with their own ids
/// and times. What does not fit stays where it is; who looks by it is led to the new bearer all the same. The caller
/// holds both members' locks.
pub(crate) async fn take_over_identifiers_in_tx(
    tx: &mut PgConnection,
    vault: &Vault,
    program_id: ProgramId,
    from_member_id: MemberId,
    into_member_id: MemberId,
) -> Result<(), MembersError> {
    let from = find_in_tx(&mut *tx, vault, program_id, from_member_id).await?;
    let into = find_in_tx(&mut *tx, vault, program_id, into_member_id).await?;
    let (from, _) = from.ok_or_else(|| not_found(from_member_id))?;
    let (into, key) = into.ok_or_else(|| not_found(into_member_id))?;
    let fitting = into.fitting(&from.identifiers);
    let ids: Vec<IdentifierId> = fitting.iter().map(|one| one.identifier_id).collect();
    let seal = |one: &&Identifier| seal::seal_identifier(vault, &key, program_id, one);
    let sealed: Vec<SealedIdentifier> = fitting.iter().map(seal).collect();
    storage::delete_identifiers_in_tx(&mut *tx, program_id, from_member_id, &ids).await?;
    storage::insert_identifiers_in_tx(&mut *tx, program_id, into_member_id, &sealed).await?;
    let mut whole = into.clone();
    whole.identifiers.extend(fitting.into_iter().cloned());
    note_traits_in_tx(&mut *tx, vault, program_id, Some(&into), &whole).await?;
    forget_traits_in_tx(tx, program_id, from_member_id).await
}
