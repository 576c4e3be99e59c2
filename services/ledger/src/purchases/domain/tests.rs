use chrono::TimeDelta;
use fealty_types::{CurrencyCode, Rounding, UnitScale};
use proptest::prelude::*;

use super::*;
use crate::rules::domain::{Cashback, Span};
use crate::units::domain::{EndedLotPolicy, ExpiryPolicy, LifeLength, LotLife, ShortfallPolicy};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

fn pounds(minor: i64) -> Money {
    Money::new("GBP".parse().unwrap(), minor)
}

fn unit(code: &str, policy: ShortfallPolicy) -> UnitTerms {
    UnitTerms {
        code: code.parse().unwrap(),
        scale: UnitScale::ZERO,
        expiry_policy: ExpiryPolicy::AfterEarning(LotLife {
            length: LifeLength::Days(365),
            round_up_to: None,
        }),
        shortfall_policy: policy,
        debt_max: Points::new(1_000),
        transfer_rules: None,
        ended_lot_policy: EndedLotPolicy::Gone,
    }
}

fn rule(code: &str, rate: &str, start: Option<i64>, end: Option<i64>) -> EarningRule {
    EarningRule {
        rule_id: RuleId::generate_at(at(0)),
        display_name: format!("{rate} of {code}"),
        unit_code: code.parse().unwrap(),
        cashback: Cashback {
            rate: rate.parse().unwrap(),
            rounding: Rounding::Down,
        },
        span: Span {
            start: start.map(at),
            end: end.map(at),
        },
        create_time: at(0),
    }
}

fn terms(rules: Vec<EarningRule>) -> Terms {
    Terms {
        rules,
        units: vec![
            unit("points", ShortfallPolicy::Debt),
            unit("stamps", ShortfallPolicy::Waive),
        ],
    }
}

fn purchase(minor: i64, values: &[i64]) -> Purchase {
    let earnings = values
        .iter()
        .enumerate()
        .map(|(index, value)| Earning {
            rule_id: RuleId::generate_at(at(0)),
            unit_code: format!("u{index}").parse().unwrap(),
            value: Points::new(*value),
            debt_repaid: Points::ZERO,
            taken_back: Points::ZERO,
        })
        .collect();
    Purchase {
        purchase_id: PurchaseId::generate_at(at(0)),
        owner_id: OwnerId::generate_at(at(0)),
        version: Version::ZERO,
        source: "till".to_owned(),
        receipt_id: "1".to_owned(),
        money: pounds(minor),
        occur_time: at(0),
        record_time: at(0),
        earnings,
        lot_ids: Vec::new(),
        refunded_minor: 0,
    }
}

fn values(rewards: &[Reward]) -> Vec<(&str, i64)> {
    rewards
        .iter()
        .map(|reward| (reward.unit_code.as_str(), reward.value.get()))
        .collect()
}

#[test]
fn a_purchase_earns_by_the_rules_of_its_own_time() {
    let terms = terms(vec![
        rule("stamps", "0.001", None, None),
        rule("points", "0.01", None, Some(10)),
        rule("points", "0.02", Some(10), None),
    ]);
    let at_9 = terms.rewards(pounds(500_000), at(9)).unwrap();
    let at_10 = terms.rewards(pounds(500_000), at(10)).unwrap();
    assert_eq!(values(&at_9), [("points", 50), ("stamps", 5)]);
    assert_eq!(values(&at_10), [("points", 100), ("stamps", 5)]);
}

#[test]
fn nothing_is_earned_by_nothing() {
    let terms = terms(vec![rule("points", "0.01", None, None)]);
    assert_eq!(terms.rewards(pounds(0), at(0)), Ok(Vec::new()));
    assert_eq!(terms.rewards(pounds(99), at(0)), Ok(Vec::new()));
}

#[test]
fn a_reward_that_does_not_fit_is_refused() {
    let terms = terms(vec![rule("points", "1000000", None, None)]);
    let refused = terms.rewards(pounds(i64::MAX), at(0));
    assert_eq!(refused, Err(Refusal::AmountOverflow("points".parse().unwrap())));
}

#[test]
fn what_cannot_be_taken_back_is_owed_or_waived_as_the_unit_says() {
    let terms = terms(Vec::new());
    let debt_max = |code: &str| {
        let take_back = terms.take_back(&code.parse().unwrap(), Points::new(1), &[]);
        take_back.unwrap().unwrap().debt_max
    };
    assert_eq!(debt_max("points"), Points::new(1_000));
    assert_eq!(debt_max("stamps"), Points::ZERO);
}

#[test]
fn thirds_of_a_purchase_take_back_the_whole() {
    let mut left = purchase(300, &[50]);
    let mut taken = Vec::new();
    for _ in 0..3 {
        let (after, shares) = left.refund(pounds(100)).unwrap();
        taken.push(shares[0].get());
        left = after;
    }
    assert_eq!(taken, [16, 17, 17]);
}

#[test]
fn a_refund_beyond_what_is_left_says_what_is_left() {
    let (after, _) = purchase(300, &[3]).refund(pounds(200)).unwrap();
    let refused = after.refund(pounds(101)).unwrap_err();
    assert_eq!(
        refused,
        Refusal::RefundExceedsPurchase {
            purchase_id: after.purchase_id,
            refundable_minor: 100,
            required_minor: 101,
        }
    );
}

#[test]
fn a_refund_in_another_currency_is_refused() {
    let euros: CurrencyCode = "EUR".parse().unwrap();
    let refused = purchase(300, &[3]).refund(Money::new(euros, 1));
    assert!(matches!(refused, Err(Refusal::CurrencyMismatch { .. })));
}

proptest! {
    #[test]
    fn the_parts_of_all_refunds_sum_to_the_whole(
        parts in proptest::collection::vec(1_i64..=i64::MAX / 16, 1..16),
        earned in proptest::collection::vec(1_i64..=i64::MAX, 0..4),
    ) {
        let mut left = purchase(parts.iter().sum(), &earned);
        let mut taken = vec![0_i64; earned.len()];
        for part in parts {
            let (after, shares) = left.refund(pounds(part)).unwrap();
            for (sum, share) in taken.iter_mut().zip(shares) {
                prop_assert!(!share.is_negative());
                *sum += share.get();
            }
            left = after;
        }
        prop_assert_eq!(left.refundable_minor(), 0);
        prop_assert_eq!(taken, earned);
    }

    #[test]
    fn no_refund_takes_more_than_its_share(
        minor in 1_i64..=i64::MAX, earned in 1_i64..=i64::MAX, part in 1_i64..=i64::MAX,
    ) {
        if let Ok((after, shares)) = purchase(minor, &[earned]).refund(pounds(part)) {
            prop_assert!(part <= minor);
            // taken / earned <= part / minor, and one more would be beyond.
            let (taken, earned) = (i128::from(shares[0].get()), i128::from(earned));
            let (part, minor) = (i128::from(part), i128::from(minor));
            prop_assert!(taken * minor <= earned * part && (taken + 1) * minor > earned * part);
            prop_assert_eq!(after.refunded_minor, i64::try_from(part).unwrap());
        } else {
            prop_assert!(part > minor);
        }
    }
}
