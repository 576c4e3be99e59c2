//! Messages as commands, everything that is wrong with them named at once.

use std::mem;

use chrono::NaiveDate;
use fealty_postgres::requests::Request as Attempt;
use fealty_proto::members::v1 as pb;
use fealty_proto::types::v1::Date;
use fealty_rpc::access::ProgramContext;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{MemberId, ProgramId};

use crate::contacts::grpc::each_once;
use crate::display_name::DisplayName;
use crate::occasions::Window;
use crate::occasions::domain::{
    DayCode, MEMBER_DAYS_MAX, MemberDay, MonthDay, OccasionKind, PROGRAM_DAYS_MAX, Place, ProgramDay,
    WINDOW_DAYS_MAX,
};

const SET_PROGRAM_DAYS: &str = "/fealty.members.v1.OccasionService/SetProgramDays";
const SET_MEMBER_DAYS: &str = "/fealty.members.v1.OccasionService/SetMemberDays";
const LIST_DUE: &str = "/fealty.members.v1.OccasionService/ListDueOccasions";

/// The years that a date may name.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// Where a list goes on: in the window that begins on that day, after that place.
pub(super) type DueCursor = (NaiveDate, Place);

pub(super) fn set_program_days(
    program_id: ProgramId,
    mut message: pb::SetProgramDaysRequest,
) -> Result<(Attempt, Vec<ProgramDay>), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(SET_PROGRAM_DAYS, &message);
    check_count(&mut v, message.days.len(), PROGRAM_DAYS_MAX);
    let days = v.each("days", message.days.iter().take(PROGRAM_DAYS_MAX), |v, day| {
        let day_code = v.check("day_code", fields::parse(&day.day_code));
        let display_name = v.check("display_name", fields::parse::<DisplayName>(&day.display_name));
        let date = v.message("date", day.date, |v, date| parse_date(v, &date));
        let (year, month_day) = date?;
        Some(ProgramDay {
            day_code: day_code?,
            display_name: display_name?,
            month_day,
            year,
        })
    });
    let codes = message.days.iter().map(|day| day.day_code.as_str());
    check_once(&mut v, codes.take(PROGRAM_DAYS_MAX));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, SET_PROGRAM_DAYS, command_hash);
        Some((attempt, days?))
    })
}

pub(super) fn set_member_days(
    program_id: ProgramId,
    mut message: pb::SetMemberDaysRequest,
) -> Result<(Attempt, MemberId, Vec<MemberDay>), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse(&mem::take(&mut message.request_id)));
    let command_hash = command_hash(SET_MEMBER_DAYS, &message);
    let member_id = v.check("member_id", fields::parse(&message.member_id));
    check_count(&mut v, message.days.len(), MEMBER_DAYS_MAX);
    let days = v.each("days", message.days.iter().take(MEMBER_DAYS_MAX), |v, day| {
        let day_code = v.check("day_code", fields::parse(&day.day_code));
        let date = v.message("date", day.date, |v, date| {
            let date = parse_date(v, &date)?;
            v.require(date.0.is_none(), "year", "must be 0: the year is not kept");
            Some(date)
        });
        Some(MemberDay {
            day_code: day_code?,
            month_day: date?.1,
        })
    });
    let codes = message.days.iter().map(|day| day.day_code.as_str());
    check_once(&mut v, codes.take(MEMBER_DAYS_MAX));
    v.finish_with(|| {
        let attempt = Attempt::of_program(program_id, request_id?, SET_MEMBER_DAYS, command_hash);
        Some((attempt, member_id?, days?))
    })
}

pub(super) fn member_id(text: &str) -> Result<MemberId, ApiError> {
    let mut v = Violations::default();
    let member_id = v.check("member_id", fields::parse(text));
    v.finish_with(|| member_id)
}

pub(super) fn list_due(
    program: &ProgramContext,
    today: NaiveDate,
    message: &pb::ListDueOccasionsRequest,
) -> Result<(Window, PageRequest<DueCursor>), ApiError> {
    let mut v = Violations::default();
    let from = match &message.from_date {
        None => Some(today),
        Some(date) => v.within("from_date", |v| parse_whole_date(v, date)),
    };
    let day_count = v.check(
        "day_count",
        fields::number(message.day_count, 0..=WINDOW_DAYS_MAX),
    );
    let kinds = each_once(
        &mut v,
        "kinds",
        &message.kinds,
        OccasionKind::ALL.len(),
        parse_kind,
    );
    let size = v.check("page_size", PageSize::parse(message.page_size));
    let (from, day_count, kinds, size) = v.finish_with(|| Some((from?, day_count?, kinds?, size?)))?;
    let named = message.from_date.map(|date| (date.year, date.month, date.day));
    let filter = (named, day_count, &message.kinds);
    let tokens = PageTokens::try_new(LIST_DUE, Some(program.program_id), &filter)?;
    let page = PageRequest::<DueCursor>::try_new(tokens, size, &message.page_token)?;
    // A list of "today" goes on with the day on which it was begun.
    let from = page.after().map_or(from, |(begun, _)| begun);
    let window = Window {
        from,
        day_count: u64::try_from(day_count.max(1)).unwrap_or(1),
        kinds,
        zone: program.time_zone,
    };
    Ok((window, page))
}

fn check_count(v: &mut Violations, count: usize, count_max: usize) {
    v.require(
        count <= count_max,
        "days",
        format!("must have at most {count_max} values"),
    );
}

/// Two days of one code would be one.
fn check_once<'a>(v: &mut Violations, codes: impl Iterator<Item = &'a str>) {
    let codes: Vec<Option<DayCode>> = codes.map(|code| code.parse().ok()).collect();
    for (index, code) in codes.iter().enumerate() {
        let same = |other: &Option<DayCode>| code.is_some() && other == code;
        if let Some(first) = codes[..index].iter().position(same) {
            v.within_item("days", index, |v| {
                v.add("day_code", format!("is the same as that of days[{first}]"));
            });
        }
    }
}

/// A day of the calendar, and the year if it has one.
fn parse_date(v: &mut Violations, date: &Date) -> Option<(Option<i32>, MonthDay)> {
    let year = (date.year != 0).then_some(date.year);
    if let Some(year) = year {
        v.check("year", fields::number(year, YEARS))?;
    }
    let day = month_day(date).filter(|day| {
        year.is_none_or(|year| NaiveDate::from_ymd_opt(year, day.month(), day.day()).is_some())
    });
    if day.is_none() {
        v.add("day", "must be a day that the month has, which is 1 to 12");
    }
    Some((year, day?))
}

fn parse_whole_date(v: &mut Violations, date: &Date) -> Option<NaiveDate> {
    v.require(date.year != 0, "year", "is required");
    let (year, day) = parse_date(v, date)?;
    NaiveDate::from_ymd_opt(year?, day.month(), day.day())
}

fn month_day(date: &Date) -> Option<MonthDay> {
    let (month, day) = (u32::try_from(date.month).ok()?, u32::try_from(date.day).ok()?);
    MonthDay::try_new(month, day).ok()
}

fn parse_kind(number: i32) -> Result<OccasionKind, Problem> {
    Ok(match fields::enumeration(number)? {
        pb::OccasionKind::Unspecified => return Err(Problem::required()),
        pb::OccasionKind::Birthday => OccasionKind::Birthday,
        pb::OccasionKind::JoiningAnniversary => OccasionKind::JoiningAnniversary,
        pb::OccasionKind::MemberDay => OccasionKind::MemberDay,
        pb::OccasionKind::ProgramDay => OccasionKind::ProgramDay,
    })
}
