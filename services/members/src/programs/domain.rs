//! What a program is and how it changes. Pure.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_types::{CurrencyCode, ProgramId, Version};

use crate::display_name::DisplayName;
use crate::people::domain::MAJORITY_AGE_YEARS_DEFAULT;

/// A loyalty program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its id.
    pub program_id: ProgramId,
    /// What people call it.
    pub display_name: DisplayName,
    /// Its "today" and "month end".
    pub time_zone: Tz,
    /// The money it counts in, fixed once made: sums of two currencies cannot be added.
    pub currency_code: CurrencyCode,
    /// Whether calls in it are taken.
    pub active: bool,
    /// Counts the changes: what an etag names.
    pub revision: Version,
    /// When it was made.
    pub create_time: DateTime<Utc>,
    /// When it last changed.
    pub update_time: DateTime<Utc>,
    /// From which birthday on a member is of age.
    pub majority_age_years: i32,
}

/// A program to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProgram {
    /// What people call it.
    pub display_name: DisplayName,
    /// Its "today" and "month end".
    pub time_zone: Tz,
    /// The money it counts in.
    pub currency_code: CurrencyCode,
}

/// New values for some of a program's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramChange {
    /// What people call it.
    pub display_name: Option<DisplayName>,
    /// Its "today" and "month end".
    pub time_zone: Option<Tz>,
    /// Whether calls in it are taken.
    pub active: Option<bool>,
    /// From which birthday on a member is of age.
    pub majority_age_years: Option<i32>,
}

impl NewProgram {
    /// The program as it starts: active.
    #[must_use]
    pub fn start(self, program_id: ProgramId, now: DateTime<Utc>) -> Program {
        Program {
            program_id,
            display_name: self.display_name,
            time_zone: self.time_zone,
            currency_code: self.currency_code,
            active: true,
            revision: Version::ZERO,
            create_time: now,
            update_time: now,
            majority_age_years: MAJORITY_AGE_YEARS_DEFAULT,
        }
    }
}

impl Program {
    /// The program after the change; None when it would change nothing.
    #[must_use]
    pub fn changed(&self, change: &ProgramChange, now: DateTime<Utc>) -> Option<Self> {
        let mut changed = self.clone();
        if let Some(display_name) = &change.display_name {
            changed.display_name.clone_from(display_name);
        }
        if let Some(time_zone) = change.time_zone {
            changed.time_zone = time_zone;
        }
        if let Some(active) = change.active {
            changed.active = active;
        }
        if let Some(majority_age_years) = change.majority_age_years {
            changed.majority_age_years = majority_age_years;
        }
        if changed == *self {
            return None;
        }
        changed.revision = self.revision.next()?;
        // A clock that was set back must not make a change older than the one before.
        changed.update_time = now.max(self.update_time);
        Some(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Program {
        NewProgram {
            display_name: DisplayName::try_new("Books").unwrap(),
            time_zone: chrono_tz::Europe::London,
            currency_code: "GBP".parse().unwrap(),
        }
        .start(ProgramId::generate_at(DateTime::UNIX_EPOCH), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_program_starts_active_at_revision_zero() {
        let program = program();
        assert!(program.active);
        assert_eq!(program.revision, Version::ZERO);
    }

    #[test]
    fn a_change_to_the_same_values_is_none() {
        let change = ProgramChange {
            active: Some(true),
            ..ProgramChange::default()
        };
        assert_eq!(program().changed(&change, DateTime::UNIX_EPOCH), None);
    }

    #[test]
    fn a_change_counts_and_touches_nothing_else() {
        let later = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(1);
        let change = ProgramChange {
            time_zone: Some(chrono_tz::Europe::Moscow),
            ..ProgramChange::default()
        };
        let changed = program().changed(&change, later).unwrap();
        assert_eq!(changed.revision.get(), 1);
        assert_eq!(changed.update_time, later);
        assert_eq!(changed.time_zone, chrono_tz::Europe::Moscow);
        assert_eq!(
            (changed.active, changed.display_name),
            (true, program().display_name)
        );
    }
}
