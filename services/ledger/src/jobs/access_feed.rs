//! Follows the members service's access records, so that callers are known here without a call to it, and a revocation
//! holds here within 5 seconds: polled every second, and cached for two more by whoever verifies keys.
//!
//! Replicas follow side by side: each page takes effect once, for whoever moves the position first. While members is
//! away, the ledger goes on with what it knows.

mod metrics;

use std::sync::Arc;
use std::time::Duration;

use fealty_client::{Answer, CallError, ClientConfig, ConnectError, MembersClient, RetryConfig};
use fealty_postgres::StorageError;
use fealty_proto::access::v1::{AccessChange, ListAccessChangesRequest, ListAccessChangesResponse};
use fealty_proto::types::v1::ErrorReason;
use fealty_types::SharedClock;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::access::domain::{Change, ChangeSet};
use crate::access::grpc::parse_change;
use crate::access::{AccessCopy, Applied};
use crate::config::MembersConfig;

/// How often members is asked. With the two seconds for which a verified key is cached, a revocation holds well within
/// the five that are promised.
const INTERVAL: Duration = Duration::from_secs(1);

/// Longest pause while members does not answer: how late the ledger notices that it is back.
const PAUSE_MAX: Duration = Duration::from_secs(4);

/// Longest wait for a page. Callers with a new key wait for it, and have deadlines of their own.
const PAGE_DEADLINE: Duration = Duration::from_secs(2);

/// Changes of a page: some hundred kilobytes, applied in some ten milliseconds.
const PAGE_SIZE: i32 = 500;

/// Why a round did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// Members refused or did not answer.
    #[error(transparent)]
    Members(#[from] CallError),
    /// The ledger's own database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Follows the feed.
#[derive(Debug)]
pub struct AccessFeed {
    copy: AccessCopy,
    /// None while the ledger has no key to members.
    members: Option<MembersClient>,
    clock: SharedClock,
    /// One round at a time: a second one would read the same pages.
    round: Mutex<()>,
}

impl AccessFeed {
    /// Prepares to follow. Nothing is asked for yet.
    pub fn try_new(
        config: &MembersConfig,
        copy: AccessCopy,
        clock: SharedClock,
    ) -> Result<Self, ConnectError> {
        let key = config.service_key.expose();
        let members = if key.is_empty() {
            None
        } else {
            let mut client = ClientConfig::new(config.endpoint.clone(), key.clone());
            client.deadline = PAGE_DEADLINE;
            // The rounds themselves are the retries.
            client.retry = RetryConfig {
                attempt_count_max: 1,
                ..RetryConfig::default()
            };
            Some(MembersClient::try_new(&client)?)
        };
        Ok(Self {
            copy,
            members,
            clock,
            round: Mutex::new(()),
        })
    }

    /// Follows until it is dropped.
    pub async fn keep_following(self: Arc<Self>) {
        if self.members.is_none() {
            tracing::warn!("no members.service_key is set: the ledger learns of no new callers");
            return std::future::pending().await;
        }
        let mut pause = INTERVAL;
        loop {
            match self.run_round().await {
                Ok(()) => pause = INTERVAL,
                Err(error) => {
                    tracing::warn!(%error, "the access records could not be followed; the ledger goes on with its copy");
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
            sleep(with_jitter(pause)).await;
        }
    }

    /// One round for somebody who waits for it. A failure was told to the log; who waits looks into the copy again.
    pub async fn nudged(self: Arc<Self>) {
        if let Err(error) = self.run_round().await {
            tracing::debug!(%error, "a nudged round of the access feed failed");
        }
    }

    /// Reads and applies everything that is there when it begins.
    pub async fn run_round(&self) -> Result<(), RoundError> {
        let Some(members) = &self.members else {
            return Ok(());
        };
        let _one_at_a_time = self.round.lock().await;
        let outcome = self.pages(members).await;
        metrics::round_ended(outcome.is_ok());
        outcome
    }

    async fn pages(&self, members: &MembersClient) -> Result<(), RoundError> {
        loop {
            let from = self.copy.position().await?;
            let page = match list(members, &from).await {
                Ok(page) => page.message,
                Err(error) if !from.is_empty() && error.reason == Some(ErrorReason::PageTokenInvalid) => {
                    tracing::error!(
                        "members does not know the position any more (was it restored?): starting over"
                    );
                    self.copy.start_over(&from, self.clock.now()).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // A page without changes moves nothing, so asking again would answer the same.
            let more = page.more && !page.changes.is_empty();
            self.apply(page, &from).await?;
            if !more {
                return Ok(());
            }
        }
    }

    async fn apply(&self, page: ListAccessChangesResponse, from: &str) -> Result<(), RoundError> {
        if page.changes.is_empty() {
            return Ok(());
        }
        let count = page.changes.len();
        let changes = ChangeSet::new(page.changes.into_iter().filter_map(readable).collect());
        let applied = self
            .copy
            .apply(&changes, from, &page.next_resume_token, self.clock.now())
            .await?;
        if applied == Applied::Moved {
            metrics::applied(count);
            tracing::debug!(count, "access records changed");
        }
        Ok(())
    }
}

async fn list(members: &MembersClient, from: &str) -> Result<Answer<ListAccessChangesResponse>, CallError> {
    let request = ListAccessChangesRequest {
        page_size: PAGE_SIZE,
        resume_token: from.to_owned(),
    };
    members.list_access_changes(request).await
}

/// A change that cannot be read is told and passed over: one bad record must not keep every revocation after it away.
fn readable(change: AccessChange) -> Option<Change> {
    let sequence = change.sequence;
    match parse_change(change) {
        Ok(change) => change,
        Err(error) => {
            metrics::unreadable();
            tracing::error!(sequence, %error, "an access record cannot be read and is passed over");
            None
        }
    }
}

/// Up to a tenth more, so that replicas do not ask in step.
fn with_jitter(pause: Duration) -> Duration {
    pause + pause.mul_f64(rand::random_range(0.0..0.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_stretched_by_a_tenth_at_most() {
        for _ in 0..100 {
            let pause = with_jitter(INTERVAL);
            assert!(pause >= INTERVAL && pause < INTERVAL.mul_f64(1.1));
        }
    }
}
