//! Tiers that members are put into.

use fealty_postgres::events::append_in_tx;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId};
use fealty_vault::{DataKey, Personal};
use sqlx::PgConnection;

use super::domain::{Member, TierCode};
use super::{People, events, lock_in_tx, seal, storage};
use crate::refusal::MembersError;

/// The tier that a member is put into, by whom and why.
#[derive(Debug, Clone)]
pub struct NewTier {
    /// None for none.
    pub tier_code: Option<TierCode>,
    /// A staff member or a key.
    pub actor: String,
    /// Words about a person.
    pub reason: Option<Personal>,
}

impl People {
    /// Puts a member into a tier. Who is there already stays as they are.
    pub async fn set_tier(
        &self,
        program_id: ProgramId,
        request: &Request,
        member_id: MemberId,
        new: &NewTier,
    ) -> Result<Made<Member>, MembersError> {
        let now = self.clock.now();
        let request = &seal::keyed(&self.vault, program_id, request);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let set = transact(&self.service, "set_member_tier", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, member_id.as_uuid(), now).await?;
                let (current, key) = lock_in_tx(&mut *tx, &self.vault, program_id, member_id).await?;
                if claimed.is_some() {
                    return Ok(Made::before(current));
                }
                current.check_changeable()?;
                let Some(changed) = current.in_tier(new.tier_code.as_ref(), now) else {
                    return Ok(Made::now(current));
                };
                write_in_tx(tx, program_id, (&current, &changed), &key, new).await?;
                Ok::<_, MembersError>(Made::now(changed))
            })
        })
        .await?;
        self.waker.wake();
        Ok(set)
    }
}

/// Writes the tier that the member is in now, and how they came into it.
async fn write_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    (current, changed): (&Member, &Member),
    key: &DataKey,
    new: &NewTier,
) -> Result<(), MembersError> {
    let tier_revision = storage::next_tier_revision_in_tx(&mut *tx, program_id, changed.member_id).await?;
    let reason = new
        .reason
        .as_ref()
        .map(|reason| key.seal(&format!("tier_reason/{tier_revision}"), reason));
    let change = storage::TierChange {
        tier_revision,
        actor: &new.actor,
        reason: reason.as_deref(),
    };
    storage::update_tier_in_tx(&mut *tx, program_id, changed, change).await?;
    Ok(append_in_tx(tx, program_id, &[events::tier_changed(current, changed)]).await?)
}
