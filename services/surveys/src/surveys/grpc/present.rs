//! Surveys as messages carry them.

use fealty_proto::surveys::v1 as pb;
use fealty_rpc::present::timestamp;

use crate::surveys::domain::{FollowUp, ScoreGroup, Survey, SurveyStatus, SurveyVersion};

pub(super) fn survey(survey: &Survey) -> pb::Survey {
    let status = match survey.status() {
        SurveyStatus::Draft => pb::SurveyStatus::Draft,
        SurveyStatus::Open => pb::SurveyStatus::Open,
        SurveyStatus::Closed => pb::SurveyStatus::Closed,
    };
    pb::Survey {
        survey_id: survey.survey_id.to_string(),
        display_name: survey.terms.display_name.clone(),
        topic: survey.terms.topic.as_str().to_owned(),
        status: status.into(),
        current_version: survey.current_version.as_ref().map(version),
        purchase_trigger: survey.terms.purchase_trigger.map(|trigger| pb::PurchaseTrigger {
            delay_seconds: trigger.delay_seconds,
            amount_minor_min: trigger.amount_minor_min,
        }),
        invitation_life_days: survey.terms.invitation_life_days,
        create_time: Some(timestamp(survey.create_time)),
    }
}

/// A version.
pub(crate) fn version(version: &SurveyVersion) -> pb::SurveyVersion {
    pb::SurveyVersion {
        version: version.version,
        score_question: version.questions.score_question.clone(),
        follow_ups: version.questions.follow_ups.iter().map(follow_up).collect(),
        publish_time: Some(timestamp(version.publish_time)),
    }
}

fn follow_up(follow_up: &FollowUp) -> pb::FollowUp {
    let asked_of = match follow_up.asked_of {
        ScoreGroup::All => pb::ScoreGroup::All,
        ScoreGroup::Detractors => pb::ScoreGroup::Detractors,
        ScoreGroup::Passives => pb::ScoreGroup::Passives,
        ScoreGroup::Promoters => pb::ScoreGroup::Promoters,
        ScoreGroup::BelowTen => pb::ScoreGroup::BelowTen,
    };
    pb::FollowUp {
        asked_of: asked_of.into(),
        question: follow_up.question.clone(),
        required: follow_up.required,
    }
}
