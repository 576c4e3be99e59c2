//! Why a call failed, taken apart.

use std::collections::BTreeMap;
use std::time::Duration;

use fealty_proto::types::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A call failed for good: it was refused, or all that could be tried has been.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{method}: {code:?}{}: {message}", reason.map(|reason| format!(" {}", reason.as_str_name().trim_start_matches("ERROR_REASON_"))).unwrap_or_default())]
pub struct CallError {
    /// Which rpc, as "/package.Service/Method".
    pub method: &'static str,
    /// The gRPC code.
    pub code: Code,
    /// The suite's own reason. None when the call never reached a service of the suite.
    pub reason: Option<ErrorReason>,
    /// What the service says.
    pub message: String,
    /// The values that the reason speaks of, by the names that the reason documents.
    pub metadata: BTreeMap<String, String>,
    /// Every bad field of a malformed request.
    pub fields: Vec<FieldError>,
    /// How often it was tried.
    pub attempt_count: u32,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Its path in the request, such as `identifiers[2].card_number`.
    pub field: String,
    /// What is wrong.
    pub description: String,
}

impl CallError {
    /// One of the values that the reason speaks of.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).map(String::as_str)
    }

    pub(crate) fn from_status(method: &'static str, status: &Status, attempt_count: u32) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let reason =
            info.and_then(|info| ErrorReason::from_str_name(&format!("ERROR_REASON_{}", info.reason)));
        let fields = details.bad_request().map_or_else(Vec::new, |bad| {
            bad.field_violations
                .iter()
                .map(|violation| FieldError {
                    field: violation.field.clone(),
                    description: violation.description.clone(),
                })
                .collect()
        });
        Self {
            method,
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            metadata: info
                .map(|info| info.metadata.clone().into_iter().collect())
                .unwrap_or_default(),
            fields,
            attempt_count,
        }
    }

    /// The call's own deadline passed on this side, before an answer came.
    pub(crate) fn out_of_time(
        method: &'static str,
        deadline: Duration,
        attempt_count: u32,
        last: Option<&Status>,
    ) -> Self {
        let after = last.map_or_else(String::new, |status| {
            format!("; the last answer was {:?}: {}", status.code(), status.message())
        });
        Self {
            method,
            code: Code::DeadlineExceeded,
            reason: Some(ErrorReason::DeadlineExceeded),
            message: format!("no answer within {} ms{after}", deadline.as_millis()),
            metadata: BTreeMap::new(),
            fields: Vec::new(),
            attempt_count,
        }
    }
}
