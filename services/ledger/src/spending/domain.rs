//! What somebody may spend of another's account. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;
use fealty_types::{OwnerId, Points, UnitCode};

use crate::posting::domain::{Command, OwnerState};
use crate::refusal::Refusal;

/// Limits that one owner may have: more units than a household spends in.
pub const LIMITS_MAX: usize = 20;

/// By unit.
pub type SpendingLimits = BTreeMap<UnitCode, SpendingLimit>;

/// How much of a unit may be spent. At least one bound is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpendingLimit {
    /// Most of one day.
    pub day_value_max: Option<Points>,
    /// Most of one calendar month.
    pub month_value_max: Option<Points>,
}

/// The time that a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A calendar day of the program.
    Day,
    /// A calendar month of the program.
    Month,
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Month => "month",
        })
    }
}

/// What was spent on a day, and in its month by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// In the program's time zone.
    pub day: NaiveDate,
    /// On it.
    pub day_value: Points,
    /// In its month.
    pub month_value: Points,
}

impl Spent {
    /// What of it counts on another day. Days never run backwards, also where the program's time zone has changed.
    #[must_use]
    pub fn on(self, day: NaiveDate) -> Self {
        if day <= self.day {
            return self;
        }
        let is_same_month = (day.year(), day.month()) == (self.day.year(), self.day.month());
        Self {
            day,
            day_value: Points::ZERO,
            month_value: if is_same_month {
                self.month_value
            } else {
                Points::ZERO
            },
        }
    }

    /// Before anything was spent.
    #[must_use]
    pub const fn nothing(day: NaiveDate) -> Self {
        Self {
            day,
            day_value: Points::ZERO,
            month_value: Points::ZERO,
        }
    }

    fn and(self, value: Points) -> Self {
        // What does not fit is more than any limit.
        let plus = |sum: Points| sum.checked_add(value).unwrap_or(Points::new(i64::MAX));
        Self {
            day: self.day,
            day_value: plus(self.day_value),
            month_value: plus(self.month_value),
        }
    }
}

/// Who spends whose points of which unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Whose account.
    pub account_owner_id: OwnerId,
    /// Who is meant, whoever was named.
    pub owner_id: OwnerId,
    /// What is counted.
    pub unit_code: UnitCode,
}

/// Who spends.
#[derive(Debug, Clone, Copy)]
pub struct Spender<'a> {
    /// Whose account.
    pub account_owner_id: OwnerId,
    /// Who was named.
    pub named_owner_id: OwnerId,
    /// Who is meant.
    pub owner_id: OwnerId,
    /// Of who is meant.
    pub limits: Option<&'a SpendingLimits>,
}

/// What a command would have somebody spend, and may be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    key: Key,
    spent: Spent,
}

/// What was spent, as it is under the locks, and what postings made of it since.
#[derive(Debug, Clone, Default)]
pub struct Spending {
    zone: Tz,
    all: BTreeMap<Key, Spent>,
    touched: BTreeSet<Key>,
}

/// What a command does with points.
enum Use<'a> {
    /// They go.
    Goes(&'a UnitCode, Points),
    /// They are set aside.
    SetAside(&'a UnitCode, Points),
    /// They were set aside before, and go.
    Promised(&'a UnitCode, Points),
}

impl Spending {
    /// As it was read; the program's days begin and end in that zone.
    #[must_use]
    pub const fn of(zone: Tz, all: BTreeMap<Key, Spent>) -> Self {
        Self {
            zone,
            all,
            touched: BTreeSet::new(),
        }
    }

    /// What a command comes to for who spends, or which limit it would pass; nothing where nothing is limited.
    pub fn plan(
        &self,
        spender: Spender<'_>,
        account: &OwnerState,
        command: &Command,
        at: DateTime<Utc>,
    ) -> Result<Option<Counted>, Refusal> {
        if spender.account_owner_id == spender.owner_id {
            return Ok(None);
        }
        let Some(spends) = use_of(account, command) else {
            return Ok(None);
        };
        let (Use::Goes(unit_code, value) | Use::SetAside(unit_code, value) | Use::Promised(unit_code, value)) =
            spends;
        let key = Key {
            account_owner_id: spender.account_owner_id,
            owner_id: spender.owner_id,
            unit_code: unit_code.clone(),
        };
        let limit = spender.limits.and_then(|limits| limits.get(unit_code));
        let known = self.all.get(&key).copied();
        if limit.is_none() && known.is_none() {
            return Ok(None);
        }
        let today = at.with_timezone(&self.zone).date_naive();
        let before = known.map_or(Spent::nothing(today), |known| known.on(today));
        if let Some(limit) = limit
            && !matches!(spends, Use::Promised(..))
        {
            let held = held(account, unit_code, spender);
            limit.check(&key, before.and(held), value)?;
        }
        let spent = match spends {
            Use::Goes(..) | Use::Promised(..) => before.and(value),
            // The row says that this one's captures count.
            Use::SetAside(..) => before,
        };
        Ok(Some(Counted { key, spent }))
    }

    /// Counts what took effect.
    pub fn count(&mut self, counted: Counted) {
        self.touched.insert(counted.key.clone());
        self.all.insert(counted.key, counted.spent);
    }

    /// What changed since it was read.
    pub fn touched(&self) -> impl Iterator<Item = (&Key, &Spent)> {
        self.touched.iter().filter_map(|key| self.all.get_key_value(key))
    }

    /// What counts on the day of an instant, and what is set aside.
    #[must_use]
    pub fn now(&self, key: &Key, at: DateTime<Utc>) -> Spent {
        let today = at.with_timezone(&self.zone).date_naive();
        let known = self.all.get(key);
        known.map_or(Spent::nothing(today), |known| known.on(today))
    }
}

impl SpendingLimit {
    fn check(&self, key: &Key, used: Spent, required: Points) -> Result<(), Refusal> {
        let after = used.and(required);
        let periods = [
            (Period::Day, self.day_value_max, used.day_value, after.day_value),
            (
                Period::Month,
                self.month_value_max,
                used.month_value,
                after.month_value,
            ),
        ];
        for (period, value_max, used, after) in periods {
            if let Some(value_max) = value_max.filter(|value_max| after > *value_max) {
                return Err(Refusal::SpendingLimitReached {
                    owner_id: key.owner_id,
                    unit_code: key.unit_code.clone(),
                    period,
                    used,
                    value_max,
                    required,
                });
            }
        }
        Ok(())
    }
}

fn use_of<'a>(account: &'a OwnerState, command: &'a Command) -> Option<Use<'a>> {
    match command {
        Command::Spend(spent) | Command::Send(spent) => Some(Use::Goes(&spent.unit_code, spent.value)),
        Command::Hold(new) => Some(Use::SetAside(&new.unit_code, new.value)),
        Command::Capture(captured) => {
            let hold = account.hold(captured.hold_id)?;
            Some(Use::Promised(&hold.unit_code, captured.value))
        }
        _ => None,
    }
}

/// What open holds have set aside for somebody.
#[must_use]
pub fn held(account: &OwnerState, unit_code: &UnitCode, spender: Spender<'_>) -> Points {
    let holds = account
        .accounts
        .get(unit_code)
        .into_iter()
        .flat_map(|it| &it.holds);
    let theirs = holds.filter(|hold| {
        hold.on_behalf_of
            .is_some_and(|owner_id| [spender.named_owner_id, spender.owner_id].contains(&owner_id))
    });
    theirs.fold(Points::ZERO, |sum, hold| {
        sum.checked_add(hold.value).unwrap_or(Points::new(i64::MAX))
    })
}

#[cfg(test)]
mod tests;
