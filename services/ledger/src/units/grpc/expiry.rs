//! When points end by themselves, as messages carry it.

use chrono::{Datelike, NaiveDate};
use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::expiry_policy::Policy;
use fealty_proto::ledger::v1::lot_life::Length;
use fealty_proto::types::v1::Date;
use fealty_rpc::fields;
use fealty_rpc::violations::{Problem, Violations};

use crate::units::domain::{
    CalendarPeriod, ExpiryPolicy, LIFE_DAYS_MAX, LIFE_MONTHS_MAX, LifeLength, LotLife, YEARS_LATER_MAX,
    YearlyDay,
};

/// What a unit says; never, where it says nothing.
pub(super) fn parse(policy: Option<&pb::ExpiryPolicy>) -> Result<ExpiryPolicy, Problem> {
    let Some(policy) = policy else {
        return Ok(ExpiryPolicy::Never);
    };
    let mut v = Violations::default();
    let parsed = match &policy.policy {
        // Also one that this version does not know: it is not "never".
        None => v.check("policy", Err(Problem::required())),
        Some(Policy::AfterEarning(life)) => v
            .within("after_earning", |v| parse_life(v, life))
            .map(ExpiryPolicy::AfterEarning),
        Some(Policy::AfterActivity(life)) => v
            .within("after_activity", |v| parse_life(v, life))
            .map(ExpiryPolicy::AfterActivity),
        Some(Policy::EachYear(yearly)) => v
            .within("each_year", |v| parse_yearly(v, *yearly))
            .map(ExpiryPolicy::EachYear),
        Some(Policy::OnDate(date)) => v.check("on_date", parse_date(*date)).map(ExpiryPolicy::OnDate),
    };
    parsed.ok_or_else(|| v.into_problem())
}

fn parse_life(v: &mut Violations, life: &pb::LotLife) -> Option<LotLife> {
    let length = match life.length {
        None => v.check("length", Err(Problem::required())),
        Some(Length::LifeDays(days)) => v
            .check("life_days", above_zero(days, LIFE_DAYS_MAX))
            .map(LifeLength::Days),
        Some(Length::LifeMonths(months)) => v
            .check("life_months", above_zero(months, LIFE_MONTHS_MAX))
            .map(LifeLength::Months),
    };
    let round_up_to = v.check("round_up_to", parse_period(life.round_up_to));
    Some(LotLife {
        length: length?,
        round_up_to: round_up_to?,
    })
}

fn above_zero(number: i32, max: i32) -> Result<u32, Problem> {
    fields::number(number, 1..=max).map(i32::unsigned_abs)
}

fn parse_period(period: i32) -> Result<Option<CalendarPeriod>, Problem> {
    if period == 0 {
        return Ok(None);
    }
    Ok(match fields::enumeration::<pb::CalendarPeriod>(period)? {
        pb::CalendarPeriod::Unspecified => None,
        pb::CalendarPeriod::Month => Some(CalendarPeriod::Month),
        pb::CalendarPeriod::Quarter => Some(CalendarPeriod::Quarter),
        pb::CalendarPeriod::Year => Some(CalendarPeriod::Year),
    })
}

fn parse_yearly(v: &mut Violations, yearly: pb::YearlyExpiry) -> Option<YearlyDay> {
    let month = v.check("month", fields::number(yearly.month, 1..=12));
    let day = v.check("day", fields::number(yearly.day, 1..=31));
    let years_later = v.check(
        "years_later",
        fields::number(yearly.years_later, 0..=YEARS_LATER_MAX),
    );
    let (month, day, years_later) = (month?, day?, years_later?);
    let parsed = YearlyDay::try_new(
        month.unsigned_abs(),
        day.unsigned_abs(),
        years_later.unsigned_abs(),
    );
    v.check("day", parsed.ok_or("must be a day that the month has"))
}

fn parse_date(date: Date) -> Result<NaiveDate, Problem> {
    let mut v = Violations::default();
    let year = v.check("year", fields::number(date.year, 1..=9_999));
    let month = v.check("month", fields::number(date.month, 1..=12));
    let day = v.check("day", fields::number(date.day, 1..=31));
    let (Some(year), Some(month), Some(day)) = (year, month, day) else {
        return Err(v.into_problem());
    };
    let parsed = NaiveDate::from_ymd_opt(year, month.unsigned_abs(), day.unsigned_abs());
    v.check("day", parsed.ok_or("must be a day that the month has"))
        .ok_or_else(|| v.into_problem())
}

/// As it was said.
pub(super) fn present(policy: &ExpiryPolicy) -> Option<pb::ExpiryPolicy> {
    let policy = match policy {
        ExpiryPolicy::Never => return None,
        ExpiryPolicy::AfterEarning(life) => Policy::AfterEarning(present_life(life)),
        ExpiryPolicy::AfterActivity(life) => Policy::AfterActivity(present_life(life)),
        ExpiryPolicy::EachYear(yearly) => Policy::EachYear(pb::YearlyExpiry {
            month: small(yearly.month()),
            day: small(yearly.day()),
            years_later: small(yearly.years_later()),
        }),
        ExpiryPolicy::OnDate(date) => Policy::OnDate(Date {
            year: date.year(),
            month: small(date.month()),
            day: small(date.day()),
        }),
    };
    Some(pb::ExpiryPolicy { policy: Some(policy) })
}

fn present_life(life: &LotLife) -> pb::LotLife {
    let period = life.round_up_to.map(|period| match period {
        CalendarPeriod::Month => pb::CalendarPeriod::Month,
        CalendarPeriod::Quarter => pb::CalendarPeriod::Quarter,
        CalendarPeriod::Year => pb::CalendarPeriod::Year,
    });
    pb::LotLife {
        length: Some(match life.length {
            LifeLength::Days(days) => Length::LifeDays(small(days)),
            LifeLength::Months(months) => Length::LifeMonths(small(months)),
        }),
        round_up_to: period.unwrap_or_default().into(),
    }
}

/// Of the calendar, or at most one of the bounds above.
fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
