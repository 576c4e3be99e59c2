//! Occasions as messages.

use chrono::{Datelike, NaiveDate};
use fealty_proto::members::v1 as pb;
use fealty_proto::types::v1::Date;
use fealty_rpc::present::timestamp;

use crate::occasions::domain::{MemberDay, MonthDay, Occasion, OccasionKind, ProgramDay};

pub(super) fn program_day(day: &ProgramDay) -> pb::ProgramDay {
    pb::ProgramDay {
        day_code: day.day_code.to_string(),
        display_name: day.display_name.as_str().to_owned(),
        date: Some(day_of_year(day.month_day, day.year)),
    }
}

pub(super) fn member_day(day: &MemberDay) -> pb::MemberDay {
    pb::MemberDay {
        day_code: day.day_code.to_string(),
        date: Some(day_of_year(day.month_day, None)),
    }
}

pub(super) fn occasion(occasion: &Occasion) -> pb::Occasion {
    let (begin, end) = occasion.times();
    pb::Occasion {
        kind: kind_number(occasion.kind).into(),
        day_code: occasion.day_code.clone(),
        date: Some(date(occasion.date)),
        member_id: occasion.member_id.map(|id| id.to_string()).unwrap_or_default(),
        number: occasion.number,
        begin_time: begin.map(timestamp),
        end_time: end.map(timestamp),
    }
}

fn day_of_year(month_day: MonthDay, year: Option<i32>) -> Date {
    Date {
        year: year.unwrap_or(0),
        month: month_day.month().cast_signed(),
        day: month_day.day().cast_signed(),
    }
}

fn date(date: NaiveDate) -> Date {
    Date {
        year: date.year(),
        month: date.month().cast_signed(),
        day: date.day().cast_signed(),
    }
}

const fn kind_number(kind: OccasionKind) -> pb::OccasionKind {
    match kind {
        OccasionKind::Birthday => pb::OccasionKind::Birthday,
        OccasionKind::JoiningAnniversary => pb::OccasionKind::JoiningAnniversary,
        OccasionKind::MemberDay => pb::OccasionKind::MemberDay,
        OccasionKind::ProgramDay => pb::OccasionKind::ProgramDay,
    }
}
