//! What members refuses about kinds of party, and about reading many members.

use fealty_proto::members::v1::{
    BatchGetMembersRequest, EnrolMemberRequest, ListMembersRequest, Member, PartyKind, Profile,
    UpdateMemberRequest,
};
use fealty_proto::types::v1::Date;

use super::case::{Case, Table, invalid, mask};
use super::world::World;

/// More than one batch may have.
const BATCH_TOO_MANY: usize = 201;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [kinds, changed_kinds, many]
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
            ..ListMembersRequest::default()
        },
        invalid(&["status", "party_kind", "tier_code"]),
    );
    [batches, filters].into_iter().flat_map(Table::done).collect()
}
