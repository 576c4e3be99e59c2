//! `SurveyService`: parse, call, present.

mod parse;
mod present;

use fealty_proto::surveys::v1 as pb;
use fealty_proto::surveys::v1::survey_service_server::SurveyService;
use fealty_rpc::page::PageRequest;
use fealty_rpc::page_token::PageTokens;
use fealty_service::call::{serve, serve_making};
use tonic::{Request, Response, Status};

use super::{ListAfter, Surveys};
pub(crate) use present::version as present_version;

const LIST_SURVEYS: &str = "/fealty.surveys.v1.SurveyService/ListSurveys";

#[tonic::async_trait]
impl SurveyService for Surveys {
    async fn create_survey(
        &self,
        request: Request<pb::CreateSurveyRequest>,
    ) -> Result<Response<pb::CreateSurveyResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program = caller.program_id()?;
            let (attempt, terms) = parse::create(program, &message)?;
            let made = self.create(program, &attempt, &terms).await?;
            Ok(made.map(|survey| pb::CreateSurveyResponse {
                survey: Some(present::survey(&survey)),
            }))
        })
        .await
    }

    async fn get_survey(
        &self,
        request: Request<pb::GetSurveyRequest>,
    ) -> Result<Response<pb::GetSurveyResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let survey = self.get(program, parse::survey_id(&message.survey_id)?).await?;
            Ok(pb::GetSurveyResponse {
                survey: Some(present::survey(&survey)),
            })
        })
        .await
    }

    async fn list_surveys(
        &self,
        request: Request<pb::ListSurveysRequest>,
    ) -> Result<Response<pb::ListSurveysResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let tokens = PageTokens::try_new(LIST_SURVEYS, Some(program), &())?;
            let page = PageRequest::<ListAfter>::parse(tokens, message.page_size, &message.page_token)?;
            let read = self.list(program, page.after(), page.count_max()).await?;
            let (surveys, next_page_token) = page.cut(read, |survey| ListAfter {
                create_time: survey.create_time,
                survey_id: survey.survey_id.as_uuid(),
            })?;
            Ok(pb::ListSurveysResponse {
                surveys: surveys.iter().map(present::survey).collect(),
                next_page_token,
            })
        })
        .await
    }

    async fn publish_survey_version(
        &self,
        request: Request<pb::PublishSurveyVersionRequest>,
    ) -> Result<Response<pb::PublishSurveyVersionResponse>, Status> {
        serve_making(request, async |caller, message| {
            let program = caller.program_id()?;
            let publish = parse::publish(program, &message)?;
            let made = self
                .publish(program, &publish.attempt, publish.survey_id, &publish.questions)
                .await?;
            Ok(made.map(|survey| pb::PublishSurveyVersionResponse {
                survey: Some(present::survey(&survey)),
            }))
        })
        .await
    }

    async fn get_survey_version(
        &self,
        request: Request<pb::GetSurveyVersionRequest>,
    ) -> Result<Response<pb::GetSurveyVersionResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let (survey_id, version) = parse::get_version(&message)?;
            let version = self.get_version(program, survey_id, version).await?;
            Ok(pb::GetSurveyVersionResponse {
                version: Some(present::version(&version)),
            })
        })
        .await
    }

    async fn close_survey(
        &self,
        request: Request<pb::CloseSurveyRequest>,
    ) -> Result<Response<pb::CloseSurveyResponse>, Status> {
        serve(request, async |caller, message| {
            let program = caller.program_id()?;
            let survey = self.close(program, parse::survey_id(&message.survey_id)?).await?;
            Ok(pb::CloseSurveyResponse {
                survey: Some(present::survey(&survey)),
            })
        })
        .await
    }
}
