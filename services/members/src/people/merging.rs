//! What the record that stays takes over from the one that ends.

use fealty_types::{MemberId, ProgramId};
use fealty_vault::Vault;
use sqlx::PgConnection;

use super::duplicates::{forget_traits_in_tx, note_traits_in_tx};
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
    let mut sealed = Vec::with_capacity(fitting.len());
    for identifier in fitting {
        let id = identifier.identifier_id;
        storage::delete_identifier_in_tx(&mut *tx, program_id, from_member_id, id).await?;
        sealed.push(seal::seal_identifier(vault, &key, program_id, identifier));
    }
    storage::insert_identifiers_in_tx(&mut *tx, program_id, into_member_id, &sealed).await?;
    let mut whole = into.clone();
    whole
        .identifiers
        .extend(into.fitting(&from.identifiers).into_iter().cloned());
    note_traits_in_tx(&mut *tx, vault, program_id, Some(&into), &whole).await?;
    forget_traits_in_tx(tx, program_id, from_member_id).await
}
