//! The form of an expiry policy in its column.

use chrono::NaiveDate;
use fealty_postgres::StorageError;
use serde::{Deserialize, Serialize};

use crate::units::domain::{CalendarPeriod, ExpiryPolicy, LifeLength, LotLife, YearlyDay};

/// A policy as JSON; never has none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum ExpiryRow {
    AfterEarning { life: LifeRow },
    AfterActivity { life: LifeRow },
    EachYear { month: u32, day: u32, years_later: u32 },
    OnDate { date: NaiveDate },
}

/// A life as JSON: days or months.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct LifeRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    months: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_up_to: Option<PeriodRow>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PeriodRow {
    Month,
    Quarter,
    Year,
}

impl ExpiryRow {
    pub(super) fn of(policy: &ExpiryPolicy) -> Option<Self> {
        Some(match policy {
            ExpiryPolicy::Never => return None,
            ExpiryPolicy::AfterEarning(life) => Self::AfterEarning { life: life.into() },
            ExpiryPolicy::AfterActivity(life) => Self::AfterActivity { life: life.into() },
            ExpiryPolicy::EachYear(yearly) => Self::EachYear {
                month: yearly.month(),
                day: yearly.day(),
                years_later: yearly.years_later(),
            },
            ExpiryPolicy::OnDate(date) => Self::OnDate { date: *date },
        })
    }

    pub(super) fn into_policy(self) -> Result<ExpiryPolicy, StorageError> {
        Ok(match self {
            Self::AfterEarning { life } => ExpiryPolicy::AfterEarning(life.try_into()?),
            Self::AfterActivity { life } => ExpiryPolicy::AfterActivity(life.try_into()?),
            Self::EachYear {
                month,
                day,
                years_later,
            } => {
                let yearly = YearlyDay::try_new(month, day, years_later);
                ExpiryPolicy::EachYear(yearly.ok_or_else(|| corrupt("no such day of the year"))?)
            }
            Self::OnDate { date } => ExpiryPolicy::OnDate(date),
        })
    }
}

impl From<&LotLife> for LifeRow {
    fn from(life: &LotLife) -> Self {
        let (days, months) = match life.length {
            LifeLength::Days(days) => (Some(days), None),
            LifeLength::Months(months) => (None, Some(months)),
        };
        Self {
            days,
            months,
            round_up_to: life.round_up_to.map(|period| match period {
                CalendarPeriod::Month => PeriodRow::Month,
                CalendarPeriod::Quarter => PeriodRow::Quarter,
                CalendarPeriod::Year => PeriodRow::Year,
            }),
        }
    }
}

impl TryFrom<LifeRow> for LotLife {
    type Error = StorageError;

    fn try_from(row: LifeRow) -> Result<Self, StorageError> {
        let length = match (row.days, row.months) {
            (Some(days), None) => LifeLength::Days(days),
            (None, Some(months)) => LifeLength::Months(months),
            _ => return Err(corrupt("neither days nor months")),
        };
        Ok(Self {
            length,
            round_up_to: row.round_up_to.map(|period| match period {
                PeriodRow::Month => CalendarPeriod::Month,
                PeriodRow::Quarter => CalendarPeriod::Quarter,
                PeriodRow::Year => CalendarPeriod::Year,
            }),
        })
    }
}

fn corrupt(what: &'static str) -> StorageError {
    StorageError::corrupt("unit.expiry_policy", what)
}
