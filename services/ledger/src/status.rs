//! The one table from what the rooms refuse to what a caller is told.

mod points;

use std::time::Duration;

use fealty_proto::r#type::v1::ErrorReason;
use fealty_rpc::errors::ApiError;
use fealty_service::status::{CONTENTION_RETRY_AFTER, storage_status};
use tonic::{Code, Status};

use crate::refusal::{LedgerError, Refusal, Unsuitable};
use points::{giving_precondition, reversal_precondition, spending_precondition, transfer_precondition};

/// When there may be room again: after a dozen commits.
const FULL_RETRY_AFTER: Duration = Duration::from_millis(200);

/// What does not answer any more when the process ends.
const OURSELVES: &str = "ledger";

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { resource, id } => Self::not_found(resource.as_str(), id),
            Refusal::Exists { resource, id } => Self::already_exists(resource.as_str(), id),
            Refusal::EtagMismatch { resource, id } => Self::etag_mismatch(resource.as_str(), id),
            Refusal::RequestIdReused(request_id) => Self::request_id_reused(request_id),
            Refusal::VersionAhead { version, newest } => Self::version_ahead(version.get(), newest.get()),
            Refusal::FieldInvalid { field, description } => Self::field_invalid(field, description),
            Refusal::ReceiptAlreadyUsed {
                source,
                receipt_id,
                transaction_id,
            } => Self::new(
                Code::AlreadyExists,
                ErrorReason::ReceiptAlreadyUsed,
                "The receipt {receipt_id} of {source} is already recorded, by the transaction {transaction_id}.",
            )
            .with("receipt_id", receipt_id)
            .with("source", source)
            .with("transaction_id", transaction_id),
            // Whoever comes again finds who has it.
            Refusal::HeldElsewhere(_) => Self::contention(CONTENTION_RETRY_AFTER),
            transfer @ (Refusal::TransferNotAllowed(_)
            | Refusal::TransferToSelf(_)
            | Refusal::TransferValueNotAllowed { .. }
            | Refusal::TransferLimitReached { .. }) => transfer_precondition(transfer),
            limited @ Refusal::SpendingLimitReached { .. } => spending_precondition(limited),
            held @ (Refusal::HoldNotOpen { .. } | Refusal::CaptureExceedsHold { .. }) => hold_precondition(held),
            given @ (Refusal::NothingPending(_)
            | Refusal::BudgetExhausted { .. }
            | Refusal::BudgetNotOpen(_)) => giving_precondition(given),
            reversal @ (Refusal::TransactionNotReversible { .. } | Refusal::ReversalExceedsTransaction { .. }) => {
                reversal_precondition(reversal)
            }
            business => precondition(business),
        }
    }
}

/// What is well formed and, as things stand, not possible: `FAILED_PRECONDITION`.
fn precondition(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::CountExceeded { resource, count_max } => ApiError::refused(
            ErrorReason::CountExceeded,
            "There are {count_max} of {resource} already, and there can be no more.",
        )
        .with("resource", resource.as_str())
        .with("count_max", count_max),
        Refusal::InsufficientBalance {
            unit_code,
            available,
            required,
        } => ApiError::refused(
            ErrorReason::InsufficientBalance,
            "The owner has {available} of {unit_code} available, and {required} are required.",
        )
        .with("unit_code", unit_code)
        .with("available", available)
        .with("required", required),
        Refusal::RefundExceedsPurchase {
            purchase_id,
            refundable_minor,
            required_minor,
        } => ApiError::refused(
            ErrorReason::RefundExceedsPurchase,
            "Of the purchase {purchase_id}, {refundable_minor} can still be refunded, and {required_minor} are required.",
        )
        .with("purchase_id", purchase_id)
        .with("refundable_minor", refundable_minor)
        .with("required_minor", required_minor),
        Refusal::OwnerClosed(owner_id) => {
            ApiError::refused(ErrorReason::OwnerClosed, "The owner {owner_id} is closed.").with("owner_id", owner_id)
        }
        Refusal::OwnerSuspended(owner_id) => ApiError::refused(
            ErrorReason::OwnerSuspended,
            "The owner {owner_id} is suspended: nothing can be spent or transferred.",
        )
        .with("owner_id", owner_id),
        Refusal::OwnerUnsuitable { owner_id, why } => {
            ApiError::refused(ErrorReason::OwnerUnsuitable, unsuitable(why)).with("owner_id", owner_id)
        }
        Refusal::AmountOverflow(unit_code) => ApiError::refused(
            ErrorReason::AmountOverflow,
            "The sum of {unit_code} does not fit into 64 bits.",
        )
        .with("unit_code", unit_code),
        Refusal::MoneyOverflow(currency) => ApiError::refused(
            ErrorReason::AmountOverflow,
            "The sum of {unit_code} does not fit into 64 bits.",
        )
        .with("unit_code", currency),
        Refusal::CurrencyMismatch { actual, required } => ApiError::refused(
            ErrorReason::CurrencyMismatch,
            "The money is in {currency_code}, and must be in {required_currency_code}.",
        )
        .with("currency_code", actual)
        .with("required_currency_code", required),
        Refusal::RuleOverlaps(rule_id) => ApiError::refused(
            ErrorReason::RuleOverlaps,
            "The rule {rule_id} would count the same purchases.",
        )
        .with("rule_id", rule_id),
        other => ApiError::internal_message(&format!("{other:?} is told in the first table")),
    }
}

/// What cannot be done with points that are set aside.
fn hold_precondition(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::HoldNotOpen { hold_id, status } => ApiError::refused(
            ErrorReason::HoldNotOpen,
            "The hold {hold_id} is not open: it is {status}.",
        )
        .with("hold_id", hold_id)
        .with("status", status),
        Refusal::CaptureExceedsHold {
            hold_id,
            held,
            required,
        } => ApiError::refused(
            ErrorReason::CaptureExceedsHold,
            "The hold {hold_id} has {held} set aside, and {required} are required.",
        )
        .with("hold_id", hold_id)
        .with("held", held)
        .with("required", required),
        other => ApiError::internal_message(&format!("{other:?} is not about a hold")),
    }
}

const fn unsuitable(why: Unsuitable) -> &'static str {
    match why {
        Unsuitable::Merged => "The owner {owner_id} is merged into another.",
        Unsuitable::InOtherHousehold => "The owner {owner_id} belongs to another household.",
        Unsuitable::OtherKind => "The owner {owner_id} is of a kind that does not do this.",
        Unsuitable::NotInHousehold => "The owner {owner_id} does not belong to the household.",
        Unsuitable::HasHolds => {
            "Points of the owner {owner_id} are set aside: capture or release them first."
        }
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused(refusal) => refusal.into(),
            LedgerError::Storage(error) => storage_status(&error),
            LedgerError::SharedStorage(error) => storage_status(&error),
            LedgerError::Full => Self::overloaded(FULL_RETRY_AFTER),
            LedgerError::Ending => Self::dependency_unavailable(OURSELVES),
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        ApiError::from(refusal).into()
    }
}

impl From<LedgerError> for Status {
    fn from(error: LedgerError) -> Self {
        ApiError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use fealty_rpc::errors::reason_name;
    use fealty_types::Points;
    use fealty_types::{HoldId, OwnerId, PurchaseId, RequestId, RuleId, TransactionId, Version};

    use super::*;
    use crate::posting::domain::HoldStatus;
    use crate::refusal::Resource;

    fn said(refusal: Refusal) -> (Code, &'static str, String) {
        let error = ApiError::from(refusal);
        (error.code(), reason_name(error.reason()), error.message())
    }

    #[test]
    fn every_refusal_of_a_posting_says_what_it_is_about() {
        let time = chrono::DateTime::UNIX_EPOCH;
        let owner_id = OwnerId::generate_at(time);
        let purchase_id = PurchaseId::generate_at(time);
        let transaction_id = TransactionId::generate_at(time);
        let points: fealty_types::UnitCode = "points".parse().unwrap();
        let pounds = "GBP".parse().unwrap();
        let refusals = [
            (
                Refusal::InsufficientBalance {
                    unit_code: points.clone(),
                    available: Points::new(3),
                    required: Points::new(5),
                },
                "INSUFFICIENT_BALANCE",
                "The owner has 3 of points available, and 5 are required.".to_owned(),
            ),
            (
                Refusal::RefundExceedsPurchase {
                    purchase_id,
                    refundable_minor: 3,
                    required_minor: 5,
                },
                "REFUND_EXCEEDS_PURCHASE",
                format!("Of the purchase {purchase_id}, 3 can still be refunded, and 5 are required."),
            ),
            (
                Refusal::OwnerClosed(owner_id),
                "OWNER_CLOSED",
                format!("The owner {owner_id} is closed."),
            ),
            (
                Refusal::OwnerSuspended(owner_id),
                "OWNER_SUSPENDED",
                format!("The owner {owner_id} is suspended: nothing can be spent or transferred."),
            ),
            (
                Refusal::OwnerUnsuitable {
                    owner_id,
                    why: Unsuitable::HasHolds,
                },
                "OWNER_UNSUITABLE",
                format!("Points of the owner {owner_id} are set aside: capture or release them first."),
            ),
            (
                Refusal::AmountOverflow(points),
                "AMOUNT_OVERFLOW",
                "The sum of points does not fit into 64 bits.".to_owned(),
            ),
            (
                Refusal::CurrencyMismatch {
                    actual: "EUR".parse().unwrap(),
                    required: pounds,
                },
                "CURRENCY_MISMATCH",
                "The money is in EUR, and must be in GBP.".to_owned(),
            ),
        ];
        for (refusal, reason, message) in refusals {
            assert_eq!(said(refusal), (Code::FailedPrecondition, reason, message));
        }
        let used = Refusal::ReceiptAlreadyUsed {
            source: "till".to_owned(),
            receipt_id: "7".to_owned(),
            transaction_id,
        };
        let message =
            format!("The receipt 7 of till is already recorded, by the transaction {transaction_id}.");
        assert_eq!(said(used), (Code::AlreadyExists, "RECEIPT_ALREADY_USED", message));
    }

    #[test]
    fn every_refusal_about_a_hold_says_which() {
        let hold_id = HoldId::generate_at(chrono::DateTime::UNIX_EPOCH);
        let refusals = [
            (
                Refusal::HoldNotOpen {
                    hold_id,
                    status: HoldStatus::Expired,
                },
                "HOLD_NOT_OPEN",
                format!("The hold {hold_id} is not open: it is expired."),
            ),
            (
                Refusal::CaptureExceedsHold {
                    hold_id,
                    held: Points::new(3),
                    required: Points::new(5),
                },
                "CAPTURE_EXCEEDS_HOLD",
                format!("The hold {hold_id} has 3 set aside, and 5 are required."),
            ),
        ];
        for (refusal, reason, message) in refusals {
            assert_eq!(said(refusal), (Code::FailedPrecondition, reason, message));
        }
    }

    #[test]
    fn every_refusal_of_a_transfer_says_what_would_be_allowed() {
        let owner_id = OwnerId::generate_at(chrono::DateTime::UNIX_EPOCH);
        let points: fealty_types::UnitCode = "points".parse().unwrap();
        let refusals = [
            (
                Refusal::TransferNotAllowed(points.clone()),
                "TRANSFER_NOT_ALLOWED",
                "Owners cannot transfer points to each other.".to_owned(),
            ),
            (
                Refusal::TransferToSelf(owner_id),
                "TRANSFER_TO_SELF",
                format!("Both use the account of the owner {owner_id}."),
            ),
            (
                Refusal::TransferValueNotAllowed {
                    unit_code: points.clone(),
                    required: Points::new(5),
                    value_min: Points::new(10),
                    value_max: None,
                },
                "TRANSFER_VALUE_NOT_ALLOWED",
                "5 of points is outside of the bounds of one transfer: at least 10, and at most 0 (0 for no bound)."
                    .to_owned(),
            ),
            (
                Refusal::TransferLimitReached {
                    unit_code: points,
                    day: chrono::NaiveDate::from_ymd_opt(2026, 11, 22).unwrap(),
                    sent_value: Points::new(70),
                    day_value_max: Some(Points::new(100)),
                    sent_count: 3,
                    day_count_max: None,
                },
                "TRANSFER_LIMIT_REACHED",
                "On 2026-11-22 the owner has sent 70 of points in 3 transfers. The bounds of a day are 100 in 0 \
                 transfers (0 for no bound)."
                    .to_owned(),
            ),
        ];
        for (refusal, reason, message) in refusals {
            assert_eq!(said(refusal), (Code::FailedPrecondition, reason, message));
        }
    }

    #[test]
    fn every_other_refusal_has_its_code_and_reason() {
        let time = chrono::DateTime::UNIX_EPOCH;
        let table = [
            (
                Refusal::not_found(Resource::Unit, "x"),
                Code::NotFound,
                "RESOURCE_NOT_FOUND",
            ),
            (
                Refusal::exists(Resource::Unit, "x"),
                Code::AlreadyExists,
                "RESOURCE_EXISTS",
            ),
            (
                Refusal::etag_mismatch(Resource::Unit, "x"),
                Code::Aborted,
                "ETAG_MISMATCH",
            ),
            (
                Refusal::HeldElsewhere(OwnerId::generate_at(time)),
                Code::Aborted,
                "CONTENTION",
            ),
            (
                Refusal::CountExceeded {
                    resource: Resource::Unit,
                    count_max: 100,
                },
                Code::FailedPrecondition,
                "COUNT_EXCEEDED",
            ),
            (
                Refusal::RequestIdReused(RequestId::generate_at(time)),
                Code::AlreadyExists,
                "REQUEST_ID_REUSED",
            ),
            (
                Refusal::FieldInvalid {
                    field: "end_time",
                    description: "must not be in the past",
                },
                Code::InvalidArgument,
                "INVALID_FIELDS",
            ),
            (
                Refusal::MoneyOverflow("GBP".parse().unwrap()),
                Code::FailedPrecondition,
                "AMOUNT_OVERFLOW",
            ),
            (
                Refusal::RuleOverlaps(RuleId::generate_at(time)),
                Code::FailedPrecondition,
                "RULE_OVERLAPS",
            ),
            (
                Refusal::VersionAhead {
                    version: Version::try_new(7).unwrap(),
                    newest: Version::ZERO,
                },
                Code::OutOfRange,
                "VERSION_AHEAD",
            ),
        ];
        for (refusal, code, reason) in table {
            let said = said(refusal);
            assert_eq!((said.0, said.1), (code, reason));
            assert!(!said.2.contains('{'), "a value is missing: {}", said.2);
        }
    }
}
