//! What surveys refuses: of surveys and their versions, and of their scores.

use fealty_proto::surveys::v1 as pb;
use fealty_tests::shop::{Shop, request_id};
use prost_types::Timestamp;
use tonic::Code;

use super::case::{Case, Expected, NAME_TOO_LONG, NO_TIME, Table, invalid, not_found, refused};
use super::world::World;

/// Longer than any question may be.
const QUESTION_TOO_LONG: usize = 501;

/// A shop's surveys, and what became of them.
pub struct Surveyed {
    /// It invites. Whoever gives less than a ten has to say why; of a ten nothing more is asked.
    pub survey_id: String,
    /// It has no version yet.
    pub draft_id: String,
    /// It invites nobody any more.
    pub closed_id: String,
    /// A member's invitation that can be answered.
    pub invitation_id: String,
    /// By which it can be answered.
    pub token: String,
    /// The token before that one.
    pub old_token: String,
    /// Another member's invitation, which was answered.
    pub answered_id: String,
    /// By which it was answered.
    pub answered_token: String,
    /// The answer to it.
    pub answer_id: String,
}

impl Surveyed {
    /// The surveys of a shop, one of which asks a member and was answered by another.
    pub async fn of(shop: &Shop, member_id: &str, other_member_id: &str) -> Self {
        let survey_id = open_survey(shop).await;
        let closed_id = open_survey(shop).await;
        let request = pb::CloseSurveyRequest {
            survey_id: closed_id.clone(),
        };
        shop.surveys.close_survey(request).await.expect("closed");
        let invitation_id = invite(shop, &survey_id, member_id).await;
        let old_token = issue(shop, &invitation_id).await;
        let token = issue(shop, &invitation_id).await;
        let answered_id = invite(shop, &survey_id, other_member_id).await;
        let answered_token = issue(shop, &answered_id).await;
        let request = pb::SubmitAnswerRequest {
            request_id: request_id(),
            token: answered_token.clone(),
            score: Some(10),
            follow_up_text: String::new(),
        };
        let answered = shop.surveys.submit_answer(request).await.expect("an answer");
        Self {
            survey_id,
            draft_id: create_survey(shop).await,
            closed_id,
            invitation_id,
            token,
            old_token,
            answered_id,
            answered_token,
            answer_id: answered.into_message().answer_id,
        }
    }
}

async fn create_survey(shop: &Shop) -> String {
    let request = pb::CreateSurveyRequest {
        request_id: request_id(),
        survey: Some(survey()),
    };
    let created = shop.surveys.create_survey(request).await.expect("a survey");
    created.into_message().survey.expect("it is answered").survey_id
}

async fn open_survey(shop: &Shop) -> String {
    let survey_id = create_survey(shop).await;
    let request = pb::PublishSurveyVersionRequest {
        request_id: request_id(),
        survey_id: survey_id.clone(),
        version: Some(version()),
    };
    let published = shop.surveys.publish_survey_version(request).await;
    published.expect("a version");
    survey_id
}

async fn invite(shop: &Shop, survey_id: &str, member_id: &str) -> String {
    let request = pb::InviteMemberRequest {
        request_id: request_id(),
        survey_id: survey_id.to_owned(),
        member_id: member_id.to_owned(),
        ..pb::InviteMemberRequest::default()
    };
    let invited = shop.surveys.invite_member(request).await.expect("an invitation");
    let invitation = invited.into_message().invitation.expect("it is answered");
    assert_eq!(invitation.status(), pb::InvitationStatus::Due, "{invitation:?}");
    invitation.invitation_id
}

async fn issue(shop: &Shop, invitation_id: &str) -> String {
    let request = pb::IssueInvitationTokenRequest {
        invitation_id: invitation_id.to_owned(),
    };
    let issued = shop.surveys.issue_invitation_token(request).await;
    issued.expect("a token").into_message().token
}

fn survey() -> pb::Survey {
    pb::Survey {
        display_name: "How are we?".to_owned(),
        topic: "nps".to_owned(),
        invitation_life_days: 14,
        ..pb::Survey::default()
    }
}

fn version() -> pb::SurveyVersion {
    asking(vec![follow_up(pb::ScoreGroup::BelowTen)])
}

fn asking(follow_ups: Vec<pb::FollowUp>) -> pb::SurveyVersion {
    pb::SurveyVersion {
        score_question: "How likely are you to recommend us?".to_owned(),
        follow_ups,
        ..pb::SurveyVersion::default()
    }
}

fn follow_up(asked_of: pb::ScoreGroup) -> pb::FollowUp {
    pb::FollowUp {
        asked_of: asked_of.into(),
        question: "What would make it a ten?".to_owned(),
        required: true,
    }
}

/// The survey invites nobody.
pub fn survey_not_open() -> Expected {
    refused(Code::FailedPrecondition, "SURVEY_NOT_OPEN")
}

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [
        create_survey_cases,
        get_survey,
        list_surveys,
        publish_survey_version,
        get_survey_version,
        close_survey,
        get_score,
        get_score_trend,
    ]
    .into_iter()
    .flat_map(|cases| cases(world))
    .collect()
}

fn create_survey_cases(world: &World) -> Vec<Case> {
    let create = |survey: pb::Survey| pb::CreateSurveyRequest {
        request_id: request_id(),
        survey: Some(survey),
    };
    Table::of(world, "/fealty.surveys.v1.SurveyService/CreateSurvey")
        .row(
            "nothing",
            &pb::CreateSurveyRequest::default(),
            invalid(&["request_id", "survey"]),
        )
        .row(
            "a survey of nothing",
            &create(pb::Survey::default()),
            invalid(&[
                "survey.display_name",
                "survey.topic",
                "survey.invitation_life_days",
            ]),
        )
        .row(
            "nonsense",
            &create(pb::Survey {
                display_name: "x".repeat(NAME_TOO_LONG),
                topic: "How are we?".to_owned(),
                purchase_trigger: Some(pb::PurchaseTrigger {
                    delay_seconds: -1,
                    amount_minor_min: -1,
                }),
                invitation_life_days: 366,
                ..pb::Survey::default()
            }),
            invalid(&[
                "survey.display_name",
                "survey.topic",
                "survey.purchase_trigger.delay_seconds",
                "survey.purchase_trigger.amount_minor_min",
                "survey.invitation_life_days",
            ]),
        )
        .row(
            "a topic without end, asked when nobody remembers",
            &create(pb::Survey {
                topic: "x".repeat(61),
                purchase_trigger: Some(pb::PurchaseTrigger {
                    delay_seconds: 2_592_001,
                    amount_minor_min: 0,
                }),
                ..survey()
            }),
            invalid(&["survey.topic", "survey.purchase_trigger.delay_seconds"]),
        )
        .done()
}

fn get_survey(world: &World) -> Vec<Case> {
    let get = |survey_id: &str| pb::GetSurveyRequest {
        survey_id: survey_id.to_owned(),
    };
    Table::of(world, "/fealty.surveys.v1.SurveyService/GetSurvey")
        .row("nothing", &get(""), invalid(&["survey_id"]))
        .row("no id", &get("nps"), invalid(&["survey_id"]))
        .row(
            "another program's",
            &get(&world.theirs.surveyed.survey_id),
            not_found(),
        )
        .done()
}

fn list_surveys(world: &World) -> Vec<Case> {
    Table::of(world, "/fealty.surveys.v1.SurveyService/ListSurveys")
        .pages(|page_size, page_token| pb::ListSurveysRequest {
            page_size,
            page_token,
        })
        .done()
}

fn nonsense() -> pb::SurveyVersion {
    pb::SurveyVersion {
        score_question: "x".repeat(QUESTION_TOO_LONG),
        follow_ups: vec![
            pb::FollowUp::default(),
            pb::FollowUp {
                asked_of: 99,
                question: "x".repeat(QUESTION_TOO_LONG),
                required: false,
            },
        ],
        ..pb::SurveyVersion::default()
    }
}

fn publish_survey_version(world: &World) -> Vec<Case> {
    let publish = |survey_id: &str, version: pb::SurveyVersion| pb::PublishSurveyVersionRequest {
        request_id: request_id(),
        survey_id: survey_id.to_owned(),
        version: Some(version),
    };
    let (ours, theirs) = (&world.ours.surveyed, &world.theirs.surveyed);
    let all = follow_up(pb::ScoreGroup::All);
    Table::of(world, "/fealty.surveys.v1.SurveyService/PublishSurveyVersion")
        .row(
            "nothing",
            &pb::PublishSurveyVersionRequest::default(),
            invalid(&["request_id", "survey_id", "version"]),
        )
        .row(
            "nonsense",
            &publish("nps", nonsense()),
            invalid(&[
                "survey_id",
                "version.score_question",
                "version.follow_ups[0].asked_of",
                "version.follow_ups[0].question",
                "version.follow_ups[1].asked_of",
                "version.follow_ups[1].question",
            ]),
        )
        .row(
            "more questions than kinds of answers",
            &publish(
                &ours.survey_id,
                asking(vec![
                    follow_up(pb::ScoreGroup::Detractors),
                    follow_up(pb::ScoreGroup::Passives),
                    follow_up(pb::ScoreGroup::Promoters),
                    follow_up(pb::ScoreGroup::All),
                ]),
            ),
            invalid(&["version.follow_ups"]),
        )
        .row(
            "a question for nobody",
            &publish(
                &ours.survey_id,
                asking(vec![all, follow_up(pb::ScoreGroup::Promoters)]),
            ),
            invalid(&["version.follow_ups[1].asked_of"]),
        )
        .row(
            "of a survey that is closed",
            &publish(&ours.closed_id, version()),
            survey_not_open(),
        )
        .row(
            "another program's",
            &publish(&theirs.survey_id, version()),
            not_found(),
        )
        .done()
}

fn get_survey_version(world: &World) -> Vec<Case> {
    let get = |survey_id: &str, version| pb::GetSurveyVersionRequest {
        survey_id: survey_id.to_owned(),
        version,
    };
    let (ours, theirs) = (&world.ours.surveyed, &world.theirs.surveyed);
    Table::of(world, "/fealty.surveys.v1.SurveyService/GetSurveyVersion")
        .row("nothing", &get("", 0), invalid(&["survey_id", "version"]))
        .row(
            "a number that none has",
            &get(&ours.survey_id, -1),
            invalid(&["version"]),
        )
        .row("one that is not published", &get(&ours.survey_id, 2), not_found())
        .row("another program's", &get(&theirs.survey_id, 1), not_found())
        .done()
}

fn close_survey(world: &World) -> Vec<Case> {
    let close = |survey_id: &str| pb::CloseSurveyRequest {
        survey_id: survey_id.to_owned(),
    };
    Table::of(world, "/fealty.surveys.v1.SurveyService/CloseSurvey")
        .row("nothing", &close(""), invalid(&["survey_id"]))
        .row("no id", &close("nps"), invalid(&["survey_id"]))
        .row(
            "another program's",
            &close(&world.theirs.surveyed.survey_id),
            not_found(),
        )
        .done()
}

fn get_score(world: &World) -> Vec<Case> {
    let get = |survey_id: &str, from, before| pb::GetScoreRequest {
        survey_id: survey_id.to_owned(),
        answered_from_time: from,
        answered_before_time: before,
    };
    let second = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let (ours, theirs) = (&world.ours.surveyed, &world.theirs.surveyed);
    Table::of(world, "/fealty.surveys.v1.ScoreService/GetScore")
        .row("nothing", &get("", None, None), invalid(&["survey_id"]))
        .row(
            "times that are none",
            &get("nps", Some(NO_TIME), Some(NO_TIME)),
            invalid(&["survey_id", "answered_from_time", "answered_before_time"]),
        )
        .row(
            "an end before its start",
            &get(&ours.survey_id, second(20), second(10)),
            invalid(&["answered_before_time"]),
        )
        .row(
            "another program's",
            &get(&theirs.survey_id, None, None),
            not_found(),
        )
        .done()
}

fn get_score_trend(world: &World) -> Vec<Case> {
    let get = |survey_id: &str, from_month: &str, to_month: &str| pb::GetScoreTrendRequest {
        survey_id: survey_id.to_owned(),
        from_month: from_month.to_owned(),
        to_month: to_month.to_owned(),
        time_zone: String::new(),
    };
    let (ours, theirs) = (&world.ours.surveyed, &world.theirs.surveyed);
    Table::of(world, "/fealty.surveys.v1.ScoreService/GetScoreTrend")
        .row(
            "nothing",
            &get("", "", ""),
            invalid(&["survey_id", "from_month", "to_month"]),
        )
        .row(
            "nonsense",
            &pb::GetScoreTrendRequest {
                time_zone: "Mars/Olympus".to_owned(),
                ..get("nps", "2026-13", "May")
            },
            invalid(&["survey_id", "from_month", "to_month", "time_zone"]),
        )
        .row(
            "backwards",
            &get(&ours.survey_id, "2026-02", "2026-01"),
            invalid(&["to_month"]),
        )
        .row(
            "one month more than ten years",
            &get(&ours.survey_id, "2016-01", "2026-01"),
            invalid(&["to_month"]),
        )
        .row(
            "another program's",
            &get(&theirs.survey_id, "2026-01", "2026-02"),
            not_found(),
        )
        .done()
}
