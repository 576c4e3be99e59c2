//! Who may call: what the other services need to know of programs, keys and staff, and in which order it changed.
//!
//! The rooms of those three write here, in the transaction of each change, that a record has changed. This room serves
//! the changes to the other services, and answers this service's own question who calls.

pub mod domain;
pub mod grpc;
mod records;
mod storage;

use std::time::Duration;

use fealty_postgres::{
    DatabaseTimeline, FeedPosition, Scope, StorageError, TransactOptions, database_timeline, in_tx, transact,
};
use sqlx::postgres::PgPool;
use tokio::time::{Instant, sleep};

pub use records::OwnRecords;
pub(crate) use storage::note_change_in_tx;

use crate::refusal::{MembersError, Refusal};
use domain::AccessChange;

/// How long a reader waits for a change that an older transaction holds back: several times what a posting takes on a
/// busy machine, and well under what a caller with a new key waits for.
const HELD_BACK_WAIT_MAX: Duration = Duration::from_millis(500);

/// Between two looks.
const HELD_BACK_PAUSE: Duration = Duration::from_millis(20);

/// The feed of access records.
#[derive(Debug, Clone)]
pub struct AccessFeed {
    jobs: PgPool,
}

/// A page of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangePage {
    /// In the order in which they took effect.
    pub changes: Vec<AccessChange>,
    /// Where the next page begins, also when there is no change yet.
    pub next_resume_token: String,
    /// There is more.
    pub more: bool,
}

impl AccessFeed {
    /// Over the pool of the jobs' role: the feed speaks about all programs.
    #[must_use]
    pub const fn new(jobs: PgPool) -> Self {
        Self { jobs }
    }

    /// The next changes after a resume token (the empty one is the beginning), at most `count_max` of them.
    ///
    /// Only changes of transactions older than every one that still runs are handed out. One that took its number
    /// early and commits late is therefore never overtaken, and no reader skips it.
    ///
    /// Whoever asks right after a change usually does so because somebody calls with a new key: as transactions are
    /// short, a change that is held back by an older one is waited for a moment instead of being left to the next round.
    ///
    /// A token of another history of the database (it was restored, or failed over) is refused: the reader starts over
    /// and gets every record again, whole, which does no harm.
    pub async fn list_changes(
        &self,
        resume_token: &str,
        count_max: usize,
    ) -> Result<ChangePage, MembersError> {
        let timeline = database_timeline(&self.jobs).await?;
        let after = match resume_token {
            "" => FeedPosition::START,
            token => FeedPosition::decode(token, timeline).map_err(|_| Refusal::PositionInvalid)?,
        };
        let waited_from = Instant::now();
        loop {
            let (page, held_back) = self.page(after, count_max, timeline).await?;
            if !held_back || !page.changes.is_empty() || waited_from.elapsed() >= HELD_BACK_WAIT_MAX {
                return Ok(page);
            }
            sleep(HELD_BACK_PAUSE).await;
        }
    }

    /// A page, and whether there are changes that it may not show yet.
    async fn page(
        &self,
        after: FeedPosition,
        count_max: usize,
        timeline: DatabaseTimeline,
    ) -> Result<(ChangePage, bool), MembersError> {
        let options = TransactOptions::read_only();
        transact(&self.jobs, "list_access_changes", Scope::Suite, options, |tx| {
            in_tx(async move {
                // Asked first: what is not held back now is in the page.
                let held_back = storage::is_held_back_in_tx(&mut *tx, after).await?;
                let page = storage::list_notes_in_tx(&mut *tx, after, count_max).await?;
                let records = storage::load_records_in_tx(tx, &page.notes).await?;
                let changes = domain::join(&page.notes, records).ok_or_else(|| {
                    StorageError::corrupt("access_change", "a record that changed is not there")
                })?;
                let page = ChangePage {
                    more: page.more || (held_back && !changes.is_empty()),
                    changes,
                    next_resume_token: page.last.unwrap_or(after).encode(timeline),
                };
                Ok((page, held_back))
            })
        })
        .await
    }
}
