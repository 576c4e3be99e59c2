//! What members refuses about people.

use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{
    AddIdentifierRequest, EnrolMemberRequest, GetMemberRequest, Identifier, ListMembersRequest,
    LookupMemberRequest, Member, PolicyAcceptance, Profile, RemoveIdentifierRequest, UpdateMemberRequest,
};
use fealty_proto::types::v1::Date;
use fealty_tests::shop::{identifier, request_id};
use tonic::Code;

use super::case::{
    Case, FAR_FUTURE, LONG_AGO, NAME_TOO_LONG, NO_TIME, Table, invalid, mask, not_found, refused,
};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [consent, who_enrols, one_member, members, identifiers]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

const ENROL: &str = "/fealty.members.v1.MemberService/EnrolMember";

fn consent(world: &World) -> Vec<Case> {
    let whole = || world.shop.enrolment(vec![]);
    let accepting = |policy_acceptance| EnrolMemberRequest {
        policy_acceptance: Some(policy_acceptance),
        ..whole()
    };
    let acceptance = || whole().policy_acceptance.unwrap_or_default();
    Table::of(world, ENROL)
        .row(
            "nothing",
            &EnrolMemberRequest::default(),
            invalid(&["request_id"]),
        )
        .row(
            "no consent",
            &EnrolMemberRequest {
                policy_acceptance: None,
                ..whole()
            },
            refused(Code::FailedPrecondition, "CONSENT_REQUIRED"),
        )
        .row(
            "consent to a version that there is not",
            &accepting(PolicyAcceptance {
                policy_version: 99,
                ..acceptance()
            }),
            refused(Code::FailedPrecondition, "POLICY_VERSION_OUTDATED"),
        )
        .row(
            "consent nowhere, in the future",
            &accepting(PolicyAcceptance {
                channel: String::new(),
                accept_time: Some(FAR_FUTURE),
                ..acceptance()
            }),
            invalid(&["policy_acceptance.channel", "policy_acceptance.accept_time"]),
        )
        .done()
}

fn who_enrols(world: &World) -> Vec<Case> {
    let whole = || world.shop.enrolment(vec![]);
    let by = |values: Vec<Value>| world.shop.enrolment(values);
    let born = |year, month, day| EnrolMemberRequest {
        profile: Some(Profile {
            birth_date: Some(Date { year, month, day }),
            ..Profile::default()
        }),
        ..whole()
    };
    Table::of(world, ENROL)
        .row(
            "identifiers of nonsense",
            &by(vec![
                Value::CardNumber("4000001234567890".to_owned()),
                Value::PhoneNumber("the red one".to_owned()),
                Value::EmailAddress("ana".to_owned()),
                Value::ExternalId(String::new()),
            ]),
            invalid(&[
                "identifiers[0].card_number",
                "identifiers[1].phone_number",
                "identifiers[2].email_address",
                "identifiers[3].external_id",
            ]),
        )
        .row(
            "an identifier without a value",
            &EnrolMemberRequest {
                identifiers: vec![Identifier::default()],
                ..whole()
            },
            invalid(&["identifiers[0].value"]),
        )
        .row(
            "a day that there is not",
            &born(2023, 2, 29),
            invalid(&["profile.birth_date"]),
        )
        .row(
            "a birth to come",
            &born(2999, 1, 1),
            invalid(&["profile.birth_date"]),
        )
        .row(
            "a name without end and no language",
            &EnrolMemberRequest {
                profile: Some(Profile {
                    given_name: "x".repeat(NAME_TOO_LONG),
                    language_code: "pig latin".to_owned(),
                    ..Profile::default()
                }),
                ..whole()
            },
            invalid(&["profile.given_name", "profile.language_code"]),
        )
        .row(
            "somebody else's number",
            &by(vec![Value::ExternalId("ours".to_owned())]),
            refused(Code::AlreadyExists, "RESOURCE_EXISTS"),
        )
        .done()
}

fn one_member(world: &World) -> Vec<Case> {
    let get = |member_id: &str| GetMemberRequest {
        member_id: member_id.to_owned(),
    };
    let read = Table::of(world, "/fealty.members.v1.MemberService/GetMember")
        .row("nobody", &get(""), invalid(&["member_id"]))
        .row("no id", &get("Ana"), invalid(&["member_id"]))
        .row(
            "a member of another program",
            &get(&world.theirs.member_id),
            not_found(),
        );
    let look_up = |value: Option<Value>| LookupMemberRequest {
        identifier: value.map(identifier),
    };
    let theirs = Value::ExternalId("theirs".to_owned());
    let find = Table::of(world, "/fealty.members.v1.MemberService/LookupMember")
        .row("nothing", &look_up(None), invalid(&["identifier"]))
        .row(
            "no value",
            &LookupMemberRequest {
                identifier: Some(Identifier::default()),
            },
            invalid(&["identifier.value"]),
        )
        .row(
            "a card whose check digit is wrong",
            &look_up(Some(Value::CardNumber("4000001234567890".to_owned()))),
            invalid(&["identifier.card_number"]),
        )
        .row("a member of another program", &look_up(Some(theirs)), not_found());
    [read, find].into_iter().flat_map(Table::done).collect()
}

fn members(world: &World) -> Vec<Case> {
    let update = |member_id: &str, etag: &str, paths: &[&str]| UpdateMemberRequest {
        member: Some(Member {
            member_id: member_id.to_owned(),
            etag: etag.to_owned(),
            profile: Some(Profile {
                given_name: "x".repeat(NAME_TOO_LONG),
                place: "Novi Sad".to_owned(),
                ..Profile::default()
            }),
            ..Member::default()
        }),
        update_mask: Some(mask(paths)),
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    let change = Table::of(world, "/fealty.members.v1.MemberService/UpdateMember")
        .row(
            "nothing",
            &UpdateMemberRequest::default(),
            invalid(&["update_mask", "member"]),
        )
        .row(
            "a name without end",
            &update(ours, "", &["profile.given_name"]),
            invalid(&["member.profile.given_name"]),
        )
        .row(
            "what the service sets, and a name without end",
            &update(ours, "", &["create_time", "profile.given_name"]),
            invalid(&["update_mask.paths[0]", "member.profile.given_name"]),
        )
        .row(
            "no etag",
            &update(ours, "?", &["profile.place"]),
            invalid(&["member.etag"]),
        )
        .row(
            "a member of another program",
            &update(theirs, "", &["profile.place"]),
            not_found(),
        );
    let list = |enrolled_from_time, enrolled_before_time| ListMembersRequest {
        enrolled_from_time,
        enrolled_before_time,
        ..ListMembersRequest::default()
    };
    let all = Table::of(world, "/fealty.members.v1.MemberService/ListMembers")
        .pages(|page_size, page_token| ListMembersRequest {
            page_size,
            page_token,
            ..ListMembersRequest::default()
        })
        .row(
            "no time",
            &list(Some(NO_TIME), None),
            invalid(&["enrolled_from_time"]),
        )
        .row(
            "an end before the beginning",
            &list(Some(FAR_FUTURE), Some(LONG_AGO)),
            invalid(&["enrolled_before_time"]),
        );
    [change, all].into_iter().flat_map(Table::done).collect()
}

fn identifiers(world: &World) -> Vec<Case> {
    let add_value = |member_id: &str, value: Option<Value>| AddIdentifierRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        identifier: value.map(identifier),
    };
    let mail = || Some(Value::EmailAddress("ana@example.com".to_owned()));
    let (ours, theirs) = (&world.ours, &world.theirs);
    let add = Table::of(world, "/fealty.members.v1.MemberService/AddIdentifier")
        .row(
            "nothing",
            &AddIdentifierRequest::default(),
            invalid(&["request_id", "member_id", "identifier"]),
        )
        .row(
            "no number",
            &add_value(&ours.member_id, Some(Value::PhoneNumber("1".to_owned()))),
            invalid(&["identifier.phone_number"]),
        )
        .row(
            "a member of another program",
            &add_value(&theirs.member_id, mail()),
            not_found(),
        );
    let remove_of = |member_id: &str, identifier_id: &str| RemoveIdentifierRequest {
        member_id: member_id.to_owned(),
        identifier_id: identifier_id.to_owned(),
    };
    let remove = Table::of(world, "/fealty.members.v1.MemberService/RemoveIdentifier")
        .row(
            "nothing",
            &remove_of("", ""),
            invalid(&["member_id", "identifier_id"]),
        )
        .row(
            "no ids",
            &remove_of("Ana", "first"),
            invalid(&["member_id", "identifier_id"]),
        )
        .row(
            "a member of another program",
            &remove_of(&theirs.member_id, &theirs.identifier_id),
            not_found(),
        );
    [add, remove].into_iter().flat_map(Table::done).collect()
}
