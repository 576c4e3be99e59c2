//! What surveys refuses of invitations and of the answers to them.

use fealty_proto::surveys::v1 as pb;
use fealty_tests::shop::request_id;
use prost_types::Timestamp;
use tonic::Code;

use super::case::{Case, Expected, NO_TIME, Table, bad_token, invalid, not_found, refused};
use super::surveys::survey_not_open;
use super::world::World;

/// Of the right form, and never made: 256 bits of nothing.
const UNKNOWN_TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Longer than any answer in words may be.
const TEXT_TOO_LONG: usize = 4_001;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [
        invite_member,
        issue_token,
        get_invitation,
        list_invitations,
        get_questionnaire,
        submit_answer,
        submit_by_token,
        get_answer,
        list_answers,
    ]
    .into_iter()
    .flat_map(|cases| cases(world))
    .collect()
}

fn already_answered() -> Expected {
    refused(Code::FailedPrecondition, "ALREADY_ANSWERED")
}

fn invite_member(world: &World) -> Vec<Case> {
    let invite = |survey_id: &str, member_id: &str| pb::InviteMemberRequest {
        request_id: request_id(),
        survey_id: survey_id.to_owned(),
        member_id: member_id.to_owned(),
        ..pb::InviteMemberRequest::default()
    };
    let (ours, theirs) = (&world.ours, &world.theirs);
    let invite_ours = |survey_id: &str| invite(survey_id, &ours.member_id);
    Table::of(world, "/fealty.surveys.v1.InvitationService/InviteMember")
        .row(
            "nothing",
            &pb::InviteMemberRequest::default(),
            invalid(&["request_id", "survey_id", "member_id"]),
        )
        .row(
            "nonsense",
            &pb::InviteMemberRequest {
                channel: 99,
                ..invite("nps", "Ana")
            },
            invalid(&["survey_id", "member_id", "channel"]),
        )
        .row(
            "to a survey without a version",
            &invite_ours(&ours.surveyed.draft_id),
            survey_not_open(),
        )
        .row(
            "to a survey that is closed",
            &invite_ours(&ours.surveyed.closed_id),
            survey_not_open(),
        )
        .row(
            "to another program's survey",
            &invite_ours(&theirs.surveyed.survey_id),
            not_found(),
        )
        .row(
            "another program's member",
            &invite(&ours.surveyed.survey_id, &theirs.member_id),
            not_found(),
        )
        .row(
            "nobody",
            &invite(&ours.surveyed.survey_id, &request_id()),
            not_found(),
        )
        .done()
}

fn issue_token(world: &World) -> Vec<Case> {
    let issue = |invitation_id: &str| pb::IssueInvitationTokenRequest {
        invitation_id: invitation_id.to_owned(),
    };
    Table::of(world, "/fealty.surveys.v1.InvitationService/IssueInvitationToken")
        .row("nothing", &issue(""), invalid(&["invitation_id"]))
        .row("no id", &issue("Ana"), invalid(&["invitation_id"]))
        .row(
            "what was answered",
            &issue(&world.ours.surveyed.answered_id),
            already_answered(),
        )
        .row(
            "another program's",
            &issue(&world.theirs.surveyed.invitation_id),
            not_found(),
        )
        .done()
}

fn get_invitation(world: &World) -> Vec<Case> {
    let get = |invitation_id: &str| pb::GetInvitationRequest {
        invitation_id: invitation_id.to_owned(),
    };
    Table::of(world, "/fealty.surveys.v1.InvitationService/GetInvitation")
        .row("nothing", &get(""), invalid(&["invitation_id"]))
        .row("no id", &get("Ana"), invalid(&["invitation_id"]))
        .row(
            "another program's",
            &get(&world.theirs.surveyed.invitation_id),
            not_found(),
        )
        .done()
}

fn list_invitations(world: &World) -> Vec<Case> {
    let list = |survey_id: &str, page_size, page_token| pb::ListInvitationsRequest {
        survey_id: survey_id.to_owned(),
        page_size,
        page_token,
        member_id: String::new(),
    };
    let ours = &world.ours.surveyed.survey_id;
    Table::of(world, "/fealty.surveys.v1.InvitationService/ListInvitations")
        .row(
            "nonsense",
            &pb::ListInvitationsRequest {
                member_id: "Ana".to_owned(),
                ..list("nps", -1, String::new())
            },
            invalid(&["survey_id", "page_size", "member_id"]),
        )
        .row("nothing", &list("", 0, String::new()), invalid(&["survey_id"]))
        .row(
            "of another program's survey",
            &list(&world.theirs.surveyed.survey_id, 10, String::new()),
            not_found(),
        )
        .pages(|page_size, page_token| list(ours, page_size, page_token))
        .done()
}

fn get_questionnaire(world: &World) -> Vec<Case> {
    let get = |token: &str| pb::GetQuestionnaireRequest {
        token: token.to_owned(),
    };
    let (ours, theirs) = (&world.ours.surveyed, &world.theirs.surveyed);
    Table::of(world, "/fealty.surveys.v1.AnswerService/GetQuestionnaire")
        .row("nothing", &get(""), invalid(&["token"]))
        .row("no token", &get(&ours.invitation_id), invalid(&["token"]))
        .row("a token that nobody made", &get(UNKNOWN_TOKEN), not_found())
        .row("a token that has a successor", &get(&ours.old_token), not_found())
        .row("another program's", &get(&theirs.token), not_found())
        .done()
}

fn submit(token: &str, score: i32, follow_up_text: &str) -> pb::SubmitAnswerRequest {
    pb::SubmitAnswerRequest {
        request_id: request_id(),
        token: token.to_owned(),
        score: Some(score),
        follow_up_text: follow_up_text.to_owned(),
    }
}

fn submit_answer(world: &World) -> Vec<Case> {
    let ours = &world.ours.surveyed;
    Table::of(world, "/fealty.surveys.v1.AnswerService/SubmitAnswer")
        .row(
            "nothing",
            &pb::SubmitAnswerRequest::default(),
            invalid(&["request_id", "token", "score"]),
        )
        .row(
            "nonsense",
            &pb::SubmitAnswerRequest {
                request_id: "1".to_owned(),
                ..submit("please", -1, &"x".repeat(TEXT_TOO_LONG))
            },
            invalid(&["request_id", "token", "score", "follow_up_text"]),
        )
        .row(
            "more than a ten, in no words",
            &submit(&ours.token, 11, "fine\u{7}"),
            invalid(&["score", "follow_up_text"]),
        )
        .row(
            "no word where one is required",
            &submit(&ours.token, 6, " "),
            invalid(&["follow_up_text"]),
        )
        .row(
            "words where nothing more is asked",
            &submit(&ours.token, 10, "Nothing."),
            invalid(&["follow_up_text"]),
        )
        .done()
}

fn submit_by_token(world: &World) -> Vec<Case> {
    let (ours, theirs) = (&world.ours.surveyed, &world.theirs.surveyed);
    Table::of(world, "/fealty.surveys.v1.AnswerService/SubmitAnswer")
        .row(
            "a token that nobody made",
            &submit(UNKNOWN_TOKEN, 10, ""),
            not_found(),
        )
        .row(
            "a token that has a successor",
            &submit(&ours.old_token, 10, ""),
            not_found(),
        )
        .row("another program's", &submit(&theirs.token, 10, ""), not_found())
        .row(
            "a second answer",
            &submit(&ours.answered_token, 0, "I have thought about it."),
            already_answered(),
        )
        .done()
}

fn get_answer(world: &World) -> Vec<Case> {
    let get = |answer_id: &str| pb::GetAnswerRequest {
        answer_id: answer_id.to_owned(),
    };
    Table::of(world, "/fealty.surveys.v1.AnswerService/GetAnswer")
        .row("nothing", &get(""), invalid(&["answer_id"]))
        .row("no id", &get("Ana"), invalid(&["answer_id"]))
        .row(
            "another program's",
            &get(&world.theirs.surveyed.answer_id),
            not_found(),
        )
        .done()
}

fn list_answers(world: &World) -> Vec<Case> {
    let list = |survey_id: &str, page_size, page_token| pb::ListAnswersRequest {
        survey_id: survey_id.to_owned(),
        page_size,
        page_token,
        ..pb::ListAnswersRequest::default()
    };
    let second = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let ours = &world.ours.surveyed.survey_id;
    Table::of(world, "/fealty.surveys.v1.AnswerService/ListAnswers")
        .row(
            "nonsense",
            &pb::ListAnswersRequest {
                answered_from_time: Some(NO_TIME),
                answered_before_time: Some(NO_TIME),
                ..list("", -1, String::new())
            },
            invalid(&[
                "survey_id",
                "page_size",
                "answered_from_time",
                "answered_before_time",
            ]),
        )
        .row(
            "an end before its start",
            &pb::ListAnswersRequest {
                answered_from_time: second(20),
                answered_before_time: second(10),
                ..list(ours, 10, String::new())
            },
            invalid(&["answered_before_time"]),
        )
        .row(
            "a token that nobody gave, for another program's survey",
            &list(&world.theirs.surveyed.survey_id, 10, "AAAA".to_owned()),
            bad_token(),
        )
        .row(
            "of another program's survey",
            &list(&world.theirs.surveyed.survey_id, 10, String::new()),
            not_found(),
        )
        .pages(|page_size, page_token| list(ours, page_size, page_token))
        .done()
}
