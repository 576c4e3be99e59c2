//! What a household is. Pure.

use chrono::{DateTime, Utc};
use fealty_types::{HouseholdId, MemberId};

/// Members who share one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Household {
    /// Its id, which its owner in the ledger bears too.
    pub household_id: HouseholdId,
    /// Who belongs to it, in the order of joining.
    pub member_ids: Vec<MemberId>,
    /// When it was made.
    pub create_time: DateTime<Utc>,
}
