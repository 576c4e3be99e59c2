//! What members refuses about kinds of party, and about reading many members.

use fealty_proto::members::v1::{
    BatchGetMembersRequest, EnrolMemberRequest, ListDuplicateCandidatesRequest, ListMembersRequest, Member,
    PartyKind, Profile, Program, UpdateMemberRequest, UpdateProgramRequest,
};
use fealty_proto::types::v1::Date;

use tonic::Code;

use super::case::{Case, Table, invalid, mask, not_found, refused};
use super::world::World;

/// More than one batch may have.
const BATCH_TOO_MANY: usize = 201;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [kinds, changed_kinds, many, guardians, majority, duplicates]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn kinds(world: &World) -> Vec<Case> {
    let as_profile = |profile: Profile| EnrolMemberRequest {
        profile: Some(profile),
        ..world.shop.enrolment(vec![])
    };
    Table::of(world, "/fealty.members.v1.MemberService/EnrolMember")
        .row(
            "a company with everything of a person, and no number",
            &as_profile(Profile {
                party_kind: PartyKind::LegalEntity.into(),
                given_name: "Ana".to_owned(),
                family_name: "Petrova".to_owned(),
                birth_date: Some(Date {
                    year: 1980,
                    month: 1,
                    day: 1,
                }),
                ..Profile::default()
            }),
            invalid(&[
                "profile.given_name",
                "profile.family_name",
                "profile.birth_date",
                "profile.registration_number",
            ]),
        )
        .row(
            "a trader without a name",
            &as_profile(Profile {
                party_kind: PartyKind::SoleProprietor.into(),
                ..Profile::default()
            }),
            invalid(&["profile.family_name"]),
        )
        .row(
            "a kind that there is not, and no number",
            &as_profile(Profile {
                party_kind: 99,
                registration_number: "?".to_owned(),
                ..Profile::default()
            }),
            invalid(&["profile.party_kind", "profile.registration_number"]),
        )
        .done()
}

fn changed_kinds(world: &World) -> Vec<Case> {
    let update = |profile: Profile, paths: &[&str]| UpdateMemberRequest {
        member: Some(Member {
            member_id: world.ours.member_id.clone(),
            profile: Some(profile),
            ..Member::default()
        }),
        update_mask: Some(mask(paths)),
    };
    let company = Profile {
        party_kind: PartyKind::LegalEntity.into(),
        ..Profile::default()
    };
    Table::of(world, "/fealty.members.v1.MemberService/UpdateMember")
        .row(
            "a company without a number",
            &update(company, &["profile"]),
            invalid(&["member.profile.registration_number"]),
        )
        .row(
            "a kind that there is not",
            &update(
                Profile {
                    party_kind: -1,
                    ..Profile::default()
                },
                &["profile.party_kind"],
            ),
            invalid(&["member.profile.party_kind"]),
        )
        .done()
}

fn many(world: &World) -> Vec<Case> {
    let batch = |member_ids: Vec<String>| BatchGetMembersRequest { member_ids };
    let ours = || world.ours.member_id.clone();
    let batches = Table::of(world, "/fealty.members.v1.MemberService/BatchGetMembers")
        .row("nobody", &batch(Vec::new()), invalid(&["member_ids"]))
        .row(
            "somebody twice, and no id",
            &batch(vec![ours(), "Ana".to_owned(), ours()]),
            invalid(&["member_ids[1]", "member_ids[2]"]),
        )
        .row(
            "too many",
            &batch(vec![ours(); BATCH_TOO_MANY]),
            invalid(&["member_ids"]),
        );
    let filters = Table::of(world, "/fealty.members.v1.MemberService/ListMembers").row(
        "filters that there are not",
        &ListMembersRequest {
            status: 99,
            party_kind: 99,
            tier_code: "Gold!".to_owned(),
            guardian_member_id: "Vera".to_owned(),
            ..ListMembersRequest::default()
        },
        invalid(&["status", "party_kind", "tier_code", "guardian_member_id"]),
    );
    [batches, filters].into_iter().flat_map(Table::done).collect()
}

fn guardians(world: &World) -> Vec<Case> {
    let child = |guardian_member_id: &str| EnrolMemberRequest {
        profile: Some(Profile {
            birth_date: Some(Date {
                year: 2020,
                month: 1,
                day: 1,
            }),
            ..Profile::default()
        }),
        guardian_member_id: guardian_member_id.to_owned(),
        ..world.shop.enrolment(vec![])
    };
    let failed = |reason| refused(Code::FailedPrecondition, reason);
    Table::of(world, "/fealty.members.v1.MemberService/EnrolMember")
        .row("a minor alone", &child(""), failed("GUARDIAN_REQUIRED"))
        .row(
            "a guardian who is none",
            &child("Ana"),
            invalid(&["guardian_member_id"]),
        )
        .row(
            "a guardian whose age nobody knows",
            &child(&world.ours.member_id),
            failed("GUARDIAN_UNSUITABLE"),
        )
        .row(
            "a guardian of another program",
            &child(&world.theirs.member_id),
            not_found(),
        )
        .row(
            "a guardian of somebody whose age nobody knows",
            &EnrolMemberRequest {
                guardian_member_id: world.ours.member_id.clone(),
                ..world.shop.enrolment(vec![])
            },
            invalid(&["guardian_member_id"]),
        )
        .done()
}

fn majority(world: &World) -> Vec<Case> {
    let update = |majority_age_years| UpdateProgramRequest {
        program: Some(Program {
            majority_age_years,
            ..Program::default()
        }),
        update_mask: Some(mask(&["majority_age_years"])),
    };
    Table::of(world, "/fealty.members.v1.ProgramService/UpdateProgram")
        .row("no age", &update(0), invalid(&["program.majority_age_years"]))
        .row(
            "an age beyond the bound",
            &update(22),
            invalid(&["program.majority_age_years"]),
        )
        .done()
}

fn duplicates(world: &World) -> Vec<Case> {
    let like = |member_id: &str| ListDuplicateCandidatesRequest {
        member_id: member_id.to_owned(),
        ..ListDuplicateCandidatesRequest::default()
    };
    Table::of(world, "/fealty.members.v1.MemberService/ListDuplicateCandidates")
        .pages(|page_size, page_token| ListDuplicateCandidatesRequest {
            page_size,
            page_token,
            ..ListDuplicateCandidatesRequest::default()
        })
        .row("no id", &like("Ana"), invalid(&["member_id"]))
        .row(
            "a member of another program",
            &like(&world.theirs.member_id),
            not_found(),
        )
        .done()
}
