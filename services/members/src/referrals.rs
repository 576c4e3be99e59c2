//! Referrals: who brought whom, by which code or card, what speaks against it, and what both get once the new member has
//! bought.
//!
//! A referral is recorded in the transaction that stores the new member, or by hand. It qualifies by the ledger's feed, in
//! the transaction that moves this service's place in it; what is to be credited is a row of that transaction, and a job
//! credits it by an id that follows from the referral. So each step takes effect once, whatever is told or tried twice.

mod brought;
mod codes;
pub mod domain;
mod events;
pub mod grpc;
mod qualifying;
mod rewarding;
mod storage;

use fealty_postgres::{Scope, TransactOptions, in_tx, transact};
use fealty_service::events::FeedWaker;
use fealty_types::{MemberId, ProgramId, SharedClock};
use fealty_vault::Vault;
use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::refusal::{MembersError, Refusal, Resource};
use domain::{Growth, Referral, Reward, Settings};

pub(crate) use brought::{record_at_enrolment_in_tx, tell_enrolled_in_tx};
pub(crate) use qualifying::{FirstPurchase, qualify_by_purchase_in_tx};
pub use rewarding::Rewarding;
pub(crate) use storage::take_over_in_tx;
use storage::{Node, Wanted};

/// Members of one tree that are shown.
const NODES_MAX: i64 = 1_000;

/// What can be done with referrals.
#[derive(Debug, Clone)]
pub struct Referrals {
    service: PgPool,
    vault: Vault,
    clock: SharedClock,
    waker: FeedWaker,
}

/// A referral, with what both sides get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Who brought whom.
    pub referral: Referral,
    /// What both get.
    pub rewards: Vec<Reward>,
}

/// Whom a member brought, and whom those brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    nodes: Vec<Node>,
    /// How many the first member brought.
    referral_count: i64,
    /// There are more than are shown.
    has_more: bool,
}

impl Referrals {
    /// Over the pool of the service's role.
    #[must_use]
    pub const fn new(service: PgPool, vault: Vault, clock: SharedClock, waker: FeedWaker) -> Self {
        Self {
            service,
            vault,
            clock,
            waker,
        }
    }

    /// Who brought a member.
    pub(crate) async fn get(&self, program_id: ProgramId, member_id: MemberId) -> Result<Told, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "get_referral", scope, options, |tx| {
            in_tx(get_in_tx(tx, program_id, member_id))
        })
        .await
    }

    /// Newest first, before one.
    async fn list(
        &self,
        program_id: ProgramId,
        wanted: Wanted,
        before: Option<Uuid>,
        count_max: i64,
    ) -> Result<Vec<Told>, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "list_referrals", scope, options, |tx| {
            in_tx(async move {
                let referrals = storage::list_in_tx(&mut *tx, program_id, wanted, before, count_max).await?;
                Ok(told_in_tx(tx, program_id, referrals).await?)
            })
        })
        .await
    }

    /// Whom a member brought, level by level.
    async fn tree(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        depth_max: i32,
        breadth_max: i64,
    ) -> Result<Tree, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        transact(&self.service, "get_referral_tree", scope, options, |tx| {
            in_tx(tree_in_tx(tx, program_id, member_id, (depth_max, breadth_max)))
        })
        .await
    }

    /// How the program handles referrals.
    pub(crate) async fn settings(&self, program_id: ProgramId) -> Result<Settings, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        let found = transact(&self.service, "get_referral_settings", scope, options, |tx| {
            in_tx(storage::find_settings_in_tx(tx, program_id))
        });
        Ok(found.await?)
    }

    /// Changes how the program handles referrals.
    async fn set_settings(&self, program_id: ProgramId, settings: &Settings) -> Result<(), MembersError> {
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let set = transact(&self.service, "set_referral_settings", scope, options, |tx| {
            in_tx(async move {
                storage::lock_settings_in_tx(&mut *tx, program_id).await?;
                storage::upsert_settings_in_tx(tx, program_id, settings).await
            })
        });
        Ok(set.await?)
    }

    /// What was sent and what qualified in a time.
    async fn growth(
        &self,
        program_id: ProgramId,
        from: chrono::DateTime<chrono::Utc>,
        before: chrono::DateTime<chrono::Utc>,
    ) -> Result<Growth, MembersError> {
        let (scope, options) = (Scope::Program(program_id), TransactOptions::read_only());
        let growth = transact(&self.service, "get_referral_factor", scope, options, |tx| {
            in_tx(storage::growth_in_tx(tx, program_id, from, before))
        });
        Ok(growth.await?)
    }
}

async fn get_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
) -> Result<Told, MembersError> {
    let referral = storage::find_in_tx(&mut *tx, program_id, member_id).await?;
    let referral = referral.ok_or_else(|| not_found(member_id))?;
    let rewards = storage::list_rewards_in_tx(tx, program_id, &[referral.referral_id]).await?;
    Ok(Told { referral, rewards })
}

async fn told_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    referrals: Vec<Referral>,
) -> Result<Vec<Told>, fealty_postgres::StorageError> {
    let ids: Vec<Uuid> = referrals.iter().map(|referral| referral.referral_id).collect();
    let rewards = storage::list_rewards_in_tx(tx, program_id, &ids).await?;
    let told = referrals.into_iter().map(|referral| {
        let of_it = |reward: &&Reward| reward.referral_id == referral.referral_id;
        let rewards = rewards.iter().filter(of_it).cloned().collect();
        Told { referral, rewards }
    });
    Ok(told.collect())
}

async fn tree_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    member_id: MemberId,
    (depth_max, breadth_max): (i32, i64),
) -> Result<Tree, MembersError> {
    if !crate::people::is_enrolled_in_tx(&mut *tx, program_id, member_id).await? {
        return Err(Refusal::not_found(Resource::Member, member_id).into());
    }
    let referral_count = storage::count_brought_in_tx(&mut *tx, program_id, member_id).await?;
    let (mut nodes, mut level, mut has_more) =
        (Vec::<Node>::new(), vec![member_id], referral_count > breadth_max);
    for depth in 1..=depth_max {
        let room = NODES_MAX - i64::try_from(nodes.len()).unwrap_or(NODES_MAX);
        let mut found =
            storage::list_level_in_tx(&mut *tx, program_id, (&level, depth), breadth_max, room + 1).await?;
        if found.len() > usize::try_from(room).unwrap_or(0) {
            found.pop();
            has_more = true;
        }
        let is_last = depth == depth_max || found.is_empty();
        has_more |= found
            .iter()
            .any(|node| node.referral_count > if is_last { 0 } else { breadth_max });
        level = found.iter().map(|node| node.member_id).collect();
        nodes.extend(found);
        if is_last || has_more && i64::try_from(nodes.len()).unwrap_or(NODES_MAX) >= NODES_MAX {
            break;
        }
    }
    Ok(Tree {
        nodes,
        referral_count,
        has_more,
    })
}

fn not_found(member_id: MemberId) -> Refusal {
    Refusal::not_found(Resource::Referral, member_id)
}
