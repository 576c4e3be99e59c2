//! Rewards as messages.

use fealty_proto::rewards::v1 as pb;
use fealty_rpc::etag::Etag;
use fealty_rpc::present::timestamp;

use crate::catalogue::domain::{CodeSource, Reward, RewardStatus};
use crate::events::amount;

/// What a reward takes beside its texts: ids, times and tiers.
const SIZE_BESIDE_TEXT_BYTES: usize = 1_500;

pub(super) fn reward(reward: &Reward) -> pb::Reward {
    let terms = &reward.terms;
    pb::Reward {
        reward_id: reward.reward_id.to_string(),
        display_name: terms.display_name.clone(),
        description: terms.description.clone(),
        price: terms.price.as_ref().map(amount),
        status: match terms.status {
            RewardStatus::Draft => pb::RewardStatus::Draft,
            RewardStatus::Active => pb::RewardStatus::Active,
            RewardStatus::Ended => pb::RewardStatus::Ended,
        }
        .into(),
        start_time: terms.start_time.map(timestamp),
        end_time: terms.end_time.map(timestamp),
        tier_codes: terms.tier_codes.iter().map(ToString::to_string).collect(),
        per_member_count_max: terms.per_member_count_max,
        code_source: match reward.code_source {
            CodeSource::Generated => pb::CodeSource::Generated,
            CodeSource::Pool => pb::CodeSource::Pool,
        }
        .into(),
        voucher_life_days: terms.voucher_life_days,
        stock_unlimited: reward.stock_unlimited,
        stock_left: reward.stock_left,
        create_time: Some(timestamp(reward.create_time)),
        update_time: Some(timestamp(reward.update_time)),
        etag: Etag::new(reward.revision.get()).to_string(),
    }
}

/// About how large a reward is as a message, and not less.
pub(super) fn size_bytes(reward: &Reward) -> usize {
    reward.terms.display_name.len() + reward.terms.description.len() + SIZE_BESIDE_TEXT_BYTES
}
