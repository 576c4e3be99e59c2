//! Facts of the catalogue.

use chrono::TimeDelta;

use super::*;

fn reward() -> Reward {
    NewReward {
        terms: Terms {
            display_name: "Coffee".to_owned(),
            description: String::new(),
            price: Some(price(100)),
            status: RewardStatus::Active,
            start_time: None,
            end_time: None,
            tier_codes: Vec::new(),
            per_member_count_max: 0,
            voucher_life_days: 30,
        },
        code_source: CodeSource::Generated,
        stock_unlimited: false,
        stock_count: 5,
    }
    .start(RewardId::generate_at(DateTime::UNIX_EPOCH), DateTime::UNIX_EPOCH)
}

fn price(value: i64) -> Price {
    Price {
        unit_code: "points".parse().unwrap(),
        value: Points::new(value),
    }
}

fn candidate(tier_code: &str) -> Candidate {
    Candidate {
        member_id: MemberId::generate_at(DateTime::UNIX_EPOCH),
        inactive: None,
        tier_codes: vec!["regulars".to_owned(), tier_code.to_owned()],
    }
}

#[test]
fn where_codes_come_from_a_pool_the_pool_is_the_stock() {
    let new = NewReward {
        terms: reward().terms,
        code_source: CodeSource::Pool,
        stock_unlimited: false,
        stock_count: 0,
    };
    let reward = new.start(RewardId::generate_at(DateTime::UNIX_EPOCH), DateTime::UNIX_EPOCH);
    assert!(reward.stock_unlimited && reward.counts_stock());
    assert_eq!(
        reward.offer_to(&candidate(""), DateTime::UNIX_EPOCH),
        Err(Refusal::OutOfStock(reward.reward_id))
    );
}

#[test]
fn a_reward_is_offered_while_active_from_its_start_until_before_its_end() {
    let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
    let mut reward = reward();
    reward.terms.start_time = Some(at(10));
    reward.terms.end_time = Some(at(20));
    let unavailable = Err(Refusal::RewardUnavailable(reward.reward_id));
    for (seconds, offered) in [(9, false), (10, true), (19, true), (20, false)] {
        let expected = if offered { Ok(()) } else { unavailable.clone() };
        assert_eq!(
            reward.offer_to(&candidate(""), at(seconds)),
            expected,
            "{seconds}"
        );
    }
    for status in [RewardStatus::Draft, RewardStatus::Ended] {
        reward.terms.status = status;
        assert_eq!(reward.offer_to(&candidate(""), at(15)), unavailable);
    }
}

#[test]
fn a_reward_of_tiers_is_for_their_members_only() {
    let mut reward = reward();
    reward.terms.tier_codes = vec!["gold".parse().unwrap(), "black".parse().unwrap()];
    for (tier_code, offered) in [("gold", true), ("black", true), ("silver", false), ("", false)] {
        let offer = reward.offer_to(&candidate(tier_code), DateTime::UNIX_EPOCH);
        assert_eq!(offer.is_ok(), offered, "{tier_code}");
    }
}

#[test]
fn nobody_gets_a_reward_who_is_not_active() {
    let mut candidate = candidate("");
    candidate.inactive = Some("SUSPENDED");
    assert!(matches!(
        reward().offer_to(&candidate, DateTime::UNIX_EPOCH),
        Err(Refusal::MemberNotActive {
            status: "SUSPENDED",
            ..
        })
    ));
}

#[test]
fn a_price_is_taken_as_quoted_or_not_at_all() {
    let mut reward = reward();
    assert_eq!(reward.check_price(None), Ok(()));
    assert_eq!(reward.check_price(Some(&price(100))), Ok(()));
    assert!(reward.check_price(Some(&price(99))).is_err());
    reward.terms.price = None;
    assert_eq!(
        reward.check_price(Some(&price(100))),
        Err(Refusal::PriceChanged {
            reward_id: reward.reward_id,
            price: None
        })
    );
}

#[test]
fn a_change_counts_and_keeps_dates_sound() {
    let reward = reward();
    let renamed = TermsChange {
        display_name: Change::Set("Tea".to_owned()),
        ..TermsChange::default()
    };
    let later = DateTime::UNIX_EPOCH + TimeDelta::days(1);
    let changed = reward.changed(renamed.clone(), later).unwrap().unwrap();
    assert_eq!((changed.revision.get(), changed.update_time), (1, later));
    assert_eq!(changed.terms.price, reward.terms.price);
    assert_eq!(changed.changed(renamed, later), Ok(None));

    let ended = TermsChange {
        start_time: Change::Set(Some(later)),
        end_time: Change::Set(Some(later)),
        ..TermsChange::default()
    };
    assert!(matches!(
        reward.changed(ended, later),
        Err(Refusal::FieldInvalid {
            field: "reward.end_time",
            ..
        })
    ));
}

#[test]
fn what_is_counted_can_be_adjusted_down_to_nothing_and_no_further() {
    let mut reward = reward();
    assert_eq!(reward.adjusted_stock(-5), Ok(0));
    assert_eq!(
        reward.adjusted_stock(-6),
        Err(Refusal::OutOfStock(reward.reward_id))
    );
    assert_eq!(reward.adjusted_stock(STOCK_MAX - 5), Ok(STOCK_MAX));
    for too_many in [STOCK_MAX - 4, i64::MAX] {
        assert!(matches!(
            reward.adjusted_stock(too_many),
            Err(Refusal::FieldInvalid {
                field: "change_count",
                ..
            })
        ));
    }
    reward.stock_unlimited = true;
    assert!(matches!(
        reward.adjusted_stock(1),
        Err(Refusal::FieldInvalid {
            field: "reward_id",
            ..
        })
    ));
}
