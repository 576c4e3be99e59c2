//! What each kind of method must carry.

use prost_reflect::{Kind, MessageDescriptor, MethodDescriptor};

use super::{Protos, assert_none};
use crate::protos::Failure;

/// Methods that list in another way than by page, each with its reason.
const UNPAGED_LISTS: [(&str, &str); 1] = [(
    "fealty.access.v1.AccessFeedService.ListAccessChanges",
    "it has no last page: a follower keeps its token for ever, and resumes there",
)];

/// A method whose name begins so makes or moves something, and a retry must not do so twice.
const MAKING_VERBS: [&str; 20] = [
    "Create", "Enrol", "Record", "Refund", "Credit", "Spend", "Publish", "Add", "Open", "Adjust", "Hold",
    "Capture", "Release", "Redeem", "Use", "Invite", "Submit", "Merge", "Join", "Leave",
];

#[test]
fn every_method_names_its_scope() {
    let unscoped = fealty_proto::methods()
        .iter()
        .filter(|(_, method)| method.scope.is_none());
    let unscoped: Vec<String> = unscoped.map(|(path, _)| path.clone()).collect();
    assert_none(&unscoped, "without a scope");
}

#[test]
fn every_method_is_known_by_its_path() -> Result<(), Failure> {
    let paths: Vec<String> = methods()?
        .iter()
        .map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()))
        .collect();
    assert!(!paths.is_empty());
    let known: Vec<String> = fealty_proto::methods().keys().cloned().collect();
    let unknown: Vec<String> = paths.into_iter().filter(|path| !known.contains(path)).collect();
    assert_none(&unknown, "not in fealty_proto::methods()");
    Ok(())
}

#[test]
fn every_list_pages() -> Result<(), Failure> {
    let is_paged = |method: &MethodDescriptor| {
        let (request, response) = (method.input(), method.output());
        has(&request, "page_size", &Kind::Int32)
            && has(&request, "page_token", &Kind::String)
            && has(&response, "next_page_token", &Kind::String)
            && response
                .fields()
                .filter(prost_reflect::FieldDescriptor::is_list)
                .count()
                == 1
    };
    let violations: Vec<String> = methods()?
        .iter()
        .filter(|method| method.name().starts_with("List"))
        .filter(|method| is_paged(method) == is_exempt(method))
        .map(|method| method.full_name().to_owned())
        .collect();
    assert_none(
        &violations,
        "lacks page_size, page_token, next_page_token or its one list, or is exempt for nothing",
    );
    Ok(())
}

#[test]
fn what_makes_or_moves_something_carries_a_request_id() -> Result<(), Failure> {
    let violations: Vec<String> = methods()?
        .iter()
        .filter(|method| MAKING_VERBS.iter().any(|verb| method.name().starts_with(verb)))
        .filter(|method| !has(&method.input(), "request_id", &Kind::String))
        .map(|method| method.full_name().to_owned())
        .collect();
    assert_none(&violations, "lacks `string request_id`");
    Ok(())
}

#[test]
fn every_update_carries_a_mask_and_an_etag() -> Result<(), Failure> {
    let has_mask = |request: &MessageDescriptor| {
        let mask = request.get_field_by_name("update_mask").map(|field| field.kind());
        mask.as_ref()
            .and_then(Kind::as_message)
            .is_some_and(|mask| mask.full_name() == "google.protobuf.FieldMask")
    };
    let has_etag = |request: &MessageDescriptor| {
        let resources = request
            .fields()
            .filter_map(|field| field.kind().as_message().cloned());
        resources
            .into_iter()
            .any(|resource| has(&resource, "etag", &Kind::String))
    };
    let violations: Vec<String> = methods()?
        .iter()
        .filter(|method| method.name().starts_with("Update"))
        .filter(|method| !has_mask(&method.input()) || !has_etag(&method.input()))
        .map(|method| method.full_name().to_owned())
        .collect();
    assert_none(
        &violations,
        "lacks `FieldMask update_mask`, or a resource with `string etag`",
    );
    Ok(())
}

#[test]
fn every_exemption_is_of_a_method_that_exists() -> Result<(), Failure> {
    let methods = methods()?;
    let exists = |name: &str| methods.iter().any(|method| method.full_name() == name);
    let unknown: Vec<String> = UNPAGED_LISTS
        .iter()
        .filter(|(name, _)| !exists(name))
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_none(&unknown, "exempt, but gone");
    Ok(())
}

fn methods() -> Result<Vec<MethodDescriptor>, Failure> {
    Ok(Protos::read()?.methods())
}

fn is_exempt(method: &MethodDescriptor) -> bool {
    UNPAGED_LISTS.iter().any(|(name, _)| *name == method.full_name())
}

fn has(message: &MessageDescriptor, name: &str, kind: &Kind) -> bool {
    message
        .get_field_by_name(name)
        .is_some_and(|field| field.kind() == *kind && !field.is_list())
}
