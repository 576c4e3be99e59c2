//! What time and changed ladders do to tiers, in bounded steps.

use chrono::TimeDelta;
use fealty_postgres::events::append_in_tx;
use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{MemberId, ProgramId, SharedClock};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;

use super::domain::{KEPT_DAYS, Trigger};
use super::settling::settle_in_tx;
use super::storage;
use crate::refusal::MembersError;

/// Transactions forgotten in one step: some tens of milliseconds.
const FORGET_COUNT: i64 = 1_000;

/// Steps of forgetting in one run: it ends, and keeps up with any rate of purchases.
const FORGET_STEPS_MAX: u32 = 1_000;

/// Keeps tiers, in all programs.
#[derive(Debug, Clone)]
pub struct Keeping {
    jobs: PgPool,
    clock: SharedClock,
    waker: FeedWaker,
}

impl Keeping {
    /// Over the pool of the jobs' role.
    #[must_use]
    pub const fn new(jobs: PgPool, clock: SharedClock, waker: FeedWaker) -> Self {
        Self { jobs, clock, waker }
    }

    /// Judges at most so many members whose time has come, and goes on with a ladder that was changed. True when there may
    /// be more.
    pub(crate) async fn step(&self, count_max: i64) -> Result<bool, MembersError> {
        let due = self.settle_due(count_max).await?;
        let swept = self.sweep(count_max).await?;
        self.waker.wake();
        Ok(due || swept)
    }

    /// Forgets what can be refunded no more.
    pub(crate) async fn forget(&self) -> Result<(), MembersError> {
        let kept = TimeDelta::days(KEPT_DAYS.cast_signed());
        let before = self.clock.now() - kept;
        for _ in 0..FORGET_STEPS_MAX {
            let options = TransactOptions::default();
            let forgotten = transact(&self.jobs, "forget_sources", Scope::Suite, options, |tx| {
                in_tx(async move {
                    Ok::<_, MembersError>(storage::forget_sources_in_tx(tx, before, FORGET_COUNT).await?)
                })
            })
            .await?;
            if forgotten == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn settle_due(&self, count_max: i64) -> Result<bool, MembersError> {
        let (now, options) = (self.clock.now(), TransactOptions::default());
        transact(&self.jobs, "settle_due_tiers", Scope::Suite, options, |tx| {
            in_tx(async move {
                let due = storage::find_due_in_tx(&mut *tx, now, count_max).await?;
                for (program_id, member_id) in &due {
                    self.settle(&mut *tx, *program_id, *member_id, Trigger::Time)
                        .await?;
                }
                Ok::<_, MembersError>(!due.is_empty())
            })
        })
        .await
    }

    /// Judges the next members by a ladder that was changed. What it has come to is kept, so that a replica that dies loses
    /// one step.
    async fn sweep(&self, count_max: i64) -> Result<bool, MembersError> {
        let options = TransactOptions::default();
        transact(&self.jobs, "sweep_ladder", Scope::Suite, options, |tx| {
            in_tx(async move {
                let Some(sweep) = storage::claim_sweep_in_tx(&mut *tx).await? else {
                    return Ok::<_, MembersError>(false);
                };
                let (program_id, after) = (sweep.program_id, sweep.after_member_id);
                let members =
                    storage::lock_members_after_in_tx(&mut *tx, program_id, after, count_max).await?;
                for member_id in &members {
                    self.settle(&mut *tx, program_id, *member_id, Trigger::Time)
                        .await?;
                }
                let is_end = i64::try_from(members.len()).is_ok_and(|count| count < count_max);
                let last = members.last().copied().filter(|_| !is_end);
                storage::note_swept_in_tx(tx, &sweep, last).await?;
                Ok(true)
            })
        })
        .await
    }

    async fn settle(
        &self,
        tx: &mut PgConnection,
        program_id: ProgramId,
        member_id: MemberId,
        trigger: Trigger,
    ) -> Result<(), MembersError> {
        let now = self.clock.now();
        let events = settle_in_tx(&mut *tx, program_id, member_id, trigger, now).await?;
        Ok(append_in_tx(tx, program_id, &events).await?)
    }
}
