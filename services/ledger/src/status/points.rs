//! Refusals of points that are given, sent or taken back: `FAILED_PRECONDITION`.

use fealty_proto::r#type::v1::ErrorReason;
use fealty_rpc::errors::ApiError;
use fealty_types::Points;

use crate::posting::domain::TransactionKind;
use crate::refusal::Refusal;

/// The same of points that are given.
pub(super) fn giving_precondition(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::NothingPending(transaction_id) => ApiError::refused(
            ErrorReason::NothingPending,
            "Nothing waits of what the transaction {transaction_id} gave.",
        )
        .with("transaction_id", transaction_id),
        Refusal::BudgetExhausted {
            budget_code,
            left,
            required,
        } => ApiError::refused(
            ErrorReason::BudgetExhausted,
            "The budget {budget_code} has {left} left, and {required} are required.",
        )
        .with("budget_code", budget_code)
        .with("left", left)
        .with("required", required),
        Refusal::BudgetNotOpen(budget_code) => ApiError::refused(
            ErrorReason::BudgetNotOpen,
            "The budget {budget_code} is not open.",
        )
        .with("budget_code", budget_code),
        other => ApiError::internal_message(&format!("{other:?} is not about points that are given")),
    }
}

/// What cannot be sent to another owner. No bound is told as 0, as the unit tells it.
pub(super) fn transfer_precondition(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::TransferNotAllowed(unit_code) => ApiError::refused(
            ErrorReason::TransferNotAllowed,
            "Owners cannot transfer {unit_code} to each other.",
        )
        .with("unit_code", unit_code),
        Refusal::TransferToSelf(owner_id) => ApiError::refused(
            ErrorReason::TransferToSelf,
            "Both use the account of the owner {owner_id}.",
        )
        .with("owner_id", owner_id),
        Refusal::TransferValueNotAllowed {
            unit_code,
            required,
            value_min,
            value_max,
        } => ApiError::refused(
            ErrorReason::TransferValueNotAllowed,
            "{required} of {unit_code} is outside of the bounds of one transfer: at least {value_min}, and at most \
             {value_max} (0 for no bound).",
        )
        .with("unit_code", unit_code)
        .with("required", required)
        .with("value_min", value_min)
        .with("value_max", value_max.unwrap_or(Points::ZERO)),
        Refusal::TransferLimitReached {
            unit_code,
            day,
            sent_value,
            day_value_max,
            sent_count,
            day_count_max,
        } => ApiError::refused(
            ErrorReason::TransferLimitReached,
            "On {day} the owner has sent {sent_value} of {unit_code} in {sent_count} transfers. The bounds of a day are \
             {day_value_max} in {day_count_max} transfers (0 for no bound).",
        )
        .with("unit_code", unit_code)
        .with("day", day)
        .with("sent_value", sent_value)
        .with("day_value_max", day_value_max.unwrap_or(Points::ZERO))
        .with("sent_count", sent_count)
        .with("day_count_max", day_count_max.unwrap_or(0)),
        other => ApiError::internal_message(&format!("{other:?} is not about a transfer")),
    }
}

/// What a member of a household may not spend.
pub(super) fn spending_precondition(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::SpendingLimitReached {
            owner_id,
            unit_code,
            period,
            used,
            value_max,
            required,
        } => ApiError::refused(
            ErrorReason::SpendingLimitReached,
            "The owner {owner_id} has used {used} of {unit_code} in this {period}, and {required} more would be above the \
             limit of {value_max}.",
        )
        .with("owner_id", owner_id)
        .with("unit_code", unit_code)
        .with("period", period)
        .with("used", used)
        .with("value_max", value_max)
        .with("required", required),
        other => ApiError::internal_message(&format!("{other:?} is not about a spending limit")),
    }
}

/// What cannot be taken back.
pub(super) fn reversal_precondition(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::TransactionNotReversible { transaction_id, kind } => {
            ApiError::refused(ErrorReason::TransactionNotReversible, not_reversible(kind))
                .with("transaction_id", transaction_id)
                .with("kind", kind)
        }
        Refusal::ReversalExceedsTransaction {
            transaction_id,
            reversible,
            required,
        } => ApiError::refused(
            ErrorReason::ReversalExceedsTransaction,
            "Of the transaction {transaction_id}, {reversible_value} can still be reversed, and {required_value} are required.",
        )
        .with("transaction_id", transaction_id)
        .with("reversible_value", reversible)
        .with("required_value", required),
        other => ApiError::internal_message(&format!("{other:?} is not about a reversal")),
    }
}

/// What to do instead.
const fn not_reversible(kind: TransactionKind) -> &'static str {
    match kind {
        TransactionKind::Purchase => {
            "The transaction {transaction_id} is a {kind}: take it back with PurchaseService.RefundPurchase."
        }
        TransactionKind::Refund => {
            "The transaction {transaction_id} is a {kind}: record the purchase again with PurchaseService.RecordPurchase."
        }
        TransactionKind::Hold => {
            "The transaction {transaction_id} is a {kind}: give it back with HoldService.ReleaseHold."
        }
        TransactionKind::Transfer => {
            "The transaction {transaction_id} is a {kind}: send the points back with TransferPoints."
        }
        TransactionKind::Adjust => {
            "The transaction {transaction_id} is of the kind {kind}: correct it with TransactionService.AdjustPoints."
        }
        TransactionKind::Reverse => {
            "The transaction {transaction_id} is of the kind {kind} and cannot be reversed: post what it took back again."
        }
        // Where the hold is not known any more.
        TransactionKind::Capture => {
            "The transaction {transaction_id} is a {kind} from before captures could be reversed: credit the points."
        }
        TransactionKind::Credit
        | TransactionKind::Spend
        | TransactionKind::Expire
        | TransactionKind::Release
        | TransactionKind::Move
        | TransactionKind::Activate
        | TransactionKind::Notice => {
            "The transaction {transaction_id} is of the kind {kind}, which is never reversed."
        }
    }
}
