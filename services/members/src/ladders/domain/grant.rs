//! Tiers that are given by hand.

use chrono::{DateTime, Utc};
use fealty_types::{MemberId, TierGrantId};
use fealty_vault::Personal;

use super::LadderCode;
use crate::people::domain::TierCode;

/// Most grants of a member that have not ended: they are read whenever the member is judged.
pub const GRANTS_MAX: usize = 20;

/// A tier to be granted.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// To whom.
    pub member_id: MemberId,
    /// On which ladder.
    pub ladder_code: LadderCode,
    /// Which tier.
    pub tier_code: TierCode,
    /// When it ends by itself.
    pub end_time: Option<DateTime<Utc>>,
    /// A staff member or a key.
    pub actor: String,
    /// Words about a person.
    pub reason: Personal,
}

/// A tier that was granted. Why is not in it: those are words about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub tier_grant_id: TierGrantId,
    /// To whom.
    pub member_id: MemberId,
    /// On which ladder.
    pub ladder_code: LadderCode,
    /// Which tier.
    pub tier_code: TierCode,
    /// When it ends by itself.
    pub end_time: Option<DateTime<Utc>>,
    /// Who granted it: a staff member or a key.
    pub actor: String,
    /// Since when.
    pub create_time: DateTime<Utc>,
    /// When it was revoked, and by whom.
    pub revoked: Option<(DateTime<Utc>, String)>,
}

impl Grant {
    /// Whether it holds.
    #[must_use]
    pub fn is_active_at(&self, now: DateTime<Utc>) -> bool {
        self.create_time <= now && self.ends_after(now)
    }

    /// Whether it has not ended.
    #[must_use]
    pub fn ends_after(&self, now: DateTime<Utc>) -> bool {
        self.end_time.is_none_or(|end| now < end) && self.revoked.as_ref().is_none_or(|(time, _)| now < *time)
    }
}
