//! Answers as messages.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::{Amount, Money as PbMoney};
use fealty_rpc::present::{money, timestamp};
use fealty_types::{CurrencyCode, Money, UnitCode};
use prost::Message;

use crate::posting::Posted;
use crate::posting::domain::TakenBack;
use crate::purchases::domain::{Earning, Purchase, Refund, Sums, UnitSums};
use crate::refusal::Refusal;
use crate::{balances, transactions};

/// The response to a recorded purchase.
pub(in crate::purchases) fn encode_recorded(recorded: &Purchase, posted: &Posted) -> Vec<u8> {
    pb::RecordPurchaseResponse {
        purchase: Some(purchase(recorded)),
        balance: Some(balances::grpc::present(&posted.balance)),
    }
    .encode_to_vec()
}

/// The response to a recorded refund.
pub(in crate::purchases) fn encode_refunded(refund: &Refund, posted: &Posted) -> Vec<u8> {
    pb::RefundPurchaseResponse {
        transaction: Some(transactions::grpc::present(&posted.transaction)),
        taken_back: refund.taken_back.iter().map(taken_back).collect(),
        balance: Some(balances::grpc::present(&posted.balance)),
    }
    .encode_to_vec()
}

pub(super) fn purchase(purchase: &Purchase) -> pb::Purchase {
    pb::Purchase {
        purchase_id: purchase.purchase_id.to_string(),
        owner_id: purchase.owner_id.to_string(),
        source: purchase.source.clone(),
        receipt_id: purchase.receipt_id.clone(),
        money: Some(money(purchase.money)),
        occur_time: Some(timestamp(purchase.occur_time)),
        record_time: Some(timestamp(purchase.record_time)),
        earnings: purchase.earnings.iter().map(earning).collect(),
        refunded_money: Some(money(Money::new(
            purchase.money.currency,
            purchase.refunded_minor,
        ))),
        // A purchase bears the id of the transaction that recorded it.
        transaction_id: purchase.purchase_id.to_string(),
    }
}

fn earning(earning: &Earning) -> pb::Earning {
    pb::Earning {
        rule_id: earning.rule_id.to_string(),
        amount: Some(Amount {
            unit_code: earning.unit_code.to_string(),
            value: earning.value.get(),
        }),
        taken_back_value: earning.taken_back.get(),
    }
}

fn taken_back(taken_back: &TakenBack) -> pb::TakenBack {
    pb::TakenBack {
        unit_code: taken_back.unit_code.to_string(),
        from_available: taken_back.from_available.get(),
        as_debt: taken_back.as_debt.get(),
        waived: taken_back.waived.get(),
    }
}

/// The sums, in the program's currency, unless one does not fit into 64 bits.
pub(super) fn sums(sums: &Sums, currency: CurrencyCode) -> Result<pb::SummarizePurchasesResponse, Refusal> {
    let units: Result<Vec<pb::UnitSummary>, Refusal> = sums
        .units
        .iter()
        .map(|(unit_code, unit)| unit_summary(unit_code, unit))
        .collect();
    Ok(pb::SummarizePurchasesResponse {
        purchase_count: sums.purchase_count,
        purchase_money: Some(sum_of_money(sums.purchase_minor, currency)?),
        refund_count: sums.refund_count,
        refund_money: Some(sum_of_money(sums.refund_minor, currency)?),
        units: units?,
    })
}

fn sum_of_money(minor: i128, currency: CurrencyCode) -> Result<PbMoney, Refusal> {
    let minor = i64::try_from(minor).map_err(|_| Refusal::MoneyOverflow(currency))?;
    Ok(money(Money::new(currency, minor)))
}

fn unit_summary(unit_code: &UnitCode, unit: &UnitSums) -> Result<pb::UnitSummary, Refusal> {
    let fits = |sum: i128| i64::try_from(sum).map_err(|_| Refusal::AmountOverflow(unit_code.clone()));
    Ok(pb::UnitSummary {
        unit_code: unit_code.to_string(),
        earned_value: fits(unit.earned)?,
        taken_back: Some(pb::TakenBack {
            unit_code: unit_code.to_string(),
            from_available: fits(unit.from_available)?,
            as_debt: fits(unit.as_debt)?,
            waived: fits(unit.waived)?,
        }),
        shortfall_count: unit.shortfall_count,
        debt_repaid_value: fits(unit.debt_repaid)?,
    })
}
