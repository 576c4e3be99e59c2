//! The words that every part of Fealty shares: ids, money, points, units, rates and the clock.
//!
//! Nothing here does I/O, and nothing here rounds or wraps by accident: arithmetic is checked, rates are exact
//! decimals, and whoever rounds says how.
//!
//! The feature `sqlx` makes the types usable as Postgres columns.

mod clock;
mod code;
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
pub use code::{BudgetCode, CODE_LEN_MAX, CodeError, UnitCode};
pub use currency::{CurrencyCode, CurrencyCodeError};
pub use ids::{
    AnswerId, ApiKeyId, CardBatchId, CardId, ContactId, EventId, HoldId, HouseholdId, IdError, IdentifierId,
    InvitationId, LotId, MemberId, OwnerId, PolicyId, ProgramId, PurchaseId, RedemptionId, RequestId,
    RewardId, RuleId, StaffId, SurveyId, TierGrantId, TransactionId, VoucherId, uuid_v7,
};
pub use money::{Money, MoneyError};
pub use points::Points;
pub use rate::{RATE_DECIMALS_MAX, RATE_MAX, Rate, RateError, Rounding};
pub use unit::{UNIT_SCALE_MAX, UnitScale, UnitScaleError};
pub use version::{Version, VersionError};
