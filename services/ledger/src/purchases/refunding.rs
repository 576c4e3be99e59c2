//! How a refund takes part in a posting.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fealty_postgres::StorageError;
use fealty_types::{CurrencyCode, Money, ProgramId, PurchaseId};
use sqlx::PgConnection;

use super::domain::{Purchase, Refund, Terms};
use super::recording::require_currency;
use super::{grpc, storage, terms_in_tx};
use crate::posting::domain::Command;
use crate::posting::{Moment, Plan, Posted, Room};
use crate::refusal::{Refusal, Resource};

/// The room of refunds.
#[derive(Debug)]
pub struct Refunding;

/// A refund to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefund {
    /// Which purchase; none where nobody can name it.
    pub purchase_id: Option<PurchaseId>,
    /// What was paid back. Above zero.
    pub money: Money,
    /// The program's currency.
    pub program_currency: CurrencyCode,
}

/// What refunds are judged by.
#[derive(Debug)]
pub struct Ground {
    terms: Terms,
    /// Those that the refunds name, as they are after the refunds that were decided before.
    purchases: HashMap<PurchaseId, Purchase>,
}

/// A decided refund, and the purchase after it.
#[derive(Debug)]
pub struct Refunded {
    refund: Refund,
    purchase: Option<Purchase>,
}

impl Refunded {
    /// What was recorded.
    pub(super) const fn refund(&self) -> &Refund {
        &self.refund
    }
}

impl Room for Refunding {
    type Work = NewRefund;
    type Loaded = Ground;
    type Draft = Option<Purchase>;
    type Row = Refunded;

    async fn load_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        works: &[&NewRefund],
    ) -> Result<Ground, StorageError> {
        let named: BTreeSet<PurchaseId> = works.iter().filter_map(|work| work.purchase_id).collect();
        let named: Vec<PurchaseId> = named.into_iter().collect();
        let terms = terms_in_tx(&mut *tx, program).await?;
        // Their owners are locked, so what is read of them stays.
        let purchases = storage::find_many_in_tx(tx, program, &named).await?;
        let purchases = purchases
            .into_iter()
            .map(|purchase| (purchase.purchase_id, purchase))
            .collect();
        Ok(Ground { terms, purchases })
    }

    fn plan(ground: &Ground, work: &NewRefund, moment: &Moment) -> Result<Plan<Option<Purchase>>, Refusal> {
        match work.purchase_id {
            Some(purchase_id) => plan_named(ground, work, moment, purchase_id),
            None => plan_unnamed(ground, work, moment),
        }
    }

    fn settle(
        ground: &mut Ground,
        work: &NewRefund,
        purchase: Option<Purchase>,
        posted: &Posted,
    ) -> Refunded {
        if let Some(purchase) = &purchase {
            ground.purchases.insert(purchase.purchase_id, purchase.clone());
        }
        let transaction = &posted.transaction;
        let refund = Refund {
            refund_id: transaction.transaction_id,
            purchase_id: work.purchase_id,
            owner_id: transaction.named_owner_id(),
            source: transaction.source.clone(),
            money: work.money,
            occur_time: transaction.occur_time,
            taken_back: posted.taken_back.clone(),
        };
        Refunded { refund, purchase }
    }

    async fn write_in_tx(
        tx: &mut PgConnection,
        program: ProgramId,
        rows: Vec<Refunded>,
    ) -> Result<(), StorageError> {
        // Of a purchase that was refunded several times in the batch, the last form holds.
        let purchases: BTreeMap<PurchaseId, &Purchase> = rows
            .iter()
            .filter_map(|row| row.purchase.as_ref())
            .map(|purchase| (purchase.purchase_id, purchase))
            .collect();
        let purchases: Vec<&Purchase> = purchases.into_values().collect();
        if !purchases.is_empty() {
            storage::update_refunded_in_tx(&mut *tx, program, &purchases).await?;
        }
        let refunds: Vec<&Refund> = rows.iter().map(|row| &row.refund).collect();
        storage::insert_refunds_in_tx(tx, program, &refunds).await
    }

    fn present(_work: &NewRefund, posted: &Posted, row: &Refunded) -> Vec<u8> {
        grpc::encode_refunded(row.refund(), posted)
    }
}

/// Takes back the refunded share of what the purchase earned, from the lots that it was credited to first.
fn plan_named(
    ground: &Ground,
    work: &NewRefund,
    moment: &Moment,
    purchase_id: PurchaseId,
) -> Result<Plan<Option<Purchase>>, Refusal> {
    let purchase = ground
        .purchases
        .get(&purchase_id)
        .filter(|purchase| purchase.owner_id == moment.owner_id)
        .ok_or_else(|| Refusal::not_found(Resource::Purchase, purchase_id))?;
    let (after, shares) = purchase.refund(work.money)?;
    let mut take_back = Vec::with_capacity(shares.len());
    for (earning, share) in purchase.earnings.iter().zip(shares) {
        take_back.extend(
            ground
                .terms
                .take_back(&earning.unit_code, share, &purchase.lot_ids)?,
        );
    }
    Ok(Plan {
        command: Some(Command::Refund(take_back)),
        slides: Vec::new(),
        purchase_id: Some(purchase_id),
        draft: Some(after),
    })
}

/// Takes back what a purchase of that sum would have earned at the refund's time.
fn plan_unnamed(
    ground: &Ground,
    work: &NewRefund,
    moment: &Moment,
) -> Result<Plan<Option<Purchase>>, Refusal> {
    require_currency(work.money, work.program_currency)?;
    let mut take_back = Vec::new();
    for reward in ground.terms.rewards(work.money, moment.occur_time)? {
        take_back.extend(ground.terms.take_back(&reward.unit_code, reward.value, &[])?);
    }
    Ok(Plan {
        command: Some(Command::Refund(take_back)),
        slides: Vec::new(),
        purchase_id: None,
        draft: None,
    })
}
