//! Changes of who a member is, and of who answers for them.

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId, Version};
use fealty_vault::Vault;
use sqlx::PgConnection;

use super::domain::{BirthDate, Change, Guardian, Member, Naming, Profile, ProfileChange, party_problems};
use super::guardians::{lock_candidate_in_tx, majority_in_tx};
use super::traits::note_traits_in_tx;
use super::{People, lock_in_tx, seal, storage};
use crate::occasions::note_birthday_in_tx;
use crate::refusal::{MembersError, Refusal, Resource};

/// New values for some of what is known of a member.
#[derive(Debug, Clone)]
pub struct Update {
    /// Whom.
    pub member_id: MemberId,
    /// The revision that it is meant for; None for any.
    pub meant_for: Option<Version>,
    /// Of the profile.
    pub change: ProfileChange,
    /// Who answers for them.
    pub guardian: Change<MemberId>,
}

impl People {
    /// Changes a member's profile or guardian, if they still are at the revision that the change is meant for.
    pub async fn update(&self, program_id: ProgramId, update: &Update) -> Result<Member, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default();
        transact(&self.service, "update_member", scope, options, |tx| {
            in_tx(async move {
                if let Change::Set(Some(named)) = update.guardian {
                    // Both in the order of their ids, before either is locked alone.
                    storage::lock_all_in_tx(&mut *tx, program_id, &[update.member_id, named]).await?;
                }
                let (current, key) = lock_in_tx(&mut *tx, &self.vault, program_id, update.member_id).await?;
                if update
                    .meant_for
                    .is_some_and(|revision| revision != current.revision)
                {
                    return Err(Refusal::etag_mismatch(Resource::Member, update.member_id).into());
                }
                current.check_changeable()?;
                let profile = current.profile.changed(&update.change);
                let problems = party_problems(&profile);
                if !problems.is_empty() {
                    return Err(Refusal::PartyUnfit(problems).into());
                }
                let guardian = self
                    .guardian_in_tx(&mut *tx, program_id, (&current, &profile), update)
                    .await?;
                let Some(changed) = current.changed(profile, guardian, now) else {
                    return Ok(current);
                };
                let profile = seal::seal_profile(&key, &changed.profile);
                let guardian = seal::seal_guardian(&key, changed.guardian);
                let vault = &self.vault;
                note_traits_in_tx(&mut *tx, vault, program_id, Some(&current), &changed).await?;
                if changed.profile.birth_date != current.profile.birth_date {
                    let birth_date = changed.profile.birth_date;
                    note_birthday_in_tx(&mut *tx, program_id, changed.member_id, birth_date).await?;
                }
                storage::update_profile_in_tx(tx, program_id, &changed, (&profile, guardian.as_ref()))
                    .await?;
                Ok(changed)
            })
        })
        .await
    }

    /// Who answers for the member after the update. Judged anew only where it speaks of that: a guardian stays one whatever
    /// becomes of them.
    async fn guardian_in_tx(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        (current, profile): (&Member, &Profile),
        update: &Update,
    ) -> Result<Option<Guardian>, MembersError> {
        if update.guardian == Change::Keep && profile.birth_date == current.profile.birth_date {
            return Ok(current.guardian);
        }
        let choice = Choice {
            birth_date: profile.birth_date,
            current: current.guardian,
            asked: update.guardian,
            field: "member.guardian_member_id",
            of: update.member_id,
            now: self.clock.now(),
        };
        choice.decide_in_tx(tx, &self.vault, program_id).await
    }
}

/// Who is to answer for somebody.
pub(super) struct Choice {
    pub birth_date: Option<BirthDate>,
    pub current: Option<Guardian>,
    pub asked: Change<MemberId>,
    /// Where the caller says so, as in the proto.
    pub field: &'static str,
    pub of: MemberId,
    pub now: DateTime<Utc>,
}

impl Choice {
    /// Decides by the program's age of majority, and by what is known of whoever is named.
    pub(super) async fn decide_in_tx(
        &self,
        tx: &mut PgConnection,
        vault: &Vault,
        program_id: ProgramId,
    ) -> Result<Option<Guardian>, MembersError> {
        let majority = majority_in_tx(&mut *tx, program_id).await?;
        let candidate = match self.asked {
            Change::Set(Some(named)) if named != self.of => {
                Some(lock_candidate_in_tx(tx, vault, program_id, named).await?)
            }
            // Nobody answers for themselves.
            _ => None,
        };
        let asked = Naming {
            guardian: self.asked,
            field: self.field,
            candidate,
        };
        Ok(majority.decide(self.birth_date.as_ref(), self.current, asked, self.now)?)
    }
}
