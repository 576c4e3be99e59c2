//! What members refuses of who brought whom.

use fealty_proto::members::v1::{
    CloseReferralCodeRequest, EnrolMemberRequest, EnrolmentReferral, GetReferralFactorRequest,
    GetReferralRequest, GetReferralTreeRequest, IssueReferralCodeRequest, ListReferralCodesRequest,
    ListReferralsRequest, ProjectReferralsRequest, RecordReferralRequest, ReferralSettings, ReferralState,
    ReportReferralInvitesRequest, ReviewReferralRequest, SetReferralSettingsRequest,
};
use fealty_tests::shop::request_id;

use super::case::{Case, FAR_FUTURE, LONG_AGO, Table, invalid, not_found};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [enrolment, codes, sent, records, reads, lists, settings, growth]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn enrolment(world: &World) -> Vec<Case> {
    let brought = EnrolMemberRequest {
        referral: Some(EnrolmentReferral {
            by: None,
            device_id: "x".repeat(201),
        }),
        ..world.shop.enrolment(Vec::new())
    };
    Table::of(world, "/fealty.members.v1.MemberService/EnrolMember")
        .row(
            "by nobody",
            &brought,
            invalid(&["referral.by", "referral.device_id"]),
        )
        .done()
}

fn codes(world: &World) -> Vec<Case> {
    let issue = |member_id: &str, code: &str| IssueReferralCodeRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        code: code.to_owned(),
        device_id: String::new(),
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    let issued = Table::of(world, "/fealty.members.v1.ReferralService/IssueReferralCode")
        .row(
            "nothing",
            &IssueReferralCodeRequest::default(),
            invalid(&["request_id", "member_id"]),
        )
        .row("no code", &issue(ours, "a-b"), invalid(&["code"]))
        .row("another program's", &issue(theirs, ""), not_found());
    let close = |code: &str| CloseReferralCodeRequest {
        code: code.to_owned(),
    };
    let closed = Table::of(world, "/fealty.members.v1.ReferralService/CloseReferralCode")
        .row("nothing", &close(""), invalid(&["code"]))
        .row("none", &close("NOBODYS"), not_found());
    let listed = Table::of(world, "/fealty.members.v1.ReferralService/ListReferralCodes")
        .row(
            "nothing",
            &ListReferralCodesRequest::default(),
            invalid(&["member_id"]),
        )
        .pages(|page_size, page_token| ListReferralCodesRequest {
            member_id: ours.clone(),
            page_size,
            page_token,
        });
    [issued, closed, listed]
        .into_iter()
        .flat_map(Table::done)
        .collect()
}

fn sent(world: &World) -> Vec<Case> {
    let report = ReportReferralInvitesRequest {
        request_id: request_id(),
        code: "NOBODYS".to_owned(),
        invite_count: 1,
    };
    let many = ReportReferralInvitesRequest {
        invite_count: 10_001,
        ..report.clone()
    };
    Table::of(world, "/fealty.members.v1.ReferralService/ReportReferralInvites")
        .row(
            "nothing",
            &ReportReferralInvitesRequest::default(),
            invalid(&["request_id", "code", "invite_count"]),
        )
        .row("too many", &many, invalid(&["invite_count"]))
        .row("none", &report, not_found())
        .done()
}

fn records(world: &World) -> Vec<Case> {
    let record = |member_id: &str, referrer: &str| RecordReferralRequest {
        request_id: request_id(),
        member_id: member_id.to_owned(),
        referrer_member_id: referrer.to_owned(),
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    let recorded = Table::of(world, "/fealty.members.v1.ReferralService/RecordReferral")
        .row(
            "nothing",
            &RecordReferralRequest::default(),
            invalid(&["request_id", "member_id", "referrer_member_id"]),
        )
        .row("another program's", &record(theirs, ours), not_found())
        .row("by another program's", &record(ours, theirs), not_found());
    let review = |member_id: &str| ReviewReferralRequest {
        member_id: member_id.to_owned(),
        accept: true,
    };
    let reviewed = Table::of(world, "/fealty.members.v1.ReferralService/ReviewReferral")
        .row("nothing", &review(""), invalid(&["member_id"]))
        .row("none", &review(ours), not_found());
    [recorded, reviewed].into_iter().flat_map(Table::done).collect()
}

fn reads(world: &World) -> Vec<Case> {
    let get = |member_id: &str| GetReferralRequest {
        member_id: member_id.to_owned(),
    };
    let ours = &world.ours.member_id;
    let read = Table::of(world, "/fealty.members.v1.ReferralService/GetReferral")
        .row("nothing", &get(""), invalid(&["member_id"]))
        .row("none", &get(ours), not_found());
    let tree = GetReferralTreeRequest {
        member_id: world.theirs.member_id.clone(),
        depth_max: 0,
        breadth_max: 0,
    };
    let deep = GetReferralTreeRequest {
        member_id: "Ana".to_owned(),
        depth_max: 11,
        breadth_max: -1,
    };
    let grown = Table::of(world, "/fealty.members.v1.ReferralService/GetReferralTree")
        .row(
            "nonsense",
            &deep,
            invalid(&["member_id", "depth_max", "breadth_max"]),
        )
        .row("another program's", &tree, not_found());
    [read, grown].into_iter().flat_map(Table::done).collect()
}

fn lists(world: &World) -> Vec<Case> {
    Table::of(world, "/fealty.members.v1.ReferralService/ListReferrals")
        .row(
            "everybody's",
            &ListReferralsRequest::default(),
            invalid(&["state"]),
        )
        .row(
            "nonsense",
            &ListReferralsRequest {
                referrer_member_id: "Ana".to_owned(),
                state: 99,
                ..ListReferralsRequest::default()
            },
            invalid(&["referrer_member_id", "state"]),
        )
        .pages(|page_size, page_token| ListReferralsRequest {
            state: ReferralState::Held.into(),
            page_size,
            page_token,
            ..ListReferralsRequest::default()
        })
        .done()
}

fn settings(world: &World) -> Vec<Case> {
    let set = |settings| SetReferralSettingsRequest { settings };
    let bad = ReferralSettings {
        reward_unit_code: "no unit".to_owned(),
        referrer_value: -1,
        ..ReferralSettings::default()
    };
    Table::of(world, "/fealty.members.v1.ReferralService/SetReferralSettings")
        .row("nothing", &set(None), invalid(&["settings"]))
        .row(
            "nonsense",
            &set(Some(bad)),
            invalid(&[
                "settings.same_household",
                "settings.same_device",
                "settings.same_person",
                "settings.same_identifier",
                "settings.reward_unit_code",
                "settings.referrer_value",
            ]),
        )
        .done()
}

fn growth(world: &World) -> Vec<Case> {
    let backwards = GetReferralFactorRequest {
        from_time: Some(FAR_FUTURE),
        before_time: Some(LONG_AGO),
    };
    let factor = Table::of(world, "/fealty.members.v1.ReferralService/GetReferralFactor")
        .row(
            "nothing",
            &GetReferralFactorRequest::default(),
            invalid(&["from_time", "before_time"]),
        )
        .row("backwards", &backwards, invalid(&["before_time"]));
    let projected = Table::of(world, "/fealty.members.v1.ReferralService/ProjectReferrals").row(
        "nothing",
        &ProjectReferralsRequest::default(),
        invalid(&["seed_count", "factor", "round_count"]),
    );
    [factor, projected].into_iter().flat_map(Table::done).collect()
}
