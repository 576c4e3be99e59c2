//! What is asked of holds, and what it comes to. Pure.

use std::collections::HashMap;

use chrono::TimeDelta;
use chrono_tz::Tz;
use fealty_types::{HoldId, OwnerId, Points, UnitCode};

use crate::posting::Moment;
use crate::posting::domain::{Captured, Command, Hold, HoldStatus, NewHold, Slide};
use crate::refusal::{Refusal, Resource};
use crate::units::domain::UnitTerms;

/// A hold, and whose points it has set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnersHold {
    /// Whose.
    pub owner_id: OwnerId,
    /// The hold.
    pub hold: Hold,
}

/// What is to become of points that are, or will be, set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HoldWork {
    /// Set points aside.
    Hold {
        /// What is counted.
        unit_code: UnitCode,
        /// How many. Above zero.
        value: Points,
        /// How long at the most. Above zero.
        duration: TimeDelta,
        /// System that asks.
        source: String,
    },
    /// Spend them, or a part of them; the rest is the owner's again.
    Capture {
        /// Which hold.
        hold_id: HoldId,
        /// How many; all of them if the caller does not say.
        value: Option<Points>,
        /// The program's days begin and end there.
        zone: Tz,
    },
    /// Give them back.
    Release {
        /// Which hold.
        hold_id: HoldId,
    },
}

/// What holds are judged by.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// All units.
    pub units: Vec<UnitTerms>,
    /// Those that the works name, as they are after the works that were decided before.
    pub holds: HashMap<HoldId, OwnersHold>,
}

/// What a work comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// Something happens to that hold, and what that slides.
    Changes(HoldId, Command, Vec<Slide>),
    /// It is over already, as it is to be.
    Stays(Hold),
}

impl HoldWork {
    /// The hold that it names; none where it asks for a new one.
    #[must_use]
    pub const fn names(&self) -> Option<HoldId> {
        match self {
            Self::Hold { .. } => None,
            Self::Capture { hold_id, .. } | Self::Release { hold_id } => Some(*hold_id),
        }
    }

    /// What it comes to at a moment, or why it is refused.
    pub fn plan(&self, ground: &Ground, moment: &Moment) -> Result<Decided, Refusal> {
        match self {
            Self::Hold {
                unit_code,
                value,
                duration,
                source,
            } => {
                if ground.units.iter().all(|unit| unit.code != *unit_code) {
                    return Err(Refusal::not_found(Resource::Unit, unit_code));
                }
                let hold_id = hold_id(moment);
                let new = NewHold {
                    hold_id,
                    unit_code: unit_code.clone(),
                    value: *value,
                    expire_time: moment.record_time + *duration,
                    source: source.clone(),
                    on_behalf_of: Some(moment.owner_id).filter(|named| *named != moment.account_owner_id),
                };
                Ok(Decided::Changes(hold_id, Command::Hold(new), Vec::new()))
            }
            Self::Capture { hold_id, value, zone } => {
                let hold = ground.hold(*hold_id, moment)?;
                if hold.status != HoldStatus::Open {
                    return Err(not_open(&hold));
                }
                let captured = Captured {
                    hold_id: *hold_id,
                    value: value.unwrap_or(hold.value),
                };
                // What is captured is spent now, whenever it was set aside.
                let unit = ground.units.iter().find(|unit| unit.code == hold.unit_code);
                let slide = unit.and_then(|unit| unit.slide(moment.record_time, *zone));
                let slides = slide.into_iter().collect();
                Ok(Decided::Changes(*hold_id, Command::Capture(captured), slides))
            }
            Self::Release { hold_id } => {
                let hold = ground.hold(*hold_id, moment)?;
                match hold.status {
                    HoldStatus::Open => {
                        Ok(Decided::Changes(*hold_id, Command::Release(*hold_id), Vec::new()))
                    }
                    HoldStatus::Released | HoldStatus::Expired => Ok(Decided::Stays(hold)),
                    HoldStatus::Captured => Err(not_open(&hold)),
                }
            }
        }
    }
}

impl Ground {
    /// The owner's hold, as it is at the moment.
    fn hold(&self, hold_id: HoldId, moment: &Moment) -> Result<Hold, Refusal> {
        let found = self.holds.get(&hold_id);
        let found = found.filter(|found| found.owner_id == moment.owner_id);
        let found = found.ok_or_else(|| Refusal::not_found(Resource::Hold, hold_id))?;
        Ok(found.hold.as_of(moment.record_time))
    }
}

/// A hold bears the id of the transaction that makes it: whoever has one has the other.
fn hold_id(moment: &Moment) -> HoldId {
    HoldId::try_from(moment.transaction_id.as_uuid()).expect("a transaction's id is never nil")
}

const fn not_open(hold: &Hold) -> Refusal {
    Refusal::HoldNotOpen {
        hold_id: hold.hold_id,
        status: hold.status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};
    use fealty_types::TransactionId;

    fn time(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
    }

    fn owner_id() -> OwnerId {
        "018f4e3a-5c8e-7b1d-9a6f-2d3c4b5a6978".parse().unwrap()
    }

    fn moment(seconds: i64) -> Moment {
        Moment {
            owner_id: owner_id(),
            account_owner_id: owner_id(),
            transaction_id: TransactionId::generate_at(time(seconds)),
            occur_time: time(seconds),
            record_time: time(seconds),
        }
    }

    /// Of fifty, which ends after 900 seconds.
    fn ground(status: HoldStatus) -> (Ground, HoldId) {
        let hold_id = HoldId::generate_at(time(0));
        let hold = Hold {
            hold_id,
            unit_code: "points".parse().unwrap(),
            value: Points::new(50),
            captured: Points::ZERO,
            status,
            expire_time: time(900),
            create_time: time(0),
            source: String::new(),
            on_behalf_of: None,
            pins: Vec::new(),
        };
        let owner_id = owner_id();
        let ground = Ground {
            units: Vec::new(),
            holds: HashMap::from([(hold_id, OwnersHold { owner_id, hold })]),
        };
        (ground, hold_id)
    }

    const fn capture_all(hold_id: HoldId) -> HoldWork {
        HoldWork::Capture {
            hold_id,
            value: None,
            zone: Tz::UTC,
        }
    }

    #[test]
    fn all_that_is_held_is_captured_unless_the_caller_says_how_many() {
        let (ground, hold_id) = ground(HoldStatus::Open);
        for (value, captured) in [(None, 50), (Some(20), 20)] {
            let work = HoldWork::Capture {
                hold_id,
                value: value.map(Points::new),
                zone: Tz::UTC,
            };
            let value = Points::new(captured);
            let command = Command::Capture(Captured { hold_id, value });
            assert_eq!(
                work.plan(&ground, &moment(899)),
                Ok(Decided::Changes(hold_id, command, vec![]))
            );
        }
    }

    #[test]
    fn a_hold_is_open_until_the_instant_of_its_end() {
        let (ground, hold_id) = ground(HoldStatus::Open);
        let capture = capture_all(hold_id);
        let refusal = Refusal::HoldNotOpen {
            hold_id,
            status: HoldStatus::Expired,
        };
        assert_eq!(capture.plan(&ground, &moment(900)), Err(refusal));
        let release = HoldWork::Release { hold_id };
        let Ok(Decided::Stays(hold)) = release.plan(&ground, &moment(900)) else {
            panic!("it has ended")
        };
        assert_eq!(hold.status, HoldStatus::Expired);
        let before = release.plan(&ground, &moment(899));
        let released = Decided::Changes(hold_id, Command::Release(hold_id), vec![]);
        assert_eq!(before, Ok(released));
    }

    #[test]
    fn what_is_over_stays_as_it_ended() {
        for status in [HoldStatus::Captured, HoldStatus::Released, HoldStatus::Expired] {
            let (ground, hold_id) = ground(status);
            let refusal = Refusal::HoldNotOpen { hold_id, status };
            let capture = capture_all(hold_id);
            assert_eq!(capture.plan(&ground, &moment(1)), Err(refusal.clone()));
            let release = HoldWork::Release { hold_id }.plan(&ground, &moment(1));
            match status {
                HoldStatus::Captured => assert_eq!(release, Err(refusal)),
                _ => assert_eq!(release, Ok(Decided::Stays(ground.holds[&hold_id].hold.clone()))),
            }
        }
    }

    #[test]
    fn another_owners_hold_and_an_unknown_unit_are_not_found() {
        let (mut ground, hold_id) = ground(HoldStatus::Open);
        let other = OwnerId::generate_at(time(0));
        ground.holds.get_mut(&hold_id).unwrap().owner_id = other;
        let refusal = HoldWork::Release { hold_id }
            .plan(&ground, &moment(1))
            .unwrap_err();
        assert_eq!(refusal, Refusal::not_found(Resource::Hold, hold_id));
        let unknown = HoldWork::Hold {
            unit_code: "stars".parse().unwrap(),
            value: Points::new(1),
            duration: TimeDelta::seconds(1),
            source: String::new(),
        };
        let refusal = unknown.plan(&ground, &moment(1)).unwrap_err();
        assert_eq!(refusal, Refusal::not_found(Resource::Unit, "stars"));
    }
}
