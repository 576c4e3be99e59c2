//! What a shop has beyond points: a reward, and a survey.

use fealty_proto::rewards::v1::{CodeSource, CreateRewardRequest, Reward, RewardStatus};
use fealty_proto::surveys::v1::{
    CreateSurveyRequest, FollowUp, PublishSurveyVersionRequest, PurchaseTrigger, ScoreGroup, Survey,
    SurveyVersion,
};
use fealty_proto::types::v1::Amount;

use crate::shop::{Shop, UNIT, request_id};

/// What the reward costs.
pub const REWARD_PRICE: i64 = 30;

/// A coffee for some points, once per member.
///
/// # Panics
/// When the call fails.
pub async fn offer_reward(shop: &Shop, stock_count: i64) -> Reward {
    let reward = Reward {
        display_name: "A coffee".to_owned(),
        price: Some(Amount {
            unit_code: UNIT.to_owned(),
            value: REWARD_PRICE,
        }),
        status: RewardStatus::Active.into(),
        code_source: CodeSource::Generated.into(),
        per_member_count_max: 1,
        voucher_life_days: 30,
        ..Reward::default()
    };
    let request = CreateRewardRequest {
        request_id: request_id(),
        reward: Some(reward),
        stock_count,
    };
    let created = shop.rewards.create_reward(request).await.expect("a reward");
    created.into_message().reward.expect("it is answered")
}

/// A survey that invites after each purchase.
///
/// # Panics
/// When a call fails.
pub async fn open_survey(shop: &Shop) -> Survey {
    let survey = Survey {
        display_name: "After payment".to_owned(),
        topic: "after_payment".to_owned(),
        purchase_trigger: Some(PurchaseTrigger::default()),
        invitation_life_days: 14,
        ..Survey::default()
    };
    let request = CreateSurveyRequest {
        request_id: request_id(),
        survey: Some(survey),
    };
    let created = shop.surveys.create_survey(request).await.expect("a survey");
    let survey_id = created.into_message().survey.expect("it is answered").survey_id;
    let version = SurveyVersion {
        score_question: "Would you recommend us?".to_owned(),
        follow_ups: vec![FollowUp {
            asked_of: ScoreGroup::Promoters.into(),
            question: "What do you like most?".to_owned(),
            required: true,
        }],
        ..SurveyVersion::default()
    };
    let request = PublishSurveyVersionRequest {
        request_id: request_id(),
        survey_id,
        version: Some(version),
    };
    let published = shop.surveys.publish_survey_version(request).await;
    published
        .expect("a version")
        .into_message()
        .survey
        .expect("it is answered")
}
