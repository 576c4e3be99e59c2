//! What a voucher is, and when it is good. Pure.

mod code;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_types::{MemberId, RedemptionId, RewardId, VoucherId};

pub use code::{CODE_TEXT_LEN_MAX, CodeError, CodeKeys, GeneratedCode};

use crate::refusal::Refusal;

/// What a member shows at a till.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// Its id.
    pub voucher_id: VoucherId,
    /// The redemption that it was issued for.
    pub redemption_id: RedemptionId,
    /// Whose.
    pub member_id: MemberId,
    /// For which reward.
    pub reward_id: RewardId,
    /// What the till reads or types.
    pub code: String,
    /// By what the code is found.
    pub code_key: String,
    /// Not good from then on; None for ever.
    pub expire_time: Option<DateTime<Utc>>,
    /// By whom it was used; None before.
    pub used: Option<Used>,
    /// When it was issued.
    pub create_time: DateTime<Utc>,
}

/// That a voucher was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// When.
    pub time: DateTime<Utc>,
    /// By which till.
    pub at: Till,
}

/// Who uses a voucher, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Till {
    /// The system.
    pub source: String,
    /// Its receipt; empty if it has none.
    pub receipt_id: String,
}

/// Whether a voucher is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoucherStatus {
    /// It can be used.
    Good,
    /// It was used.
    Used,
    /// It has passed its end.
    Expired,
}

/// What comes of using a voucher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UseDecision {
    /// It is used now.
    Uses(Voucher),
    /// The same receipt has used it before.
    UsedBefore,
}

impl Voucher {
    /// What it is at that time.
    #[must_use]
    pub fn status(&self, now: DateTime<Utc>) -> VoucherStatus {
        if self.used.is_some() {
            VoucherStatus::Used
        } else if self.expire_time.is_some_and(|expire_time| expire_time <= now) {
            VoucherStatus::Expired
        } else {
            VoucherStatus::Good
        }
    }

    /// Uses it, if it is good. The receipt that used it may ask again.
    pub fn decide_use(&self, at: &Till, now: DateTime<Utc>) -> Result<UseDecision, Refusal> {
        if let Some(used) = &self.used {
            if !at.receipt_id.is_empty() && used.at == *at {
                return Ok(UseDecision::UsedBefore);
            }
            return Err(Refusal::VoucherUsed {
                voucher_id: self.voucher_id,
                use_time: used.time,
            });
        }
        match self.expire_time {
            Some(expire_time) if expire_time <= now => Err(Refusal::VoucherExpired {
                voucher_id: self.voucher_id,
                expire_time,
            }),
            _ => Ok(UseDecision::Uses(Self {
                used: Some(Used {
                    time: now,
                    at: at.clone(),
                }),
                ..self.clone()
            })),
        }
    }
}

/// When a voucher of that life ends; None for never. Days are of 24 hours: the end does not depend on a time zone.
#[must_use]
pub fn end_of_life(issue_time: DateTime<Utc>, life_days: i32) -> Option<DateTime<Utc>> {
    (life_days > 0).then(|| issue_time + TimeDelta::days(life_days.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voucher() -> Voucher {
        let start = DateTime::UNIX_EPOCH;
        Voucher {
            voucher_id: VoucherId::generate_at(start),
            redemption_id: RedemptionId::generate_at(start),
            member_id: MemberId::generate_at(start),
            reward_id: RewardId::generate_at(start),
            code: "CODE".to_owned(),
            code_key: "CODE".to_owned(),
            expire_time: end_of_life(start, 1),
            used: None,
            create_time: start,
        }
    }

    fn till(receipt_id: &str) -> Till {
        Till {
            source: "till".to_owned(),
            receipt_id: receipt_id.to_owned(),
        }
    }

    #[test]
    fn a_voucher_ends_by_time_alone() {
        let end = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let before = end - TimeDelta::microseconds(1);
        assert_eq!(voucher().status(before), VoucherStatus::Good);
        assert_eq!(voucher().status(end), VoucherStatus::Expired);
        assert!(voucher().decide_use(&till("1"), before).is_ok());
        assert!(matches!(
            voucher().decide_use(&till("1"), end),
            Err(Refusal::VoucherExpired { .. })
        ));
        assert_eq!(end_of_life(end, 0), None);
    }

    #[test]
    fn a_voucher_is_used_once_and_its_receipt_may_ask_again() {
        let now = DateTime::UNIX_EPOCH;
        let Ok(UseDecision::Uses(used)) = voucher().decide_use(&till("1"), now) else {
            panic!("it is good");
        };
        let much_later = now + TimeDelta::days(9);
        assert_eq!(used.status(much_later), VoucherStatus::Used);
        assert_eq!(
            used.decide_use(&till("1"), much_later),
            Ok(UseDecision::UsedBefore)
        );
        for other in [
            till("2"),
            till(""),
            Till {
                source: "other".to_owned(),
                ..till("1")
            },
        ] {
            assert!(matches!(
                used.decide_use(&other, now),
                Err(Refusal::VoucherUsed { .. })
            ));
        }
    }

    #[test]
    fn without_a_receipt_nobody_can_ask_again() {
        let now = DateTime::UNIX_EPOCH;
        let Ok(UseDecision::Uses(used)) = voucher().decide_use(&till(""), now) else {
            panic!("it is good");
        };
        assert!(matches!(
            used.decide_use(&till(""), now),
            Err(Refusal::VoucherUsed { .. })
        ));
    }
}
