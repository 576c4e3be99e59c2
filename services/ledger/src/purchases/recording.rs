//! How a purchase takes part in a posting.

use chrono_tz::Tz;
use fealty_postgres::StorageError;
use fealty_types::{CurrencyCode, Money, Points, ProgramId, PurchaseId, UnitCode};
use sqlx::PgConnection;

use super::domain::{Earning, Purchase, Reward, Terms};
use super::{grpc, storage, terms_in_tx};
use crate::posting::domain::{Command, EntryAccount};
use crate::posting::{Moment, Plan, Posted, Room};
use crate::refusal::Refusal;

/// The room of purchases.
#[derive(Debug)]
pub struct Recording;

/// A purchase to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPurchase {
    /// What was paid. Never below zero.
    pub money: Money,
    /// The program's currency.
    pub program_currency: CurrencyCode,
    /// The program's time zone: the ends of lots are its midnights.
    pub zone: Tz,
}

impl Room for Recording {
    type Work = NewPurchase;
    type Loaded = Terms;
    type Draft = Vec<Reward>;
    type Row = Purchase;

    async fn load_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        _works: &[&NewPurchase],
    ) -> Result<Terms, StorageError> {
        terms_in_tx(tx, program).await
    }

    fn plan(terms: &Terms, work: &NewPurchase, moment: &Moment) -> Result<Plan<Vec<Reward>>, Refusal> {
        require_currency(work.money, work.program_currency)?;
        let rewards = terms.rewards(work.money, moment.occur_time)?;
        let earned = terms.earned(&rewards, moment.occur_time, work.zone)?;
        Ok(Plan {
            command: Some(Command::Purchase(earned)),
            slides: terms.slides(moment.occur_time, work.zone),
            purchase_id: Some(purchase_id(moment)),
            draft: rewards,
        })
    }

    fn settle(_terms: &mut Terms, work: &NewPurchase, rewards: Vec<Reward>, posted: &Posted) -> Purchase {
        let transaction = &posted.transaction;
        let lot_ids = rewards
            .iter()
            .flat_map(|reward| posted.credited_lots(&reward.unit_code))
            .collect();
        let earnings = rewards
            .into_iter()
            .map(|reward| Earning {
                debt_repaid: debt_repaid(posted, &reward.unit_code),
                rule_id: reward.rule_id,
                unit_code: reward.unit_code,
                value: reward.value,
                taken_back: Points::ZERO,
            })
            .collect();
        Purchase {
            purchase_id: transaction.purchase_id.expect("the plan named it"),
            owner_id: transaction.named_owner_id(),
            version: transaction.version,
            source: transaction.source.clone(),
            receipt_id: transaction.receipt_id.clone().expect("a purchase has a receipt"),
            money: work.money,
            occur_time: transaction.occur_time,
            record_time: transaction.record_time,
            earnings,
            lot_ids,
            refunded_minor: 0,
        }
    }

    async fn write_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        rows: Vec<Purchase>,
    ) -> Result<(), StorageError> {
        let purchases: Vec<&Purchase> = rows.iter().collect();
        storage::insert_purchases_in_tx(tx, program, &purchases).await
    }

    fn present(_work: &NewPurchase, posted: &Posted, row: &Purchase) -> Vec<u8> {
        grpc::encode_recorded(row, posted)
    }
}

/// Refuses money in another currency.
pub(super) fn require_currency(money: Money, required: CurrencyCode) -> Result<(), Refusal> {
    if money.currency == required {
        Ok(())
    } else {
        Err(Refusal::CurrencyMismatch {
            actual: money.currency,
            required,
        })
    }
}

/// A purchase bears the id of the transaction that records it: whoever has one has the other.
fn purchase_id(moment: &Moment) -> PurchaseId {
    PurchaseId::try_from(moment.transaction_id.as_uuid()).expect("a transaction's id is never nil")
}

/// What of a unit's earning paid off debt.
fn debt_repaid(posted: &Posted, unit_code: &UnitCode) -> Points {
    posted
        .transaction
        .entries
        .iter()
        .find(|entry| entry.account == EntryAccount::OwnerDebt && entry.unit_code == *unit_code)
        .map_or(Points::ZERO, |entry| entry.value)
}
