//! How a program handles referrals. Pure.

use fealty_types::{Points, UnitCode};

use super::{Check, named};

/// What becomes of a referral that something speaks against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Action {
    /// It is as good as any.
    Allow,
    /// Somebody has to look at it.
    #[default]
    Hold,
    /// It is refused.
    Refuse,
}

named!(Action: Allow = "ALLOW", Hold = "HOLD", Refuse = "REFUSE");

/// How a program handles referrals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Both belong to one household.
    pub same_household: Action,
    /// The same device was seen.
    pub same_device: Action,
    /// Both seem to be one person.
    pub same_person: Action,
    /// An identifier was the referrer's before.
    pub same_identifier: Action,
    /// What is credited to both; None for nothing.
    pub reward_unit_code: Option<UnitCode>,
    /// How much the referrer gets.
    pub referrer_value: Points,
    /// How much the new member gets.
    pub referred_value: Points,
    /// The purchase comes within so many days; 0 for whenever.
    pub qualify_within_days: i32,
    /// A link with `{code}` in it.
    pub link_template: Option<String>,
}

/// What is decided of a referral by what speaks against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stands.
    Stands,
    /// Somebody has to look at it.
    Held,
    /// It is refused.
    Refused,
}

impl Settings {
    /// What is to be done about one check.
    #[must_use]
    pub const fn action(&self, check: Check) -> Action {
        match check {
            // Nobody brings themselves, whatever the program would say.
            Check::Itself | Check::Loop => Action::Refuse,
            Check::SameHousehold => self.same_household,
            Check::SameDevice => self.same_device,
            Check::SamePerson => self.same_person,
            Check::SameIdentifier => self.same_identifier,
        }
    }

    /// What is to be done about all that speak against a referral: the strictest.
    #[must_use]
    pub fn judge(&self, checks: &[Check]) -> Verdict {
        let has = |action| checks.iter().any(|check| self.action(*check) == action);
        if has(Action::Refuse) {
            Verdict::Refused
        } else if has(Action::Hold) {
            Verdict::Held
        } else {
            Verdict::Stands
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_of_all_checks_decides_and_nobody_brings_themselves() {
        let settings = Settings {
            same_household: Action::Allow,
            same_device: Action::Refuse,
            ..Settings::default()
        };
        assert_eq!(settings.judge(&[]), Verdict::Stands);
        assert_eq!(settings.judge(&[Check::SameHousehold]), Verdict::Stands);
        assert_eq!(
            settings.judge(&[Check::SameHousehold, Check::SamePerson]),
            Verdict::Held
        );
        assert_eq!(
            settings.judge(&[Check::SamePerson, Check::SameDevice]),
            Verdict::Refused
        );
        for check in [Check::Itself, Check::Loop] {
            assert_eq!(settings.judge(&[check]), Verdict::Refused);
        }
    }
}
