//! Names and types: what a reader of one proto may rely on in all of them.

use std::collections::HashSet;

use prost_reflect::{FieldDescriptor, Kind};

use super::{Protos, assert_none, snake_case};
use crate::protos::Failure;

const TIMESTAMP: &str = "google.protobuf.Timestamp";

#[test]
fn packages_are_versioned_and_match_their_folders() -> Result<(), Failure> {
    let is_version = |part: &str| {
        part.strip_prefix('v')
            .is_some_and(|number| number.parse::<u16>().is_ok_and(|number| number > 0))
    };
    let mut violations = Vec::new();
    for file in Protos::read()?.files() {
        let folder = file.name().rsplit_once('/').map_or("", |(folder, _)| folder);
        let package = file.package_name();
        if package != folder.replace('/', ".") || !package.rsplit('.').next().is_some_and(is_version) {
            violations.push(format!("{}: {package}", file.name()));
        }
    }
    assert_none(
        &violations,
        "package differs from its folder, or ends in no version",
    );
    Ok(())
}

#[test]
fn a_service_ends_in_service_and_has_a_file_of_its_own() -> Result<(), Failure> {
    let mut violations = Vec::new();
    for service in Protos::read()?.services() {
        let file = service.parent_file();
        let own_file = format!("/{}.proto", snake_case(service.name()));
        if !service.name().ends_with("Service")
            || !file.name().ends_with(&own_file)
            || file.services().count() != 1
        {
            violations.push(format!("{} in {}", service.full_name(), file.name()));
        }
    }
    assert_none(&violations, "not XxxService alone in xxx_service.proto");
    Ok(())
}

#[test]
fn each_method_has_a_request_and_a_response_of_its_own() -> Result<(), Failure> {
    let mut violations = Vec::new();
    let mut seen = HashSet::new();
    for method in Protos::read()?.methods() {
        let package = method.parent_file().package_name().to_owned();
        for (message, suffix) in [(method.input(), "Request"), (method.output(), "Response")] {
            let expected = format!("{package}.{}{suffix}", method.name());
            if message.full_name() != expected || !seen.insert(expected) {
                violations.push(format!("{}: {}", method.full_name(), message.full_name()));
            }
        }
    }
    assert_none(&violations, "not RpcNameRequest and RpcNameResponse, used once");
    Ok(())
}

#[test]
fn enum_values_bear_the_name_of_their_enum_and_zero_means_unspecified() -> Result<(), Failure> {
    let mut violations = Vec::new();
    for item in Protos::read()?.enums() {
        let prefix = format!("{}_", snake_case(item.name()).to_uppercase());
        let unspecified = format!("{prefix}UNSPECIFIED");
        for value in item.values() {
            if !value.name().starts_with(&prefix) || (value.number() == 0) != (value.name() == unspecified) {
                violations.push(format!(
                    "{}: {} = {}",
                    item.full_name(),
                    value.name(),
                    value.number()
                ));
            }
        }
    }
    assert_none(&violations, "not ENUM_NAME_VALUE with ENUM_NAME_UNSPECIFIED = 0");
    Ok(())
}

#[test]
fn no_integer_is_unsigned() -> Result<(), Failure> {
    let is_unsigned = |field: &FieldDescriptor| {
        matches!(
            field.kind(),
            Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64
        )
    };
    assert_none(
        &fields_that(is_unsigned)?,
        "unsigned: half of the languages that call us have no such type",
    );
    Ok(())
}

#[test]
fn a_time_is_a_timestamp_and_a_timestamp_a_time() -> Result<(), Failure> {
    let differs = |field: &FieldDescriptor| {
        let is_timestamp = field
            .kind()
            .as_message()
            .is_some_and(|message| message.full_name() == TIMESTAMP);
        field.name().ends_with("_at") || is_timestamp != field.name().ends_with("_time")
    };
    assert_none(
        &fields_that(differs)?,
        "not xxx_time for a Timestamp, and for nothing else",
    );
    Ok(())
}

fn fields_that(violate: impl Fn(&FieldDescriptor) -> bool) -> Result<Vec<String>, Failure> {
    let mut violations = Vec::new();
    for message in Protos::read()?.messages() {
        let violating = message.fields().filter(|field| violate(field));
        violations.extend(violating.map(|field| field.full_name().to_owned()));
    }
    Ok(violations)
}
