//! Follows the members service's access records, so that callers are known here without a call to it, and a revocation
//! holds here within 5 seconds: polled every second, and cached for two more by whoever verifies keys.
//!
//! Replicas follow side by side: each page takes effect once, for whoever moves the position first. While members is
//! away, the service goes on with what it knows.

use std::sync::Arc;
use std::time::Duration;

use fealty_client::{Answer, CallError, ClientConfig, MembersClient, RetryConfig};
use fealty_postgres::StorageError;
use fealty_proto::access::v1::{AccessChange, ListAccessChangesRequest, ListAccessChangesResponse};
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::access::{Authenticator, Nudge};
use fealty_types::SharedClock;
use tokio::sync::Mutex;
use tokio::time::sleep;

use super::copy::{AccessCopy, Applied};
use super::domain::{Change, ChangeSet};
use super::grpc::parse_change;
use super::metrics;
use crate::config::PeerConfig;
use crate::ground::{Ground, ServeError};

/// How often members is asked. With the two seconds for which a verified key is cached, a revocation holds well within
/// the five that are promised.
const INTERVAL: Duration = Duration::from_secs(1);

/// Longest pause while members does not answer: how late a service notices that it is back.
const PAUSE_MAX: Duration = Duration::from_secs(2);

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
    /// The service's own database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Follows the feed. Clones are the same follower.
#[derive(Debug, Clone)]
pub struct AccessFollower(Arc<Following>);

#[derive(Debug)]
struct Following {
    /// Who follows, for logs and metrics.
    name: &'static str,
    copy: AccessCopy,
    /// None while the service has no key to members.
    members: Option<MembersClient>,
    clock: SharedClock,
    /// One round at a time: a second one would read the same pages.
    round: Mutex<()>,
}

impl AccessFollower {
    /// Prepares to follow. Nothing is asked for yet. The key has `SCOPE_ACCESS_FEED`; while there is none, the service
    /// knows the callers that it knew before.
    pub fn try_new<const PORT: u16>(ground: &Ground, members: &PeerConfig<PORT>) -> Result<Self, ServeError> {
        let members = if members.has_key() {
            let client = MembersClient::try_new(&ClientConfig {
                deadline: PAGE_DEADLINE,
                // The rounds themselves are the retries.
                retry: RetryConfig {
                    attempt_count_max: 1,
                    ..RetryConfig::default()
                },
                ..members.client()
            });
            Some(client.map_err(ServeError::settings("members"))?)
        } else {
            None
        };
        Ok(Self(Arc::new(Following {
            name: ground.name,
            copy: AccessCopy::new(ground.jobs.clone(), ground.gate.clone()),
            members,
            clock: ground.clock.clone(),
            round: Mutex::new(()),
        })))
    }

    /// Verifies callers against the copy. A key or program that is unknown there makes the feed be asked at once.
    #[must_use]
    pub fn authenticator(&self) -> Authenticator {
        let following = Arc::clone(&self.0);
        let nudge = Nudge::new(move || {
            let following = Arc::clone(&following);
            async move { following.nudged().await }
        });
        Authenticator::new(Arc::new(self.0.copy.clone()), self.0.clock.clone(), nudge)
    }

    /// The copy that it keeps.
    #[must_use]
    pub fn copy(&self) -> &AccessCopy {
        &self.0.copy
    }

    /// Follows until it is dropped.
    pub async fn keep_following(self) {
        self.0.keep_following().await;
    }

    /// Reads and applies everything that is there when it begins.
    pub async fn run_round(&self) -> Result<(), RoundError> {
        self.0.run_round().await
    }
}

impl Following {
    async fn keep_following(&self) {
        let service = self.name;
        if self.members.is_none() {
            tracing::warn!(
                service,
                "no members.service_key is set: no new callers are learned of"
            );
            return std::future::pending().await;
        }
        let mut pause = INTERVAL;
        loop {
            match self.run_round().await {
                Ok(()) => pause = INTERVAL,
                Err(error) => {
                    tracing::warn!(
                        service,
                        %error,
                        "the access records could not be followed; the service goes on with its copy"
                    );
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
            sleep(with_jitter(pause)).await;
        }
    }

    /// One round for somebody who waits for it. A failure is told to the log; who waits looks into the copy again.
    async fn nudged(&self) {
        if let Err(error) = self.run_round().await {
            tracing::debug!(service = self.name, %error, "a nudged round of the access feed failed");
        }
    }

    async fn run_round(&self) -> Result<(), RoundError> {
        let Some(members) = &self.members else {
            return Ok(());
        };
        let _one_at_a_time = self.round.lock().await;
        let outcome = self.pages(members).await;
        metrics::round_ended(self.name, outcome.is_ok());
        outcome
    }

    async fn pages(&self, members: &MembersClient) -> Result<(), RoundError> {
        loop {
            let from = self.copy.position().await?;
            let page = match list(members, &from).await {
                Ok(page) => page.message,
                Err(error) if !from.is_empty() && error.reason == Some(ErrorReason::PageTokenInvalid) => {
                    tracing::error!(
                        service = self.name,
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
        let changes = page.changes.into_iter();
        let changes = ChangeSet::new(changes.filter_map(|change| self.readable(change)).collect());
        let applied = self
            .copy
            .apply(&changes, from, &page.next_resume_token, self.clock.now())
            .await?;
        if applied == Applied::Moved {
            metrics::applied(self.name, count);
            tracing::debug!(service = self.name, count, "access records changed");
        }
        Ok(())
    }

    /// A change that cannot be read is told and passed over: one bad record must not keep every revocation after it
    /// away.
    fn readable(&self, change: AccessChange) -> Option<Change> {
        let sequence = change.sequence;
        match parse_change(change) {
            Ok(change) => change,
            Err(error) => {
                metrics::unreadable(self.name);
                tracing::error!(
                    service = self.name,
                    sequence,
                    %error,
                    "an access record cannot be read and is passed over"
                );
                None
            }
        }
    }
}

async fn list(members: &MembersClient, from: &str) -> Result<Answer<ListAccessChangesResponse>, CallError> {
    let request = ListAccessChangesRequest {
        page_size: PAGE_SIZE,
        resume_token: from.to_owned(),
    };
    members.list_access_changes(request).await
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
