//! The catalogue: what members can get for their points, on which terms, and how much of it is left.
//!
//! The terms are one row and what is left is another: whoever redeems counts down under the lock of the second alone.

pub mod domain;
pub mod grpc;
mod storage;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{ProgramId, RedemptionId, RewardId, SharedClock, Version};
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::refusal::{Refusal, Resource, RewardsError};
use crate::vouchers;
use domain::{CodeSource, NewReward, PoolCode, Reward, TermsChange};

pub(crate) use storage::codes::find_of_redemption_in_tx as find_code_in_tx;
pub(crate) use storage::{code_source_name, code_source_of, find_in_tx};

/// What can be done with the catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    service: PgPool,
    clock: SharedClock,
}

/// Which rewards a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListRange {
    /// Only what is offered at this time; None for all.
    pub offered_at: Option<DateTime<Utc>>,
    /// Those after this one, by the order in which they were added.
    pub after: Option<(DateTime<Utc>, RewardId)>,
}

/// What came of taking one of a reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is set aside.
    One,
    /// Nothing was left.
    Nothing,
    /// What is left is in the hands of others, who may yet let go of it.
    InOtherHands,
}

impl Catalogue {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, clock: SharedClock) -> Self {
        Self { service, clock }
    }

    /// Adds a reward.
    pub async fn create(
        &self,
        program_id: ProgramId,
        request: &Request,
        new: NewReward,
    ) -> Result<Made<Reward>, RewardsError> {
        let now = self.clock.now();
        let reward = &new.start(RewardId::generate_at(now), now);
        let options = TransactOptions::default().repeatable();
        let scope = Scope::Program(program_id);
        transact(&self.service, "create_reward", scope, options, |tx| {
            in_tx(async move {
                let id = reward.reward_id.as_uuid();
                if let Some(earlier) = claim_in_tx(&mut *tx, request, id, now).await? {
                    return Ok(Made::before(get_made_in_tx(tx, program_id, earlier).await?));
                }
                storage::insert_in_tx(&mut *tx, program_id, reward).await?;
                storage::stock::insert_in_tx(tx, program_id, reward).await?;
                Ok(Made::now(reward.clone()))
            })
        })
        .await
    }

    /// A reward.
    pub async fn get(&self, program_id: ProgramId, reward_id: RewardId) -> Result<Reward, RewardsError> {
        let options = TransactOptions::read_only();
        let scope = Scope::Program(program_id);
        transact(&self.service, "get_reward", scope, options, |tx| {
            in_tx(get_in_tx(tx, program_id, reward_id))
        })
        .await
    }

    /// Changes the terms of a reward, if it still is at the revision that the change is meant for.
    pub async fn update(
        &self,
        program_id: ProgramId,
        reward_id: RewardId,
        meant_for: Option<Version>,
        change: &TermsChange,
    ) -> Result<Reward, RewardsError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        transact(
            &self.service,
            "update_reward",
            scope,
            TransactOptions::default(),
            |tx| {
                in_tx(async move {
                    if !storage::lock_in_tx(&mut *tx, program_id, reward_id).await? {
                        return Err(not_found(reward_id).into());
                    }
                    // Read after the lock: what another one changed while we waited is seen.
                    let current = get_in_tx(&mut *tx, program_id, reward_id).await?;
                    if meant_for.is_some_and(|revision| revision != current.revision) {
                        return Err(Refusal::EtagMismatch(reward_id).into());
                    }
                    let Some(changed) = current.changed(change.clone(), now)? else {
                        return Ok(current);
                    };
                    storage::update_terms_in_tx(tx, program_id, &changed).await?;
                    Ok(changed)
                })
            },
        )
        .await
    }

    /// The rewards of a range, in the order in which they were added.
    pub async fn list(
        &self,
        program_id: ProgramId,
        range: ListRange,
        count_max: i64,
    ) -> Result<Vec<Reward>, RewardsError> {
        let options = TransactOptions::read_only();
        let scope = Scope::Program(program_id);
        transact(&self.service, "list_rewards", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_in_tx(tx, program_id, range, count_max).await?) })
        })
        .await
    }

    /// Adds to what is left of a reward, or takes from it. What is set aside for redemptions is not left.
    pub async fn adjust_stock(
        &self,
        program_id: ProgramId,
        request: &Request,
        reward_id: RewardId,
        change_count: i64,
    ) -> Result<Made<Reward>, RewardsError> {
        let now = self.clock.now();
        let options = TransactOptions::default().repeatable();
        let scope = Scope::Program(program_id);
        transact(&self.service, "adjust_stock", scope, options, |tx| {
            in_tx(async move {
                if let Some(earlier) = claim_in_tx(&mut *tx, request, reward_id.as_uuid(), now).await? {
                    return Ok(Made::before(get_made_in_tx(tx, program_id, earlier).await?));
                }
                storage::stock::lock_in_tx(&mut *tx, program_id, reward_id).await?;
                let reward = get_in_tx(&mut *tx, program_id, reward_id).await?;
                let stock_left = reward.adjusted_stock(change_count)?;
                storage::stock::set_in_tx(tx, program_id, reward_id, stock_left).await?;
                Ok(Made::now(Reward { stock_left, ..reward }))
            })
        })
        .await
    }

    /// Adds codes to the pool of a reward: all of them or none.
    pub async fn add_codes(
        &self,
        program_id: ProgramId,
        request: &Request,
        reward_id: RewardId,
        codes: &[PoolCode],
    ) -> Result<Made<Reward>, RewardsError> {
        let now = self.clock.now();
        let options = TransactOptions::default().repeatable();
        let scope = Scope::Program(program_id);
        transact(&self.service, "add_codes", scope, options, |tx| {
            in_tx(async move {
                if let Some(earlier) = claim_in_tx(&mut *tx, request, reward_id.as_uuid(), now).await? {
                    return Ok(Made::before(get_made_in_tx(tx, program_id, earlier).await?));
                }
                let reward = get_in_tx(&mut *tx, program_id, reward_id).await?;
                if reward.code_source != CodeSource::Pool {
                    return Err(Refusal::FieldInvalid {
                        field: "reward_id",
                        description: "must be a reward whose codes come from a pool",
                    }
                    .into());
                }
                insert_codes_in_tx(&mut *tx, program_id, reward_id, codes, now).await?;
                let count = i64::try_from(codes.len()).unwrap_or(i64::MAX);
                storage::stock::give_in_tx(&mut *tx, program_id, reward_id, count).await?;
                Ok(Made::now(get_in_tx(tx, program_id, reward_id).await?))
            })
        })
        .await
    }
}

fn not_found(reward_id: RewardId) -> Refusal {
    Refusal::not_found(Resource::Reward, reward_id)
}

/// A reward, wherever it is needed.
pub(crate) async fn get_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
) -> Result<Reward, RewardsError> {
    let found = find_in_tx(tx, program_id, reward_id).await?;
    Ok(found.ok_or_else(|| not_found(reward_id))?)
}

async fn get_made_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    made: Uuid,
) -> Result<Reward, RewardsError> {
    let reward_id =
        RewardId::try_from(made).map_err(|error| StorageError::corrupt("request.resource_id", error))?;
    get_in_tx(tx, program_id, reward_id).await
}

/// Stores codes, unless the program has one of them already: in a pool, or on a voucher whose code was made here.
async fn insert_codes_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
    codes: &[PoolCode],
    now: DateTime<Utc>,
) -> Result<(), RewardsError> {
    let inserted = storage::codes::insert_in_tx(&mut *tx, program_id, reward_id, codes, now).await?;
    let missing = codes.iter().position(|code| !inserted.contains(code.as_str()));
    if let Some(index) = missing {
        return Err(Refusal::CodeExists { index }.into());
    }
    let taken = vouchers::find_taken_in_tx(tx, program_id, codes).await?;
    if let Some(index) = codes.iter().position(|code| taken.contains(code.as_str())) {
        return Err(Refusal::CodeExists { index }.into());
    }
    Ok(())
}

/// Sets one of a reward aside for a redemption: a code where codes come from a pool, and one of what is left.
///
/// The code comes first: those who want one take different ones side by side, and wait for each other only for the
/// moment in which they count down.
pub(crate) async fn take_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
    code_source: CodeSource,
    redemption_id: RedemptionId,
) -> Result<Taken, RewardsError> {
    let from_pool = code_source == CodeSource::Pool;
    if from_pool && !storage::codes::take_in_tx(&mut *tx, program_id, reward_id, redemption_id).await? {
        let stock_left = storage::stock::find_in_tx(tx, program_id, reward_id).await?;
        let none_left = stock_left.unwrap_or_default() == 0;
        return Ok(if none_left {
            Taken::Nothing
        } else {
            Taken::InOtherHands
        });
    }
    let counted = storage::stock::take_one_in_tx(tx, program_id, reward_id).await?;
    match (counted, from_pool) {
        (true, _) => Ok(Taken::One),
        (false, false) => Ok(Taken::Nothing),
        (false, true) => {
            Err(StorageError::corrupt("reward_stock", "counts fewer codes than there are").into())
        }
    }
}

/// Gives back what was set aside for a redemption.
pub(crate) async fn give_back_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    reward_id: RewardId,
    code_source: CodeSource,
    redemption_id: RedemptionId,
) -> Result<(), RewardsError> {
    if code_source == CodeSource::Pool {
        storage::codes::give_back_in_tx(&mut *tx, program_id, redemption_id).await?;
    }
    Ok(storage::stock::give_in_tx(tx, program_id, reward_id, 1).await?)
}
