//! What members refuses of those who administer a program: the feed, programs, staff, keys, policies.

use fealty_proto::access::v1::{ListAccessChangesRequest, Scope};
use fealty_proto::members::v1::{
    ApiKey, CreateApiKeyRequest, CreateProgramRequest, CreateStaffMemberRequest, GetPolicyRequest,
    GetStaffMemberRequest, IssueMemberTokenRequest, ListApiKeysRequest, ListPoliciesRequest,
    ListProgramsRequest, ListStaffMembersRequest, Policy, Program, PublishPolicyRequest, RevokeApiKeyRequest,
    StaffMember, UpdateProgramRequest, UpdateStaffMemberRequest,
};
use fealty_tests::shop::request_id;
use tonic::Code;

use super::case::{Case, LONG_AGO, NAME_TOO_LONG, NO_TIME, Table, invalid, mask, not_found, refused};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [access_feed, programs, staff, api_keys, member_tokens, policies]
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

fn member_tokens(world: &World) -> Vec<Case> {
    let of = |member_id: &str| IssueMemberTokenRequest {
        member_id: member_id.to_owned(),
        ..IssueMemberTokenRequest::default()
    };
    let lasting = |seconds, nanos| Some(prost_types::Duration { seconds, nanos });
    let ours = || of(&world.ours.member_id);
    Table::of(world, "/fealty.members.v1.MemberTokenService/IssueMemberToken")
        .row(
            "nothing",
            &IssueMemberTokenRequest::default(),
            invalid(&["member_id"]),
        )
        .row(
            "scopes of nonsense, for ever",
            &IssueMemberTokenRequest {
                member_id: "me".to_owned(),
                scopes: vec![
                    9_999,
                    Scope::LedgerRead.into(),
                    Scope::LedgerRead.into(),
                    Scope::LedgerAdjust.into(),
                ],
                time_to_live: lasting(3_600, 1),
            },
            invalid(&["member_id", "scopes[0]", "scopes[2]", "scopes[3]", "time_to_live"]),
        )
        .row(
            "no time at all",
            &IssueMemberTokenRequest {
                time_to_live: lasting(0, 999_999_999),
                ..ours()
            },
            invalid(&["time_to_live"]),
        )
        .row(
            "a time that runs backwards",
            &IssueMemberTokenRequest {
                time_to_live: lasting(5, -1),
                ..ours()
            },
            invalid(&["time_to_live"]),
        )
        .row(
            "a member of another program",
            &of(&world.theirs.member_id),
            not_found(),
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
            "another currency, and no name",
            &update(nameless(), &["currency_code", "display_name"]),
            invalid(&["update_mask.paths[0]", "program.display_name"]),
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
            "a field that there is not, and no name",
            &update(&world.ours.staff_id, &["salary", "display_name"]),
            invalid(&["update_mask.paths[0]", "staff_member.display_name"]),
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
    let past = Some(LONG_AGO);
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
