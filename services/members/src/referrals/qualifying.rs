//! What makes a referral count: the new member's purchase, and somebody's review where it was held.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::events::append_in_tx;
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::{MemberId, ProgramId, PurchaseId};
use sqlx::PgConnection;

use super::domain::{Check, Newcomer, Referral, Settings, Source, State, Verdict};
use super::{Referrals, Told, events, get_in_tx, not_found, storage};
use crate::refusal::{MembersError, Refusal};

/// A purchase that the ledger recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstPurchase {
    pub(crate) program_id: ProgramId,
    /// Who bought.
    pub(crate) member_id: MemberId,
    pub(crate) purchase_id: PurchaseId,
    /// When it happened.
    pub(crate) occur_time: DateTime<Utc>,
    /// When the ledger learned of it.
    pub(crate) record_time: DateTime<Utc>,
}

/// Lets the referral of who bought qualify, unless it has, or is held. The transaction is the one that moves this service's
/// place in the feed.
pub(crate) async fn qualify_by_purchase_in_tx(
    tx: &mut PgConnection,
    bought: &FirstPurchase,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let program_id = bought.program_id;
    let Some(mut referral) = storage::lock_in_tx(&mut *tx, program_id, bought.member_id).await? else {
        return Ok(());
    };
    let settings = storage::find_settings_in_tx(&mut *tx, program_id).await?;
    if referral.purchase_id.is_some() || !counts(&referral, &settings, bought) {
        return Ok(());
    }
    match referral.state {
        State::Pending => {}
        State::Held => {
            // Whoever decides about it finds that it would count.
            referral.purchase_id = Some(bought.purchase_id);
            return storage::update_in_tx(tx, program_id, &referral).await;
        }
        State::Rejected | State::Qualified => return Ok(()),
    }
    referral.purchase_id = Some(bought.purchase_id);
    let newcomer = Newcomer {
        member_id: bought.member_id,
        device: None,
    };
    let referrer = referral.referrer_member_id;
    let checks = storage::checks_in_tx(&mut *tx, program_id, &newcomer, referrer).await?;
    // A household may have been joined since.
    if checks.contains(&Check::SameHousehold) && !referral.checks.contains(&Check::SameHousehold) {
        referral.checks.push(Check::SameHousehold);
        match settings.judge(&[Check::SameHousehold]) {
            Verdict::Stands => {}
            Verdict::Held => return set_in_tx(tx, program_id, referral, (State::Held, now)).await,
            Verdict::Refused => return set_in_tx(tx, program_id, referral, (State::Rejected, now)).await,
        }
    }
    qualify_in_tx(tx, program_id, referral, &settings, now).await
}

/// Whether a purchase can be what a referral qualifies by.
fn counts(referral: &Referral, settings: &Settings, bought: &FirstPurchase) -> bool {
    // Somebody who was enrolled without a word of it may have bought before; that is no effect of the referral. The clocks
    // of both services need not agree, so it is only asked where it can be so.
    let is_after = referral.source != Source::ByHand || bought.record_time >= referral.record_time;
    let days = i64::from(settings.qualify_within_days);
    let is_near = days == 0 || bought.occur_time <= referral.record_time + TimeDelta::days(days);
    is_after && is_near
}

async fn qualify_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    mut referral: Referral,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    referral.qualify_time = Some(now);
    let rewards = referral.rewards(settings);
    storage::insert_rewards_in_tx(&mut *tx, program_id, &rewards, now).await?;
    set_in_tx(tx, program_id, referral, (State::Qualified, now)).await
}

async fn set_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    mut referral: Referral,
    (state, now): (State, DateTime<Utc>),
) -> Result<(), StorageError> {
    referral.state = state;
    storage::update_in_tx(&mut *tx, program_id, &referral).await?;
    append_in_tx(tx, program_id, &[events::became(&referral, now)]).await
}

impl Referrals {
    /// Decides about a referral that is held.
    pub(super) async fn review(
        &self,
        program_id: ProgramId,
        member_id: MemberId,
        accept: bool,
    ) -> Result<Told, MembersError> {
        let now = self.clock.now();
        let scope = Scope::Program(program_id);
        let options = TransactOptions::default().repeatable();
        let told = transact(&self.service, "review_referral", scope, options, |tx| {
            in_tx(async move {
                let found = storage::lock_in_tx(&mut *tx, program_id, member_id).await?;
                let referral = found.ok_or_else(|| not_found(member_id))?;
                review_in_tx(&mut *tx, program_id, referral, (accept, now)).await?;
                get_in_tx(tx, program_id, member_id).await
            })
        })
        .await?;
        self.waker.wake();
        Ok(told)
    }
}

async fn review_in_tx(
    tx: &mut PgConnection,
    program_id: ProgramId,
    referral: Referral,
    (accept, now): (bool, DateTime<Utc>),
) -> Result<(), MembersError> {
    match (referral.state, accept) {
        (State::Rejected, false) | (State::Pending | State::Qualified, true) => Ok(()),
        (State::Held, true) if referral.purchase_id.is_some() => {
            let settings = storage::find_settings_in_tx(&mut *tx, program_id).await?;
            Ok(qualify_in_tx(tx, program_id, referral, &settings, now).await?)
        }
        (State::Held, true) => Ok(set_in_tx(tx, program_id, referral, (State::Pending, now)).await?),
        (State::Held, false) => Ok(set_in_tx(tx, program_id, referral, (State::Rejected, now)).await?),
        // It is decided, and the other way.
        (State::Pending | State::Qualified, false) | (State::Rejected, true) => {
            Err(Refusal::ReferralRefused {
                referrer_member_id: referral.referrer_member_id,
                checks: referral.checks,
            }
            .into())
        }
    }
}
