//! A ladder's definition as the value that is stored.

use std::str::FromStr;

use fealty_postgres::StorageError;
use serde::{Deserialize, Serialize};

use crate::ladders::domain::{
    Benefit, Definition, LadderCode, Landing, Measure, Period, Qualification, Span, Tier,
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredDefinition {
    display_name: String,
    qualification: Option<StoredQualification>,
    tiers: Vec<StoredTier>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredQualification {
    measure: StoredMeasure,
    period: StoredPeriod,
    grace: StoredSpan,
    one_step: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredMeasure {
    Earned(String),
    Spend(String),
    Purchases,
    Visits,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredPeriod {
    CalendarYear,
    Rolling(StoredSpan),
    SinceJoining,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredSpan {
    Days(u32),
    Months(u32),
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredTier {
    code: String,
    display_name: String,
    threshold: i64,
    benefits: Vec<StoredBenefit>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredBenefit {
    code: String,
    description: String,
}

impl From<Span> for StoredSpan {
    fn from(span: Span) -> Self {
        match span {
            Span::Days(count) => Self::Days(count),
            Span::Months(count) => Self::Months(count),
        }
    }
}

impl From<StoredSpan> for Span {
    fn from(span: StoredSpan) -> Self {
        match span {
            StoredSpan::Days(count) => Self::Days(count),
            StoredSpan::Months(count) => Self::Months(count),
        }
    }
}

impl StoredDefinition {
    pub(super) fn of(definition: &Definition) -> Self {
        Self {
            display_name: definition.display_name.to_string(),
            qualification: definition.qualification.as_ref().map(store_qualification),
            tiers: definition.tiers.iter().map(store_tier).collect(),
        }
    }

    pub(super) fn into_definition(self, ladder_code: LadderCode) -> Result<Definition, StorageError> {
        let tiers: Result<Vec<Tier>, StorageError> = self.tiers.into_iter().map(load_tier).collect();
        Ok(Definition {
            ladder_code,
            display_name: parse(&self.display_name)?,
            qualification: self.qualification.map(load_qualification).transpose()?,
            tiers: tiers?,
        })
    }
}

fn store_qualification(how: &Qualification) -> StoredQualification {
    StoredQualification {
        measure: match &how.measure {
            Measure::Earned(unit) => StoredMeasure::Earned(unit.to_string()),
            Measure::Spend(currency) => StoredMeasure::Spend(currency.to_string()),
            Measure::Purchases => StoredMeasure::Purchases,
            Measure::Visits => StoredMeasure::Visits,
        },
        period: match how.period {
            Period::CalendarYear => StoredPeriod::CalendarYear,
            Period::Rolling(span) => StoredPeriod::Rolling(span.into()),
            Period::SinceJoining => StoredPeriod::SinceJoining,
        },
        grace: how.grace.into(),
        one_step: how.landing == Landing::OneStep,
    }
}

fn load_qualification(stored: StoredQualification) -> Result<Qualification, StorageError> {
    Ok(Qualification {
        measure: match stored.measure {
            StoredMeasure::Earned(unit) => Measure::Earned(parse(&unit)?),
            StoredMeasure::Spend(currency) => Measure::Spend(parse(&currency)?),
            StoredMeasure::Purchases => Measure::Purchases,
            StoredMeasure::Visits => Measure::Visits,
        },
        period: match stored.period {
            StoredPeriod::CalendarYear => Period::CalendarYear,
            StoredPeriod::Rolling(span) => Period::Rolling(span.into()),
            StoredPeriod::SinceJoining => Period::SinceJoining,
        },
        grace: stored.grace.into(),
        landing: if stored.one_step {
            Landing::OneStep
        } else {
            Landing::ByBalance
        },
    })
}

fn store_tier(tier: &Tier) -> StoredTier {
    let benefit = |benefit: &Benefit| StoredBenefit {
        code: benefit.code.to_string(),
        description: benefit.description.clone(),
    };
    StoredTier {
        code: tier.code.to_string(),
        display_name: tier.display_name.to_string(),
        threshold: tier.threshold,
        benefits: tier.benefits.iter().map(benefit).collect(),
    }
}

fn load_tier(stored: StoredTier) -> Result<Tier, StorageError> {
    let benefit = |benefit: StoredBenefit| {
        Ok(Benefit {
            code: parse(&benefit.code)?,
            description: benefit.description,
        })
    };
    let benefits: Result<Vec<Benefit>, StorageError> = stored.benefits.into_iter().map(benefit).collect();
    Ok(Tier {
        code: parse(&stored.code)?,
        display_name: parse(&stored.display_name)?,
        threshold: stored.threshold,
        benefits: benefits?,
    })
}

fn parse<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, StorageError> {
    text.parse()
        .map_err(|error: T::Err| StorageError::corrupt("ladder_version.definition", error))
}
