//! Purchases and refunds as columns.

use std::fmt::Display;

use chrono::{DateTime, Utc};
use fealty_postgres::StorageError;
use fealty_types::{CurrencyCode, LotId, Money, OwnerId, Points, PurchaseId, RuleId, Version};
use uuid::Uuid;

use crate::purchases::domain::{Earning, Purchase, Refund};

/// An array as Postgres writes one. A statement that writes many rows is given each column as an array; where the
/// column is an array itself, its values travel as text, because arrays of arrays must all be of one length. Only for
/// values without quotes, commas and braces: numbers, ids, unit codes.
pub(super) fn array_text<T: Display>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    format!("{{{}}}", values.join(","))
}

/// The earnings of a purchase, column by column.
pub(super) struct EarningColumns {
    pub(super) rule_ids: String,
    pub(super) unit_codes: String,
    pub(super) earned: String,
    pub(super) debt_repaid: String,
    pub(super) taken_back: String,
}

impl EarningColumns {
    pub(super) fn of(purchase: &Purchase) -> Self {
        Self {
            rule_ids: each(&purchase.earnings, |earning| earning.rule_id),
            unit_codes: each(&purchase.earnings, |earning| earning.unit_code.clone()),
            earned: each(&purchase.earnings, |earning| earning.value),
            debt_repaid: each(&purchase.earnings, |earning| earning.debt_repaid),
            taken_back: each(&purchase.earnings, |earning| earning.taken_back),
        }
    }
}

/// What a refund took back, column by column.
pub(super) struct TakenBackColumns {
    pub(super) unit_codes: String,
    pub(super) from_available: String,
    pub(super) as_debt: String,
    pub(super) waived: String,
}

impl TakenBackColumns {
    pub(super) fn of(refund: &Refund) -> Self {
        Self {
            unit_codes: each(&refund.taken_back, |taken| taken.unit_code.clone()),
            from_available: each(&refund.taken_back, |taken| taken.from_available),
            as_debt: each(&refund.taken_back, |taken| taken.as_debt),
            waived: each(&refund.taken_back, |taken| taken.waived),
        }
    }
}

fn each<T, V: Display>(items: &[T], value: impl Fn(&T) -> V) -> String {
    let values: Vec<V> = items.iter().map(value).collect();
    array_text(&values)
}

pub(super) struct PurchaseRow {
    pub(super) purchase_id: PurchaseId,
    pub(super) owner_id: OwnerId,
    pub(super) version: Version,
    pub(super) source: String,
    pub(super) receipt_id: String,
    pub(super) money_minor: i64,
    pub(super) currency_code: CurrencyCode,
    pub(super) occur_time: DateTime<Utc>,
    pub(super) record_time: DateTime<Utc>,
    pub(super) rule_ids: Vec<Uuid>,
    pub(super) unit_codes: Vec<String>,
    pub(super) earned_values: Vec<i64>,
    pub(super) debt_repaid_values: Vec<i64>,
    pub(super) taken_back_values: Vec<i64>,
    pub(super) lot_ids: Vec<Uuid>,
    pub(super) refunded_minor: i64,
}

impl PurchaseRow {
    /// The columns are of one length: the table checks it.
    fn earnings(&self) -> Result<Vec<Earning>, StorageError> {
        let values = self
            .earned_values
            .iter()
            .zip(&self.debt_repaid_values)
            .zip(&self.taken_back_values);
        self.rule_ids
            .iter()
            .zip(&self.unit_codes)
            .zip(values)
            .map(|((rule_id, unit_code), ((value, debt_repaid), taken_back))| {
                Ok(Earning {
                    rule_id: RuleId::try_from(*rule_id)
                        .map_err(|error| StorageError::corrupt("purchase.rule_ids", error))?,
                    unit_code: unit_code
                        .parse()
                        .map_err(|error| StorageError::corrupt("purchase.unit_codes", error))?,
                    value: Points::new(*value),
                    debt_repaid: Points::new(*debt_repaid),
                    taken_back: Points::new(*taken_back),
                })
            })
            .collect()
    }
}

impl TryFrom<PurchaseRow> for Purchase {
    type Error = StorageError;

    fn try_from(row: PurchaseRow) -> Result<Self, StorageError> {
        let earnings = row.earnings()?;
        let lot_ids: Result<Vec<LotId>, _> = row.lot_ids.into_iter().map(LotId::try_from).collect();
        Ok(Self {
            purchase_id: row.purchase_id,
            owner_id: row.owner_id,
            version: row.version,
            source: row.source,
            receipt_id: row.receipt_id,
            money: Money::new(row.currency_code, row.money_minor),
            occur_time: row.occur_time,
            record_time: row.record_time,
            earnings,
            lot_ids: lot_ids.map_err(|error| StorageError::corrupt("purchase.lot_ids", error))?,
            refunded_minor: row.refunded_minor,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_written_as_postgres_reads_it() {
        assert_eq!(array_text::<i64>(&[]), "{}");
        assert_eq!(array_text(&[1, -2]), "{1,-2}");
    }
}
