//! Transactions as messages carry them.

use fealty_proto::ledger::v1 as pb;
use fealty_rpc::present::{money, timestamp};
use fealty_types::{BudgetCode, HoldId, OwnerId, Points, PurchaseId, RequestId, TransactionId};
use prost::Message;

use crate::balances;
use crate::posting::Posted;
use crate::posting::domain::{Begin, Entry, EntryAccount, LotMovement, Transaction, TransactionKind};
use crate::transactions::domain::Direction;

/// The response to a credit, a spend or a correction, encoded.
pub(in crate::transactions) fn present_posted(direction: Direction, posted: &Posted) -> Vec<u8> {
    let transaction = Some(present(&posted.transaction));
    let balance = Some(balances::grpc::present(&posted.balance));
    match direction {
        Direction::Credit => pb::CreditPointsResponse { transaction, balance }.encode_to_vec(),
        Direction::Spend => pb::SpendPointsResponse { transaction, balance }.encode_to_vec(),
        Direction::Adjust => pb::AdjustPointsResponse { transaction, balance }.encode_to_vec(),
    }
}

/// The response to a call that lets points begin, encoded.
pub(in crate::transactions) fn present_activated(posted: &Posted) -> Vec<u8> {
    let response = pb::ActivatePointsResponse {
        transaction: Some(present(&posted.transaction)),
        balance: Some(balances::grpc::present(&posted.balance)),
    };
    response.encode_to_vec()
}

/// The response to a transfer, encoded.
pub(in crate::transactions) fn present_transferred(posted: &Posted) -> Vec<u8> {
    pb::TransferPointsResponse {
        transaction: Some(present(&posted.transaction)),
        received_transaction: posted.received.as_ref().map(present),
        balance: Some(balances::grpc::present(&posted.balance)),
    }
    .encode_to_vec()
}

/// A transaction as messages carry it.
#[must_use]
pub fn present(transaction: &Transaction) -> pb::Transaction {
    pb::Transaction {
        transaction_id: transaction.transaction_id.to_string(),
        owner_id: transaction.owner_id.to_string(),
        version: transaction.version.get(),
        kind: present_kind(transaction.kind).into(),
        entries: transaction.entries.iter().map(present_entry).collect(),
        lot_movements: transaction.lot_movements.iter().map(present_movement).collect(),
        source: transaction.source.clone(),
        receipt_id: transaction.receipt_id.clone().unwrap_or_default(),
        purchase_id: transaction
            .purchase_id
            .as_ref()
            .map(PurchaseId::to_string)
            .unwrap_or_default(),
        actor: transaction.actor.clone(),
        reason: transaction.reason.clone(),
        request_id: transaction
            .request_id
            .as_ref()
            .map(RequestId::to_string)
            .unwrap_or_default(),
        occur_time: Some(timestamp(transaction.occur_time)),
        record_time: Some(timestamp(transaction.record_time)),
        money: transaction.money.map(money),
        on_behalf_of_owner_id: transaction
            .on_behalf_of
            .as_ref()
            .map(OwnerId::to_string)
            .unwrap_or_default(),
        counterpart_transaction_id: transaction
            .counterpart
            .map(|it| it.transaction_id.to_string())
            .unwrap_or_default(),
        counterpart_owner_id: transaction
            .counterpart
            .map(|it| it.owner_id.to_string())
            .unwrap_or_default(),
        reversed_transaction_id: transaction
            .reversed_transaction_id
            .as_ref()
            .map(TransactionId::to_string)
            .unwrap_or_default(),
        hold_id: transaction
            .hold_id
            .as_ref()
            .map(HoldId::to_string)
            .unwrap_or_default(),
    }
}

pub(super) const fn present_kind(kind: TransactionKind) -> pb::TransactionKind {
    match kind {
        TransactionKind::Credit => pb::TransactionKind::Credit,
        TransactionKind::Spend => pb::TransactionKind::Spend,
        TransactionKind::Expire => pb::TransactionKind::Expire,
        TransactionKind::Purchase => pb::TransactionKind::Purchase,
        TransactionKind::Refund => pb::TransactionKind::Refund,
        TransactionKind::Hold => pb::TransactionKind::Hold,
        TransactionKind::Capture => pb::TransactionKind::Capture,
        TransactionKind::Release => pb::TransactionKind::Release,
        TransactionKind::Move => pb::TransactionKind::Move,
        TransactionKind::Notice => pb::TransactionKind::Notice,
        TransactionKind::Activate => pb::TransactionKind::Activate,
        TransactionKind::Adjust => pb::TransactionKind::Adjust,
        TransactionKind::Transfer => pb::TransactionKind::Transfer,
        TransactionKind::Reverse => pb::TransactionKind::Reverse,
    }
}

fn present_entry(entry: &Entry) -> pb::Entry {
    pb::Entry {
        account: present_account(entry.account).into(),
        unit_code: entry.unit_code.to_string(),
        value: entry.value.get(),
        budget_code: code(entry.budget_code.as_ref()),
        balance_after: entry.balance_after.map_or(0, Points::get),
    }
}

const fn present_account(account: EntryAccount) -> pb::EntryAccount {
    match account {
        EntryAccount::OwnerAvailable => pb::EntryAccount::OwnerAvailable,
        EntryAccount::OwnerDebt => pb::EntryAccount::OwnerDebt,
        EntryAccount::OwnerHeld => pb::EntryAccount::OwnerHeld,
        EntryAccount::OwnerPending => pb::EntryAccount::OwnerPending,
        EntryAccount::ProgramIssued => pb::EntryAccount::ProgramIssued,
        EntryAccount::ProgramRedeemed => pb::EntryAccount::ProgramRedeemed,
        EntryAccount::ProgramExpired => pb::EntryAccount::ProgramExpired,
        EntryAccount::ProgramWaived => pb::EntryAccount::ProgramWaived,
        EntryAccount::ProgramMoved => pb::EntryAccount::ProgramMoved,
        EntryAccount::ProgramAdjusted => pb::EntryAccount::ProgramAdjusted,
    }
}

fn present_movement(movement: &LotMovement) -> pb::LotMovement {
    pb::LotMovement {
        lot_id: movement.lot_id.to_string(),
        unit_code: movement.unit_code.to_string(),
        value: movement.value.get(),
        expire_time: movement.expire_time.map(timestamp),
        budget_code: code(movement.budget_code.as_ref()),
        pending: movement.begin.is_some(),
        begin_time: movement.begin.and_then(Begin::time).map(timestamp),
    }
}

fn code(budget_code: Option<&BudgetCode>) -> String {
    budget_code.map(ToString::to_string).unwrap_or_default()
}
