//! Members by the page, and several at once.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId};

use super::domain::{Member, MemberStatus, PartyKind, TierCode};
use super::storage::{self, ListAfter, ListFilter};
use super::{People, seal};
use crate::ladders::tiers_in_tx;
use crate::refusal::MembersError;

/// Which members a list has. What is None is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Enrolled at or after that time.
    pub from_time: Option<DateTime<Utc>>,
    /// Enrolled before that time.
    pub before_time: Option<DateTime<Utc>>,
    /// What they may do.
    pub status: Option<MemberStatus>,
    /// What kind of party they are.
    pub party_kind: Option<PartyKind>,
    /// Their tier.
    pub tier_code: Option<TierCode>,
    /// Who answers for them, or did until they came of age.
    pub guardian_member_id: Option<MemberId>,
}

/// Several members, as far as they are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// In the order in which they were asked for.
    pub members: Vec<Member>,
    /// Whom the program does not have.
    pub missing: Vec<MemberId>,
}

impl People {
    /// The members after one of them, in the order of their enrolment.
    pub async fn list(
        &self,
        program_id: ProgramId,
        wanted: &Wanted,
        after: Option<(DateTime<Utc>, MemberId)>,
        count_max: i64,
    ) -> Result<Vec<Member>, MembersError> {
        let filter = &ListFilter {
            enrolled_from_time: wanted.from_time.unwrap_or(DateTime::UNIX_EPOCH),
            // Whoever is enrolled while the page is read may be on it or not.
            enrolled_before_time: wanted.before_time.unwrap_or(DateTime::<Utc>::MAX_UTC),
            status: wanted.status,
            party_kind: wanted.party_kind,
            tier_code: wanted.tier_code.clone(),
            guardian_member_id: wanted.guardian_member_id,
        };
        let after = after.map(|(create_time, member_id)| ListAfter {
            create_time,
            member_id: member_id.as_uuid(),
        });
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        let sealed = transact(&self.service, "list_members", scope, options, |tx| {
            in_tx(async move {
                let ids = storage::list_ids_in_tx(&mut *tx, program_id, filter, after, count_max).await?;
                Ok::<_, MembersError>(storage::load_in_tx(tx, program_id, &ids).await?)
            })
        })
        .await?;
        // Opened when nobody waits for the transaction any more.
        let open = |sealed| Ok(seal::open(&self.vault, program_id, sealed)?.0);
        sealed.into_iter().map(open).collect()
    }

    /// Those of these members who are there. Each is asked for once.
    pub async fn batch_get(
        &self,
        program_id: ProgramId,
        member_ids: &[MemberId],
    ) -> Result<Found, MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::read_only();
        let now = self.clock.now();
        let (sealed, mut tiers) = transact(&self.service, "batch_get_members", scope, options, |tx| {
            in_tx(async move {
                let sealed = storage::load_in_tx(&mut *tx, program_id, member_ids).await?;
                let tiers = tiers_in_tx(tx, program_id, member_ids, now).await?;
                Ok::<_, MembersError>((sealed, tiers))
            })
        })
        .await?;
        let mut by_id = HashMap::with_capacity(sealed.len());
        for sealed in sealed.into_iter().filter(|sealed| sealed.ledger_confirmed) {
            let (mut member, _) = seal::open(&self.vault, program_id, sealed)?;
            member.standing.tiers = tiers.remove(&member.member_id).unwrap_or_default();
            by_id.insert(member.member_id, member);
        }
        let is_missing = |member_id: &&MemberId| !by_id.contains_key(member_id);
        let missing = member_ids.iter().filter(is_missing).copied().collect();
        let members = member_ids.iter().filter_map(|id| by_id.remove(id)).collect();
        Ok(Found { members, missing })
    }
}
