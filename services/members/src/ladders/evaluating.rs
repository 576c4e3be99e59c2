//! What a ladder would be like, over all members, page by page. Changes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use chrono_tz::Tz;
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId};
use futures::stream::{Stream, try_unfold};
use sqlx::PgConnection;
use uuid::Uuid;

use super::domain::{Definition, Evaluation, LIFETIME_DAY, Rank, day_of};
use super::{Ladders, storage, tiers_in_tx};
use crate::refusal::MembersError;

/// Members of one page: tens of milliseconds of reading, and what a process has in mind of them at once.
const PAGE_COUNT: i64 = 1_000;

/// What has been counted so far.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The ladder that is asked about.
    pub ladder: Arc<Definition>,
    /// The counts.
    pub counts: Evaluation,
    /// Whether that is everybody.
    pub is_done: bool,
}

/// Where an evaluation has come to.
#[derive(Debug)]
struct Walk {
    ladders: Ladders,
    program_id: ProgramId,
    zone: Tz,
    ladder: Arc<Definition>,
    /// As it is now; the same where there is none.
    current: Arc<Definition>,
    counts: Evaluation,
    after: Option<MemberId>,
    is_done: bool,
}

impl Ladders {
    /// Counts all members by the tiers that a ladder would give them, in pages.
    pub async fn evaluate(
        &self,
        (program_id, zone): (ProgramId, Tz),
        definition: Definition,
        sample_count: usize,
    ) -> Result<impl Stream<Item = Result<Progress, MembersError>> + Send + use<>, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        let code = &definition.ladder_code;
        let current = transact(&self.service, "get_ladder", scope, options, |tx| {
            in_tx(async move {
                Ok::<_, MembersError>(storage::find_version_in_tx(tx, program_id, code, None).await?)
            })
        })
        .await?;
        let ladder = Arc::new(definition);
        let current = current.map_or_else(|| Arc::clone(&ladder), |ladder| Arc::new(ladder.definition));
        let walk = Walk {
            ladders: self.clone(),
            program_id,
            zone,
            counts: Evaluation::new(&ladder, sample_count),
            ladder,
            current,
            after: None,
            is_done: false,
        };
        Ok(try_unfold(walk, Walk::next))
    }
}

impl Walk {
    /// The next page, counted; None after the last.
    async fn next(mut self) -> Result<Option<(Progress, Self)>, MembersError> {
        if self.is_done {
            return Ok(None);
        }
        let (scope, options) = (Scope::Program(self.program_id), TransactOptions::read_only());
        let walk = &self;
        let (counts, after) = transact(&self.ladders.service, "evaluate_ladder", scope, options, |tx| {
            in_tx(async move { walk.count_in_tx(tx).await })
        })
        .await?;
        (self.counts, self.after) = (counts, after);
        self.is_done = self.after.is_none();
        let progress = Progress {
            ladder: Arc::clone(&self.ladder),
            counts: self.counts.clone(),
            is_done: self.is_done,
        };
        Ok(Some((progress, self)))
    }

    /// The counts with the next page, and its last member; None at the end.
    async fn count_in_tx(
        &self,
        tx: &mut PgConnection,
    ) -> Result<(Evaluation, Option<MemberId>), MembersError> {
        let mut counts = self.counts.clone();
        let members = storage::list_climbers_in_tx(&mut *tx, self.program_id, self.after, PAGE_COUNT).await?;
        let tiers = tiers_in_tx(&mut *tx, self.program_id, &members, self.ladders.now()).await?;
        let ranks = self.ranks_in_tx(tx, &members).await?;
        for (member_id, rank) in members.iter().zip(ranks) {
            let held = tiers.get(member_id).into_iter().flatten();
            let now = held
                .filter(|held| held.ladder_code == self.ladder.ladder_code)
                .map(|held| &held.tier_code)
                .next();
            counts.count(*member_id, (now, rank), (&self.current, &self.ladder));
        }
        let is_end = i64::try_from(members.len()).is_ok_and(|count| count < PAGE_COUNT);
        Ok((counts, members.last().copied().filter(|_| !is_end)))
    }

    /// The places that these members would have, in their order.
    async fn ranks_in_tx(
        &self,
        tx: &mut PgConnection,
        members: &[MemberId],
    ) -> Result<Vec<Rank>, MembersError> {
        let ids: Vec<Uuid> = members.iter().map(MemberId::as_uuid).collect();
        let now = self.ladders.now();
        let granted =
            storage::load_granted_in_tx(&mut *tx, self.program_id, (&ids, &self.ladder.ladder_code), now)
                .await?;
        let today = day_of(now, self.zone);
        let balances = match &self.ladder.qualification {
            None => HashMap::new(),
            Some(how) => {
                let from = how.period.first_day(today).unwrap_or(LIFETIME_DAY);
                let days = (from, today);
                storage::load_balances_in_tx(tx, self.program_id, &ids, &how.measure, days).await?
            }
        };
        let rank = |member_id: &MemberId| {
            let earned = self.ladder.target(balances.get(member_id).copied().unwrap_or(0));
            let granted = granted.iter().filter(|(to, _)| to == member_id);
            let granted = granted.filter_map(|(_, tier)| self.ladder.rank_of(tier));
            granted.chain([earned]).max().unwrap_or(0)
        };
        Ok(members.iter().map(rank).collect())
    }
}
