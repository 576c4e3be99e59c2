//! Tiers that are given by hand.

use chrono::{DateTime, Utc};
use fealty_postgres::events::append_in_tx;
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId, TierGrantId};
use fealty_vault::Personal;
use sqlx::PgConnection;

use super::domain::{GRANTS_MAX, Grant, NewGrant, Trigger};
use super::settling::{catch_up_in_tx, settle_in_tx};
use super::storage::{self, SealedGrant};
use super::{LadderRefusal, Ladders, check_enrolled_in_tx, is_ahead};
use crate::people::domain::MemberStatus;
use crate::people::{self, keyed};
use crate::refusal::{MembersError, Refusal, Resource};

/// A grant, and why it was made.
#[derive(Debug, Clone)]
pub struct ShownGrant {
    /// The grant.
    pub grant: Grant,
    /// Words about a person; none where they were erased.
    pub reason: Option<Personal>,
}

impl Ladders {
    /// Grants a tier.
    pub async fn grant(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: &NewGrant,
    ) -> Result<Made<ShownGrant>, MembersError> {
        let now = self.clock.now();
        let request = &keyed(&self.vault, program_id, request);
        let tier_grant_id = TierGrantId::generate_at(now);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.service, "grant_tier", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, tier_grant_id.as_uuid(), now).await?;
                if let Some(made) = claimed {
                    let id = TierGrantId::try_from(made)
                        .map_err(|error| StorageError::corrupt("request.resource_id", error))?;
                    return Ok(Made::before(self.get_in_tx(tx, program_id, id).await?));
                }
                let grant = Grant {
                    tier_grant_id,
                    member_id: new.member_id,
                    ladder_code: new.ladder_code.clone(),
                    tier_code: new.tier_code.clone(),
                    end_time: new.end_time,
                    actor: new.actor.clone(),
                    create_time: now,
                    revoked: None,
                };
                self.store_in_tx(tx, program_id, &grant, &new.reason).await?;
                Ok::<_, MembersError>(Made::now(ShownGrant {
                    grant,
                    reason: Some(new.reason.clone()),
                }))
            })
        })
        .await?;
        self.waker.wake();
        Ok(made)
    }

    /// Ends a grant.
    pub async fn revoke(
        &self,
        program_id: ProgramId,
        request: &Request,
        (tier_grant_id, actor): (TierGrantId, &str),
    ) -> Result<Made<ShownGrant>, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let made = transact(&self.service, "revoke_tier_grant", scope, options, |tx| {
            in_tx(async move {
                let claimed = claim_in_tx(&mut *tx, request, tier_grant_id.as_uuid(), now).await?;
                if claimed.is_none() {
                    self.end_in_tx(&mut *tx, program_id, (tier_grant_id, actor), now)
                        .await?;
                }
                let shown = self.get_in_tx(tx, program_id, tier_grant_id).await?;
                Ok::<_, MembersError>(match claimed {
                    Some(_) => Made::before(shown),
                    None => Made::now(shown),
                })
            })
        })
        .await?;
        self.waker.wake();
        Ok(made)
    }

    /// A member's grants before one of them, newest first.
    pub async fn list_grants(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        before: Option<TierGrantId>,
        count_max: i64,
    ) -> Result<Vec<ShownGrant>, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "list_tier_grants", scope, options, |tx| {
            in_tx(async move {
                check_enrolled_in_tx(&mut *tx, program_id, member_id).await?;
                let sealed =
                    storage::list_grants_in_tx(&mut *tx, program_id, member_id, before, count_max).await?;
                let mut shown = Vec::with_capacity(sealed.len());
                for sealed in sealed {
                    shown.push(self.open_in_tx(&mut *tx, program_id, sealed).await?);
                }
                Ok(shown)
            })
        })
        .await
    }

    async fn store_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        grant: &Grant,
        reason: &Personal,
    ) -> Result<(), MembersError> {
        let (member_id, now) = (grant.member_id, grant.create_time);
        let status = people::lock_status_in_tx(&mut *tx, program_id, member_id).await?;
        match status {
            None => return Err(Refusal::not_found(Resource::Member, member_id).into()),
            Some(MemberStatus::Active | MemberStatus::Suspended) => {}
            Some(status) => return Err(Refusal::MemberNotActive { member_id, status }.into()),
        }
        check_tier_in_tx(&mut *tx, program_id, grant).await?;
        let ids = [member_id.as_uuid()];
        let open = storage::load_grants_in_tx(&mut *tx, program_id, &ids, now).await?;
        if open.len() >= GRANTS_MAX {
            return Err(Refusal::CountExceeded {
                resource: "tier_grants",
                count_max: GRANTS_MAX,
            }
            .into());
        }
        let mut events = catch_up_in_tx(&mut *tx, program_id, member_id, now).await?;
        let key = people::find_key_in_tx(&mut *tx, &self.vault, program_id, member_id).await?;
        let key = key.ok_or_else(|| Refusal::not_found(Resource::Member, member_id))?;
        let sealed = SealedGrant {
            grant: grant.clone(),
            reason: Some(key.seal(&field_of(grant.tier_grant_id), reason)),
        };
        storage::insert_grant_in_tx(&mut *tx, program_id, &sealed).await?;
        events.extend(settle_in_tx(&mut *tx, program_id, member_id, Trigger::Grant, now).await?);
        Ok(append_in_tx(tx, program_id, &events).await?)
    }

    async fn end_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        (tier_grant_id, actor): (TierGrantId, &str),
        now: DateTime<Utc>,
    ) -> Result<(), MembersError> {
        let found = storage::find_grant_in_tx(&mut *tx, program_id, tier_grant_id).await?;
        let grant = found
            .ok_or_else(|| Refusal::not_found(Resource::TierGrant, tier_grant_id))?
            .grant;
        let counting = storage::lock_counting_in_tx(&mut *tx, program_id, grant.member_id).await?;
        let member_id = counting.map_or(grant.member_id, |counting| counting.member_id);
        if !is_ahead(grant.end_time, now) {
            // It has ended by itself: that stays what is told of it.
            return Ok(());
        }
        let mut events = catch_up_in_tx(&mut *tx, program_id, member_id, now).await?;
        storage::revoke_grant_in_tx(&mut *tx, program_id, tier_grant_id, actor, now).await?;
        events.extend(settle_in_tx(&mut *tx, program_id, member_id, Trigger::Revoke, now).await?);
        Ok(append_in_tx(tx, program_id, &events).await?)
    }

    async fn get_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        tier_grant_id: TierGrantId,
    ) -> Result<ShownGrant, MembersError> {
        let found = storage::find_grant_in_tx(&mut *tx, program_id, tier_grant_id).await?;
        let sealed = found.ok_or_else(|| Refusal::not_found(Resource::TierGrant, tier_grant_id))?;
        self.open_in_tx(tx, program_id, sealed).await
    }

    async fn open_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        sealed: SealedGrant,
    ) -> Result<ShownGrant, MembersError> {
        let grant = sealed.grant;
        let Some(reason) = sealed.reason else {
            return Ok(ShownGrant { grant, reason: None });
        };
        let key = people::find_key_in_tx(tx, &self.vault, program_id, grant.member_id).await?;
        let key = key.ok_or_else(|| Refusal::not_found(Resource::Member, grant.member_id))?;
        let reason = key
            .open_field(&field_of(grant.tier_grant_id), &reason)
            .map_err(|error| StorageError::corrupt("tier_grant.reason", error))?;
        Ok(ShownGrant {
            grant,
            reason: Some(reason),
        })
    }
}

fn field_of(tier_grant_id: TierGrantId) -> String {
    format!("tier_grant/{tier_grant_id}")
}

/// Refuses a grant of what nobody can have.
async fn check_tier_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    grant: &Grant,
) -> Result<(), MembersError> {
    let ladder = super::get_in_tx(tx, program_id, &grant.ladder_code, None).await?;
    if ladder.retire_time.is_some() {
        return Err(LadderRefusal::Retired(grant.ladder_code.clone()).into());
    }
    if ladder.definition.rank_of(&grant.tier_code).is_none() {
        return Err(LadderRefusal::TierUnknown {
            ladder_code: grant.ladder_code.clone(),
            tier_code: grant.tier_code.to_string(),
        }
        .into());
    }
    Ok(())
}
