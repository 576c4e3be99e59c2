//! A lot's life, told by the transactions that moved it. Pure.

use chrono::{DateTime, Utc};
use fealty_types::{LotId, OwnerId, Points, TransactionId, Version};
use serde::{Deserialize, Serialize};

use crate::posting::domain::{LotMovement, TransactionKind};

/// Which part of which lot's life is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotLifeOf {
    /// Who has the lot, or uses the account that has it.
    pub owner_id: OwnerId,
    /// Which lot.
    pub lot_id: LotId,
    /// Only what comes after it.
    pub after: Option<LotLifePosition>,
    /// At most so many.
    pub count_max: i64,
}

/// How far a lot's life was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotLifePosition {
    /// Whose lot it is: a list that was begun goes on with it, whichever account its reader's owner uses by then.
    pub owner_id: OwnerId,
    /// Up to this version.
    pub version: Version,
    /// What was left in the lot then.
    pub value_left: Points,
}

/// A part of a lot's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotLife {
    /// Oldest first; one more than the page has if there are as many.
    pub records: Vec<LotRecord>,
    /// Where the page stopped looking; `None` where it came to the owner's newest transaction.
    pub looked_to: Option<LotLifePosition>,
}

/// What a transaction did to a lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotRecord {
    /// Whose lot it is.
    pub owner_id: OwnerId,
    /// Which transaction.
    pub transaction_id: TransactionId,
    /// The owner's version that it made.
    pub version: Version,
    /// What kind of thing happened.
    pub kind: TransactionKind,
    /// What came to the lot (positive) or left it (negative).
    pub value: Points,
    /// What was left in it.
    pub value_left: Points,
    /// When it ended, after it.
    pub expire_time: Option<DateTime<Utc>>,
    /// When it happened.
    pub occur_time: DateTime<Utc>,
    /// When the ledger learned of it.
    pub record_time: DateTime<Utc>,
}

/// What came of a lot in a transaction that found `left` in it: a lot that was merged into another in the transaction that
/// opened it comes in several movements, which are told as one. `None` if it was not moved, or if that does not fit.
#[must_use]
pub fn follow(
    lot_id: LotId,
    left: Points,
    movements: &[LotMovement],
) -> Option<(Points, Points, Option<DateTime<Utc>>)> {
    let own = || movements.iter().filter(|moved| moved.lot_id == lot_id);
    let last = own().next_back()?;
    let value: i128 = own().map(|moved| i128::from(moved.value.get())).sum();
    let after = i64::try_from(i128::from(left.get()) + value).ok()?;
    let value = i64::try_from(value).ok()?;
    Some((Points::new(value), Points::new(after), last.expire_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_movements_of_a_lot_in_one_transaction_are_told_as_one() {
        let lot = |number| LotId::try_from(uuid::Uuid::from_u128(number)).unwrap();
        let moved = |number, value| LotMovement {
            lot_id: lot(number),
            unit_code: "points".parse().unwrap(),
            value: Points::new(value),
            expire_time: None,
            slides: false,
            budget_code: None,
            begin: None,
        };
        let movements = [moved(1, 10), moved(2, 5), moved(1, -4)];
        let points = Points::new;
        assert_eq!(
            follow(lot(1), points(3), &movements),
            Some((points(6), points(9), None))
        );
        assert_eq!(follow(lot(3), points(3), &movements), None);
    }
}
