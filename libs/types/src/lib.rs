//! The words that every part of Fealty shares: ids, money, points, units, rates and the clock.
//!
//! Nothing here does I/O, and nothing here rounds or wraps by accident: arithmetic is checked, rates are exact
//! decimals, and whoever rounds says how.
//!
//! The feature `sqlx` makes the types usable as Postgres columns.

mod clock;
mod currency;
mod ids;
mod money;
mod points;
mod rate;
#[cfg(feature = "sqlx")]
mod text_column;
mod unit;
mod version;

pub use clock::{Clock, ManualClock, SharedClock, SystemClock};
pub use currency::{CurrencyCode, CurrencyCodeError};
pub use ids::{
    AnswerId, ApiKeyId, EventId, HoldId, HouseholdId, IdError, IdentifierId, InvitationId, LotId, MemberId,
    OwnerId, PolicyId, ProgramId, PurchaseId, RedemptionId, RequestId, RewardId, RuleId, StaffId, SurveyId,
    TransactionId, VoucherId, uuid_v7,
};
pub use money::{Money, MoneyError};
pub use points::Points;
pub use rate::{RATE_DECIMALS_MAX, RATE_MAX, Rate, RateError, Rounding};
pub use unit::{UNIT_CODE_LEN_MAX, UNIT_SCALE_MAX, UnitCode, UnitCodeError, UnitScale, UnitScaleError};
pub use version::{Version, VersionError};
