//! The one table from what the rooms refuse to what a caller is told.

use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::ApiError;
use fealty_service::status::storage_status;
use tonic::Code;

use crate::refusal::{Refusal, Resource, SurveysError};

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { resource, id } => Self::not_found(resource.as_str(), id),
            Refusal::TokenUnknown => Self::new(
                Code::NotFound,
                ErrorReason::ResourceNotFound,
                "There is no {resource} with that token, or it has another token by now.",
            )
            .with("resource", Resource::Invitation.as_str()),
            Refusal::RequestIdReused(request_id) => Self::request_id_reused(request_id),
            Refusal::FieldInvalid { field, description } => Self::field_invalid(field, description),
            Refusal::CountExceeded { resource, count_max } => Self::refused(
                ErrorReason::CountExceeded,
                "A program has at most {count_max} of {resource} that are not closed.",
            )
            .with("resource", resource.as_str())
            .with("count_max", count_max),
            Refusal::SurveyNotOpen(survey_id) => Self::refused(
                ErrorReason::SurveyNotOpen,
                "The survey {survey_id} has no published version, or is closed.",
            )
            .with("survey_id", survey_id),
            Refusal::AlreadyAnswered(invitation_id) => Self::refused(
                ErrorReason::AlreadyAnswered,
                "The invitation {invitation_id} was answered already.",
            )
            .with("invitation_id", invitation_id),
            Refusal::InvitationNotOpen {
                invitation_id,
                status,
            } => Self::refused(
                ErrorReason::InvitationNotOpen,
                "The invitation {invitation_id} is not open: it is {status}.",
            )
            .with("invitation_id", invitation_id)
            .with("status", status),
        }
    }
}

impl From<SurveysError> for ApiError {
    fn from(error: SurveysError) -> Self {
        match error {
            SurveysError::Refused(refusal) => refusal.into(),
            SurveysError::Storage(error) => storage_status(&error),
            SurveysError::MembersAway => Self::dependency_unavailable("members"),
        }
    }
}
