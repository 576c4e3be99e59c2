//! The numbers by which a program contacts its members.

use chrono::TimeDelta;
use fealty_types::Version;

use super::names::Purpose;
use super::quiet::Quiet;

/// The numbers. The defaults are what a member bears who is reminded regularly and not intrusively.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Commercial contacts within their window.
    pub commercial_count_max: i32,
    /// In days.
    pub commercial_window_days: i32,
    /// Contacts that ask how something was within their window: who is asked after every visit stops answering.
    pub service_quality_count_max: i32,
    /// In days.
    pub service_quality_window_days: i32,
    /// Commercial contacts in a row.
    pub commercial_run_max: i32,
    /// Older ones are no part of the row. In days.
    pub commercial_run_window_days: i32,
    /// When people sleep.
    pub quiet: Quiet,
    /// How long an allowed contact counts while nobody reports on it.
    pub reservation_minutes: i32,
    /// Counts the changes: what an etag names.
    pub revision: Version,
}

impl Settings {
    /// What holds until something is set.
    pub const DEFAULT: Self = Self {
        commercial_count_max: 3,
        commercial_window_days: 7,
        service_quality_count_max: 1,
        service_quality_window_days: 30,
        commercial_run_max: 6,
        commercial_run_window_days: 30,
        quiet: Quiet {
            begin_minute: 21 * 60,
            end_minute: 8 * 60,
        },
        reservation_minutes: 24 * 60,
        revision: Version::ZERO,
    };

    /// The window of commercial contacts.
    #[must_use]
    pub fn commercial_window(&self) -> TimeDelta {
        TimeDelta::days(self.commercial_window_days.into())
    }

    /// The window of contacts that ask how something was.
    #[must_use]
    pub fn service_quality_window(&self) -> TimeDelta {
        TimeDelta::days(self.service_quality_window_days.into())
    }

    /// How many contacts there may be for a purpose within which time; None for any number.
    #[must_use]
    pub fn cap_of(&self, purpose: Purpose) -> Option<(i32, TimeDelta)> {
        if purpose.is_commercial() {
            Some((self.commercial_count_max, self.commercial_window()))
        } else if purpose == Purpose::ServiceQuality {
            Some((self.service_quality_count_max, self.service_quality_window()))
        } else {
            None
        }
    }

    /// The window of a row of commercial contacts.
    #[must_use]
    pub fn commercial_run_window(&self) -> TimeDelta {
        TimeDelta::days(self.commercial_run_window_days.into())
    }

    /// How long a contact is reserved.
    #[must_use]
    pub fn reservation(&self) -> TimeDelta {
        TimeDelta::minutes(self.reservation_minutes.into())
    }

    /// The settings after a change; None when it would change nothing.
    #[must_use]
    pub fn changed(&self, change: &SettingsChange) -> Option<Self> {
        let quiet = Quiet {
            begin_minute: change.quiet_begin_minute.unwrap_or(self.quiet.begin_minute),
            end_minute: change.quiet_end_minute.unwrap_or(self.quiet.end_minute),
        };
        let changed = Self {
            commercial_count_max: change.commercial_count_max.unwrap_or(self.commercial_count_max),
            commercial_window_days: change
                .commercial_window_days
                .unwrap_or(self.commercial_window_days),
            service_quality_count_max: change
                .service_quality_count_max
                .unwrap_or(self.service_quality_count_max),
            service_quality_window_days: change
                .service_quality_window_days
                .unwrap_or(self.service_quality_window_days),
            commercial_run_max: change.commercial_run_max.unwrap_or(self.commercial_run_max),
            commercial_run_window_days: change
                .commercial_run_window_days
                .unwrap_or(self.commercial_run_window_days),
            quiet,
            reservation_minutes: change.reservation_minutes.unwrap_or(self.reservation_minutes),
            revision: self.revision,
        };
        if changed == *self {
            return None;
        }
        Some(Self {
            revision: self.revision.next()?,
            ..changed
        })
    }
}

/// New values for some of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SettingsChange {
    /// See [`Settings::commercial_count_max`].
    pub commercial_count_max: Option<i32>,
    /// See [`Settings::commercial_window_days`].
    pub commercial_window_days: Option<i32>,
    /// See [`Settings::service_quality_count_max`].
    pub service_quality_count_max: Option<i32>,
    /// See [`Settings::service_quality_window_days`].
    pub service_quality_window_days: Option<i32>,
    /// See [`Settings::commercial_run_max`].
    pub commercial_run_max: Option<i32>,
    /// See [`Settings::commercial_run_window_days`].
    pub commercial_run_window_days: Option<i32>,
    /// Where quiet hours begin, in minutes of the day.
    pub quiet_begin_minute: Option<i32>,
    /// Where they end, in minutes of the day.
    pub quiet_end_minute: Option<i32>,
    /// See [`Settings::reservation_minutes`].
    pub reservation_minutes: Option<i32>,
}
