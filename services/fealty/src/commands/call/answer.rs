//! What came back, for people and for scripts.

use std::fmt;

use prost_reflect::{DynamicMessage, SerializeOptions};
use tonic::Status;
use tonic_types::StatusExt as _;

/// An answer in JSON, with the names of the protos. Fields at their defaults are shown: a balance of 0 is an answer.
pub(super) fn json(message: &DynamicMessage) -> anyhow::Result<String> {
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .skip_default_fields(false);
    let mut text = Vec::new();
    message.serialize_with_options(&mut serde_json::Serializer::pretty(&mut text), &options)?;
    Ok(String::from_utf8(text)?)
}

/// A refusal, taken apart: the code and the message, the reason with its values, every bad field.
pub(super) struct Refused<'a>(pub &'a Status);

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(status) = self;
        writeln!(f, "error: {:?}: {}", status.code(), status.message())?;
        let details = status.get_error_details();
        if let Some(info) = details.error_info() {
            write!(f, "  reason {}", info.reason)?;
            let mut values: Vec<_> = info.metadata.iter().collect();
            values.sort();
            for (name, value) in values {
                write!(f, " {name}={value}")?;
            }
            writeln!(f)?;
        }
        for bad in details.bad_request().iter().flat_map(|bad| &bad.field_violations) {
            writeln!(f, "  {}: {}", bad.field, bad.description)?;
        }
        if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
            writeln!(f, "  may be tried again in {} ms", delay.as_millis())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic::Code;
    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    #[test]
    fn a_refusal_names_its_reason_and_every_bad_field() {
        let mut details = ErrorDetails::new();
        let values = HashMap::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())]);
        details
            .set_error_info("INVALID_ARGUMENT", "fealty", values)
            .set_bad_request(vec![
                FieldViolation::new("unit.code", "must be set"),
                FieldViolation::new("page_size", "must be 0 to 1000"),
            ]);
        let status = Status::with_error_details(Code::InvalidArgument, "2 fields are wrong", details);
        assert_eq!(
            Refused(&status).to_string(),
            "error: InvalidArgument: 2 fields are wrong\n  reason INVALID_ARGUMENT a=1 b=2\n  \
             unit.code: must be set\n  page_size: must be 0 to 1000\n"
        );
    }
}
