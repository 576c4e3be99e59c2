//! Why a use case does not do what it was asked: words of the domain, without gRPC and without SQL. [`crate::status`]
//! says what a caller is told.

use std::fmt;

use chrono::{DateTime, Utc};
use fealty_postgres::requests::ClaimError;
use fealty_postgres::{StorageError, TransactError};
use fealty_types::{MemberId, RedemptionId, RequestId, RewardId, VoucherId};

use crate::catalogue::domain::Price;
use crate::redemptions::domain::Failure;

/// The things of this service, and those of others that it asks for, as callers name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Something that members can get.
    Reward,
    /// A member's redeeming of one.
    Redemption,
    /// What a member shows at a till.
    Voucher,
    /// A person in the program.
    Member,
}

impl Resource {
    /// The word that callers see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reward => "reward",
            Self::Redemption => "redemption",
            Self::Voucher => "voucher",
            Self::Member => "member",
        }
    }
}

/// What the business says no to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The program has no such thing.
    NotFound {
        /// What was looked for.
        resource: Resource,
        /// By which id.
        id: String,
    },
    /// No voucher has that code. The code may be a good one mistyped, so it is not repeated.
    NoVoucherWithCode,
    /// It has changed since the caller read it.
    EtagMismatch(RewardId),
    /// The request id belongs to another command.
    RequestIdReused(RequestId),
    /// A value that was well formed cannot be taken now.
    FieldInvalid {
        /// The field's path as in the proto.
        field: &'static str,
        /// What would be right.
        description: &'static str,
    },
    /// The reward is a draft, ended, or outside of its dates.
    RewardUnavailable(RewardId),
    /// The member is suspended, closed or merged into another.
    MemberNotActive {
        /// Who.
        member_id: MemberId,
        /// What they are instead.
        status: &'static str,
    },
    /// The reward is for members of other tiers.
    NotEligible {
        /// Which reward.
        reward_id: RewardId,
        /// The member's tiers.
        tier_codes: Vec<String>,
    },
    /// The member has redeemed it as often as one may.
    LimitReached {
        /// Which reward.
        reward_id: RewardId,
        /// How often one may.
        count_max: i32,
    },
    /// Nothing is left of it.
    OutOfStock(RewardId),
    /// The price is another one than the caller was quoted.
    PriceChanged {
        /// Which reward.
        reward_id: RewardId,
        /// What it costs now; None for nothing.
        price: Option<Price>,
    },
    /// The member has fewer points than it costs. Only quotes say so by themselves; the ledger says it to a redemption.
    BalanceTooSmall,
    /// The redemption was undone, and stays so.
    Undone {
        /// Which one.
        redemption_id: RedemptionId,
        /// Why.
        failure: Failure,
    },
    /// The voucher was used already.
    VoucherUsed {
        /// Which one.
        voucher_id: VoucherId,
        /// When.
        use_time: DateTime<Utc>,
    },
    /// The voucher has passed its end.
    VoucherExpired {
        /// Which one.
        voucher_id: VoucherId,
        /// Its end.
        expire_time: DateTime<Utc>,
    },
    /// The program has that code already.
    CodeExists {
        /// Which of the codes that were sent.
        index: usize,
    },
    /// Others kept changing the same thing meanwhile.
    Contended,
}

impl Refusal {
    /// There is no such thing.
    pub(crate) fn not_found(resource: Resource, id: impl fmt::Display) -> Self {
        Self::NotFound {
            resource,
            id: id.to_string(),
        }
    }
}

/// Another service of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Who they are.
    Members,
    /// What they have.
    Ledger,
}

impl Peer {
    /// Its name, as callers see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Ledger => "ledger",
        }
    }
}

/// What a use case answers when it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RewardsError {
    /// The business says no.
    #[error("refused: {0:?}")]
    Refused(Box<Refusal>),
    /// The database, or the way to it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Another service does not answer as it should. What was begun stays, and is finished or undone by a retry or by
    /// itself.
    #[error("{} does not answer as it should", .0.as_str())]
    Away(Peer),
    /// A fault point of a test ended the work here, as a crash would.
    #[error("crashed where a test asked for it")]
    Crashed,
}

impl From<Refusal> for RewardsError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<ClaimError> for RewardsError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Storage(error) => error.into(),
            ClaimError::Reused(request_id) => Refusal::RequestIdReused(request_id).into(),
        }
    }
}

impl From<sqlx::Error> for RewardsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

impl TransactError for RewardsError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Refused(_) | Self::Away(_) | Self::Crashed => None,
        }
    }
}
