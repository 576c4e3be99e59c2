//! What refused calls are answered, and tables of bad calls.

use std::fmt::Debug;

use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::reason_of;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Code and reason of a refusal.
pub fn refusal<T: Debug>(answer: Result<T, Status>) -> (Code, ErrorReason) {
    let status = answer.expect_err("it is refused");
    (
        status.code(),
        reason_of(&status).unwrap_or_else(|| panic!("no reason: {status:?}")),
    )
}

/// The bad fields of a refusal, by path.
pub fn bad_fields(status: &Status) -> Vec<String> {
    let bad = status.get_details_bad_request();
    let violations = bad.map(|bad| bad.field_violations).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

/// A value of a refusal's metadata.
pub fn value_of(status: &Status, key: &str) -> String {
    let info = status.get_details_error_info().expect("ErrorInfo");
    info.metadata
        .get(key)
        .cloned()
        .unwrap_or_else(|| panic!("no {key} in {info:?}"))
}

/// What a bad call is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub code: Code,
    pub reason: ErrorReason,
    pub fields: Vec<String>,
}

/// The request is malformed in these fields.
pub fn bad(fields: &[&str]) -> Expected {
    Expected {
        code: Code::InvalidArgument,
        reason: ErrorReason::InvalidFields,
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    }
}

/// There is no such thing.
pub const fn not_there() -> Expected {
    Expected {
        code: Code::NotFound,
        reason: ErrorReason::ResourceNotFound,
        fields: Vec::new(),
    }
}

/// The page token belongs to no such list.
pub const fn bad_token() -> Expected {
    Expected {
        code: Code::InvalidArgument,
        reason: ErrorReason::PageTokenInvalid,
        fields: Vec::new(),
    }
}

/// What a call was answered, to be held against what was expected.
pub fn as_expected(status: &Status) -> Expected {
    Expected {
        code: status.code(),
        reason: reason_of(status).unwrap_or(ErrorReason::Unspecified),
        fields: bad_fields(status),
    }
}

/// Makes each call of a table of (name, message, what is expected); afterwards nothing may have changed.
#[macro_export]
macro_rules! assert_refused {
    ($ledger:expr, $client:ident.$method:ident, $table:expr) => {{
        let before = $ledger.contents().await;
        for (name, message, expected) in $table {
            let answer = $ledger.$client().$method($ledger.call(message)).await;
            let status = answer.expect_err(name);
            assert_eq!(
                $crate::service::refusals::as_expected(&status),
                expected,
                "{name}: {status:?}"
            );
        }
        assert_eq!($ledger.contents().await, before, "something changed");
    }};
}
