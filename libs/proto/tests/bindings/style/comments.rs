//! Everything says what it means.

use std::collections::HashSet;

use prost_reflect::FileDescriptor;

use super::{Protos, assert_none};
use crate::protos::Failure;

/// The places of a file that have a comment above them, as paths into its descriptor.
struct Commented(HashSet<Vec<i32>>);

impl Commented {
    fn of(file: &FileDescriptor) -> Self {
        let info = file.file_descriptor_proto().source_code_info.as_ref();
        let locations = info.map(|info| info.location.as_slice()).unwrap_or_default();
        let commented = locations
            .iter()
            .filter(|location| !location.leading_comments().trim().is_empty());
        Self(commented.map(|location| location.path.clone()).collect())
    }

    fn check(&self, path: &[i32], name: &str, missing: &mut Vec<String>) {
        if !self.0.contains(path) {
            missing.push(name.to_owned());
        }
    }
}

#[test]
fn every_message_and_field_has_a_comment() -> Result<(), Failure> {
    let mut missing = Vec::new();
    for message in Protos::read()?.messages() {
        let commented = Commented::of(&message.parent_file());
        commented.check(message.path(), message.full_name(), &mut missing);
        for field in message.fields() {
            commented.check(field.path(), field.full_name(), &mut missing);
        }
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            commented.check(oneof.path(), oneof.full_name(), &mut missing);
        }
    }
    assert_none(&missing, "without a comment");
    Ok(())
}

#[test]
fn every_enum_and_value_has_a_comment() -> Result<(), Failure> {
    let mut missing = Vec::new();
    for item in Protos::read()?.enums() {
        let commented = Commented::of(&item.parent_file());
        commented.check(item.path(), item.full_name(), &mut missing);
        for value in item.values() {
            commented.check(value.path(), value.full_name(), &mut missing);
        }
    }
    assert_none(&missing, "without a comment");
    Ok(())
}

#[test]
fn every_service_and_method_has_a_comment() -> Result<(), Failure> {
    let mut missing = Vec::new();
    for service in Protos::read()?.services() {
        let commented = Commented::of(&service.parent_file());
        commented.check(service.path(), service.full_name(), &mut missing);
        for method in service.methods() {
            commented.check(method.path(), method.full_name(), &mut missing);
        }
    }
    assert_none(&missing, "without a comment");
    Ok(())
}

#[test]
fn every_option_of_ours_has_a_comment() -> Result<(), Failure> {
    let mut missing = Vec::new();
    for file in Protos::read()?.files() {
        let commented = Commented::of(&file);
        for extension in file.extensions() {
            commented.check(extension.path(), extension.full_name(), &mut missing);
        }
    }
    assert_none(&missing, "without a comment");
    Ok(())
}
