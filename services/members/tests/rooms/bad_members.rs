//! Malformed calls of `MemberService`, and calls of those who may not: the exact answer to each, and nothing changed.

use std::fmt::Debug;

use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::r#type::v1::{Date, ErrorReason};
use fealty_types::{Clock, SystemClock};
use prost_types::Timestamp;
use tonic::{Code, Status};

use crate::harness::{Auth, World, assert_invalid, assert_refused, nobodys_id, request_id};
use crate::shop::{Shop, acceptance, card, email, enrolment, external_id, identifier, phone};

fn profile(change: impl FnOnce(&mut pb::Profile)) -> pb::EnrolMemberRequest {
    let mut profile = pb::Profile::default();
    change(&mut profile);
    pb::EnrolMemberRequest {
        profile: Some(profile),
        ..enrolment(&[])
    }
}

fn born(year: i32, month: i32, day: i32) -> pb::EnrolMemberRequest {
    profile(|profile| profile.birth_date = Some(Date { year, month, day }))
}

fn accepted(change: impl FnOnce(&mut pb::PolicyAcceptance)) -> pb::EnrolMemberRequest {
    let mut acceptance = acceptance();
    change(&mut acceptance);
    pb::EnrolMemberRequest {
        policy_acceptance: Some(acceptance),
        ..enrolment(&[])
    }
}

fn long(count: usize) -> String {
    "x".repeat(count)
}

/// A call to enrol, and the fields that are wrong with it.
type BadEnrolment = (&'static str, pb::EnrolMemberRequest, Vec<&'static str>);

fn bad_ids() -> Vec<BadEnrolment> {
    let with_request_id = |request_id: &str| pb::EnrolMemberRequest {
        request_id: request_id.to_owned(),
        ..enrolment(&[])
    };
    let all_at_once = pb::EnrolMemberRequest {
        request_id: String::new(),
        identifiers: vec![identifier(card("1"))],
        ..born(1990, 13, 1)
    };
    let fields = vec!["request_id", "profile.birth_date", "identifiers[0].card_number"];
    vec![
        ("no request id", with_request_id(""), vec!["request_id"]),
        ("no UUID", with_request_id("17"), vec!["request_id"]),
        ("all at once", all_at_once, fields),
        bad_twice(),
    ]
}

/// What is wrong with one field hides nothing that is wrong with another.
fn bad_twice() -> BadEnrolment {
    let company = pb::Profile {
        party_kind: pb::PartyKind::LegalEntity.into(),
        given_name: "Ana".to_owned(),
        family_name: long(201),
        ..Default::default()
    };
    let request = pb::EnrolMemberRequest {
        profile: Some(company),
        ..enrolment(&[email("a@example.com"), card("1"), email("A@example.com")])
    };
    let fields = vec![
        "profile.family_name",
        "profile.given_name",
        "profile.family_name",
        "profile.registration_number",
        "identifiers[1].card_number",
        "identifiers[2].email_address",
    ];
    ("twice", request, fields)
}

fn bad_profiles() -> Vec<BadEnrolment> {
    let named = |given_name: String| profile(|profile| profile.given_name = given_name);
    let living_in = |place: String| profile(|profile| profile.place = place);
    let speaking = |language_code: String| profile(|profile| profile.language_code = language_code);
    vec![
        ("a long name", named(long(201)), vec!["profile.given_name"]),
        (
            "a line break",
            living_in("a\nb".to_owned()),
            vec!["profile.place"],
        ),
        (
            "no language",
            speaking("Serbian!".to_owned()),
            vec!["profile.language_code"],
        ),
        ("no leap year", born(2023, 2, 29), vec!["profile.birth_date"]),
        ("born in the future", born(2999, 1, 1), vec!["profile.birth_date"]),
        ("born long ago", born(1899, 12, 31), vec!["profile.birth_date"]),
        ("no month", born(1990, 0, 1), vec!["profile.birth_date"]),
    ]
}

fn bad_identifiers() -> Vec<BadEnrolment> {
    let nothing = pb::EnrolMemberRequest {
        identifiers: vec![pb::Identifier::default()],
        ..enrolment(&[])
    };
    let each_wrong = enrolment(&[
        external_id(" 1"),
        card("4539148803436468"),
        phone("02079460018"),
        email("ana"),
    ]);
    let each_field = vec![
        "identifiers[0].external_id",
        "identifiers[1].card_number",
        "identifiers[2].phone_number",
        "identifiers[3].email_address",
    ];
    let twice = enrolment(&[external_id("1"), email("a@b.co"), email("A@b.co")]);
    vec![
        ("no identifier", nothing, vec!["identifiers[0].value"]),
        ("each kind wrong", each_wrong, each_field),
        (
            "an empty value",
            enrolment(&[email("")]),
            vec!["identifiers[0].email_address"],
        ),
        ("the same twice", twice, vec!["identifiers[2].email_address"]),
    ]
}

fn bad_acceptances() -> Vec<BadEnrolment> {
    let of_version = |version| accepted(|given| given.policy_version = version);
    let through = |channel: String| accepted(|given| given.channel = channel);
    let tomorrow = Timestamp {
        seconds: SystemClock.now().timestamp() + 86_400,
        nanos: 0,
    };
    vec![
        (
            "a negative version",
            of_version(-1),
            vec!["policy_acceptance.policy_version"],
        ),
        (
            "no channel",
            through(String::new()),
            vec!["policy_acceptance.channel"],
        ),
        (
            "a long channel",
            through(long(101)),
            vec!["policy_acceptance.channel"],
        ),
        (
            "accepted tomorrow",
            accepted(|given| given.accept_time = Some(tomorrow)),
            vec!["policy_acceptance.accept_time"],
        ),
    ]
}

#[tokio::test]
async fn a_malformed_enrolment_names_every_bad_field_and_changes_nothing() {
    let shop = Shop::open().await;
    let before = shop.world.contents().await;
    let bad = [bad_ids(), bad_profiles(), bad_identifiers(), bad_acceptances()];
    for (label, request, fields) in bad.into_iter().flatten() {
        assert_invalid(label, shop.try_enrol(request).await, &fields);
    }
    assert_eq!(shop.world.contents().await, before);
    assert!(shop.ledger.opened().is_empty());
}

#[tokio::test]
async fn a_wrong_check_digit_is_said_to_be_one() {
    let shop = Shop::open().await;
    let status = shop.lookup(card("4539148803436468")).await.unwrap_err();
    let told = String::from_utf8_lossy(status.details()).into_owned();
    assert!(
        told.contains("check digit") && !told.contains("4539148803436468"),
        "{told}"
    );
}

#[tokio::test]
async fn malformed_reads_name_every_bad_field() {
    let shop = Shop::open().await;
    shop.enrol(&[external_id("1")]).await;
    let before = shop.world.contents().await;
    assert_invalid("no member", shop.get("").await, &["member_id"]);
    assert_invalid("no UUID", shop.get("17").await, &["member_id"]);
    assert_invalid(
        "no phone",
        shop.lookup(phone("17")).await,
        &["identifier.phone_number"],
    );
    let mut members = shop.world.members(&shop.auth);
    let lookup = members.lookup_member(pb::LookupMemberRequest::default()).await;
    assert_invalid("no identifier", lookup, &["identifier"]);

    assert_eq!(shop.world.contents().await, before);
}

#[tokio::test]
async fn a_malformed_update_names_every_bad_field_and_changes_nothing() {
    let shop = Shop::open().await;
    let member = shop.enrol(&[external_id("1")]).await;
    let before = shop.world.contents().await;
    let change = |profile| pb::Member {
        member_id: member.member_id.clone(),
        profile: Some(profile),
        ..Default::default()
    };
    assert_invalid(
        "no mask",
        shop.update(change(pb::Profile::default()), &[]).await,
        &["update_mask"],
    );
    let strange = shop
        .update(
            change(pb::Profile::default()),
            &["profile", "member_id", "profile.shoe_size"],
        )
        .await;
    assert_invalid(
        "strange paths",
        strange,
        &["update_mask.paths[1]", "update_mask.paths[2]"],
    );
    let wrong = change(pb::Profile {
        place: long(201),
        language_code: "?".to_owned(),
        ..Default::default()
    });
    let named = shop.update(wrong.clone(), &["profile"]).await;
    assert_invalid(
        "wrong values",
        named,
        &["member.profile.place", "member.profile.language_code"],
    );
    let wrong_ids = pb::Member {
        member_id: String::new(),
        etag: "7".to_owned(),
        ..wrong
    };
    let named = shop.update(wrong_ids, &["profile.place"]).await;
    assert_invalid(
        "wrong ids",
        named,
        &["member.member_id", "member.etag", "member.profile.place"],
    );
    let mut members = shop.world.members(&shop.auth);
    let nothing = members.update_member(pb::UpdateMemberRequest::default()).await;
    assert_invalid("nothing", nothing, &["update_mask", "member"]);

    assert_eq!(shop.world.contents().await, before);
}

#[tokio::test]
async fn malformed_identifiers_and_lists_name_every_bad_field_and_change_nothing() {
    let shop = Shop::open().await;
    shop.enrol(&[external_id("1")]).await;
    let before = shop.world.contents().await;
    let mut members = shop.world.members(&shop.auth);
    let add = members.add_identifier(pb::AddIdentifierRequest::default()).await;
    assert_invalid("add nothing", add, &["request_id", "member_id", "identifier"]);
    let remove = members
        .remove_identifier(pb::RemoveIdentifierRequest::default())
        .await;
    assert_invalid("remove nothing", remove, &["member_id", "identifier_id"]);
    let range = pb::ListMembersRequest {
        page_size: 1_001,
        ..Default::default()
    };
    assert_invalid("a large page", shop.list(range).await, &["page_size"]);
    let time = Some(Timestamp {
        seconds: 0,
        nanos: -1,
    });
    let range = pb::ListMembersRequest {
        enrolled_from_time: time,
        enrolled_before_time: time,
        ..Default::default()
    };
    assert_invalid(
        "no times",
        shop.list(range).await,
        &["enrolled_from_time", "enrolled_before_time"],
    );
    let token = pb::ListMembersRequest {
        page_token: "x".to_owned(),
        ..Default::default()
    };
    let refused = shop.list(token).await;
    assert_refused(
        "no token",
        refused,
        Code::InvalidArgument,
        ErrorReason::PageTokenInvalid,
    );
    assert_eq!(shop.world.contents().await, before);
}

/// Every method, called as `auth`.
async fn call_all(world: &World, auth: &Auth) -> Vec<(&'static str, Result<(), Status>)> {
    fn done<T: Debug>(answer: Result<T, Status>) -> Result<(), Status> {
        answer.map(|_| ())
    }
    let mut members = world.members(auth);
    let (id, value) = (nobodys_id(), Some(identifier(Value::ExternalId("1".to_owned()))));
    let update = pb::UpdateMemberRequest {
        member: Some(pb::Member {
            member_id: id.clone(),
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["profile".to_owned()],
        }),
    };
    let add = pb::AddIdentifierRequest {
        request_id: request_id(),
        member_id: id.clone(),
        identifier: value.clone(),
    };
    let remove = pb::RemoveIdentifierRequest {
        member_id: id.clone(),
        identifier_id: id.clone(),
    };
    let lookup = pb::LookupMemberRequest { identifier: value };
    vec![
        ("enrol", done(members.enrol_member(enrolment(&[])).await)),
        ("update", done(members.update_member(update).await)),
        ("add", done(members.add_identifier(add).await)),
        ("remove", done(members.remove_identifier(remove).await)),
        (
            "get",
            done(members.get_member(pb::GetMemberRequest { member_id: id }).await),
        ),
        (
            "batch",
            done(
                members
                    .batch_get_members(pb::BatchGetMembersRequest::default())
                    .await,
            ),
        ),
        ("lookup", done(members.lookup_member(lookup).await)),
        (
            "list",
            done(members.list_members(pb::ListMembersRequest::default()).await),
        ),
    ]
}

#[tokio::test]
async fn nobody_calls_without_a_key_and_the_scope_of_the_method() {
    let shop = Shop::open().await;
    let reader = shop.world.key_of(shop.program, &[Scope::MembersRead]).await;
    let writer = shop.world.key_of(shop.program, &[Scope::MembersWrite]).await;
    let wrong = Auth::key("fealty_not_a_key");
    let elsewhere = shop.auth.clone().of_program(&nobodys_id());
    let before = shop.world.contents().await;
    for (label, auth, code, reason) in [
        (
            "no key",
            Auth::default(),
            Code::Unauthenticated,
            ErrorReason::KeyMissing,
        ),
        (
            "a wrong key",
            wrong,
            Code::Unauthenticated,
            ErrorReason::KeyInvalid,
        ),
        (
            "another program",
            elsewhere,
            Code::PermissionDenied,
            ErrorReason::ProgramDenied,
        ),
    ] {
        for (method, answer) in call_all(&shop.world, &auth).await {
            assert_refused(&format!("{label}: {method}"), answer, code, reason);
        }
    }
    let (denied, missing) = (Code::PermissionDenied, ErrorReason::ScopeMissing);
    for (method, answer) in call_all(&shop.world, &reader).await.into_iter().take(4) {
        assert_refused(method, answer, denied, missing);
    }
    for (method, answer) in call_all(&shop.world, &writer).await.into_iter().skip(4) {
        assert_refused(method, answer, denied, missing);
    }
    // The writer's own enrolment is the one thing that was done.
    assert_eq!(shop.count().await, 1);
    assert_ne!(shop.world.contents().await, before);
}

#[tokio::test]
async fn a_body_of_five_megabytes_is_refused() {
    let shop = Shop::open().await;
    let before = shop.world.contents().await;
    let request = profile(|profile| profile.place = long(5 * 1024 * 1024));
    let refused = shop.try_enrol(request).await;
    assert_refused(
        "5 MB",
        refused,
        Code::ResourceExhausted,
        ErrorReason::MessageTooLarge,
    );
    assert_eq!(shop.world.contents().await, before);
}
