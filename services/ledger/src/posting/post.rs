//! The write path as the rooms see it: a call goes in, its answer comes out.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use fealty_service::events::FeedWaker;
use fealty_types::{OwnerId, ProgramId};
use sqlx::postgres::PgPool;
use tracing::Span;

use super::call::{Answer, Call};
use super::commit::{Committer, TimeSource};
use super::config::PostingConfig;
use super::lane::{Lane, LaneEntry};
use super::room::Room;
use super::rooms::Work;
use super::storage;
use crate::balances::Balances;
use crate::refusal::LedgerError;

/// Runs postings.
#[derive(Debug, Clone)]
pub struct Posting {
    lanes: Arc<[LaneEntry]>,
    time: TimeSource,
    balances: Balances,
    feed: FeedWaker,
}

impl Posting {
    /// Postings, and the lanes that serve them once they are run. `pool` is the lanes' own, with a connection for each.
    /// What was committed goes to `balances`, and wakes the event feed.
    #[must_use]
    pub fn new(
        pool: PgPool,
        time: TimeSource,
        balances: Balances,
        feed: FeedWaker,
        config: &PostingConfig,
    ) -> (Self, Vec<Lane>) {
        let committer = Committer {
            pool,
            time: time.clone(),
        };
        let lane = |_| Lane::new(committer.clone(), balances.clone(), feed.clone(), config);
        let lanes: Vec<Lane> = (0..config.lanes).map(lane).collect();
        let posting = Self {
            lanes: lanes.iter().map(Lane::entry).collect(),
            time,
            balances,
            feed,
        };
        (posting, lanes)
    }

    /// Posts one call, together with whatever else waits for the same lane.
    pub async fn post_one<R: Room>(
        &self,
        program: ProgramId,
        call: Call<R::Work>,
    ) -> Result<Answer, LedgerError>
    where
        Work: From<R::Work>,
    {
        let lane = self.lane_of(program, call.owner_id);
        let call = Call {
            trace_parent: fealty_telemetry::trace_parent(&Span::current()),
            ..call.map_work(Work::from)
        };
        let answered = lane.try_push(program, call).ok_or(LedgerError::Full)?;
        match answered.await {
            Ok(answer) => Ok(answer??),
            // The lane was dropped: the process is at its hard end.
            Err(_closed) => Err(LedgerError::Ending),
        }
    }

    /// An owner's calls always go the same way.
    fn lane_of(&self, program: ProgramId, owner_id: OwnerId) -> &LaneEntry {
        let mut hasher = DefaultHasher::new();
        (program, owner_id).hash(&mut hasher);
        let count = u64::try_from(self.lanes.len()).expect("a few");
        let place = usize::try_from(hasher.finish() % count).expect("below a few");
        &self.lanes[place]
    }

    /// When something is decided, later than the locks.
    pub(super) fn now(&self, postgres_now: Option<storage::Now>) -> DateTime<Utc> {
        self.time.now(postgres_now)
    }

    /// Something was committed that the event feed has to tell.
    pub(crate) fn wake_feed(&self) {
        self.feed.wake();
    }

    /// Where what was committed goes.
    pub(crate) const fn balances(&self) -> &Balances {
        &self.balances
    }
}
