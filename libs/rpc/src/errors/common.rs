//! The refusals that every service knows.

use std::fmt;
use std::time::Duration;

use fealty_proto::access::v1::Scope;
use fealty_proto::types::v1::ErrorReason;
use tonic::Code;

use super::ApiError;
use crate::observe;
use crate::violations::Violations;

impl ApiError {
    /// UNAUTHENTICATED: the call carries no key.
    #[must_use]
    pub fn key_missing() -> Self {
        Self::new(
            Code::Unauthenticated,
            ErrorReason::KeyMissing,
            "The call carries no key: send the metadata `authorization: Bearer KEY`.",
        )
    }

    /// UNAUTHENTICATED: malformed, unknown, or its secret is wrong. Which of them, nobody is told.
    #[must_use]
    pub fn key_invalid() -> Self {
        Self::new(
            Code::Unauthenticated,
            ErrorReason::KeyInvalid,
            "The key is not a valid one.",
        )
    }

    /// UNAUTHENTICATED: revoked, or past its end.
    #[must_use]
    pub fn key_revoked() -> Self {
        Self::new(
            Code::Unauthenticated,
            ErrorReason::KeyRevoked,
            "The key has been revoked or has passed its end.",
        )
    }

    /// UNAUTHENTICATED: the member token has passed its end.
    #[must_use]
    pub fn member_token_expired() -> Self {
        Self::new(
            Code::Unauthenticated,
            ErrorReason::MemberTokenExpired,
            "The member token has passed its end: ask for another one.",
        )
    }

    /// `PERMISSION_DENIED`: not by a member token, or not about its member.
    #[must_use]
    pub fn member_token_denied(why: &str) -> Self {
        Self::new(Code::PermissionDenied, ErrorReason::MemberTokenDenied, why)
    }

    /// `PERMISSION_DENIED`: the key lacks the scope that the method needs.
    #[must_use]
    pub fn scope_missing(scope: Scope) -> Self {
        Self::new(
            Code::PermissionDenied,
            ErrorReason::ScopeMissing,
            "The key lacks the scope {scope}.",
        )
        .with("scope", scope.as_str_name())
    }

    /// `INVALID_ARGUMENT`: a key of the whole suite must name the program.
    #[must_use]
    pub fn program_required() -> Self {
        Self::new(
            Code::InvalidArgument,
            ErrorReason::ProgramRequired,
            "The key belongs to no program: name one in the metadata `fealty-program-id` (a UUID).",
        )
    }

    /// `PERMISSION_DENIED`: not the key's program, or no program at all.
    #[must_use]
    pub fn program_denied() -> Self {
        Self::new(
            Code::PermissionDenied,
            ErrorReason::ProgramDenied,
            "The key does not give access to that program.",
        )
    }

    /// `PERMISSION_DENIED`: the method speaks about the whole suite, and the key belongs to one program.
    #[must_use]
    pub fn suite_key_required() -> Self {
        Self::new(
            Code::PermissionDenied,
            ErrorReason::ProgramDenied,
            "The method speaks about the whole suite, and the key belongs to one program.",
        )
    }

    /// `FAILED_PRECONDITION`: the program is not active.
    #[must_use]
    pub fn program_inactive(program_id: impl fmt::Display) -> Self {
        Self::new(
            Code::FailedPrecondition,
            ErrorReason::ProgramInactive,
            "The program {program_id} is not active.",
        )
        .with("program_id", program_id)
    }

    /// `FAILED_PRECONDITION`: the staff member who holds the key is not active.
    #[must_use]
    pub fn staff_inactive(staff_id: impl fmt::Display) -> Self {
        Self::new(
            Code::FailedPrecondition,
            ErrorReason::StaffInactive,
            "The staff member {staff_id} is not active.",
        )
        .with("staff_id", staff_id)
    }

    /// `DEADLINE_EXCEEDED`: the outcome of a write is unknown to the caller.
    #[must_use]
    pub fn deadline_exceeded() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            ErrorReason::DeadlineExceeded,
            "The deadline has passed. The outcome of a write is unknown: ask again with the same request id.",
        )
    }

    /// `RESOURCE_EXHAUSTED`: full; nothing was done.
    #[must_use]
    pub fn overloaded(retry_after: Duration) -> Self {
        Self::new(
            Code::ResourceExhausted,
            ErrorReason::Overloaded,
            "The server is full. Nothing was done.",
        )
        .retry_after(retry_after)
    }

    /// `RESOURCE_EXHAUSTED`: a message over the size that the server takes.
    #[must_use]
    pub fn message_too_large(size_max_bytes: usize) -> Self {
        Self::new(
            Code::ResourceExhausted,
            ErrorReason::MessageTooLarge,
            "The message is larger than {size_max_bytes} bytes.",
        )
        .with("size_max_bytes", size_max_bytes)
    }

    /// UNAVAILABLE: something that the server needs does not answer; a retry with the same request id is safe.
    #[must_use]
    pub fn dependency_unavailable(dependency: &str) -> Self {
        Self::new(
            Code::Unavailable,
            ErrorReason::DependencyUnavailable,
            "The server's {dependency} does not answer. A retry with the same request id is safe.",
        )
        .with("dependency", dependency)
    }

    /// INTERNAL: a fault of the server. `fault` is logged here, with its sources; the caller learns the trace's id only.
    #[must_use]
    pub fn internal(fault: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = fault.to_string();
        let mut source = fault.source();
        while let Some(cause) = source {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::internal_message(&chain)
    }

    /// INTERNAL, for a fault that is no error value, such as a broken assumption. `fault` is logged, never sent.
    #[must_use]
    pub fn internal_message(fault: &str) -> Self {
        let trace_id = observe::trace_id();
        tracing::error!(target: "fealty::fault", %trace_id, fault, "the server is at fault");
        Self::new(
            Code::Internal,
            ErrorReason::Internal,
            "The server is at fault. It has logged the details under the trace {trace_id}.",
        )
        .with("trace_id", trace_id)
    }

    /// UNIMPLEMENTED: there is no such method.
    #[must_use]
    pub fn method_unknown(path: &str) -> Self {
        Self::new(
            Code::Unimplemented,
            ErrorReason::MethodUnknown,
            "There is no method {method}.",
        )
        .with("method", path)
    }

    /// `NOT_FOUND`: the program has no such resource.
    #[must_use]
    pub fn not_found(resource: &str, id: impl fmt::Display) -> Self {
        Self::new(
            Code::NotFound,
            ErrorReason::ResourceNotFound,
            "There is no {resource} {id}.",
        )
        .about(resource, id)
    }

    /// `ALREADY_EXISTS`: the code, number or identifier of a resource is taken by `id`.
    #[must_use]
    pub fn already_exists(resource: &str, id: impl fmt::Display) -> Self {
        Self::new(
            Code::AlreadyExists,
            ErrorReason::ResourceExists,
            "It is taken by the {resource} {id}.",
        )
        .about(resource, id)
    }

    /// ABORTED: the etag is not that of the newest revision.
    #[must_use]
    pub fn etag_mismatch(resource: &str, id: impl fmt::Display) -> Self {
        Self::new(
            Code::Aborted,
            ErrorReason::EtagMismatch,
            "The {resource} {id} has changed since that etag: read it again, decide again.",
        )
        .about(resource, id)
    }

    /// `ALREADY_EXISTS`: the request id was used for another command.
    #[must_use]
    pub fn request_id_reused(request_id: impl fmt::Display) -> Self {
        Self::new(
            Code::AlreadyExists,
            ErrorReason::RequestIdReused,
            "The request id {request_id} was used for another command.",
        )
        .with("request_id", request_id)
    }

    /// `INVALID_ARGUMENT`: damaged, or of another filter, method or program.
    #[must_use]
    pub fn page_token_invalid() -> Self {
        Self::new(
            Code::InvalidArgument,
            ErrorReason::PageTokenInvalid,
            "The page token is damaged, or belongs to another filter or method.",
        )
    }

    /// `OUT_OF_RANGE`: damaged, or of another history of the database.
    #[must_use]
    pub fn resume_token_invalid() -> Self {
        Self::new(
            Code::OutOfRange,
            ErrorReason::ResumeTokenInvalid,
            "The resume token is damaged, or belongs to another history of the database: start over.",
        )
    }

    /// `OUT_OF_RANGE`: the version asked for has not been written.
    #[must_use]
    pub fn version_ahead(version: i64, newest_version: i64) -> Self {
        Self::new(
            Code::OutOfRange,
            ErrorReason::VersionAhead,
            "Version {version} has not been written; the newest is {newest_version}.",
        )
        .with("version", version)
        .with("newest_version", newest_version)
    }

    /// ABORTED: others kept changing the same thing; nothing was done.
    #[must_use]
    pub fn contention(retry_after: Duration) -> Self {
        Self::new(
            Code::Aborted,
            ErrorReason::Contention,
            "Others kept changing the same thing. Nothing was done: try again.",
        )
        .retry_after(retry_after)
    }

    /// `FAILED_PRECONDITION`: a business refusal with a reason of its own.
    #[must_use]
    pub fn refused(reason: ErrorReason, template: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, reason, template)
    }

    /// `INVALID_ARGUMENT`: a value that was well formed cannot be taken now; named like every other bad field.
    #[must_use]
    pub fn field_invalid(field: &str, description: impl Into<String>) -> Self {
        let mut violations = Violations::default();
        violations.add(field, description);
        violations
            .finish()
            .expect_err("a violation was noted a line above")
    }
}
