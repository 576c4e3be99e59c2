//! Points that are set aside.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use fealty_types::{HoldId, LotId, OwnerId, Points, UnitCode};

/// Most open holds per owner and unit. A posting reads all of them under the owner's lock, so they are bounded; a person
/// has a checkout or two open at a time, and a company's buyers some dozens.
pub const OPEN_HOLDS_MAX: usize = 100;

/// Points of one unit that are set aside until somebody decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub hold_id: HoldId,
    /// What is counted.
    pub unit_code: UnitCode,
    /// How many were set aside. Above zero.
    pub value: Points,
    /// How many of them were spent; zero unless it was captured.
    pub captured: Points,
    /// What became of it.
    pub status: HoldStatus,
    /// When it ends by itself: from that instant on it is open no more, written off or not.
    pub expire_time: DateTime<Utc>,
    /// When it was made.
    pub create_time: DateTime<Utc>,
    /// System that asked for it.
    pub source: String,
    /// Who was named when it was made, if the account is another's.
    pub on_behalf_of: Option<OwnerId>,
    /// What it has a claim on; once it is over, what it had at its end. The values sum to `value`, and a lot comes once.
    pub pins: Vec<Pin>,
}

/// A hold's claim on a part of a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Which lot.
    pub lot_id: LotId,
    /// How many of its points. Above zero.
    pub value: Points,
    /// How many of them were spent; zero unless the hold was captured.
    pub captured: Points,
}

/// What became of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldStatus {
    /// The points are set aside.
    Open,
    /// The points, or a part, were spent.
    Captured,
    /// The points were given back.
    Released,
    /// It ended by itself.
    Expired,
}

/// The text is no status of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no status of a hold")]
pub struct HoldStatusError;

impl HoldStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Captured, Self::Released, Self::Expired];

    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for HoldStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HoldStatus {
    type Err = HoldStatusError;

    fn from_str(text: &str) -> Result<Self, HoldStatusError> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(HoldStatusError)
    }
}

impl Hold {
    /// Whether its time has passed.
    #[must_use]
    pub fn has_ended(&self, at: DateTime<Utc>) -> bool {
        self.expire_time <= at
    }

    /// The hold as it is at `at`: one whose time has passed has ended, whether that was written down or not.
    #[must_use]
    pub fn as_of(&self, at: DateTime<Utc>) -> Self {
        let has_ended = self.status == HoldStatus::Open && self.has_ended(at);
        Self {
            status: if has_ended {
                HoldStatus::Expired
            } else {
                self.status
            },
            ..self.clone()
        }
    }

    /// Sorts holds into the order in which they end.
    pub(super) const fn end_order(&self) -> (DateTime<Utc>, HoldId) {
        (self.expire_time, self.hold_id)
    }

    /// How many points of that lot it has a claim on.
    pub(super) fn pinned(&self, lot_id: LotId) -> Points {
        let pin = self.pins.iter().find(|pin| pin.lot_id == lot_id);
        pin.map_or(Points::ZERO, |pin| pin.value)
    }

    /// The lot was merged into another: what was claimed there is claimed here. Says whether there was anything.
    pub(super) fn repin(&mut self, from: LotId, into: LotId) -> bool {
        let Some(place) = self.pins.iter().position(|pin| pin.lot_id == from) else {
            return false;
        };
        let moved = self.pins.remove(place);
        match self.pins.iter_mut().find(|pin| pin.lot_id == into) {
            // Parts of one value, which fits.
            Some(pin) => pin.value = Points::new(pin.value.get() + moved.value.get()),
            None => self.pins.insert(
                place,
                Pin {
                    lot_id: into,
                    ..moved
                },
            ),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_as_it_was_written() {
        for status in HoldStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        assert_eq!("".parse::<HoldStatus>(), Err(HoldStatusError));
    }
}
