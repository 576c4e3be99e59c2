//! Who is a minor, who answers for them, and until when. Pure.

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use fealty_types::MemberId;
use fealty_vault::Personal;

use super::{BirthDate, Change, Member, MemberStatus};
use crate::refusal::Refusal;

/// The ages that a program may call majority: from the youngest customers anybody enrols to the latest in any law.
pub const MAJORITY_AGE_YEARS: std::ops::RangeInclusive<i32> = 1..=21;

/// The age of majority where a program says nothing: that of most countries.
pub const MAJORITY_AGE_YEARS_DEFAULT: i32 = 18;

/// By what a clock that is set forward is set: no zone ever changed by less.
const CLOCK_STEP_MINUTES: i64 = 15;

/// The longest time that a zone ever left out.
const MINUTES_PER_DAY: i64 = 24 * 60;

/// Somebody who answers for a minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guardian {
    /// Who.
    pub member_id: MemberId,
    /// The instant at which the minor comes of age. From then on nobody answers for them.
    pub until: DateTime<Utc>,
}

/// What a caller says of who answers for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Naming {
    /// Who.
    pub guardian: Change<MemberId>,
    /// Where the caller says so, as in the proto.
    pub field: &'static str,
    /// What is known of whoever is named.
    pub candidate: Option<Candidate>,
}

/// By what a program tells who is of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Majority {
    /// From which birthday on.
    pub age_years: i32,
    /// Where days begin and end.
    pub time_zone: Tz,
}

/// Who may answer for a minor: what matters of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub member_id: MemberId,
    /// What they may do.
    pub status: MemberStatus,
    /// Their birthday.
    pub birth_date: Option<BirthDate>,
}

impl Candidate {
    /// What matters of a member.
    #[must_use]
    pub const fn of(member: &Member) -> Self {
        Self {
            member_id: member.member_id,
            status: member.standing.status,
            birth_date: member.profile.birth_date,
        }
    }
}

impl Majority {
    /// When somebody comes of age; None when nobody knows the year of their birth.
    #[must_use]
    pub fn begins(&self, birth_date: &BirthDate) -> Option<DateTime<Utc>> {
        let year = birth_date.year()?.checked_add(self.age_years)?;
        let birthday = NaiveDate::from_ymd_opt(year, birth_date.month(), birth_date.day());
        // Who was born on 29 February comes of age on 1 March of a year that has no such day.
        let day = birthday.or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))?;
        let midnight = day.and_hms_opt(0, 0, 0)?;
        // Where the clock is set forward at midnight the day begins later, and where a whole day is left out, on the next one.
        let begins = (0..=MINUTES_PER_DAY / CLOCK_STEP_MINUTES).find_map(|steps| {
            let local = midnight.checked_add_signed(TimeDelta::minutes(steps * CLOCK_STEP_MINUTES))?;
            self.time_zone.from_local_datetime(&local).earliest()
        })?;
        Some(begins.with_timezone(&Utc))
    }

    /// Decides who answers for somebody with that birthday from now on. `current` does so until now, and `asked` is what the
    /// caller says.
    pub fn decide(
        &self,
        birth_date: Option<&BirthDate>,
        current: Option<Guardian>,
        asked: Naming,
        now: DateTime<Utc>,
    ) -> Result<Option<Guardian>, Refusal> {
        let of_age = birth_date.and_then(|birth_date| self.begins(birth_date));
        let minor_until = of_age.filter(|of_age| now < *of_age);
        match (minor_until, asked.guardian) {
            (None, Change::Set(Some(_))) => Err(Refusal::GuardianNotNeeded { field: asked.field }),
            (None, Change::Keep | Change::Set(None)) => Ok(None),
            (Some(_), Change::Set(None)) => Err(Refusal::GuardianRequired),
            // Who did so until the member came of age does not come back without being judged anew.
            (Some(until), Change::Keep) => match current.filter(|guardian| now < guardian.until) {
                Some(guardian) => Ok(Some(Guardian { until, ..guardian })),
                None => Err(Refusal::GuardianRequired),
            },
            (Some(until), Change::Set(Some(member_id))) => {
                let suitable = asked
                    .candidate
                    .filter(|candidate| self.may_answer(candidate, now));
                suitable.ok_or(unsuitable(member_id))?;
                Ok(Some(Guardian { member_id, until }))
            }
        }
    }

    /// Refuses to hand the wards of another to whoever could not be named, or is one of them.
    pub fn check_takes_over(
        self,
        candidate: &Candidate,
        is_ward: bool,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        if self.may_answer(candidate, now) && !is_ward {
            Ok(())
        } else {
            Err(unsuitable(candidate.member_id))
        }
    }

    /// Only who is known to be of age answers for others.
    fn may_answer(self, candidate: &Candidate, now: DateTime<Utc>) -> bool {
        let of_age = candidate
            .birth_date
            .and_then(|birth_date| self.begins(&birth_date));
        candidate.status == MemberStatus::Active && of_age.is_some_and(|of_age| of_age <= now)
    }
}

const fn unsuitable(guardian_member_id: MemberId) -> Refusal {
    Refusal::GuardianUnsuitable { guardian_member_id }
}

impl Guardian {
    /// The end, as it is sealed: it tells the birthday.
    #[must_use]
    pub fn until_as_personal(&self) -> Personal {
        Personal::new(self.until.timestamp().to_string())
    }

    /// From how it was sealed.
    #[must_use]
    pub fn from_stored(member_id: MemberId, until: &Personal) -> Option<Self> {
        let until = DateTime::from_timestamp(until.expose().parse().ok()?, 0)?;
        Some(Self { member_id, until })
    }
}

#[cfg(test)]
mod tests;
