//! What of the ledger's transactions counts.

use chrono::{DateTime, NaiveDate, Utc};
use fealty_types::{MemberId, Money, ProgramId, UnitCode};
use uuid::Uuid;

use super::Measure;

/// What a transaction did that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Something was bought, and earned at once.
    Purchase {
        /// Which purchase.
        purchase_id: Uuid,
        /// What was paid.
        money: Money,
    },
    /// A purchase was refunded, all or in part.
    Refund {
        /// Which purchase; None where nobody can name it.
        purchase_id: Option<Uuid>,
        /// What was paid back.
        money: Money,
    },
    /// Something was earned otherwise, or what waited became available.
    Earning,
    /// Something that was earned was taken back.
    Reversal {
        /// By which transaction it was earned.
        transaction_id: Uuid,
    },
}

/// A transaction of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// In which program.
    pub program_id: ProgramId,
    /// Who bought or earned.
    pub member_id: MemberId,
    /// Which transaction.
    pub transaction_id: Uuid,
    /// What it did.
    pub what: What,
    /// What came to what was available, or left it.
    pub changes: Vec<(UnitCode, i64)>,
    /// When.
    pub occur_time: DateTime<Utc>,
}

/// A transaction that counts, and what of it was not taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Which.
    pub transaction_id: Uuid,
    /// Of a purchase.
    pub purchase_id: Option<Uuid>,
    /// Under which day it counts.
    pub day: NaiveDate,
    /// Of a purchase: the money that was not refunded; None once all of it was.
    pub left_minor: Option<i64>,
    /// Of a purchase: what it earned and was not taken back.
    pub left_earned: Vec<(String, i64)>,
}

/// A sum to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The measure's key.
    pub measure: String,
    /// How much.
    pub value: i64,
}

impl Counted {
    fn new(measure: &Measure, value: i64) -> Option<Self> {
        (value != 0).then(|| Self {
            measure: measure.key(),
            value,
        })
    }
}

/// What a transaction gives that takes nothing back, and what is remembered of it.
#[must_use]
pub fn counted(posting: &Posting, day: NaiveDate) -> (Source, Vec<Counted>) {
    let earned = posting.changes.iter().filter(|(_, value)| *value > 0);
    let mut source = Source {
        transaction_id: posting.transaction_id,
        purchase_id: None,
        day,
        left_minor: None,
        left_earned: Vec::new(),
    };
    let mut sums: Vec<Counted> = earned
        .clone()
        .filter_map(|(unit, value)| Counted::new(&Measure::Earned(unit.clone()), *value))
        .collect();
    if let What::Purchase { purchase_id, money } = posting.what {
        source.purchase_id = Some(purchase_id);
        source.left_minor = Some(money.minor);
        source.left_earned = earned.map(|(unit, value)| (unit.to_string(), *value)).collect();
        sums.extend(Counted::new(&Measure::Spend(money.currency), money.minor));
        sums.extend(Counted::new(&Measure::Purchases, 1));
    }
    (source, sums)
}

/// What a refund or a reversal takes back of what another transaction gave, and what is left of that. Of what a purchase
/// earned it takes its share of the money, also where the points have been spent meanwhile.
#[must_use]
pub fn take_back(posting: &Posting, from: &Source) -> (Source, Vec<Counted>) {
    let taken = |unit: &str| {
        let change = posting.changes.iter().find(|(code, _)| code.as_str() == unit);
        change.map_or(0, |(_, value)| value.min(&0).saturating_neg())
    };
    let mut left = from.clone();
    let mut sums = Vec::new();
    let (mut numerator, mut denominator) = (0, 1);
    if let What::Refund { money, .. } = posting.what {
        let paid = from.left_minor.unwrap_or(0);
        let back = money.minor.saturating_abs().min(paid);
        sums.extend(Counted::new(
            &Measure::Spend(money.currency),
            back.saturating_neg(),
        ));
        if from.purchase_id.is_some() && from.left_minor.is_some() && back == paid {
            sums.extend(Counted::new(&Measure::Purchases, -1));
        }
        left.left_minor = from.left_minor.filter(|_| back < paid).map(|paid| paid - back);
        (numerator, denominator) = if back == paid { (1, 1) } else { (back, paid) };
    }
    let mut told: Vec<&UnitCode> = posting.changes.iter().map(|(unit, _)| unit).collect();
    for (unit, earned) in &mut left.left_earned {
        let share = i128::from(*earned) * i128::from(numerator) / i128::from(denominator.max(1));
        let back = i64::try_from(share)
            .unwrap_or(*earned)
            .max(taken(unit))
            .min(*earned);
        *earned -= back;
        told.retain(|code| code.as_str() != unit.as_str());
        if let Ok(unit) = unit.parse() {
            sums.extend(Counted::new(&Measure::Earned(unit), back.saturating_neg()));
        }
    }
    let others = told.into_iter();
    sums.extend(others.filter_map(|unit| {
        Counted::new(
            &Measure::Earned(unit.clone()),
            taken(unit.as_str()).saturating_neg(),
        )
    }));
    left.left_earned.retain(|(_, earned)| *earned > 0);
    (left, sums)
}
