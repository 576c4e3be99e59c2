//! The invented shop: what it counts, what it gives, what it asks.

use anyhow::Context as _;
use fealty_client::{LedgerClient, MembersClient, RewardsClient, SurveysClient};
use fealty_proto::ledger::v1::earning_rule::Formula;
use fealty_proto::ledger::v1::{
    Cashback, CreateEarningRuleRequest, CreateUnitRequest, EarningRule, ExpiryPolicy, LotLife, Rounding,
    ShortfallPolicy, Unit, expiry_policy, lot_life,
};
use fealty_proto::members::v1::{Policy, PublishPolicyRequest};
use fealty_proto::rewards::v1::{CodeSource, CreateRewardRequest, Reward, RewardStatus};
use fealty_proto::surveys::v1::{
    CreateSurveyRequest, FollowUp, PublishSurveyVersionRequest, PurchaseTrigger, ScoreGroup, Survey,
    SurveyVersion,
};
use fealty_proto::types::v1::Amount;

/// What it counts.
pub const UNIT: &str = "beans";
/// Five beans for each pound: one for twenty pence.
const RATE: &str = "5";
/// A bean that nobody uses is gone after half a year.
const LIFE_DAYS: i32 = 180;
/// Nobody owes more beans than that.
const DEBT_MAX: i64 = 10_000;
/// A voucher that nobody uses is gone after two months.
const VOUCHER_LIFE_DAYS: i32 = 60;
/// An invitation can be answered for two weeks.
const INVITATION_LIFE_DAYS: i32 = 14;
/// Whoever bought a bun only is not asked.
pub const ASKED_FROM_MINOR: i64 = 500;

/// What members can get, with the price in beans and how many there are.
pub const REWARDS: [(&str, i64, i64); 4] = [
    ("A filter coffee", 120, 1_000),
    ("A slice of cake", 180, 400),
    ("A bag of beans", 450, 120),
    ("A barista evening for two", 1_200, 10),
];

/// The services as the shop's own key sees them.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Members.
    pub members: MembersClient,
    /// The ledger.
    pub ledger: LedgerClient,
    /// Rewards.
    pub rewards: RewardsClient,
    /// Surveys.
    pub surveys: SurveysClient,
}

/// What the play speaks of.
#[derive(Debug, Clone)]
pub struct Shop {
    /// How to call.
    pub clients: Clients,
    /// The policy in force.
    pub policy_version: i64,
    /// In the order of [`REWARDS`].
    pub reward_ids: Vec<String>,
    /// What is asked after a purchase.
    pub survey_id: String,
}

impl Shop {
    /// Opens it. `request_id` names each call, so that a shop that is opened again is the same one.
    pub async fn open(clients: Clients, request_id: impl Fn(&str) -> String) -> anyhow::Result<Self> {
        let policy_version = publish_policy(&clients, request_id("policy")).await?;
        create_unit(&clients, request_id("unit")).await?;
        create_rule(&clients, request_id("rule")).await?;
        let mut reward_ids = Vec::new();
        for (index, reward) in REWARDS.into_iter().enumerate() {
            let request_id = request_id(&format!("reward {index}"));
            reward_ids.push(create_reward(&clients, request_id, reward).await?);
        }
        let survey_id = create_survey(&clients, request_id("survey")).await?;
        publish_questions(&clients, request_id("questions"), &survey_id).await?;
        Ok(Self {
            clients,
            policy_version,
            reward_ids,
            survey_id,
        })
    }
}

async fn publish_policy(clients: &Clients, request_id: String) -> anyhow::Result<i64> {
    let policy = Policy {
        title: "The terms of the bean club".to_owned(),
        text:
            "A bean for every twenty pence. Beans are good for half a year. We ask now and then how it was."
                .to_owned(),
        ..Policy::default()
    };
    let request = PublishPolicyRequest {
        request_id,
        policy: Some(policy),
    };
    let answer = clients.members.publish_policy(request).await?.into_message();
    Ok(answer.policy.context("no policy in the answer")?.version)
}

async fn create_unit(clients: &Clients, request_id: String) -> anyhow::Result<()> {
    let unit = Unit {
        unit_code: UNIT.to_owned(),
        display_name: "Beans".to_owned(),
        expiry_policy: Some(ExpiryPolicy {
            policy: Some(expiry_policy::Policy::AfterEarning(LotLife {
                length: Some(lot_life::Length::LifeDays(LIFE_DAYS)),
                ..LotLife::default()
            })),
        }),
        shortfall_policy: ShortfallPolicy::Debt.into(),
        debt_max: DEBT_MAX,
        ..Unit::default()
    };
    let request = CreateUnitRequest {
        request_id,
        unit: Some(unit),
    };
    clients.ledger.create_unit(request).await?;
    Ok(())
}

async fn create_rule(clients: &Clients, request_id: String) -> anyhow::Result<()> {
    let rule = EarningRule {
        display_name: "A bean for twenty pence".to_owned(),
        unit_code: UNIT.to_owned(),
        formula: Some(Formula::Cashback(Cashback {
            rate: RATE.to_owned(),
            rounding: Rounding::Down.into(),
        })),
        ..EarningRule::default()
    };
    let request = CreateEarningRuleRequest {
        request_id,
        earning_rule: Some(rule),
    };
    clients.ledger.create_earning_rule(request).await?;
    Ok(())
}

async fn create_reward(
    clients: &Clients,
    request_id: String,
    (name, price, stock_count): (&str, i64, i64),
) -> anyhow::Result<String> {
    let reward = Reward {
        display_name: name.to_owned(),
        price: Some(Amount {
            unit_code: UNIT.to_owned(),
            value: price,
        }),
        status: RewardStatus::Active.into(),
        code_source: CodeSource::Generated.into(),
        voucher_life_days: VOUCHER_LIFE_DAYS,
        ..Reward::default()
    };
    let request = CreateRewardRequest {
        request_id,
        reward: Some(reward),
        stock_count,
    };
    let answer = clients.rewards.create_reward(request).await?.into_message();
    Ok(answer.reward.context("no reward in the answer")?.reward_id)
}

async fn create_survey(clients: &Clients, request_id: String) -> anyhow::Result<String> {
    let survey = Survey {
        display_name: "After payment".to_owned(),
        topic: "after_payment".to_owned(),
        purchase_trigger: Some(PurchaseTrigger {
            amount_minor_min: ASKED_FROM_MINOR,
            ..PurchaseTrigger::default()
        }),
        invitation_life_days: INVITATION_LIFE_DAYS,
        ..Survey::default()
    };
    let request = CreateSurveyRequest {
        request_id,
        survey: Some(survey),
    };
    let answer = clients.surveys.create_survey(request).await?.into_message();
    Ok(answer.survey.context("no survey in the answer")?.survey_id)
}

async fn publish_questions(clients: &Clients, request_id: String, survey_id: &str) -> anyhow::Result<()> {
    let follow_up = |asked_of: ScoreGroup, question: &str| FollowUp {
        asked_of: asked_of.into(),
        question: question.to_owned(),
        required: false,
    };
    let version = SurveyVersion {
        score_question: "How likely is it that you would recommend us to a friend?".to_owned(),
        follow_ups: vec![
            follow_up(ScoreGroup::Promoters, "What do you like most?"),
            follow_up(ScoreGroup::BelowTen, "What should we do better?"),
        ],
        ..SurveyVersion::default()
    };
    let request = PublishSurveyVersionRequest {
        request_id,
        survey_id: survey_id.to_owned(),
        version: Some(version),
    };
    clients.surveys.publish_survey_version(request).await?;
    Ok(())
}
