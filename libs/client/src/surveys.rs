//! Calls the surveys service: surveys, invitations, answers, scores.

use std::time::Duration;

use fealty_proto::access::v1::{
    ExportPersonalDataRequest, ExportPersonalDataResponse, ListPersonalReadsRequest,
    ListPersonalReadsResponse,
};
use fealty_proto::surveys::v1::{
    CloseSurveyRequest, CloseSurveyResponse, CreateSurveyRequest, CreateSurveyResponse, GetAnswerRequest,
    GetAnswerResponse, GetInvitationRequest, GetInvitationResponse, GetQuestionnaireRequest,
    GetQuestionnaireResponse, GetScoreRequest, GetScoreResponse, GetScoreTrendRequest, GetScoreTrendResponse,
    GetSurveyRequest, GetSurveyResponse, GetSurveyVersionRequest, GetSurveyVersionResponse,
    InviteMemberRequest, InviteMemberResponse, IssueInvitationTokenRequest, IssueInvitationTokenResponse,
    ListAnswersRequest, ListAnswersResponse, ListInvitationsRequest, ListInvitationsResponse,
    ListSurveysRequest, ListSurveysResponse, PublishSurveyVersionRequest, PublishSurveyVersionResponse,
    SubmitAnswerRequest, SubmitAnswerResponse,
};
use fealty_types::ProgramId;

use crate::caller::Caller;
use crate::method::{Shows, methods};
use crate::{Answer, CallError, ClientConfig, ConnectError};

/// Calls the surveys service: surveys, invitations, answers, scores. Cheap to clone; clones share connections and retry
/// budget.
#[derive(Debug, Clone)]
pub struct SurveysClient {
    caller: Caller,
}

impl SurveysClient {
    /// Prepares a client. It connects with its first call.
    pub fn try_new(config: &ClientConfig) -> Result<Self, ConnectError> {
        Ok(Self {
            caller: Caller::try_new(config)?,
        })
    }

    /// The same client, speaking about a program: for keys that are bound to none.
    #[must_use]
    pub fn for_program(&self, program_id: ProgramId) -> Self {
        Self {
            caller: self.caller.for_program(program_id),
        }
    }

    /// The same client with another deadline: for callers who have only so much time left themselves.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self {
            caller: self.caller.within(deadline),
        }
    }

    methods! {
        /// Everything that surveys keeps about a member, in pages.
        export_personal_data("/fealty.access.v1.PersonalDataService/ExportPersonalData"): read ExportPersonalDataRequest => ExportPersonalDataResponse;
        /// Reads of the program's personal data in surveys, newest first.
        list_personal_reads("/fealty.access.v1.ReadAuditService/ListPersonalReads"): read ListPersonalReadsRequest => ListPersonalReadsResponse;
        /// What the invitation of a token asks.
        get_questionnaire("/fealty.surveys.v1.AnswerService/GetQuestionnaire"): read GetQuestionnaireRequest => GetQuestionnaireResponse;
        /// Answers. The same request id is answered as the first time; another one for the same token is refused.
        submit_answer("/fealty.surveys.v1.AnswerService/SubmitAnswer"): write SubmitAnswerRequest => SubmitAnswerResponse;
        /// One answer.
        get_answer("/fealty.surveys.v1.AnswerService/GetAnswer"): read GetAnswerRequest => GetAnswerResponse;
        /// Answers to a survey, newest first.
        list_answers("/fealty.surveys.v1.AnswerService/ListAnswers"): read ListAnswersRequest => ListAnswersResponse;
        /// Invites a member, for other reasons than a purchase.
        invite_member("/fealty.surveys.v1.InvitationService/InviteMember"): write InviteMemberRequest => InviteMemberResponse;
        /// Makes the token of an invitation that is due, for the link that is sent. The service keeps only its hash: a second
        /// call makes another one, and the first is good for nothing any more.
        issue_invitation_token("/fealty.surveys.v1.InvitationService/IssueInvitationToken"): read IssueInvitationTokenRequest => IssueInvitationTokenResponse;
        /// One invitation, with the decision that was made about it.
        get_invitation("/fealty.surveys.v1.InvitationService/GetInvitation"): read GetInvitationRequest => GetInvitationResponse;
        /// Invitations of a survey, newest first.
        list_invitations("/fealty.surveys.v1.InvitationService/ListInvitations"): read ListInvitationsRequest => ListInvitationsResponse;
        /// The score of a survey in a span of time.
        get_score("/fealty.surveys.v1.ScoreService/GetScore"): read GetScoreRequest => GetScoreResponse;
        /// The scores of a survey by calendar month, oldest first. Months without an answer have no score.
        get_score_trend("/fealty.surveys.v1.ScoreService/GetScoreTrend"): read GetScoreTrendRequest => GetScoreTrendResponse;
        /// Makes a survey. It asks nobody before its first version is published.
        create_survey("/fealty.surveys.v1.SurveyService/CreateSurvey"): write CreateSurveyRequest => CreateSurveyResponse;
        /// One survey, with its newest version.
        get_survey("/fealty.surveys.v1.SurveyService/GetSurvey"): read GetSurveyRequest => GetSurveyResponse;
        /// Surveys in the order in which they were made.
        list_surveys("/fealty.surveys.v1.SurveyService/ListSurveys"): read ListSurveysRequest => ListSurveysResponse;
        /// Publishes what is asked from now on. A version never changes: whoever was invited before is asked what the version
        /// of their invitation asks.
        publish_survey_version("/fealty.surveys.v1.SurveyService/PublishSurveyVersion"): write PublishSurveyVersionRequest => PublishSurveyVersionResponse;
        /// Any version of a survey.
        get_survey_version("/fealty.surveys.v1.SurveyService/GetSurveyVersion"): read GetSurveyVersionRequest => GetSurveyVersionResponse;
        /// Ends a survey: nobody is invited any more, and open invitations can still be answered until their end. Closing it
        /// again changes nothing.
        close_survey("/fealty.surveys.v1.SurveyService/CloseSurvey"): read CloseSurveyRequest => CloseSurveyResponse;
    }
}

impl Shows for GetQuestionnaireResponse {}
impl Shows for SubmitAnswerResponse {}
impl Shows for GetAnswerResponse {}
impl Shows for ListAnswersResponse {}
impl Shows for InviteMemberResponse {}
impl Shows for IssueInvitationTokenResponse {}
impl Shows for GetInvitationResponse {}
impl Shows for ListInvitationsResponse {}
impl Shows for GetScoreResponse {}
impl Shows for GetScoreTrendResponse {}
impl Shows for CreateSurveyResponse {}
impl Shows for GetSurveyResponse {}
impl Shows for ListSurveysResponse {}
impl Shows for PublishSurveyVersionResponse {}
impl Shows for GetSurveyVersionResponse {}
impl Shows for CloseSurveyResponse {}
