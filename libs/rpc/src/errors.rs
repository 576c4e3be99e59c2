//! What a call is refused with: a gRPC code, a documented reason, and the details of `google.rpc`.
//!
//! A message is a template; the only way to put a value into it is the metadata ([`ApiError::with`]). So every value
//! that a person reads in the message, a program finds in `google.rpc.ErrorInfo`.

mod common;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use fealty_proto::types::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::violations::FieldProblem;

/// The `domain` of every `google.rpc.ErrorInfo`.
pub const ERROR_DOMAIN: &str = "fealty";

/// What `as_str_name` of every reason begins with; it is not sent.
const REASON_PREFIX: &str = "ERROR_REASON_";

/// Longest value in a message or in its metadata, in bytes. All details travel in one HTTP header, and common clients
/// refuse header lists over 8 KiB: one long value must not cost the caller the reason.
const VALUE_LENGTH_MAX_BYTES: usize = 256;

/// Longest value of the `name` in `google.rpc.ResourceInfo`, for the same reason.
type Resource = (String, String);

/// Why a call was refused.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiError(Box<Refusal>);

#[derive(Clone, PartialEq, Eq)]
struct Refusal {
    code: Code,
    reason: ErrorReason,
    template: String,
    metadata: Vec<(String, String)>,
    violations: Vec<FieldProblem>,
    retry_after: Option<Duration>,
    resource: Option<Resource>,
}

impl ApiError {
    /// A refusal. `template` may name metadata in braces: `"The card {number} is taken."`.
    #[must_use]
    pub fn new(code: Code, reason: ErrorReason, template: impl Into<String>) -> Self {
        Self(Box::new(Refusal {
            code,
            reason,
            template: template.into(),
            metadata: Vec::new(),
            violations: Vec::new(),
            retry_after: None,
            resource: None,
        }))
    }

    /// Adds a value: to the metadata, and to the message where its template names `key`.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl fmt::Display) -> Self {
        let key = key.into();
        let value = bounded(value.to_string());
        match self.0.metadata.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.0.metadata.push((key, value)),
        }
        self
    }

    /// Says when a retry makes sense (`google.rpc.RetryInfo`).
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// Names the resource it is about: as `resource` and `id` in the metadata and as `google.rpc.ResourceInfo`.
    #[must_use]
    pub fn about(self, resource: &str, id: impl fmt::Display) -> Self {
        let id = bounded(id.to_string());
        let mut named = self.with("resource", resource).with("id", &id);
        named.0.resource = Some((resource.to_owned(), id));
        named
    }

    /// Names the bad fields (`google.rpc.BadRequest`).
    #[must_use]
    pub(crate) fn with_violations(mut self, violations: Vec<FieldProblem>) -> Self {
        self.0.violations = violations;
        self
    }

    /// The gRPC code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> ErrorReason {
        self.0.reason
    }

    /// A value of the metadata.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.0
            .metadata
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }

    /// The bad fields, if the request itself was at fault.
    #[must_use]
    pub fn violations(&self) -> &[FieldProblem] {
        &self.0.violations
    }

    /// The message, its values filled in.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = self.0.template.clone();
        for (key, value) in &self.0.metadata {
            message = message.replace(&format!("{{{key}}}"), value);
        }
        message
    }

    /// The same refusal as a gRPC status.
    #[must_use]
    pub fn to_status(&self) -> Status {
        let metadata: HashMap<String, String> = self.0.metadata.iter().cloned().collect();
        let mut details = ErrorDetails::with_error_info(reason_name(self.0.reason), ERROR_DOMAIN, metadata);
        for violation in &self.0.violations {
            details.add_bad_request_violation(&violation.field, &violation.description);
        }
        if let Some(delay) = self.0.retry_after {
            details.set_retry_info(Some(delay));
        }
        if let Some((resource, id)) = &self.0.resource {
            details.set_resource_info(resource, id, "", "");
        }
        Status::with_error_details(self.0.code, self.message(), details)
    }
}

impl From<ApiError> for Status {
    fn from(error: ApiError) -> Self {
        error.to_status()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", reason_name(self.0.reason), self.message())
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError")
            .field("code", &self.0.code)
            .field("reason", &reason_name(self.0.reason))
            .field("message", &self.message())
            .field("violations", &self.0.violations)
            .finish()
    }
}

impl std::error::Error for ApiError {}

/// The reason as it is sent: without the prefix that an enum value carries in the proto.
#[must_use]
pub fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix(REASON_PREFIX).unwrap_or(name)
}

/// The reason in a status's `google.rpc.ErrorInfo`, if it is one of ours.
#[must_use]
pub fn reason_of(status: &Status) -> Option<ErrorReason> {
    let info = status.get_details_error_info()?;
    if info.domain != ERROR_DOMAIN {
        return None;
    }
    ErrorReason::from_str_name(&format!("{REASON_PREFIX}{}", info.reason))
}

/// The value, cut where it is too long for an error.
fn bounded(mut value: String) -> String {
    if value.len() > VALUE_LENGTH_MAX_BYTES {
        let cut = value.floor_char_boundary(VALUE_LENGTH_MAX_BYTES);
        value.truncate(cut);
        value.push('…');
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_the_message_is_in_the_metadata() {
        let error = ApiError::new(
            Code::NotFound,
            ErrorReason::ResourceNotFound,
            "There is no {resource} {id}.",
        )
        .about("member", "42");
        assert_eq!(error.message(), "There is no member 42.");
        assert_eq!(
            (error.value("resource"), error.value("id")),
            (Some("member"), Some("42"))
        );
    }

    #[test]
    fn the_status_carries_the_reason_without_its_prefix_and_the_retry_delay() {
        let status = ApiError::overloaded(Duration::from_millis(200)).to_status();
        let info = status.get_details_error_info().expect("ErrorInfo");
        assert_eq!(
            (info.domain.as_str(), info.reason.as_str()),
            ("fealty", "OVERLOADED")
        );
        let retry = status.get_details_retry_info().and_then(|info| info.retry_delay);
        assert_eq!(retry, Some(Duration::from_millis(200)));
        assert_eq!(reason_of(&status), Some(ErrorReason::Overloaded));
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let error =
            ApiError::new(Code::NotFound, ErrorReason::ResourceNotFound, "{id}").with("id", "ö".repeat(400));
        assert!(error.message().len() < 300 && error.message().ends_with('…'));
    }
}
