//! The write path as the rooms see it: a call goes in, its answer comes out.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use fealty_service::events::FeedWaker;
use fealty_types::{OwnerId, ProgramId};
use futures::future::join_all;
use sqlx::postgres::PgPool;
use tokio::sync::{Semaphore, oneshot};
use tracing::Span;

use super::call::{Answer, Call};
use super::commit::{AllOrNothing, Committed, Committer, TimeSource};
use super::config::PostingConfig;
use super::lane::{Haste, Lane, LaneEntry, Outcome, Refused, changed};
use super::remembered::RememberedOwners;
use super::room::Room;
use super::rooms::Work;
use super::storage;
use crate::balances::{Balances, Known};
use crate::refusal::{LedgerError, Refusal};

/// Groups that are committed at a time: each holds the locks of up to a thousand owners, whose lone calls wait for it.
const GROUPS_MAX: usize = 2;

/// What came of calls that take effect together or not at all.
#[derive(Debug)]
pub enum Group {
    /// All took effect: what each is answered.
    Accepted(Vec<Result<Answer, Refusal>>),
    /// None did: what each would have been answered.
    Refused(Vec<Result<Answer, Refusal>>),
}

/// Runs postings.
#[derive(Debug, Clone)]
pub struct Posting {
    lanes: Arc<[LaneEntry]>,
    /// Of groups, on the pool of all calls.
    committer: Committer,
    groups: Arc<Semaphore>,
    time: TimeSource,
    balances: Balances,
    feed: FeedWaker,
}

impl Posting {
    /// Postings, and the lanes that serve them once they are run. `lanes_pool` is the lanes' own, with a connection for
    /// each; groups take connections of `pool`. What was committed goes to `balances`, and wakes the event feed.
    #[must_use]
    pub fn new(
        (pool, lanes_pool): (PgPool, PgPool),
        time: TimeSource,
        balances: Balances,
        feed: FeedWaker,
        config: &PostingConfig,
    ) -> (Self, Vec<Lane>) {
        let remembered = Arc::new(RememberedOwners::new(config.remembered_bytes_max));
        let committer = |pool| Committer::new(pool, time.clone(), Arc::clone(&remembered));
        let of_lanes = committer(lanes_pool);
        let lane = |_| Lane::new(of_lanes.clone(), balances.clone(), feed.clone(), config);
        let lanes: Vec<Lane> = (0..config.lanes).map(lane).collect();
        let posting = Self {
            lanes: lanes.iter().map(Lane::entry).collect(),
            committer: committer(pool),
            groups: Arc::new(Semaphore::new(GROUPS_MAX)),
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
        let call = traced(call);
        let lane = &self.lanes[self.place_of(program, call.owner_id)];
        let mut answered = lane.try_push(program, Haste::Lone, None, vec![call])?;
        told(answered.pop().expect("one answer per call")).await
    }

    /// Posts many calls, each as if it came alone: answered in their order. Those of one owner are decided in it, too: none
    /// after one that failed, and can be sent again.
    pub async fn post_many<R: Room>(
        &self,
        program: ProgramId,
        calls: Vec<Call<R::Work>>,
    ) -> Vec<Result<Answer, LedgerError>>
    where
        Work: From<R::Work>,
    {
        let calls_count = calls.len();
        let mut by_lane: Vec<(Vec<usize>, Vec<Call<Work>>)> = Vec::new();
        by_lane.resize_with(self.lanes.len(), Default::default);
        for (place, call) in calls.into_iter().enumerate() {
            let lane = &mut by_lane[self.place_of(program, call.owner_id)];
            lane.0.push(place);
            lane.1.push(traced(call));
        }
        let companions = Arc::default();
        let mut pushed: Vec<_> = std::iter::repeat_with(|| Err(Refused::Full))
            .take(calls_count)
            .collect();
        for (lane, (places, calls)) in self.lanes.iter().zip(by_lane) {
            match lane.try_push(program, Haste::Bulk, Some(&companions), calls) {
                Ok(answered) => {
                    places
                        .into_iter()
                        .zip(answered)
                        .for_each(|(place, it)| pushed[place] = Ok(it));
                }
                Err(refused) => places.into_iter().for_each(|place| pushed[place] = Err(refused)),
            }
        }
        join_all(pushed.into_iter().map(async |pushed| told(pushed?).await)).await
    }

    /// Posts calls that take effect together or not at all, in a commit of their own.
    pub async fn post_all_or_nothing<R: Room>(
        &self,
        program: ProgramId,
        calls: Vec<Call<R::Work>>,
    ) -> Result<Group, LedgerError>
    where
        Work: From<R::Work>,
    {
        let _turn = self.groups.try_acquire().map_err(|_| LedgerError::Full)?;
        let calls: Vec<Call<Work>> = calls.into_iter().map(traced).collect();
        let mut debt = self.balances.owe(program, calls.iter().flat_map(Call::owner_ids));
        let Committed {
            decisions, balances, ..
        } = match self.committer.commit_all_or_nothing(program, &calls).await? {
            AllOrNothing::All(committed) => committed,
            AllOrNothing::Nothing(answers) => {
                debt.committed(HashSet::new());
                return Ok(Group::Refused(answers));
            }
        };
        self.feed.wake();
        let known: Vec<Known> = balances.into_iter().map(Known::Balance).collect();
        debt.committed(changed(&calls, &decisions, &known));
        self.balances.write_through(program, &known, debt).await;
        // A group waits for all its owners.
        Ok(Group::Accepted(decisions.into_iter().flatten().collect()))
    }

    /// An owner's calls always go the same way.
    fn place_of(&self, program: ProgramId, owner_id: OwnerId) -> usize {
        let mut hasher = DefaultHasher::new();
        (program, owner_id).hash(&mut hasher);
        let count = u64::try_from(self.lanes.len()).expect("a few");
        usize::try_from(hasher.finish() % count).expect("below a few")
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

async fn told(answered: oneshot::Receiver<Outcome>) -> Result<Answer, LedgerError> {
    match answered.await {
        Ok(answer) => Ok(answer??),
        // Nobody serves the lane any more.
        Err(_closed) => Err(LedgerError::Ending),
    }
}

impl From<Refused> for LedgerError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full => Self::Full,
            Refused::Closed => Self::Ending,
        }
    }
}

fn traced<W>(call: Call<W>) -> Call<Work>
where
    Work: From<W>,
{
    Call {
        trace_parent: fealty_telemetry::trace_parent(&Span::current()),
        ..call.map_work(Work::from)
    }
}
