//! Messages as tests send them.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::ledger::v1::expiry_policy::Policy;
use fealty_proto::ledger::v1::lot_life::Length;
use fealty_proto::types::v1::Money;

use super::harness::new_id;

/// `points` that end after a year, of which 1,000 may be owed.
pub fn points() -> pb::Unit {
    pb::Unit {
        unit_code: "points".to_owned(),
        display_name: "Points".to_owned(),
        expiry_policy: Some(after_days(365)),
        shortfall_policy: pb::ShortfallPolicy::Debt.into(),
        debt_max: 1_000,
        ended_lot_policy: pb::EndedLotPolicy::Gone.into(),
        ..pb::Unit::default()
    }
}

/// So many days after they were earned.
pub fn after_days(days: i32) -> pb::ExpiryPolicy {
    policy(Policy::AfterEarning(life(Length::LifeDays(days))))
}

pub const fn policy(policy: Policy) -> pb::ExpiryPolicy {
    pb::ExpiryPolicy { policy: Some(policy) }
}

/// Not rounded.
pub fn life(length: Length) -> pb::LotLife {
    pb::LotLife {
        length: Some(length),
        ..pb::LotLife::default()
    }
}

/// `miles`, to which each activity gives thirty days more.
pub fn sliding_miles() -> pb::Unit {
    pb::Unit {
        unit_code: "miles".to_owned(),
        display_name: "Miles".to_owned(),
        expiry_policy: Some(policy(Policy::AfterActivity(life(Length::LifeDays(30))))),
        shortfall_policy: pb::ShortfallPolicy::Waive.into(),
        ended_lot_policy: pb::EndedLotPolicy::Gone.into(),
        ..pb::Unit::default()
    }
}

/// A rule without bounds in time.
pub fn cashback(unit_code: &str, rate: &str) -> pb::EarningRule {
    pb::EarningRule {
        display_name: format!("{rate} of {unit_code}"),
        unit_code: unit_code.to_owned(),
        formula: Some(pb::earning_rule::Formula::Cashback(pb::Cashback {
            rate: rate.to_owned(),
            rounding: pb::Rounding::Down.into(),
        })),
        ..pb::EarningRule::default()
    }
}

pub fn purchase_of(owner_id: &str, amount_minor: i64) -> pb::RecordPurchaseRequest {
    pb::RecordPurchaseRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        source: "till".to_owned(),
        receipt_id: new_id(),
        money: Some(pounds(amount_minor)),
        occur_time: None,
    }
}

pub fn refund_of(purchase_id: &str, amount_minor: i64) -> pb::RefundPurchaseRequest {
    let target = pb::refund_purchase_request::Target::PurchaseId(purchase_id.to_owned());
    refund(target, amount_minor)
}

pub fn unreferenced_refund(owner_id: &str, amount_minor: i64) -> pb::RefundPurchaseRequest {
    let target = pb::refund_purchase_request::Target::UnreferencedOwnerId(owner_id.to_owned());
    refund(target, amount_minor)
}

fn refund(target: pb::refund_purchase_request::Target, amount_minor: i64) -> pb::RefundPurchaseRequest {
    pb::RefundPurchaseRequest {
        request_id: new_id(),
        target: Some(target),
        source: "till".to_owned(),
        receipt_id: new_id(),
        money: Some(pounds(amount_minor)),
        occur_time: None,
        reason: String::new(),
    }
}

pub fn pounds(amount_minor: i64) -> Money {
    Money {
        currency_code: "GBP".to_owned(),
        amount_minor,
    }
}
