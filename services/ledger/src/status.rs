//! The one table from what the rooms refuse to what a caller is told.

use std::time::Duration;

use fealty_postgres::{Fault, StorageError};
use fealty_proto::r#type::v1::ErrorReason;
use fealty_rpc::errors::ApiError;
use fealty_rpc::violations::Violations;
use tonic::{Code, Status};

use crate::refusal::{LedgerError, Refusal};

/// When those who lost against neighbours may try again: a few commits later.
const RETRY_AFTER: Duration = Duration::from_millis(100);

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { resource, id } => Self::not_found(resource.as_str(), id),
            Refusal::Exists { resource, id } => Self::already_exists(resource.as_str(), id),
            Refusal::EtagMismatch { resource, id } => Self::etag_mismatch(resource.as_str(), id),
            Refusal::RequestIdReused(request_id) => Self::request_id_reused(request_id),
            Refusal::VersionAhead { version, newest } => Self::version_ahead(version.get(), newest.get()),
            Refusal::FieldInvalid { field, description } => field_invalid(field, description),
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

fn field_invalid(field: &'static str, description: &'static str) -> ApiError {
    let mut violations = Violations::default();
    violations.add(field, description);
    violations
        .finish()
        .expect_err("a violation was noted a line above")
}

/// What a caller is told of a fault of the storage. What is our own mistake is logged, not told.
#[must_use]
pub fn storage_status(error: &StorageError) -> ApiError {
    match error.fault() {
        Fault::Unavailable(dependency) => ApiError::dependency_unavailable(dependency),
        Fault::Contention => ApiError::contention(RETRY_AFTER),
        Fault::Deadline => ApiError::deadline_exceeded(),
        Fault::Internal => ApiError::internal(error),
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Refused(refusal) => refusal.into(),
            LedgerError::Storage(error) => storage_status(&error),
            LedgerError::SharedStorage(error) => storage_status(&error),
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
