//! Credits what both sides of a referral get.

use chrono::TimeDelta;
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::ProgramId;

use super::domain::Reward;
use super::storage;
use crate::means::Means;
use crate::refusal::MembersError;

/// How long one that the ledger did not answer rests, and how long one is left to who has taken it. Longer than a call to
/// the ledger takes.
const TRY_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(10);

/// Credits rewards.
#[derive(Debug, Clone)]
pub struct Rewarding {
    means: Means,
}

impl Rewarding {
    /// Over the way to the ledger.
    #[must_use]
    pub const fn new(means: Means) -> Self {
        Self { means }
    }

    /// Credits what is due, at most so much of it. Answers how much it took on, and how much of that is ended.
    pub(crate) async fn credit_due(&self, count_max: i64) -> Result<(usize, usize), MembersError> {
        let now = self.means.clock.now();
        let options = TransactOptions::default();
        let claimed = transact(
            &self.means.jobs,
            "claim_referral_rewards",
            Scope::Suite,
            options,
            |tx| {
                in_tx(storage::claim_due_in_tx(
                    tx,
                    now,
                    now + TRY_AGAIN_AFTER,
                    count_max,
                ))
            },
        )
        .await?;
        let crediting = claimed
            .iter()
            .map(|(program_id, reward)| self.credit(*program_id, reward));
        let ends = futures::future::join_all(crediting).await;
        Ok((claimed.len(), ends.iter().filter(|end| end.is_ok()).count()))
    }

    async fn credit(&self, program_id: ProgramId, reward: &Reward) -> Result<(), MembersError> {
        let refused = match self.means.ledger.credit_referral(program_id, reward).await {
            Ok(()) => None,
            // It will not take back its no: that is remembered under the request's id.
            Err(MembersError::LedgerRefused(refusal)) => Some(refusal.reason),
            Err(error) => return Err(error),
        };
        let reason = refused.map(fealty_rpc::errors::reason_name);
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let ended: Result<(), StorageError> =
            transact(&self.means.service, "end_referral_reward", scope, options, |tx| {
                in_tx(storage::end_reward_in_tx(tx, program_id, reward, reason))
            })
            .await;
        Ok(ended?)
    }
}
