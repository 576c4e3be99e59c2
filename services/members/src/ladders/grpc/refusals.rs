//! What ladders say no to, as callers are told.

use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::ApiError;
use tonic::Code;

use crate::ladders::LadderRefusal;

impl From<LadderRefusal> for ApiError {
    fn from(refusal: LadderRefusal) -> Self {
        match refusal {
            LadderRefusal::Outdated { ladder_code, version } => Self::new(
                Code::Aborted,
                ErrorReason::LadderVersionOutdated,
                "The newest version of the ladder {ladder_code} is {version}.",
            )
            .with("ladder_code", ladder_code)
            .with("version", version),
            LadderRefusal::Retired(ladder_code) => {
                Self::refused(ErrorReason::LadderRetired, "The ladder {ladder_code} is retired.")
                    .with("ladder_code", ladder_code)
            }
            LadderRefusal::TierUnknown {
                ladder_code,
                tier_code,
            } => Self::refused(
                ErrorReason::TierUnknown,
                "The ladder {ladder_code} has no tier {tier_code} now.",
            )
            .with("ladder_code", ladder_code)
            .with("tier_code", tier_code),
            LadderRefusal::TierTaken {
                ladder_code,
                tier_code,
            } => Self::new(
                Code::AlreadyExists,
                ErrorReason::TierCodeTaken,
                "The ladder {ladder_code} has a tier {tier_code} already.",
            )
            .with("ladder_code", ladder_code)
            .with("tier_code", tier_code),
            LadderRefusal::Full { resource, count_max } => Self::refused(
                ErrorReason::CountExceeded,
                "There are at most {count_max} of {resource}.",
            )
            .with("resource", resource)
            .with("count_max", count_max),
        }
    }
}
