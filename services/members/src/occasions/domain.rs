//! What is due on which day, and when a day begins. Pure.

mod day;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use fealty_types::MemberId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::consents::domain::named;
use crate::contacts::domain::instants_of;
use crate::display_name::DisplayName;

pub use day::{DayCode, DayCodeError, MonthDay, MonthDayError};

/// Days of one program: more than any calendar has that customers are greeted on, and few enough to be read at once.
pub const PROGRAM_DAYS_MAX: usize = 100;

/// Days of one member's own.
pub const MEMBER_DAYS_MAX: usize = 20;

/// Days of one list: greetings are prepared a month ahead at the most.
pub const WINDOW_DAYS_MAX: i32 = 31;

/// For how many days what was not told is told later: a greeting that comes later than that is none.
pub const TELL_LATE_DAYS: u64 = 7;

named! {
    /// What is due.
    OccasionKind {
        /// A birthday.
        Birthday = "BIRTHDAY",
        /// So many years since somebody joined.
        JoiningAnniversary = "JOINING_ANNIVERSARY",
        /// A day of a member's own.
        MemberDay = "MEMBER_DAY",
        /// A day of the whole program.
        ProgramDay = "PROGRAM_DAY",
    }
}

/// A day of the whole program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramDay {
    /// By what it is known.
    pub day_code: DayCode,
    /// What people call it.
    pub display_name: DisplayName,
    /// When.
    pub month_day: MonthDay,
    /// In which year; None for each.
    pub year: Option<i32>,
}

impl ProgramDay {
    /// Whether it is on a date.
    #[must_use]
    pub fn falls_on(&self, date: NaiveDate) -> bool {
        self.month_day.falls_on(date) && self.year.is_none_or(|year| year == date.year())
    }
}

/// A day of a member's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDay {
    /// By what it is known.
    pub day_code: DayCode,
    /// When.
    pub month_day: MonthDay,
}

/// Something that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// What.
    pub kind: OccasionKind,
    /// The code of a day of the member's or the program's; empty for others.
    pub day_code: String,
    /// On which day.
    pub date: NaiveDate,
    /// Whose; None for everybody's.
    pub member_id: Option<MemberId>,
    /// How many years it is about; 0 for what is about none.
    pub number: i32,
    /// By which clock its day begins.
    pub zone: Tz,
}

impl Occasion {
    /// Everybody's occasion.
    #[must_use]
    pub fn of_program(day: &ProgramDay, date: NaiveDate, zone: Tz) -> Self {
        Self {
            kind: OccasionKind::ProgramDay,
            day_code: day.day_code.as_str().to_owned(),
            date,
            member_id: None,
            number: 0,
            zone,
        }
    }

    /// Where it stands in the order of all.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            date: self.date,
            member_id: self
                .member_id
                .map_or(Uuid::nil(), |member_id| member_id.as_uuid()),
            kind: self.kind.as_str().to_owned(),
            day_code: self.day_code.clone(),
        }
    }

    /// When its day begins, and when the next one does.
    #[must_use]
    pub fn times(&self) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let next = self.date.checked_add_days(Days::new(1));
        (
            begin_of(self.date, self.zone),
            next.and_then(|next| begin_of(next, self.zone)),
        )
    }
}

/// A place in the order of occasions: by day, everybody's before those of members.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The day.
    pub date: NaiveDate,
    /// The member; nil for everybody's.
    pub member_id: Uuid,
    /// What.
    pub kind: String,
    /// The code of a day.
    pub day_code: String,
}

impl Place {
    /// Before all of a day.
    #[must_use]
    pub const fn begin_of(date: NaiveDate) -> Self {
        Self {
            date,
            member_id: Uuid::nil(),
            kind: String::new(),
            day_code: String::new(),
        }
    }
}

/// When a day begins by a zone's clock: where midnight is left out, at the first instant after.
#[must_use]
pub fn begin_of(date: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    instants_of(date.and_time(NaiveTime::MIN), zone).first().copied()
}

/// The days that are to be told of now in a zone, oldest first: those since the last that was begun, and today.
#[must_use]
pub fn days_to_tell(today: NaiveDate, last: Option<NaiveDate>) -> Vec<NaiveDate> {
    let Some(last) = last else {
        return vec![today];
    };
    let earliest = today.checked_sub_days(Days::new(TELL_LATE_DAYS)).unwrap_or(today);
    let after = last.checked_add_days(Days::new(1)).unwrap_or(today);
    let first = after.max(earliest);
    first.iter_days().take_while(|day| *day <= today).collect()
}

#[cfg(test)]
mod tests;
