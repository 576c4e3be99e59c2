//! Redemptions: a member gets a reward for points. Each is a durable process that comes to one of two ends, redeemed or
//! undone ([`domain`] says how, [`process`] does it).

pub mod domain;
pub mod fault;
pub mod grpc;
mod ledger;
mod members;
pub mod process;
mod storage;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::{self, Claim, Made, Request, claim_in_tx};
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId, RedemptionId, RewardId, SharedClock};
use sqlx::postgres::PgPool;
use uuid::Uuid;

pub use ledger::LedgerDoor;
pub use members::MembersDoor;
pub use process::Process;

use crate::catalogue;
use crate::catalogue::domain::{Candidate, Price, Reward};
use crate::refusal::{Refusal, RewardsError};
use crate::vouchers;
use crate::vouchers::domain::Voucher;
use domain::{Redemption, RedemptionStatus};
use fault::{Act, FaultPoint};
use process::LEASE;

/// What can be done with redemptions.
#[derive(Debug, Clone)]
pub struct Redemptions {
    service: PgPool,
    jobs: PgPool,
    process: Process,
    members: MembersDoor,
    ledger: LedgerDoor,
    clock: SharedClock,
}

/// Who wants what, and what they were told that it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Who.
    pub member_id: MemberId,
    /// What.
    pub reward_id: RewardId,
    /// None takes it at any price.
    pub expected_price: Option<Price>,
}

/// What redeeming would cost now, or why it is not possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// None for a reward that is free.
    pub price: Option<Price>,
    /// None when it would be possible.
    pub refusal: Option<Refusal>,
    /// How many points are missing.
    pub missing_value: i64,
}

/// The doors to other services.
#[derive(Debug, Clone)]
pub struct Doors {
    /// Who they are.
    pub members: MembersDoor,
    /// What they have.
    pub ledger: LedgerDoor,
}

impl Redemptions {
    /// Over the pools of the service's role and of the jobs' role.
    #[must_use]
    pub fn new(service: PgPool, jobs: PgPool, process: Process, doors: Doors, clock: SharedClock) -> Self {
        Self {
            service,
            jobs,
            process,
            members: doors.members,
            ledger: doors.ledger,
            clock,
        }
    }

    /// What redeeming would cost this member now. Nothing is set aside.
    pub async fn quote(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        reward_id: RewardId,
    ) -> Result<Quote, RewardsError> {
        let options = TransactOptions::read_only();
        let scope = Scope::Program(program_id);
        let (reward, count) = transact(&self.service, "quote_redemption", scope, options, |tx| {
            in_tx(async move {
                let reward = catalogue::get_in_tx(&mut *tx, program_id, reward_id).await?;
                let count = storage::find_count_in_tx(tx, program_id, member_id, reward_id).await?;
                Ok::<_, RewardsError>((reward, count))
            })
        })
        .await?;
        let candidate = self.members.get(program_id, member_id).await?;
        let price = reward.terms.price.clone();
        let missing_value = match &price {
            Some(price) => {
                let available = self.ledger.available(program_id, member_id, &price.unit_code);
                price.value.get().saturating_sub(available.await?).max(0)
            }
            None => 0,
        };
        let short = if missing_value > 0 {
            Err(Refusal::BalanceTooSmall)
        } else {
            Ok(())
        };
        let refusal = reward
            .offer_to(&candidate, self.clock.now())
            .and_then(|()| check_limit(&reward, count))
            .and(short)
            .err();
        Ok(Quote {
            price,
            refusal,
            missing_value,
        })
    }

    /// Redeems a reward, and answers when it has come to its end. An attempt that was made before is gone on with.
    pub async fn redeem(
        &self,
        program_id: ProgramId,
        request: &Request,
        wanted: &Wanted,
    ) -> Result<Made<(Redemption, Voucher)>, RewardsError> {
        let begun = match self.join(program_id, request).await? {
            Some(redemption) => Made::before(redemption),
            None => self.begin(program_id, request, wanted).await?,
        };
        let ended = self.process.run(program_id, begun.resource).await?;
        let redeemed = self.redeemed(program_id, ended).await?;
        Ok(Made {
            resource: redeemed,
            replayed: begun.replayed,
        })
    }

    /// One redemption.
    pub async fn get(
        &self,
        program_id: ProgramId,
        redemption_id: RedemptionId,
    ) -> Result<Redemption, RewardsError> {
        let options = TransactOptions::read_only();
        let scope = Scope::Program(program_id);
        transact(&self.service, "get_redemption", scope, options, |tx| {
            in_tx(process::get_in_tx(tx, program_id, redemption_id))
        })
        .await
    }

    /// A member's redemptions after one, newest first.
    pub async fn list(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        after: Option<(DateTime<Utc>, RedemptionId)>,
        count_max: i64,
    ) -> Result<Vec<Redemption>, RewardsError> {
        let options = TransactOptions::read_only();
        let scope = Scope::Program(program_id);
        transact(&self.service, "list_redemptions", scope, options, |tx| {
            in_tx(async move { Ok(storage::list_in_tx(tx, program_id, member_id, after, count_max).await?) })
        })
        .await
    }

    /// Brings redemptions to their end on which nobody works any more, at most so many of them. Answers how many it took
    /// over and how many of those have ended.
    pub async fn finish_leftovers(&self, count_max: i64) -> Result<(usize, usize), RewardsError> {
        let now = self.clock.now();
        let options = TransactOptions::default();
        let claimed = transact(
            &self.jobs,
            "claim_left_redemptions",
            Scope::Suite,
            options,
            |tx| {
                in_tx(async move {
                    let claimed = storage::claim_left_in_tx(tx, now, now + LEASE, count_max).await?;
                    Ok::<_, RewardsError>(claimed)
                })
            },
        )
        .await?;
        let finishing = claimed
            .iter()
            .map(|(program_id, redemption_id)| self.process.take_over(*program_id, *redemption_id));
        let ends = futures::future::join_all(finishing).await;
        let finished_count = ends.iter().filter(|end| end.is_ok()).count();
        Ok((claimed.len(), finished_count))
    }

    /// The redemption that an earlier attempt of the request began. Whoever joins keeps the job away from it.
    async fn join(
        &self,
        program_id: ProgramId,
        request: &Request,
    ) -> Result<Option<Redemption>, RewardsError> {
        let lease_time = self.process.lease_time();
        let options = TransactOptions::default().repeatable();
        let scope = Scope::Program(program_id);
        transact(&self.service, "join_redemption", scope, options, |tx| {
            in_tx(async move {
                let earlier = match requests::find_in_tx(&mut *tx, request).await? {
                    None => return Ok(None),
                    Some(Claim::Reused) => return Err(Refusal::RequestIdReused(request.request_id).into()),
                    Some(Claim::New) => return Err(StorageError::corrupt("request", "found and new").into()),
                    Some(Claim::Replay { resource_id }) => redemption_id(resource_id)?,
                };
                storage::extend_lease_in_tx(&mut *tx, program_id, earlier, lease_time).await?;
                process::get_in_tx(tx, program_id, earlier).await.map(Some)
            })
        })
        .await
    }

    /// Writes a new redemption down and counts it for its member, if the reward is offered to them. A refusal here is not
    /// remembered: nothing has begun.
    async fn begin(
        &self,
        program_id: ProgramId,
        request: &Request,
        wanted: &Wanted,
    ) -> Result<Made<Redemption>, RewardsError> {
        let candidate = &self.members.get(program_id, wanted.member_id).await?;
        self.process.pass(FaultPoint::Before(Act::Begin))?;
        let (now, lease_time) = (self.clock.now(), self.process.lease_time());
        let new_id = RedemptionId::generate_at(now);
        let options = TransactOptions::default().repeatable();
        let scope = Scope::Program(program_id);
        let begun = transact(&self.service, "begin_redemption", scope, options, |tx| {
            in_tx(async move {
                if let Some(earlier) = claim_in_tx(&mut *tx, request, new_id.as_uuid(), now).await? {
                    let earlier = redemption_id(earlier)?;
                    return Ok(Made::before(process::get_in_tx(tx, program_id, earlier).await?));
                }
                let reward = catalogue::get_in_tx(&mut *tx, program_id, wanted.reward_id).await?;
                decide_begin(&reward, candidate, wanted, now)?;
                let redemption = Redemption::begin(new_id, wanted.member_id, &reward, now);
                let count_max = reward.terms.per_member_count_max;
                if !storage::count_in_tx(&mut *tx, program_id, &redemption, count_max).await? {
                    return Err(limit_reached(&reward).into());
                }
                storage::insert_in_tx(tx, program_id, &redemption, lease_time).await?;
                Ok::<_, RewardsError>(Made::now(redemption))
            })
        })
        .await?;
        self.process.pass(FaultPoint::After(Act::Begin))?;
        Ok(begun)
    }

    /// A redemption that has ended, with what was issued; one that was undone is a refusal.
    async fn redeemed(
        &self,
        program_id: ProgramId,
        ended: Redemption,
    ) -> Result<(Redemption, Voucher), RewardsError> {
        let voucher_id = match (ended.status(), ended.voucher_id, &ended.failure) {
            (RedemptionStatus::Redeemed, Some(voucher_id), _) => voucher_id,
            (_, _, Some(failure)) => {
                return Err(Refusal::Undone {
                    redemption_id: ended.redemption_id,
                    failure: failure.clone(),
                }
                .into());
            }
            _ => return Err(StorageError::corrupt("redemption", "ended without voucher and failure").into()),
        };
        let options = TransactOptions::read_only();
        let scope = Scope::Program(program_id);
        let voucher = transact(&self.service, "get_voucher", scope, options, |tx| {
            in_tx(vouchers::get_in_tx(tx, program_id, voucher_id))
        })
        .await?;
        Ok((ended, voucher))
    }
}

fn redemption_id(made: Uuid) -> Result<RedemptionId, StorageError> {
    RedemptionId::try_from(made).map_err(|error| StorageError::corrupt("request.resource_id", error))
}

/// What must hold before a redemption begins. Stock and points are looked at again when they are set aside.
fn decide_begin(
    reward: &Reward,
    candidate: &Candidate,
    wanted: &Wanted,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    reward.offer_to(candidate, now)?;
    reward.check_price(wanted.expected_price.as_ref())
}

fn check_limit(reward: &Reward, count: i64) -> Result<(), Refusal> {
    let count_max = i64::from(reward.terms.per_member_count_max);
    if count_max == 0 || count < count_max {
        Ok(())
    } else {
        Err(limit_reached(reward))
    }
}

const fn limit_reached(reward: &Reward) -> Refusal {
    Refusal::LimitReached {
        reward_id: reward.reward_id,
        count_max: reward.terms.per_member_count_max,
    }
}
