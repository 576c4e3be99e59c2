//! `AnswerService`: parse, call, present.

use fealty_postgres::requests::Request as Attempt;
use fealty_proto::surveys::v1 as pb;
use fealty_proto::surveys::v1::answer_service_server::AnswerService;
use fealty_rpc::access::Caller;
use fealty_rpc::command_hash;
use fealty_rpc::errors::ApiError;
use fealty_rpc::fields::{self, TimeRange};
use fealty_rpc::page::{PageRequest, PageSize};
use fealty_rpc::page_token::PageTokens;
use fealty_rpc::present::timestamp;
use fealty_rpc::violations::{Problem, Violations};
use fealty_service::call::{serve, serve_making};
use fealty_service::read_audit::PersonalRead;
use fealty_types::{AnswerId, ProgramId, RequestId, SurveyId};
use tonic::{Request, Response, Status};

use super::domain::{Answer, Reply, Span, parse_text};
use super::{Answers, ListBefore, ListOf, SealedAnswer};
use crate::invitations::domain::{Token, TokenHash};
use crate::surveys::domain::Score;
use crate::surveys::grpc::present_version;

const SUBMIT_ANSWER: &str = "/fealty.surveys.v1.AnswerService/SubmitAnswer";
const GET_ANSWER: &str = "/fealty.surveys.v1.AnswerService/GetAnswer";
const LIST_ANSWERS: &str = "/fealty.surveys.v1.AnswerService/ListAnswers";

/// Bytes of an answer's message beside its words: ids and times, generously.
const FRAME_SIZE_BYTES: usize = 300;

#[tonic::async_trait]
impl AnswerService for Answers {
    async fn get_questionnaire(
        &self,
        request: Request<pb::GetQuestionnaireRequest>,
    ) -> Result<Response<pb::GetQuestionnaireResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let mut v = Violations::default();
            let token = v.check("token", fields::parse::<Token>(&message.token));
            let token = v.finish_with(|| token)?;
            let asked = self.questionnaire(program, token.hash()).await?;
            let invitation = &asked.invitation;
            let answered = invitation.answer_id.is_some();
            Ok(pb::GetQuestionnaireResponse {
                display_name: asked.survey.terms.display_name,
                version: Some(present_version(&asked.version)),
                answered,
                expire_time: Some(timestamp(invitation.expire_time)),
            })
        })
        .await
    }

    async fn submit_answer(
        &self,
        request: Request<pb::SubmitAnswerRequest>,
    ) -> Result<Response<pb::SubmitAnswerResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program = caller.program_id()?;
            let submit = parse_submit(program, &message)?;
            let made = self
                .submit(program, &submit.attempt, submit.token, &submit.reply)
                .await?;
            Ok(made.map(|answer| pb::SubmitAnswerResponse {
                answer_id: answer.answer_id.to_string(),
                answer_time: Some(timestamp(answer.answer_time)),
            }))
        })
        .await
    }

    async fn get_answer(
        &self,
        request: Request<pb::GetAnswerRequest>,
    ) -> Result<Response<pb::GetAnswerResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let mut v = Violations::default();
            let answer_id = v.check("answer_id", fields::parse::<AnswerId>(&message.answer_id));
            let answer = self.get(program, v.finish_with(|| answer_id)?).await?;
            self.note_read(&caller, GET_ANSWER, std::slice::from_ref(&answer))
                .await?;
            Ok(pb::GetAnswerResponse {
                answer: Some(present(&answer)),
            })
        })
        .await
    }

    async fn list_answers(
        &self,
        request: Request<pb::ListAnswersRequest>,
    ) -> Result<Response<pb::ListAnswersResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let (of, page) = parse_list(program, &message)?;
            let read = self
                .list_sealed(program, of, page.after(), page.count_max())
                .await?;
            let (sealed, next_page_token) = page.cut_within(read, size_bytes, |sealed| ListBefore {
                answer_time: sealed.answer.answer_time,
                answer_id: sealed.answer.answer_id,
            })?;
            let answers = self.open(program, &sealed)?;
            self.note_read(&caller, LIST_ANSWERS, &answers).await?;
            Ok(pb::ListAnswersResponse {
                answers: answers.iter().map(present).collect(),
                next_page_token,
            })
        })
        .await
    }
}

impl Answers {
    /// Notes whose words are about to be read.
    async fn note_read(
        &self,
        caller: &Caller,
        method: &'static str,
        answers: &[Answer],
    ) -> Result<(), ApiError> {
        let written = answers.iter().filter(|answer| answer.text.is_some());
        let reads = written.map(|answer| PersonalRead {
            member_id: answer.answer.member_id,
            fields: vec!["answer.follow_up_text".to_owned()],
        });
        self.audit.note(caller, method, reads.collect()).await
    }
}

struct Submit {
    attempt: Attempt,
    token: TokenHash,
    reply: Reply,
}

fn parse_submit(program: ProgramId, message: &pb::SubmitAnswerRequest) -> Result<Submit, ApiError> {
    let mut v = Violations::default();
    let request_id = v.check("request_id", fields::parse::<RequestId>(&message.request_id));
    let token = v.check("token", fields::parse::<Token>(&message.token));
    let score = v.check("score", parse_score(message.score));
    let text = v.check("follow_up_text", parse_text(&message.follow_up_text));
    let hash = command_hash(
        SUBMIT_ANSWER,
        &pb::SubmitAnswerRequest {
            request_id: String::new(),
            ..message.clone()
        },
    );
    v.finish_with(|| {
        Some(Submit {
            attempt: Attempt::of_program(program, request_id?, SUBMIT_ANSWER, hash),
            token: token?.hash(),
            reply: Reply {
                score: score?,
                text: text?,
            },
        })
    })
}

fn parse_score(score: Option<i32>) -> Result<Score, Problem> {
    let score = score.ok_or_else(Problem::required)?;
    Ok(Score::try_from(score)?)
}

fn parse_list(
    program: ProgramId,
    message: &pb::ListAnswersRequest,
) -> Result<(ListOf, PageRequest<ListBefore>), ApiError> {
    let mut v = Violations::default();
    let survey_id = v.check("survey_id", fields::parse::<SurveyId>(&message.survey_id));
    let span = parse_span(
        &mut v,
        message.answered_from_time.as_ref(),
        message.answered_before_time.as_ref(),
    );
    let size = v.check("page_size", PageSize::parse(message.page_size));
    let (survey_id, span, size) = v.finish_with(|| Some((survey_id?, span?, size?)))?;
    let filter = (survey_id, span.from, span.before);
    let tokens = PageTokens::try_new(LIST_ANSWERS, Some(program), &filter)?;
    let of = ListOf { survey_id, span };
    Ok((of, PageRequest::try_new(tokens, size, &message.page_token)?))
}

/// The span of time that a question about answers is about.
pub(crate) fn parse_span(
    v: &mut Violations,
    from: Option<&prost_types::Timestamp>,
    before: Option<&prost_types::Timestamp>,
) -> Option<Span> {
    let time = |time| fields::optional_timestamp(time, TimeRange::any());
    let from = v.check("answered_from_time", time(from));
    let before = v.check("answered_before_time", time(before));
    let span = Span {
        from: from?,
        before: before?,
    };
    let is_backwards = matches!((span.from, span.before), (Some(from), Some(before)) if before < from);
    v.require(
        !is_backwards,
        "answered_before_time",
        "must not be before answered_from_time",
    );
    Some(span)
}

/// About how large an answer is as a message: what was sealed is a little longer than its words.
fn size_bytes(sealed: &SealedAnswer) -> usize {
    FRAME_SIZE_BYTES + sealed.text.as_ref().map_or(0, Vec::len)
}

fn present(answer: &Answer) -> pb::Answer {
    let Answer { answer, text } = answer;
    pb::Answer {
        answer_id: answer.answer_id.to_string(),
        survey_id: answer.survey_id.to_string(),
        survey_version: answer.survey_version,
        invitation_id: answer.invitation_id.to_string(),
        member_id: answer.member_id.to_string(),
        score: i32::from(answer.score.get()),
        follow_up_text: text
            .as_ref()
            .map(|text| text.expose().to_owned())
            .unwrap_or_default(),
        answer_time: Some(timestamp(answer.answer_time)),
        purchase_id: answer.purchase_id.map(|id| id.to_string()).unwrap_or_default(),
    }
}
