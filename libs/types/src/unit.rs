//! What a program counts: the scale of a unit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Six decimals are finer than every currency's minor unit and leave nine thousand billion whole units in 64 bits.
pub const UNIT_SCALE_MAX: u8 = 6;

/// How many decimals a unit has: 0 counts whole points, 2 counts hundredths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct UnitScale(u8);

/// The number is no scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be from 0 to {UNIT_SCALE_MAX}")]
pub struct UnitScaleError;

impl UnitScale {
    /// Whole units.
    pub const ZERO: Self = Self(0);

    /// The number of decimals.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i32> for UnitScale {
    type Error = UnitScaleError;

    fn try_from(decimals: i32) -> Result<Self, UnitScaleError> {
        match u8::try_from(decimals) {
            Ok(decimals) if decimals <= UNIT_SCALE_MAX => Ok(Self(decimals)),
            _ => Err(UnitScaleError),
        }
    }
}

impl From<UnitScale> for i32 {
    fn from(scale: UnitScale) -> Self {
        scale.0.into()
    }
}

impl fmt::Display for UnitScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_from_0_to_6() {
        assert_eq!(UnitScale::try_from(6).unwrap().get(), 6);
        for number in [-1, 7, 256, i32::MIN] {
            assert_eq!(UnitScale::try_from(number), Err(UnitScaleError), "{number}");
        }
    }
}
