//! What a staff member is and how they change. Pure.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use fealty_types::{StaffId, Version};

use crate::display_name::DisplayName;

/// Longest number that a program gives a person, in characters: payroll numbers, e-mail names and UUIDs fit.
pub const STAFF_EXTERNAL_ID_LENGTH_MAX: usize = 64;

/// The program's own number for a person: 1 to 64 visible characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffExternalId(String);

/// The text is no such number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have at most 64 characters, none of them a control character, and no blanks around them")]
pub struct StaffExternalIdError;

impl StaffExternalId {
    /// Takes the text as it is, if it is one.
    pub fn try_new(text: &str) -> Result<Self, StaffExternalIdError> {
        let length_fits = (1..=STAFF_EXTERNAL_ID_LENGTH_MAX).contains(&text.chars().count());
        let tidy = text.trim() == text && !text.chars().any(char::is_control);
        if length_fits && tidy {
            Ok(Self(text.to_owned()))
        } else {
            Err(StaffExternalIdError)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StaffExternalId {
    type Err = StaffExternalIdError;

    fn from_str(text: &str) -> Result<Self, StaffExternalIdError> {
        Self::try_new(text)
    }
}

/// A person who works with a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffMember {
    /// Their id.
    pub staff_id: StaffId,
    /// Their name.
    pub display_name: DisplayName,
    /// The program's own number for them, where it gave one.
    pub external_id: Option<StaffExternalId>,
    /// Whether their keys are taken.
    pub active: bool,
    /// Counts the changes: what an etag names.
    pub revision: Version,
    /// When they were added.
    pub create_time: DateTime<Utc>,
    /// When they last changed.
    pub update_time: DateTime<Utc>,
}

/// A staff member to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStaffMember {
    /// Their name.
    pub display_name: DisplayName,
    /// The program's own number for them, where it gave one.
    pub external_id: Option<StaffExternalId>,
}

/// New values for some of a staff member's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StaffChange {
    /// Their name.
    pub display_name: Option<DisplayName>,
    /// The program's own number for them; `Some(None)` takes it away.
    pub external_id: Option<Option<StaffExternalId>>,
    /// Whether their keys are taken.
    pub active: Option<bool>,
}

impl NewStaffMember {
    /// The staff member as they start: active.
    #[must_use]
    pub fn start(self, staff_id: StaffId, now: DateTime<Utc>) -> StaffMember {
        StaffMember {
            staff_id,
            display_name: self.display_name,
            external_id: self.external_id,
            active: true,
            revision: Version::ZERO,
            create_time: now,
            update_time: now,
        }
    }
}

impl StaffMember {
    /// The staff member after the change; None when it would change nothing.
    #[must_use]
    pub fn changed(&self, change: &StaffChange, now: DateTime<Utc>) -> Option<Self> {
        let mut changed = self.clone();
        if let Some(display_name) = &change.display_name {
            changed.display_name.clone_from(display_name);
        }
        if let Some(external_id) = &change.external_id {
            changed.external_id.clone_from(external_id);
        }
        if let Some(active) = change.active {
            changed.active = active;
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

    fn member() -> StaffMember {
        NewStaffMember {
            display_name: DisplayName::try_new("Ana").unwrap(),
            external_id: StaffExternalId::try_new("17").ok(),
        }
        .start(StaffId::generate_at(DateTime::UNIX_EPOCH), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn an_external_id_is_tidy_and_short() {
        for text in ["17", "Ana 2", &"ä".repeat(STAFF_EXTERNAL_ID_LENGTH_MAX)] {
            assert!(StaffExternalId::try_new(text).is_ok(), "{text:?}");
        }
        for text in ["", " 17", "17\n", &"1".repeat(STAFF_EXTERNAL_ID_LENGTH_MAX + 1)] {
            assert_eq!(
                StaffExternalId::try_new(text),
                Err(StaffExternalIdError),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_change_may_take_the_external_id_away() {
        let change = StaffChange {
            external_id: Some(None),
            ..StaffChange::default()
        };
        let changed = member().changed(&change, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!((changed.external_id, changed.revision.get()), (None, 1));
    }

    #[test]
    fn an_empty_change_is_none() {
        assert_eq!(
            member().changed(&StaffChange::default(), DateTime::UNIX_EPOCH),
            None
        );
    }
}
