//! Why a redemption is undone.

use std::collections::BTreeMap;

use fealty_types::{RedemptionId, RewardId};

/// Why a redemption is undone: stored with it, so that every retry is told the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The name of an error reason, without its prefix.
    pub reason: String,
    /// The values that the reason documents, by name.
    pub details: BTreeMap<String, String>,
}

impl Failure {
    /// For that reason, with these values.
    pub fn new(reason: &str, details: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            reason: reason.to_owned(),
            details: details.into_iter().collect(),
        }
    }

    /// Nothing was left of the reward.
    #[must_use]
    pub fn out_of_stock(reward_id: RewardId) -> Self {
        Self::new("OUT_OF_STOCK", [("reward_id".to_owned(), reward_id.to_string())])
    }

    /// Whoever began it did not go on with it.
    #[must_use]
    pub fn abandoned(redemption_id: RedemptionId) -> Self {
        let id = ("redemption_id".to_owned(), redemption_id.to_string());
        Self::new("REDEMPTION_ABANDONED", [id])
    }
}
