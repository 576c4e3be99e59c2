//! Where a member stands, as it is at the instant of the question.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Assessment, BenefitCode, Ladder, LadderCode};
use super::person::Person;
use super::{Ladders, storage};
use crate::people::domain::{MemberStatus, TierCode};
use crate::refusal::{MembersError, Refusal, Resource};

/// A tier that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTier {
    /// Of which ladder.
    pub ladder_code: LadderCode,
    /// Which.
    pub tier_code: TierCode,
}

/// Where a member stands on a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The version in force.
    pub ladder: Ladder,
    /// Where.
    pub now: Assessment,
}

/// Whether a member has a benefit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    /// The tiers that give it to them; none where they do not have it.
    pub tiers: Vec<HeldTier>,
    /// Until when that holds by itself.
    pub valid_until: Option<DateTime<Utc>>,
}

impl Ladders {
    /// Where a member stands on each ladder.
    pub async fn standings(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
    ) -> Result<Vec<Standing>, MembersError> {
        let (_, standings) = self.stand(program_id, member_id).await?;
        Ok(standings)
    }

    /// Whether a member has a benefit.
    pub async fn check_entitlement(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        benefit_code: &BenefitCode,
    ) -> Result<Entitlement, MembersError> {
        let (person, standings) = self.stand(program_id, member_id).await?;
        let in_force = person.heads.iter().filter(|head| head.retire_time.is_none());
        let mut tiers = in_force
            .filter_map(|head| head.versions.last())
            .flat_map(tiers_of);
        if !tiers.any(|tier| tier.benefits.iter().any(|benefit| benefit.code == *benefit_code)) {
            return Err(Refusal::not_found(Resource::Benefit, benefit_code).into());
        }
        let giving = standings.iter().filter_map(|standing| {
            let ladder = &standing.ladder.definition;
            let tier = ladder.tier(standing.now.rank)?;
            let gives = tier.benefits.iter().any(|benefit| benefit.code == *benefit_code);
            gives.then(|| HeldTier {
                ladder_code: ladder.ladder_code.clone(),
                tier_code: tier.code.clone(),
            })
        });
        let is_active = person.who.status == MemberStatus::Active;
        Ok(Entitlement {
            tiers: giving.filter(|_| is_active).collect(),
            valid_until: standings
                .iter()
                .filter_map(|standing| standing.now.due_time)
                .min(),
        })
    }

    async fn stand(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
    ) -> Result<(Person, Vec<Standing>), MembersError> {
        let now = self.clock.now();
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        let person = transact(&self.service, "get_member_tiers", scope, options, |tx| {
            in_tx(async move {
                let found = Person::find_in_tx(tx, program_id, member_id, now).await?;
                let enrolled = found.filter(|person| person.who.is_enrolled);
                Ok::<_, MembersError>(
                    enrolled.ok_or_else(|| Refusal::not_found(Resource::Member, member_id))?,
                )
            })
        })
        .await?;
        let standings = standings_of(&person, now);
        Ok((person, standings))
    }
}

fn tiers_of(ladder: &Ladder) -> &[super::domain::Tier] {
    &ladder.definition.tiers
}

fn standings_of(person: &Person, now: DateTime<Utc>) -> Vec<Standing> {
    let of = |head: &storage::Head| {
        let now = person.assess(head, now)?;
        let ladder = head.versions.iter().find(|one| one.version == now.version)?;
        Some(Standing {
            ladder: ladder.clone(),
            now,
        })
    };
    person.heads.iter().filter_map(of).collect()
}

/// The tiers that members have at an instant, by their ladders' codes: as they were told where that still holds, else judged
/// anew. Who has none is not in it.
pub(crate) async fn tiers_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_ids: &[MemberId],
    now: DateTime<Utc>,
) -> Result<BTreeMap<MemberId, Vec<HeldTier>>, StorageError> {
    let ids: Vec<Uuid> = member_ids.iter().map(MemberId::as_uuid).collect();
    let told = storage::find_told_in_tx(&mut *tx, program_id, &ids, now).await?;
    let stale: BTreeSet<MemberId> = told
        .iter()
        .filter(|told| !told.is_current)
        .map(|told| told.member_id)
        .collect();
    let mut tiers: BTreeMap<MemberId, Vec<HeldTier>> = BTreeMap::new();
    for told in told.into_iter().filter(|told| !stale.contains(&told.member_id)) {
        let ladder_code = told.ladder_code;
        let held = told.tier_code.map(|tier_code| HeldTier {
            ladder_code,
            tier_code,
        });
        tiers.entry(told.member_id).or_default().extend(held);
    }
    for member_id in stale {
        let person = Person::find_in_tx(&mut *tx, program_id, member_id, now).await?;
        let standings = person
            .map(|person| standings_of(&person, now))
            .unwrap_or_default();
        let held = standings.into_iter().filter_map(|standing| {
            let ladder = standing.ladder.definition;
            Some(HeldTier {
                tier_code: ladder.code_at(standing.now.rank)?.clone(),
                ladder_code: ladder.ladder_code,
            })
        });
        tiers.insert(member_id, held.collect());
    }
    Ok(tiers)
}
