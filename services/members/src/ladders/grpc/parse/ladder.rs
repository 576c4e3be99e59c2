//! What a ladder is to be.

use std::collections::BTreeSet;

use fealty_proto::members::v1 as pb;
use fealty_rpc::fields;
use fealty_rpc::violations::{Problem, Violations};
use pb::qualification::{Measure as MeasureField, Period as PeriodField};

use crate::display_name::DisplayName;
use crate::ladders::domain::{
    BENEFITS_MAX, Benefit, Definition, GRACE_DAYS_MAX, GRACE_MONTHS_MAX, LadderCode, Landing, Measure,
    Period, Qualification, ROLLING_DAYS_MAX, ROLLING_MONTHS_MAX, Span, THRESHOLD_MAX, TIERS_MAX, Tier,
};
use crate::people::domain::TierCode;

/// Longest description of a benefit, in characters: as much as fits on a card of an app.
const DESCRIPTION_LENGTH_MAX: usize = 500;

pub(in crate::ladders::grpc) fn definition(v: &mut Violations, ladder: &pb::Ladder) -> Option<Definition> {
    let ladder_code = v.check("ladder_code", fields::parse::<LadderCode>(&ladder.ladder_code));
    let display_name = v.check("display_name", fields::parse::<DisplayName>(&ladder.display_name));
    let is_closed = ladder.qualification.is_none();
    let how = match &ladder.qualification {
        Some(how) => v.within("qualification", |v| qualification(v, how)).map(Some),
        None => Some(None),
    };
    let tiers = parse_tiers(v, &ladder.tiers, is_closed);
    Some(Definition {
        ladder_code: ladder_code?,
        display_name: display_name?,
        qualification: how?,
        tiers: tiers?,
    })
}

fn qualification(v: &mut Violations, how: &pb::Qualification) -> Option<Qualification> {
    let measure = v.check("measure", how.measure.as_ref().ok_or_else(Problem::required));
    let measure = measure.and_then(|measure| parse_measure(v, measure));
    let period = v.check("period", how.period.ok_or_else(Problem::required));
    let period = period.and_then(|period| parse_period(v, period));
    let days = v.check("grace_days", count(how.grace_days, 0, GRACE_DAYS_MAX));
    let months = v.check("grace_months", count(how.grace_months, 0, GRACE_MONTHS_MAX));
    let landing = v.check("landing", parse_landing(how.landing));
    let grace = match (days?, months?) {
        (days, 0) => Span::Days(days),
        (0, months) => Span::Months(months),
        _ => {
            v.add("grace_months", "must be 0 where grace_days is set");
            return None;
        }
    };
    if landing == Some(Landing::OneStep) && grace.is_none() {
        v.add("landing", "must be BY_BALANCE where there is no grace");
        return None;
    }
    Some(Qualification {
        measure: measure?,
        period: period?,
        grace,
        landing: landing?,
    })
}

fn parse_measure(v: &mut Violations, measure: &MeasureField) -> Option<Measure> {
    match measure {
        MeasureField::EarnedUnitCode(code) => v
            .check("earned_unit_code", fields::parse(code))
            .map(Measure::Earned),
        MeasureField::SpendCurrencyCode(code) => v
            .check("spend_currency_code", fields::parse(code))
            .map(Measure::Spend),
        MeasureField::PurchaseCount(set) => v
            .check("purchase_count", is_true(*set))
            .map(|()| Measure::Purchases),
        MeasureField::VisitCount(set) => v.check("visit_count", is_true(*set)).map(|()| Measure::Visits),
    }
}

fn parse_period(v: &mut Violations, period: PeriodField) -> Option<Period> {
    match period {
        PeriodField::CalendarYear(set) => v
            .check("calendar_year", is_true(set))
            .map(|()| Period::CalendarYear),
        PeriodField::RollingDays(days) => {
            let days = v.check("rolling_days", count(days, 1, ROLLING_DAYS_MAX))?;
            Some(Period::Rolling(Span::Days(days)))
        }
        PeriodField::RollingMonths(months) => {
            let months = v.check("rolling_months", count(months, 1, ROLLING_MONTHS_MAX))?;
            Some(Period::Rolling(Span::Months(months)))
        }
        PeriodField::SinceJoining(set) => v
            .check("since_joining", is_true(set))
            .map(|()| Period::SinceJoining),
    }
}

fn is_true(set: bool) -> Result<(), Problem> {
    if set {
        Ok(())
    } else {
        Err(Problem::new("must be true where it is set"))
    }
}

fn count(number: i32, min: u32, max: u32) -> Result<u32, Problem> {
    let count = u32::try_from(number)
        .ok()
        .filter(|count| (min..=max).contains(count));
    count.ok_or_else(|| Problem::new(format!("must be {min} to {max}, and is {number}")))
}

fn parse_landing(number: i32) -> Result<Landing, Problem> {
    match fields::enumeration(number)? {
        pb::TierLanding::OneStep => Ok(Landing::OneStep),
        pb::TierLanding::ByBalance => Ok(Landing::ByBalance),
        pb::TierLanding::Unspecified => Err(Problem::required()),
    }
}

fn parse_tiers(v: &mut Violations, tiers: &[pb::Tier], is_closed: bool) -> Option<Vec<Tier>> {
    if tiers.is_empty() || tiers.len() > TIERS_MAX {
        let given = tiers.len();
        v.add("tiers", format!("must be 1 to {TIERS_MAX}, and are {given}"));
        return None;
    }
    let mut codes = BTreeSet::new();
    let mut below = 0;
    v.each("tiers", tiers, |v, tier| {
        let code = v.check("tier_code", fields::parse::<TierCode>(&tier.tier_code));
        let display_name = v.check("display_name", fields::parse::<DisplayName>(&tier.display_name));
        let threshold = v.check("threshold", parse_threshold(tier.threshold, below, is_closed));
        below = tier.threshold.max(below);
        let benefits = parse_benefits(v, &tier.benefits);
        let code = code?;
        if !codes.insert(code.clone()) {
            v.add("tier_code", "must not be that of another tier");
            return None;
        }
        Some(Tier {
            code,
            display_name: display_name?,
            threshold: threshold?,
            benefits: benefits?,
        })
    })
}

/// Nobody earns a tier of a closed ladder.
fn parse_threshold(threshold: i64, below: i64, is_closed: bool) -> Result<i64, Problem> {
    if is_closed {
        return if threshold == 0 {
            Ok(threshold)
        } else {
            Err(Problem::new("must be 0 where the ladder has no qualification"))
        };
    }
    if threshold > THRESHOLD_MAX {
        return Err(Problem::new(format!("must be at most {THRESHOLD_MAX}")));
    }
    if threshold <= below {
        return Err(Problem::new(format!("must be more than {below}")));
    }
    Ok(threshold)
}

fn parse_benefits(v: &mut Violations, benefits: &[pb::Benefit]) -> Option<Vec<Benefit>> {
    if benefits.len() > BENEFITS_MAX {
        let given = benefits.len();
        v.add(
            "benefits",
            format!("must be at most {BENEFITS_MAX}, and are {given}"),
        );
        return None;
    }
    let mut codes = BTreeSet::new();
    v.each("benefits", benefits, |v, benefit| {
        let code = v.check("benefit_code", fields::parse(&benefit.benefit_code));
        let description = fields::text(&benefit.description, 1..=DESCRIPTION_LENGTH_MAX);
        let description = v.check("description", description);
        let code = code?;
        if !codes.insert(benefit.benefit_code.clone()) {
            v.add("benefit_code", "must not be that of another benefit of the tier");
            return None;
        }
        Some(Benefit {
            code,
            description: description?,
        })
    })
}
