//! Messages into commands, naming everything that is wrong with them.

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::surveys::v1 as pb;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields;
use fealty_rpc::violations::{Problem, Violations};
use fealty_types::{ProgramId, RequestId, SurveyId};

use crate::surveys::domain::{
    DISPLAY_NAME_LENGTH_MAX, FOLLOW_UPS_MAX, FollowUp, INVITATION_LIFE_DAYS_MAX, PurchaseTrigger,
    QUESTION_LENGTH_MAX, Questions, ScoreGroup, SurveyTerms, TRIGGER_DELAY_SECONDS_MAX, Topic,
};

const CREATE_SURVEY: &str = "/fealty.surveys.v1.SurveyService/CreateSurvey";
const PUBLISH_SURVEY_VERSION: &str = "/fealty.surveys.v1.SurveyService/PublishSurveyVersion";

/// A version to publish.
pub(super) struct Publish {
    pub attempt: Attempt,
    pub survey_id: SurveyId,
    pub questions: Questions,
}

pub(super) fn survey_id(text: &str) -> Result<SurveyId, ApiError> {
    let mut v = Violations::default();
    let survey_id = v.check("survey_id", fields::parse::<SurveyId>(text));
    v.finish_with(|| survey_id)
}

pub(super) fn create(
    program: ProgramId,
    message: &pb::CreateSurveyRequest,
) -> Result<(Attempt, SurveyTerms), ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let terms = v.message("survey", message.survey.as_ref(), parse_terms);
    let hash = command_hash(
        CREATE_SURVEY,
        &pb::CreateSurveyRequest {
            request_id: String::new(),
            survey: message.survey.clone(),
        },
    );
    v.finish_with(|| {
        Some((
            Attempt::of_program(program, request_id?, CREATE_SURVEY, hash),
            terms?,
        ))
    })
}

fn parse_terms(v: &mut Violations, survey: &pb::Survey) -> Option<SurveyTerms> {
    let display_name = v.check(
        "display_name",
        fields::text(&survey.display_name, 1..=DISPLAY_NAME_LENGTH_MAX),
    );
    let topic = v.check("topic", fields::parse::<Topic>(&survey.topic));
    let purchase_trigger = match &survey.purchase_trigger {
        Some(trigger) => v
            .within("purchase_trigger", |v| parse_trigger(v, *trigger))
            .map(Some),
        None => Some(None),
    };
    let invitation_life_days = v.check(
        "invitation_life_days",
        fields::number(survey.invitation_life_days, 1..=INVITATION_LIFE_DAYS_MAX),
    );
    Some(SurveyTerms {
        display_name: display_name?,
        topic: topic?,
        purchase_trigger: purchase_trigger?,
        invitation_life_days: invitation_life_days?,
    })
}

fn parse_trigger(v: &mut Violations, trigger: pb::PurchaseTrigger) -> Option<PurchaseTrigger> {
    let delay_seconds = v.check(
        "delay_seconds",
        fields::number(trigger.delay_seconds, 0..=TRIGGER_DELAY_SECONDS_MAX),
    );
    let amount_minor_min = v.check(
        "amount_minor_min",
        fields::number(trigger.amount_minor_min, 0..=i64::MAX),
    );
    Some(PurchaseTrigger {
        delay_seconds: delay_seconds?,
        amount_minor_min: amount_minor_min?,
    })
}

pub(super) fn publish(
    program: ProgramId,
    message: &pb::PublishSurveyVersionRequest,
) -> Result<Publish, ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let survey_id = v.check("survey_id", fields::parse::<SurveyId>(&message.survey_id));
    let questions = v.message("version", message.version.as_ref(), parse_questions);
    let hash = command_hash(
        PUBLISH_SURVEY_VERSION,
        &pb::PublishSurveyVersionRequest {
            request_id: String::new(),
            ..message.clone()
        },
    );
    v.finish_with(|| {
        Some(Publish {
            attempt: Attempt::of_program(program, request_id?, PUBLISH_SURVEY_VERSION, hash),
            survey_id: survey_id?,
            questions: questions?,
        })
    })
}

fn parse_questions(v: &mut Violations, version: &pb::SurveyVersion) -> Option<Questions> {
    let score_question = v.check(
        "score_question",
        fields::text(&version.score_question, 1..=QUESTION_LENGTH_MAX),
    );
    let count = version.follow_ups.len();
    v.require(
        count <= FOLLOW_UPS_MAX,
        "follow_ups",
        format!("must have at most {FOLLOW_UPS_MAX} items, and has {count}"),
    );
    // Those past the bound are not looked at: they are too many whatever they are.
    let first = version.follow_ups.iter().take(FOLLOW_UPS_MAX);
    let follow_ups = v.each("follow_ups", first, parse_follow_up);
    let questions = Questions {
        score_question: score_question?,
        follow_ups: follow_ups?,
    };
    for index in questions.unreachable() {
        v.within_item("follow_ups", index, |v| {
            v.add(
                "asked_of",
                "must have a score that no follow-up before it takes, or nobody is ever asked",
            );
        });
    }
    Some(questions)
}

fn parse_follow_up(v: &mut Violations, follow_up: &pb::FollowUp) -> Option<FollowUp> {
    let asked_of = v.check("asked_of", score_group(follow_up.asked_of));
    let question = v.check(
        "question",
        fields::text(&follow_up.question, 1..=QUESTION_LENGTH_MAX),
    );
    Some(FollowUp {
        asked_of: asked_of?,
        question: question?,
        required: follow_up.required,
    })
}

fn score_group(number: i32) -> Result<ScoreGroup, Problem> {
    match fields::enumeration::<pb::ScoreGroup>(number)? {
        pb::ScoreGroup::All => Ok(ScoreGroup::All),
        pb::ScoreGroup::Detractors => Ok(ScoreGroup::Detractors),
        pb::ScoreGroup::Passives => Ok(ScoreGroup::Passives),
        pb::ScoreGroup::Promoters => Ok(ScoreGroup::Promoters),
        pb::ScoreGroup::BelowTen => Ok(ScoreGroup::BelowTen),
        pb::ScoreGroup::Unspecified => Err(Problem::required()),
    }
}

pub(super) fn get_version(message: &pb::GetSurveyVersionRequest) -> Result<(SurveyId, i32), ApiError> {
    let mut v = Violations::default();
    let survey_id = v.check("survey_id", fields::parse::<SurveyId>(&message.survey_id));
    let version = v.check("version", fields::number(message.version, 1..=i32::MAX));
    v.finish_with(|| Some((survey_id?, version?)))
}
