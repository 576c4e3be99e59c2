//! Phone numbers and e-mail addresses that members showed to be theirs, and what became of identifiers.

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{IdentifierId, MemberId, ProgramId};

use super::domain::{HistoryEntry, Identifier, IdentifierChange, IdentifierKind, Member, Verification};
use super::identifiers::{find_added, find_moved_in_tx};
use super::noting::{Done, Noted, note_in_tx};
use super::{People, lock_in_tx, not_found, seal, storage};
use crate::refusal::{MembersError, Refusal};

/// That a member showed an identifier to be theirs.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Whose.
    pub member_id: MemberId,
    /// Which.
    pub identifier_id: IdentifierId,
    /// When; None for now.
    pub verify_time: Option<DateTime<Utc>>,
    /// A staff member or a key.
    pub actor: String,
}

impl People {
    /// Marks a phone number or e-mail address as verified. One that is already stays as it is.
    pub async fn mark_verified(
        &self,
        program_id: ProgramId,
        request: &Request,
        verified: &Verified,
    ) -> Result<Made<(Member, Identifier)>, MembersError> {
        let request = &seal::keyed(&self.vault, program_id, request);
        let (member_id, identifier_id) = (verified.member_id, verified.identifier_id);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.service, "mark_identifier_verified", scope, options, |tx| {
            in_tx(async move {
                let made = identifier_id.as_uuid();
                let claimed = claim_in_tx(&mut *tx, request, made, self.clock.now()).await?;
                let (current, _) = lock_in_tx(&mut *tx, &self.vault, program_id, member_id).await?;
                if claimed.is_some() {
                    let before = find_moved_in_tx(tx, &self.vault, program_id, current, made).await?;
                    return Ok(Made::before(before));
                }
                let now = self.clock.now();
                let (current, identifier) = find_added(current, made)?;
                current.check_changeable()?;
                let kind = identifier.value.kind();
                if !matches!(kind, IdentifierKind::PhoneNumber | IdentifierKind::EmailAddress) {
                    return Err(Refusal::FieldInvalid {
                        field: "identifier_id",
                        description: "must be of a phone number or an e-mail address",
                    }
                    .into());
                }
                if identifier.verification.is_some() {
                    return Ok(Made::now((current, identifier)));
                }
                let verification = Verification {
                    // A caller's clock may be a little ahead of ours.
                    verify_time: verified.verify_time.unwrap_or(now).min(now),
                    verified_by: verified.actor.clone(),
                };
                storage::verify_in_tx(&mut *tx, program_id, identifier_id, &verification).await?;
                let changed = current
                    .with_verified(identifier_id, &verification, now)
                    .ok_or(Refusal::Contended)?;
                storage::update_revision_in_tx(&mut *tx, program_id, &changed).await?;
                let noted = Noted::of(&identifier, IdentifierChange::Verified);
                let done = Done {
                    actor: &verified.actor,
                    time: now,
                };
                note_in_tx(tx, program_id, member_id, &[noted], done).await?;
                find_added(changed, made).map(Made::now)
            })
        })
        .await?;
        self.waker.wake();
        Ok(made)
    }

    /// What became of a member's identifiers after an entry, in its order.
    pub async fn list_history(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        after: Option<i64>,
        count_max: i64,
    ) -> Result<Vec<HistoryEntry>, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "list_identifier_history", scope, options, |tx| {
            in_tx(async move {
                if !storage::is_enrolled_in_tx(&mut *tx, program_id, member_id).await? {
                    return Err(not_found(member_id).into());
                }
                Ok(storage::list_history_in_tx(tx, program_id, member_id, after, count_max).await?)
            })
        })
        .await
    }
}
