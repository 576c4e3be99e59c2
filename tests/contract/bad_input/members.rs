//! What members refuses.

use fealty_proto::access::v1::{ListAccessChangesRequest, Scope};
use fealty_proto::members::v1::identifier::Value;
use fealty_proto::members::v1::{
    AddIdentifierRequest, ApiKey, CreateApiKeyRequest, CreateProgramRequest, CreateStaffMemberRequest,
    EnrolMemberRequest, GetMemberRequest, GetPolicyRequest, GetStaffMemberRequest, Identifier,
    ListApiKeysRequest, ListMembersRequest, ListPoliciesRequest, ListProgramsRequest,
    ListStaffMembersRequest, LookupMemberRequest, Member, Policy, PolicyAcceptance, Profile, Program,
    PublishPolicyRequest, RemoveIdentifierRequest, RevokeApiKeyRequest, StaffMember, UpdateMemberRequest,
    UpdateProgramRequest, UpdateStaffMemberRequest,
};
use fealty_proto::types::v1::Date;
use fealty_tests::shop::{identifier, request_id};
use prost_types::{FieldMask, Timestamp};
use tonic::Code;

use super::case::{Case, Table, invalid, not_found, refused};
use super::world::World;

/// Longer than any name may be.
const NAME_TOO_LONG: usize = 201;
/// The year 2999, which has not come.
const FAR_FUTURE: Timestamp = Timestamp {
    seconds: 32_472_144_000,
    nanos: 0,
};
/// No time at all.
const NO_TIME: Timestamp = Timestamp {
    seconds: 0,
    nanos: -1,
};

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [
        access_feed,
        programs,
        staff,
        api_keys,
        policies,
        enrol_member,
        members,
        identifiers,
    ]
    .into_iter()
    .flat_map(|cases| cases(world))
    .collect()
}

fn access_feed(world: &World) -> Vec<Case> {
    let list = |page_size, resume_token: &str| ListAccessChangesRequest {
        page_size,
        resume_token: resume_token.to_owned(),
    };
    Table::of(world, "/fealty.access.v1.AccessFeedService/ListAccessChanges")
        .row(
            "a page beyond the bound",
            &list(1_001, ""),
            invalid(&["page_size"]),
        )
        .row(
            "a token that nobody gave",
            &list(1, "AAAA"),
            refused(Code::InvalidArgument, "PAGE_TOKEN_INVALID"),
        )
        .done()
}

fn programs(world: &World) -> Vec<Case> {
    let create = Table::of(world, "/fealty.members.v1.ProgramService/CreateProgram")
        .row(
            "nothing",
            &CreateProgramRequest::default(),
            invalid(&["request_id", "program"]),
        )
        .row(
            "a program of nonsense",
            &CreateProgramRequest {
                request_id: "one".to_owned(),
                program: Some(Program {
                    display_name: "x".repeat(NAME_TOO_LONG),
                    time_zone: "Europe/Atlantis".to_owned(),
                    currency_code: "pounds".to_owned(),
                    ..Program::default()
                }),
            },
            invalid(&[
                "request_id",
                "program.display_name",
                "program.time_zone",
                "program.currency_code",
            ]),
        );
    let update = |program: Option<Program>, paths: &[&str]| UpdateProgramRequest {
        program,
        update_mask: Some(mask(paths)),
    };
    let nameless = || Some(Program::default());
    let change = Table::of(world, "/fealty.members.v1.ProgramService/UpdateProgram")
        .row(
            "nothing",
            &UpdateProgramRequest::default(),
            invalid(&["update_mask", "program"]),
        )
        .row(
            "another currency",
            &update(nameless(), &["currency_code"]),
            invalid(&["update_mask.paths[0]"]),
        )
        .row(
            "no name",
            &update(nameless(), &["display_name"]),
            invalid(&["program.display_name"]),
        )
        .row(
            "an etag of another time",
            &update(
                Some(Program {
                    display_name: "Shop".to_owned(),
                    etag: "AAAA".to_owned(),
                    ..Program::default()
                }),
                &["display_name"],
            ),
            invalid(&["program.etag"]),
        );
    let list =
        Table::of(world, "/fealty.members.v1.ProgramService/ListPrograms").pages(|page_size, page_token| {
            ListProgramsRequest {
                page_size,
                page_token,
            }
        });
    [create, change, list].into_iter().flat_map(Table::done).collect()
}

fn staff(world: &World) -> Vec<Case> {
    let create = Table::of(world, "/fealty.members.v1.StaffService/CreateStaffMember")
        .row(
            "nothing",
            &CreateStaffMemberRequest::default(),
            invalid(&["request_id", "staff_member"]),
        )
        .row(
            "no name and a number too long",
            &CreateStaffMemberRequest {
                request_id: request_id(),
                staff_member: Some(StaffMember {
                    external_id: "9".repeat(65),
                    ..StaffMember::default()
                }),
            },
            invalid(&["staff_member.display_name", "staff_member.external_id"]),
        );
    let get = |staff_id: &str| GetStaffMemberRequest {
        staff_id: staff_id.to_owned(),
    };
    let read = Table::of(world, "/fealty.members.v1.StaffService/GetStaffMember")
        .row("nobody", &get(""), invalid(&["staff_id"]))
        .row("no id", &get("seventeen"), invalid(&["staff_id"]))
        .row(
            "somebody of another program",
            &get(&world.theirs.staff_id),
            not_found(),
        );
    let update = |staff_id: &str, paths: &[&str]| UpdateStaffMemberRequest {
        staff_member: Some(StaffMember {
            staff_id: staff_id.to_owned(),
            ..StaffMember::default()
        }),
        update_mask: Some(mask(paths)),
    };
    let change = Table::of(world, "/fealty.members.v1.StaffService/UpdateStaffMember")
        .row(
            "nothing",
            &UpdateStaffMemberRequest::default(),
            invalid(&["update_mask", "staff_member"]),
        )
        .row(
            "no name",
            &update(&world.ours.staff_id, &["display_name"]),
            invalid(&["staff_member.display_name"]),
        )
        .row(
            "a field that there is not",
            &update(&world.ours.staff_id, &["salary"]),
            invalid(&["update_mask.paths[0]"]),
        )
        .row(
            "somebody of another program",
            &update(&world.theirs.staff_id, &["active"]),
            not_found(),
        );
    let list = Table::of(world, "/fealty.members.v1.StaffService/ListStaffMembers").pages(
        |page_size, page_token| ListStaffMembersRequest {
            page_size,
            page_token,
        },
    );
    [create, read, change, list]
        .into_iter()
        .flat_map(Table::done)
        .collect()
}

fn api_keys(world: &World) -> Vec<Case> {
    let key = |scopes: &[i32], staff_id: &str| CreateApiKeyRequest {
        request_id: request_id(),
        api_key: Some(ApiKey {
            display_name: "Till".to_owned(),
            scopes: scopes.to_vec(),
            staff_id: staff_id.to_owned(),
            ..ApiKey::default()
        }),
    };
    let read = i32::from(Scope::LedgerRead);
    let create = Table::of(world, "/fealty.members.v1.ApiKeyService/CreateApiKey")
        .row(
            "nothing",
            &CreateApiKeyRequest::default(),
            invalid(&["request_id", "api_key"]),
        )
        .row("no scope", &key(&[], ""), invalid(&["api_key.scopes"]))
        .row(
            "scopes that there are not",
            &key(&[read, 0, 9_999], ""),
            invalid(&["api_key.scopes[1]", "api_key.scopes[2]"]),
        )
        .row(
            "a scope of the suite",
            &key(&[i32::from(Scope::AccessFeed)], ""),
            invalid(&["api_key.scopes[0]"]),
        )
        .row(
            "no id of staff",
            &key(&[read], "Mira"),
            invalid(&["api_key.staff_id"]),
        )
        .row(
            "staff of another program",
            &key(&[read], &world.theirs.staff_id),
            not_found(),
        );
    let revoke = |api_key_id: &str| RevokeApiKeyRequest {
        api_key_id: api_key_id.to_owned(),
    };
    let end = Table::of(world, "/fealty.members.v1.ApiKeyService/RevokeApiKey")
        .row("none", &revoke(""), invalid(&["api_key_id"]))
        .row("no id", &revoke("seventeen"), invalid(&["api_key_id"]))
        .row(
            "another program's",
            &revoke(&world.theirs.api_key_id),
            not_found(),
        );
    let list =
        Table::of(world, "/fealty.members.v1.ApiKeyService/ListApiKeys").pages(|page_size, page_token| {
            ListApiKeysRequest {
                page_size,
                page_token,
            }
        });
    [create, end, list].into_iter().flat_map(Table::done).collect()
}

fn policies(world: &World) -> Vec<Case> {
    let policy = |title: &str, text: &str, effective_time| PublishPolicyRequest {
        request_id: request_id(),
        policy: Some(Policy {
            title: title.to_owned(),
            text: text.to_owned(),
            effective_time,
            ..Policy::default()
        }),
    };
    let past = Some(Timestamp { seconds: 1, nanos: 0 });
    let publish = Table::of(world, "/fealty.members.v1.PolicyService/PublishPolicy")
        .row(
            "nothing",
            &PublishPolicyRequest::default(),
            invalid(&["request_id", "policy"]),
        )
        .row(
            "no title and no text",
            &policy("", "", None),
            invalid(&["policy.title", "policy.text"]),
        )
        .row(
            "a text without end",
            &policy("Terms", &"x".repeat(100_001), None),
            invalid(&["policy.text"]),
        )
        .row(
            "a time that is over",
            &policy("Terms", "x", past),
            invalid(&["policy.effective_time"]),
        )
        .row(
            "no time",
            &policy("Terms", "x", Some(NO_TIME)),
            invalid(&["policy.effective_time"]),
        );
    let read = Table::of(world, "/fealty.members.v1.PolicyService/GetPolicy")
        .row(
            "a version below the first",
            &GetPolicyRequest { version: -1 },
            invalid(&["version"]),
        )
        .row(
            "a version that there is not",
            &GetPolicyRequest { version: 99 },
            not_found(),
        );
    let list =
        Table::of(world, "/fealty.members.v1.PolicyService/ListPolicies").pages(|page_size, page_token| {
            ListPoliciesRequest {
                page_size,
                page_token,
            }
        });
    [publish, read, list].into_iter().flat_map(Table::done).collect()
}

fn enrol_member(world: &World) -> Vec<Case> {
    let whole = || world.shop.enrolment(vec![]);
    let by = |values: Vec<Value>| world.shop.enrolment(values);
    let accepting = |policy_acceptance| EnrolMemberRequest {
        policy_acceptance: Some(policy_acceptance),
        ..whole()
    };
    let acceptance = || whole().policy_acceptance.unwrap_or_default();
    let born = |year, month, day| EnrolMemberRequest {
        profile: Some(Profile {
            birth_date: Some(Date { year, month, day }),
            ..Profile::default()
        }),
        ..whole()
    };
    Table::of(world, "/fealty.members.v1.MemberService/EnrolMember")
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

fn members(world: &World) -> Vec<Case> {
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
            "what the service sets",
            &update(ours, "", &["create_time"]),
            invalid(&["update_mask.paths[0]"]),
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
            &list(Some(FAR_FUTURE), Some(Timestamp { seconds: 1, nanos: 0 })),
            invalid(&["enrolled_before_time"]),
        );
    [read, find, change, all]
        .into_iter()
        .flat_map(Table::done)
        .collect()
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

fn mask(paths: &[&str]) -> FieldMask {
    FieldMask {
        paths: paths.iter().map(ToString::to_string).collect(),
    }
}
