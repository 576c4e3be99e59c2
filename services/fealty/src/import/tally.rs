//! What has been read and what became of it. Pure; what a resumed import goes on from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rows::Rejection;

/// Counts and sums over the rows of a file, in the file's order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All rows.
    pub read: Sum,
    /// Rows that the ledger holds as purchases.
    pub purchases: Sum,
    /// Rows that the ledger holds as refunds; the sum is positive.
    pub refunds: Sum,
    /// Rows of nobody.
    pub anonymous: Sum,
    /// Of those, by what is odd about them.
    pub anonymous_odd: BTreeMap<String, Lines>,
    /// Rows that were not taken.
    pub rejected: Sum,
    /// Of those, by reason.
    pub rejected_by_reason: BTreeMap<String, Lines>,
    /// Rows that the ledger held already.
    pub replayed_count: u64,
    /// Customers who were enrolled on the way. Those of rows that a killed run had not noted yet are found enrolled, and
    /// not counted.
    pub enrolled_count: u64,
    /// Per unit: what the rules give for the file's sums.
    pub expected: BTreeMap<String, Points>,
}

/// A count of rows and the sum of their money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Rows.
    pub count: u64,
    /// Minor units.
    pub minor: i64,
}

/// Points that purchases earn and refunds take back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Points {
    /// By purchases.
    pub earned: i64,
    /// By refunds, however.
    pub taken_back: i64,
}

/// A count of rows, and the first of their lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// Rows.
    pub count: u64,
    /// The first few; all of them stand in the file of rejected rows.
    pub first: Vec<u64>,
}

/// Lines shown per reason.
const LINE_COUNT_SHOWN: usize = 20;

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The ledger holds it as a purchase.
    Purchase(Posted),
    /// The ledger holds it as a refund.
    Refund(Posted),
    /// Nobody's.
    Anonymous {
        /// As it stands.
        amount_minor: i64,
        /// What is odd about it.
        odd: Option<Rejection>,
    },
    /// Not taken.
    Rejected {
        /// As it stands.
        amount_minor: i64,
        /// Why.
        reason: Rejection,
    },
}

/// A row that the ledger holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Zero or more.
    pub amount_minor: i64,
    /// Units and points that the rules give for the sum.
    pub expected: Vec<(String, i64)>,
    /// The ledger held it already.
    pub replayed: bool,
    /// The customer was enrolled for it.
    pub enrolled: bool,
}

/// A sum of money or points over the file leaves 64 bits.
#[derive(Debug, thiserror::Error)]
#[error("the sums of the file leave 64 bits")]
pub struct SumOverflow;

impl Tally {
    /// Counts what became of a row.
    pub fn count(&mut self, line: u64, outcome: &Outcome) -> Result<(), SumOverflow> {
        match outcome {
            Outcome::Purchase(posted) => {
                self.read.add(posted.amount_minor)?;
                self.purchases.add(posted.amount_minor)?;
                self.count_posted(posted, |points| &mut points.earned)
            }
            Outcome::Refund(posted) => {
                self.read.add(-posted.amount_minor)?;
                self.refunds.add(posted.amount_minor)?;
                self.count_posted(posted, |points| &mut points.taken_back)
            }
            Outcome::Anonymous { amount_minor, odd } => {
                self.read.add(*amount_minor)?;
                self.anonymous.add(*amount_minor)?;
                if let Some(odd) = odd {
                    self.anonymous_odd.entry(odd.to_string()).or_default().add(line);
                }
                Ok(())
            }
            Outcome::Rejected { amount_minor, reason } => {
                self.read.add(*amount_minor)?;
                self.rejected.add(*amount_minor)?;
                self.rejected_by_reason
                    .entry(reason.to_string())
                    .or_default()
                    .add(line);
                Ok(())
            }
        }
    }

    fn count_posted(
        &mut self,
        posted: &Posted,
        side: fn(&mut Points) -> &mut i64,
    ) -> Result<(), SumOverflow> {
        self.replayed_count += u64::from(posted.replayed);
        self.enrolled_count += u64::from(posted.enrolled);
        for (unit_code, value) in &posted.expected {
            let sum = side(self.expected.entry(unit_code.clone()).or_default());
            *sum = sum.checked_add(*value).ok_or(SumOverflow)?;
        }
        Ok(())
    }
}

impl Sum {
    fn add(&mut self, minor: i64) -> Result<(), SumOverflow> {
        self.count += 1;
        self.minor = self.minor.checked_add(minor).ok_or(SumOverflow)?;
        Ok(())
    }
}

impl Lines {
    fn add(&mut self, line: u64) {
        self.count += 1;
        if self.first.len() < LINE_COUNT_SHOWN {
            self.first.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_counted_once_and_the_parts_sum_to_the_whole() {
        let mut tally = Tally::default();
        let posted = |amount_minor, points| Posted {
            amount_minor,
            expected: vec![("points".into(), points)],
            replayed: false,
            enrolled: true,
        };
        let outcomes = [
            Outcome::Purchase(posted(500, 5)),
            Outcome::Refund(posted(200, 2)),
            Outcome::Anonymous {
                amount_minor: -7,
                odd: Some(Rejection::NegativePurchase),
            },
            Outcome::Rejected {
                amount_minor: -3,
                reason: Rejection::NegativePurchase,
            },
        ];
        for (line, outcome) in (2..).zip(&outcomes) {
            tally.count(line, outcome).expect("small");
        }
        assert_eq!(tally.read, Sum { count: 4, minor: 290 });
        let parts =
            tally.purchases.minor - tally.refunds.minor + tally.anonymous.minor + tally.rejected.minor;
        assert_eq!(parts, tally.read.minor);
        assert_eq!(
            tally.expected["points"],
            Points {
                earned: 5,
                taken_back: 2
            }
        );
        assert_eq!(
            tally.rejected_by_reason["a negative sum that is no cancellation"].first,
            [5]
        );
        assert_eq!(tally.enrolled_count, 2);
    }
}
