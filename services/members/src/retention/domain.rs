//! How long data is kept. Pure.

use chrono::{DateTime, Months, NaiveDate, Utc};
use fealty_types::MemberId;
use uuid::Uuid;

/// How long data is kept after the end of a contract: the five years of the contracts' secrecy clause.
pub const RETENTION_MONTHS: Months = Months::new(5 * 12);

/// The first day on which data may be erased: five years after the last day of the contract. Where that year has no such
/// day, the day after.
#[must_use]
pub fn purgeable_from(end_date: NaiveDate) -> Option<NaiveDate> {
    let same_day = end_date.checked_add_months(RETENTION_MONTHS)?;
    // The 29th of February became the 28th: nothing goes a day early.
    if same_day.format("%d").to_string() == end_date.format("%d").to_string() {
        Some(same_day)
    } else {
        same_day.succ_opt()
    }
}

/// Why data is not to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalHold {
    /// Its id.
    pub legal_hold_id: Uuid,
    /// Whose data.
    pub member_id: MemberId,
    /// The case.
    pub case_reference: String,
    /// Who placed it.
    pub placed_by: String,
    /// When.
    pub place_time: DateTime<Utc>,
    /// None while it holds.
    pub lift_time: Option<DateTime<Utc>>,
}

/// How long a member's data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Whose.
    pub member_id: MemberId,
    /// The last day of the contract and the first on which the data may be erased; None while the contract goes on.
    pub ended: Option<(NaiveDate, NaiveDate)>,
    /// What holds it.
    pub legal_holds: Vec<LegalHold>,
}

impl Retention {
    /// Whether the data may be erased on a day for the end of its time.
    #[must_use]
    pub fn is_purgeable(&self, today: NaiveDate) -> bool {
        self.legal_holds.is_empty() && self.ended.is_some_and(|(_, from)| from <= today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn b20_data_is_kept_for_five_years_after_the_last_day() {
        for (end, from) in [
            ("2020-03-01", "2025-03-01"),
            ("2020-02-28", "2025-02-28"),
            ("2020-02-29", "2025-03-01"),
            ("2019-12-31", "2024-12-31"),
        ] {
            assert_eq!(purgeable_from(day(end)), Some(day(from)), "{end}");
        }
    }

    #[test]
    fn b20_nothing_may_go_before_its_day_nor_while_it_is_held() {
        let mut retention = Retention {
            member_id: "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978".parse().unwrap(),
            ended: Some((day("2020-03-01"), day("2025-03-01"))),
            legal_holds: Vec::new(),
        };
        assert!(!retention.is_purgeable(day("2025-02-28")));
        assert!(retention.is_purgeable(day("2025-03-01")));
        retention.legal_holds.push(LegalHold {
            legal_hold_id: Uuid::nil(),
            member_id: retention.member_id,
            case_reference: "7".to_owned(),
            placed_by: "staff:1".to_owned(),
            place_time: DateTime::UNIX_EPOCH,
            lift_time: None,
        });
        assert!(!retention.is_purgeable(day("2025-03-01")));
        retention.legal_holds.clear();
        retention.ended = None;
        assert!(!retention.is_purgeable(day("2025-03-01")), "the contract goes on");
    }
}
