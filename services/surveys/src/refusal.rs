//! Why a use case does not do what it was asked: words of the domain, without gRPC and without SQL. [`crate::status`]
//! says what a caller is told.

use std::fmt;

use fealty_postgres::requests::ClaimError;
use fealty_postgres::{StorageError, TransactError};
use fealty_types::{InvitationId, RequestId, SurveyId};

/// The things of this service, and those of others that it speaks of, as callers name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// What is asked of members.
    Survey,
    /// What a survey asks, unchangeable.
    SurveyVersion,
    /// Somebody's chance to answer.
    Invitation,
    /// What somebody answered.
    Answer,
    /// Somebody of the program, whom the members service knows.
    Member,
}

impl Resource {
    /// The word that callers see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Survey => "survey",
            Self::SurveyVersion => "survey_version",
            Self::Invitation => "invitation",
            Self::Answer => "answer",
            Self::Member => "member",
        }
    }
}

/// What the business says no to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The program has no such thing.
    NotFound {
        /// What was looked for.
        resource: Resource,
        /// By which id.
        id: String,
    },
    /// No invitation has that token, or not any more. The token is a secret, so it is not repeated.
    TokenUnknown,
    /// The request id belongs to another command.
    RequestIdReused(RequestId),
    /// A value that was well formed does not fit what it is for.
    FieldInvalid {
        /// The field's path as in the proto.
        field: &'static str,
        /// What would be right.
        description: &'static str,
    },
    /// The program has as many of something as it may have.
    CountExceeded {
        /// Of what.
        resource: Resource,
        /// How many it may have.
        count_max: i64,
    },
    /// The survey has no published version, or is closed.
    SurveyNotOpen(SurveyId),
    /// The invitation was answered already.
    AlreadyAnswered(InvitationId),
    /// The invitation has passed its end, was suppressed, or is not decided yet.
    InvitationNotOpen {
        /// Which one.
        invitation_id: InvitationId,
        /// What it is instead.
        status: &'static str,
    },
}

impl Refusal {
    /// There is no such thing.
    pub(crate) fn not_found(resource: Resource, id: impl fmt::Display) -> Self {
        Self::NotFound {
            resource,
            id: id.to_string(),
        }
    }
}

/// What a use case answers when it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SurveysError {
    /// The business says no.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// The database, or the way to it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The members service does not answer as it should.
    #[error("members does not answer as it should")]
    MembersAway,
}

impl From<Refusal> for SurveysError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ClaimError> for SurveysError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::Storage(error) => error.into(),
            ClaimError::Reused(request_id) => Refusal::RequestIdReused(request_id).into(),
        }
    }
}

impl TransactError for SurveysError {
    fn storage(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Refused(_) | Self::MembersAway => None,
        }
    }
}
