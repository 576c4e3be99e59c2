//! What owners may spend of a household's account.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use fealty_postgres::transact::Isolation;
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{OwnerId, Points, ProgramId, UnitCode};
use sqlx::PgConnection;

use super::Owners;
use super::domain::OwnerKind;
use crate::posting::find_states_in_tx;
use crate::refusal::{LedgerError, Refusal, Resource, Unsuitable};
use crate::spending;
use crate::spending::domain::{Key, Spender, SpendingLimit, SpendingLimits, held};

/// A limit, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedLimit {
    /// What is counted.
    pub unit_code: UnitCode,
    /// How much may be spent.
    pub limit: SpendingLimit,
    /// Spent today.
    pub day_value: Points,
    /// Spent this month.
    pub month_value: Points,
    /// Set aside.
    pub held_value: Points,
}

impl Owners {
    /// Says what an owner may spend of another's account, unless something newer was said before. Answers what holds now.
    pub async fn set_limits(
        &self,
        program: ProgramId,
        owner_id: OwnerId,
        (limits, revision): (&SpendingLimits, i64),
    ) -> Result<SpendingLimits, LedgerError> {
        let scope = Scope::Program(program);
        // Said twice it is said once.
        let options = TransactOptions::default().repeatable();
        transact(&self.pool, "set_spending_limits", scope, options, |tx| {
            in_tx(async move {
                spending::set_limits_in_tx(&mut *tx, program, owner_id, (limits, revision)).await?;
                let owner = spending::find_account_in_tx(tx, program, owner_id).await?;
                let owner = owner.ok_or_else(|| Refusal::not_found(Resource::Owner, owner_id))?;
                if owner.kind != OwnerKind::Member.as_str() {
                    let why = Unsuitable::OtherKind;
                    return Err(Refusal::OwnerUnsuitable { owner_id, why }.into());
                }
                Ok::<_, LedgerError>(owner.limits)
            })
        })
        .await
    }

    /// An owner's limits, and how much of them is used.
    pub async fn spending(
        &self,
        program: ProgramId,
        owner_id: OwnerId,
    ) -> Result<Vec<UsedLimit>, LedgerError> {
        let now = self.clock.now();
        let scope = Scope::Program(program);
        let options = TransactOptions::read_only().isolation(Isolation::RepeatableRead);
        transact(&self.pool, "get_spending", scope, options, |tx| {
            in_tx(find_spending_in_tx(tx, program, owner_id, now))
        })
        .await
    }
}

async fn find_spending_in_tx(
    tx: &mut PgConnection,
    program: ProgramId,
    owner_id: OwnerId,
    now: DateTime<Utc>,
) -> Result<Vec<UsedLimit>, LedgerError> {
    let owner = spending::find_account_in_tx(&mut *tx, program, owner_id).await?;
    let owner = owner.ok_or_else(|| Refusal::not_found(Resource::Owner, owner_id))?;
    let account_owner_id = owner.account_owner_id.unwrap_or(owner_id);
    let spent = spending::load_in_tx(&mut *tx, program, &BTreeSet::from([account_owner_id])).await?;
    let (states, _) = find_states_in_tx(tx, program, &[account_owner_id]).await?;
    let account = states.get(&account_owner_id);
    let account = account.ok_or_else(|| StorageError::corrupt("owner", "an account has no owner"))?;
    let account = account.as_of(now.max(account.last_time));
    let spender = Spender {
        account_owner_id,
        named_owner_id: owner_id,
        owner_id,
        limits: None,
    };
    let used = owner.limits.into_iter().map(|(unit_code, limit)| {
        let key = Key {
            account_owner_id,
            owner_id,
            unit_code,
        };
        let today = spent.now(&key, now);
        UsedLimit {
            held_value: held(&account, &key.unit_code, spender),
            unit_code: key.unit_code,
            limit,
            day_value: today.day_value,
            month_value: today.month_value,
        }
    });
    Ok(used.collect())
}
