//! The one table from what the rooms refuse to what a caller is told.

use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::{ApiError, reason_name};
use fealty_service::status::{CONTENTION_RETRY_AFTER, storage_status};
use fealty_types::{RedemptionId, RewardId};
use tonic::Code;

use crate::redemptions::domain::Failure;
use crate::refusal::{Peer, Refusal, Resource, RewardsError};

/// What `as_str_name` of every reason begins with; it is not stored.
const REASON_PREFIX: &str = "ERROR_REASON_";

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let reason = reason_of(&refusal);
        match refusal {
            Refusal::NotFound { resource, id } => Self::not_found(resource.as_str(), id),
            Refusal::NoVoucherWithCode => Self::new(Code::NotFound, reason, "There is no {resource} with that code.")
                .with("resource", Resource::Voucher.as_str()),
            Refusal::EtagMismatch(reward_id) => Self::etag_mismatch(Resource::Reward.as_str(), reward_id),
            Refusal::RequestIdReused(request_id) => Self::request_id_reused(request_id),
            Refusal::FieldInvalid { field, description } => Self::field_invalid(field, description),
            Refusal::RewardUnavailable(reward_id) => {
                about_reward(reason, reward_id, "The reward {reward_id} is not offered now.")
            }
            Refusal::MemberNotActive { member_id, status } => Self::refused(reason, "The member {member_id} is {status}.")
                .with("member_id", member_id)
                .with("status", status),
            Refusal::NotEligible {
                reward_id,
                tier_codes,
            } => {
                about_reward(reason, reward_id, "The reward {reward_id} is for members of other tiers.")
                    .with("tier_code", tier_codes.join(","))
            }
            Refusal::LimitReached { reward_id, count_max } => about_reward(
                reason,
                reward_id,
                "The member has redeemed the reward {reward_id} {count_max} times, which is as often as one may.",
            )
            .with("count_max", count_max),
            Refusal::OutOfStock(reward_id) => {
                about_reward(reason, reward_id, "Not enough is left of the reward {reward_id}.")
            }
            Refusal::PriceChanged { reward_id, price } => {
                let (unit_code, value) =
                    price.map_or_else(Default::default, |price| (price.unit_code.to_string(), price.value.get()));
                about_reward(reason, reward_id, "The reward {reward_id} costs {value} {unit_code} now.")
                    .with("unit_code", unit_code)
                    .with("value", value)
            }
            Refusal::BalanceTooSmall => Self::refused(reason, "The member has fewer points than it costs."),
            Refusal::Undone { redemption_id, failure } => undone(reason, redemption_id, failure),
            Refusal::VoucherUsed { voucher_id, use_time } => {
                Self::refused(reason, "The voucher {voucher_id} was used at {use_time}.")
                    .with("voucher_id", voucher_id)
                    .with("use_time", use_time.to_rfc3339())
            }
            Refusal::VoucherExpired {
                voucher_id,
                expire_time,
            } => Self::refused(reason, "The voucher {voucher_id} ended at {expire_time}.")
                .with("voucher_id", voucher_id)
                .with("expire_time", expire_time.to_rfc3339()),
            Refusal::CodeExists { index } => Self::new(
                Code::AlreadyExists,
                reason,
                "The program has the {resource} at {index} already.",
            )
            .with("resource", "code")
            .with("index", index),
            Refusal::Contended => Self::contention(CONTENTION_RETRY_AFTER),
        }
    }
}

fn about_reward(reason: ErrorReason, reward_id: RewardId, template: &str) -> ApiError {
    ApiError::refused(reason, template).with("reward_id", reward_id)
}

/// The reason of a refusal.
fn reason_of(refusal: &Refusal) -> ErrorReason {
    match refusal {
        Refusal::NotFound { .. } | Refusal::NoVoucherWithCode => ErrorReason::ResourceNotFound,
        Refusal::EtagMismatch(_) => ErrorReason::EtagMismatch,
        Refusal::RequestIdReused(_) => ErrorReason::RequestIdReused,
        Refusal::FieldInvalid { .. } => ErrorReason::InvalidFields,
        Refusal::RewardUnavailable(_) => ErrorReason::RewardUnavailable,
        Refusal::MemberNotActive { .. } => ErrorReason::MemberNotActive,
        Refusal::NotEligible { .. } => ErrorReason::NotEligible,
        Refusal::LimitReached { .. } => ErrorReason::RedemptionLimitReached,
        Refusal::OutOfStock(_) => ErrorReason::OutOfStock,
        Refusal::PriceChanged { .. } => ErrorReason::PriceChanged,
        Refusal::BalanceTooSmall => ErrorReason::InsufficientBalance,
        Refusal::Undone { failure, .. } => stored_reason(failure),
        Refusal::VoucherUsed { .. } => ErrorReason::VoucherUsed,
        Refusal::VoucherExpired { .. } => ErrorReason::VoucherExpired,
        Refusal::CodeExists { .. } => ErrorReason::CodeExists,
        Refusal::Contended => ErrorReason::Contention,
    }
}

/// The name of a refusal's reason, as quotes and redemptions show it.
pub(crate) fn refusal_reason(refusal: &Refusal) -> &'static str {
    reason_name(reason_of(refusal))
}

/// A reason that another build may have stored. One that this build does not know has led to the same end.
fn stored_reason(failure: &Failure) -> ErrorReason {
    let name = format!("{REASON_PREFIX}{}", failure.reason);
    ErrorReason::from_str_name(&name).unwrap_or(ErrorReason::RedemptionAbandoned)
}

/// Every retry is told the same. None of these is worth another try of the same request: it has come to its end.
fn undone(reason: ErrorReason, redemption_id: RedemptionId, failure: Failure) -> ApiError {
    let (code, template) = match reason {
        ErrorReason::OutOfStock => (
            Code::FailedPrecondition,
            "Nothing is left of the reward {reward_id}.",
        ),
        ErrorReason::InsufficientBalance => (
            Code::FailedPrecondition,
            "The member has {available} {unit_code} available, and {required} are needed.",
        ),
        ErrorReason::OwnerSuspended => (Code::FailedPrecondition, "The member {owner_id} is suspended."),
        ErrorReason::OwnerClosed => (Code::FailedPrecondition, "The member {owner_id} is closed."),
        ErrorReason::HoldNotOpen => (
            Code::FailedPrecondition,
            "The points that were set aside went back to the member before they were spent.",
        ),
        ErrorReason::RedemptionAbandoned => (
            Code::FailedPrecondition,
            "The redemption {redemption_id} was left unfinished and undone: try again under a new request id.",
        ),
        ErrorReason::ResourceNotFound => (Code::NotFound, "The ledger has no {resource} {id}."),
        _ => (
            Code::FailedPrecondition,
            "The redemption {redemption_id} was undone.",
        ),
    };
    failure
        .details
        .into_iter()
        .fold(ApiError::new(code, reason, template), |error, (name, value)| {
            error.with(name, value)
        })
        .with("redemption_id", redemption_id)
}

impl From<RewardsError> for ApiError {
    fn from(error: RewardsError) -> Self {
        match error {
            RewardsError::Refused(refusal) => (*refusal).into(),
            RewardsError::Storage(error) => storage_status(&error),
            RewardsError::Away(peer) => Self::dependency_unavailable(peer.as_str()),
            // To a caller a crash looks like this.
            RewardsError::Crashed => Self::dependency_unavailable(Peer::Ledger.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn redemption_id() -> RedemptionId {
        RedemptionId::generate_at(DateTime::UNIX_EPOCH)
    }

    fn told(failure: Failure) -> ApiError {
        Refusal::Undone {
            redemption_id: redemption_id(),
            failure,
        }
        .into()
    }

    #[test]
    fn what_the_ledger_said_is_told_again_with_its_values() {
        let details = [("available", "5"), ("required", "7"), ("unit_code", "points")];
        let details = details.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let error = told(Failure::new("INSUFFICIENT_BALANCE", details));
        assert_eq!(
            (error.code(), error.reason()),
            (Code::FailedPrecondition, ErrorReason::InsufficientBalance)
        );
        assert_eq!(
            error.message(),
            "The member has 5 points available, and 7 are needed."
        );
        assert!(error.value("redemption_id").is_some());
    }

    #[test]
    fn no_end_of_a_redemption_is_worth_another_try() {
        for reason in [
            "OUT_OF_STOCK",
            "HOLD_NOT_OPEN",
            "OWNER_CLOSED",
            "OF_A_NEWER_BUILD",
            "CONTENTION",
        ] {
            let code = told(Failure::new(reason, [])).code();
            assert_eq!(code, Code::FailedPrecondition, "{reason}");
        }
        assert_eq!(
            told(Failure::abandoned(redemption_id())).reason(),
            ErrorReason::RedemptionAbandoned
        );
    }

    #[test]
    fn services_that_are_away_are_worth_another_try() {
        for peer in [Peer::Members, Peer::Ledger] {
            let error = ApiError::from(RewardsError::Away(peer));
            assert_eq!(error.code(), Code::Unavailable);
            assert_eq!(error.value("dependency"), Some(peer.as_str()));
        }
    }
}
