//! What was just looked up of the access records.
//!
//! Fresh answers (also "there is none") hold for 2 s; with a feed that polls every second a revocation therefore holds
//! everywhere within 5 s. When the store cannot answer, the last known record holds for 4 s from its look-up: a
//! moment's loss of Postgres does not turn callers away, and the 5 s still hold.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::time::timeout;

use super::nudge::Nudge;
use super::records::{Lookup, RecordsError};
use crate::errors::ApiError;

/// How long an answer holds without asking again.
const FRESH_FOR: Duration = Duration::from_secs(2);
/// How long a record holds when the store cannot answer. With the feed's 1 s it stays within the 5 s of a revocation.
const KNOWN_FOR: Duration = Duration::from_secs(4);
/// Longest look-up. One indexed row takes milliseconds; a store that takes longer is as good as down.
const LOOKUP_MAX: Duration = Duration::from_secs(1);
/// Most records in memory, about 1 KiB each. Beyond it the rarely used are looked up more often, nothing breaks.
const RECORDS_MAX: u64 = 20_000;

/// Looked-up records by their key.
pub(super) struct RecordCache<K, V> {
    fresh: Cache<K, Option<Arc<V>>>,
    known: Cache<K, Arc<V>>,
}

impl<K, V> RecordCache<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    pub(super) fn new() -> Self {
        Self {
            fresh: Cache::builder()
                .max_capacity(RECORDS_MAX)
                .time_to_live(FRESH_FOR)
                .build(),
            known: Cache::builder()
                .max_capacity(RECORDS_MAX)
                .time_to_live(KNOWN_FOR)
                .build(),
        }
    }

    /// The record. Callers who ask for the same one at once share a look-up. What is unknown is looked for again after
    /// the feed was asked for news.
    pub(super) async fn find<'a, R>(
        &self,
        key: K,
        nudge: &Nudge,
        look_up: impl Fn() -> Lookup<'a, R>,
        keep: impl Fn(R) -> V,
    ) -> Result<Option<Arc<V>>, ApiError> {
        let found = self.fresh.try_get_with(key, async {
            let record = fetch(nudge, look_up).await?.map(|record| Arc::new(keep(record)));
            match &record {
                Some(record) => self.known.insert(key, Arc::clone(record)).await,
                None => self.known.invalidate(&key).await,
            }
            Ok::<_, RecordsError>(record)
        });
        if let Ok(record) = found.await {
            return Ok(record);
        }
        let known = self.known.get(&key).await;
        known
            .map(Some)
            .ok_or_else(|| ApiError::dependency_unavailable("access records").retry_after(LOOKUP_MAX))
    }
}

async fn fetch<'a, R>(nudge: &Nudge, look_up: impl Fn() -> Lookup<'a, R>) -> Result<Option<R>, RecordsError> {
    let found = match bounded(look_up()).await {
        Ok(None) if nudge.wait().await => bounded(look_up()).await,
        found => found,
    };
    // Logged here, where those who share a look-up pass once.
    found.inspect_err(
        |error| tracing::warn!(target: "fealty::access", %error, "the access records cannot be read"),
    )
}

async fn bounded<R>(lookup: Lookup<'_, R>) -> Result<Option<R>, RecordsError> {
    match timeout(LOOKUP_MAX, lookup).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(elapsed.into()),
    }
}
