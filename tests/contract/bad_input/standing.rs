//! What members refuses about status, tier, merge, households and contacts.

use fealty_proto::members::v1::{
    AddHouseholdMemberRequest, ContactChannel, ContactPurpose, CreateHouseholdRequest, GetHouseholdRequest,
    ListTopicOptOutsRequest, MayContactRequest, MemberStatus, MergeMembersRequest, OptOutTopicRequest,
    RemoveHouseholdMemberRequest, SetMemberStatusRequest, SetMemberTierRequest,
};
use fealty_tests::shop::request_id;
use tonic::Code;

use super::case::{Case, Table, bad_token, invalid, not_found, refused};
use super::world::World;

/// Longer than any reason may be.
const REASON_TOO_LONG: usize = 501;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [
        status,
        tier,
        merge,
        households,
        household_members,
        contacts,
        topics,
    ]
    .into_iter()
    .flat_map(|cases| cases(world))
    .collect()
}

fn status(world: &World) -> Vec<Case> {
    let of = |member_id: &str| SetMemberStatusRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        status: MemberStatus::Suspended.into(),
        reason: "a stolen card".to_owned(),
    };
    let ours = || of(&world.ours.member_id);
    Table::of(world, "/fealty.members.v1.MemberService/SetMemberStatus")
        .row(
            "nothing",
            &SetMemberStatusRequest::default(),
            invalid(&["request_id", "member_id", "status", "reason"]),
        )
        .row(
            "a merge by status",
            &SetMemberStatusRequest {
                status: MemberStatus::Merged.into(),
                ..ours()
            },
            invalid(&["status"]),
        )
        .row(
            "no status, for a reason without end",
            &SetMemberStatusRequest {
                status: 99,
                reason: "x".repeat(REASON_TOO_LONG),
                ..ours()
            },
            invalid(&["status", "reason"]),
        )
        .row(
            "a member of another program",
            &of(&world.theirs.member_id),
            not_found(),
        )
        .done()
}

fn tier(world: &World) -> Vec<Case> {
    let of = |member_id: &str| SetMemberTierRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        tier_code: "gold".to_owned(),
        reason: String::new(),
    };
    Table::of(world, "/fealty.members.v1.MemberService/SetMemberTier")
        .row(
            "nothing",
            &SetMemberTierRequest::default(),
            invalid(&["request_id", "member_id"]),
        )
        .row(
            "no code, for a reason without end",
            &SetMemberTierRequest {
                tier_code: "Gold card".to_owned(),
                reason: "x".repeat(REASON_TOO_LONG),
                ..of(&world.ours.member_id)
            },
            invalid(&["tier_code", "reason"]),
        )
        .row(
            "a member of another program",
            &of(&world.theirs.member_id),
            not_found(),
        )
        .done()
}

fn merge(world: &World) -> Vec<Case> {
    let of = |from_member_id: &str, into_member_id: &str| MergeMembersRequest {
        request_id: request_id(),
        from_member_id: from_member_id.to_owned(),
        into_member_id: into_member_id.to_owned(),
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    Table::of(world, "/fealty.members.v1.MemberService/MergeMembers")
        .row(
            "nothing",
            &MergeMembersRequest::default(),
            invalid(&["request_id", "from_member_id", "into_member_id"]),
        )
        .row(
            "no ids",
            &of("Ana", "Vera"),
            invalid(&["from_member_id", "into_member_id"]),
        )
        .row(
            "a member into themselves",
            &of(ours, ours),
            refused(Code::FailedPrecondition, "MERGE_REFUSED"),
        )
        .row("from another program", &of(theirs, ours), not_found())
        .row("into another program", &of(ours, theirs), not_found())
        .done()
}

fn households(world: &World) -> Vec<Case> {
    let create = |member_id: &str| CreateHouseholdRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
    };
    let made = Table::of(world, "/fealty.members.v1.HouseholdService/CreateHousehold")
        .row(
            "nothing",
            &CreateHouseholdRequest::default(),
            invalid(&["request_id", "member_id"]),
        )
        .row(
            "a member of another program",
            &create(&world.theirs.member_id),
            not_found(),
        );
    let get = |household_id: &str| GetHouseholdRequest {
        household_id: household_id.to_owned(),
    };
    let read = Table::of(world, "/fealty.members.v1.HouseholdService/GetHousehold")
        .row("nothing", &get(""), invalid(&["household_id"]))
        .row("no id", &get("home"), invalid(&["household_id"]))
        .row("none", &get(&request_id()), not_found());
    [made, read].into_iter().flat_map(Table::done).collect()
}

fn household_members(world: &World) -> Vec<Case> {
    let all = ["request_id", "household_id", "member_id"];
    let ours = &world.ours.member_id;
    let add = |household_id: &str| AddHouseholdMemberRequest {
        request_id: request_id(),
        household_id: household_id.to_owned(),
        member_id: ours.clone(),
        ..AddHouseholdMemberRequest::default()
    };
    let added = Table::of(world, "/fealty.members.v1.HouseholdService/AddHouseholdMember")
        .row("nothing", &AddHouseholdMemberRequest::default(), invalid(&all))
        .row("no household's id", &add("home"), invalid(&["household_id"]))
        .row("no household", &add(&request_id()), not_found());
    let remove = |household_id: &str| RemoveHouseholdMemberRequest {
        request_id: request_id(),
        household_id: household_id.to_owned(),
        member_id: ours.clone(),
        by_member_id: String::new(),
    };
    let removed = Table::of(world, "/fealty.members.v1.HouseholdService/RemoveHouseholdMember")
        .row("nothing", &RemoveHouseholdMemberRequest::default(), invalid(&all))
        .row("no household's id", &remove("home"), invalid(&["household_id"]))
        .row("no household", &remove(&request_id()), not_found());
    [added, removed].into_iter().flat_map(Table::done).collect()
}

fn contacts(world: &World) -> Vec<Case> {
    let of = |member_id: &str| MayContactRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        channel: ContactChannel::Email.into(),
        purpose: ContactPurpose::Marketing.into(),
        topic: "sale".to_owned(),
        ..MayContactRequest::default()
    };
    Table::of(world, "/fealty.members.v1.ContactService/MayContact")
        .row(
            "nothing",
            &MayContactRequest::default(),
            invalid(&["request_id", "member_id", "purpose", "topic"]),
        )
        .row(
            "what there is not",
            &MayContactRequest {
                channel: 99,
                purpose: -1,
                topic: "Mother's day".to_owned(),
                company_code: "*".to_owned(),
                ad_share_percent: 100,
                replaces_contact_id: "the first".to_owned(),
                ..of(&world.ours.member_id)
            },
            invalid(&[
                "channel",
                "purpose",
                "topic",
                "company_code",
                "ad_share_percent",
                "replaces_contact_id",
            ]),
        )
        .row(
            "a member of another program",
            &of(&world.theirs.member_id),
            not_found(),
        )
        .done()
}

fn topics(world: &World) -> Vec<Case> {
    let end = |member_id: &str, topic: &str| OptOutTopicRequest {
        member_id: member_id.to_owned(),
        topic: topic.to_owned(),
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    let ended = Table::of(world, "/fealty.members.v1.ContactService/OptOutTopic")
        .row("nothing", &end("", ""), invalid(&["member_id", "topic"]))
        .row("no topic", &end(ours, "Mother's day"), invalid(&["topic"]))
        .row("a member of another program", &end(theirs, "sale"), not_found());
    let list = |member_id: &str, page_size, page_token: &str| ListTopicOptOutsRequest {
        member_id: member_id.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
    };
    let listed = Table::of(world, "/fealty.members.v1.ContactService/ListTopicOptOuts")
        .row(
            "nobody, on no page",
            &list("", -1, ""),
            invalid(&["member_id", "page_size"]),
        )
        .row(
            "a page beyond the bound",
            &list(ours, 1_001, ""),
            invalid(&["page_size"]),
        )
        .row("a token that nobody gave", &list(ours, 10, "AAAA"), bad_token())
        .row("a member of another program", &list(theirs, 10, ""), not_found());
    [ended, listed].into_iter().flat_map(Table::done).collect()
}
