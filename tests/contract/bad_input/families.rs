//! What members and the ledger refuse of households: roles, invitations, limits, and how one ends.

use fealty_proto::ledger::v1 as ledger;
use fealty_proto::members::v1::list_household_invitations_request::Of;
use fealty_proto::members::v1::{
    AcceptHouseholdInvitationRequest, DeclineHouseholdInvitationRequest, DissolveHouseholdRequest,
    HouseholdDissolvePolicy, HouseholdRole, HouseholdSpendingLimit, InviteToHouseholdRequest,
    LeaveHouseholdRequest, ListHouseholdInvitationsRequest, SetHouseholdTermsRequest,
    WithdrawHouseholdInvitationRequest,
};
use fealty_tests::shop::request_id;

use super::case::{Case, FAR_FUTURE, Table, invalid, not_found};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [places, terms, invitations, answers, limits, ends]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn places(world: &World) -> Vec<Case> {
    let leave = |household_id: &str| LeaveHouseholdRequest {
        request_id: request_id(),
        household_id: household_id.to_owned(),
        member_id: world.ours.member_id.clone(),
    };
    Table::of(world, "/fealty.members.v1.HouseholdService/LeaveHousehold")
        .row(
            "nothing",
            &LeaveHouseholdRequest::default(),
            invalid(&["request_id", "household_id", "member_id"]),
        )
        .row("no household", &leave(&request_id()), not_found())
        .done()
}

fn terms(world: &World) -> Vec<Case> {
    let set = SetHouseholdTermsRequest {
        request_id: request_id(),
        household_id: request_id(),
        member_id: world.ours.member_id.clone(),
        role: HouseholdRole::Adult.into(),
        spending_limits: Vec::new(),
        by_member_id: String::new(),
    };
    let bad = SetHouseholdTermsRequest {
        role: 99,
        spending_limits: vec![HouseholdSpendingLimit::default(); 21],
        by_member_id: "Ana".to_owned(),
        ..set.clone()
    };
    let mut fields = vec!["role", "spending_limits"];
    let each: [[&'static str; 2]; 20] = LIMITS;
    fields.extend(each.as_flattened());
    fields.push("by_member_id");
    Table::of(world, "/fealty.members.v1.HouseholdService/SetHouseholdTerms")
        .row(
            "nothing",
            &SetHouseholdTermsRequest::default(),
            invalid(&["request_id", "household_id", "member_id", "role"]),
        )
        .row("nonsense", &bad, invalid(&fields))
        .row("no household", &set, not_found())
        .done()
}

macro_rules! limits {
    ($($index:literal)*) => {
        [$([
            concat!("spending_limits[", $index, "].unit_code"),
            concat!("spending_limits[", $index, "].day_value_max"),
        ]),*]
    };
}

/// What is wrong with twenty limits that say nothing.
const LIMITS: [[&str; 2]; 20] = limits!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);

fn invitations(world: &World) -> Vec<Case> {
    let invite = InviteToHouseholdRequest {
        request_id: request_id(),
        household_id: request_id(),
        member_id: world.ours.member_id.clone(),
        ..InviteToHouseholdRequest::default()
    };
    let bad = InviteToHouseholdRequest {
        by_member_id: "Ana".to_owned(),
        role: HouseholdRole::Head.into(),
        expire_time: Some(FAR_FUTURE),
        ..invite.clone()
    };
    let invited = Table::of(world, "/fealty.members.v1.HouseholdService/InviteToHousehold")
        .row(
            "nothing",
            &InviteToHouseholdRequest::default(),
            invalid(&["request_id", "household_id", "member_id"]),
        )
        .row(
            "nonsense",
            &bad,
            invalid(&["by_member_id", "role", "expire_time"]),
        )
        .row("no household", &invite, not_found());
    let list = |of| ListHouseholdInvitationsRequest {
        of,
        ..ListHouseholdInvitationsRequest::default()
    };
    let listed = Table::of(
        world,
        "/fealty.members.v1.HouseholdService/ListHouseholdInvitations",
    )
    .row("of nobody", &list(None), invalid(&["of"]))
    .row(
        "no id",
        &list(Some(Of::HouseholdId("home".to_owned()))),
        invalid(&["household_id"]),
    )
    .pages(|page_size, page_token| ListHouseholdInvitationsRequest {
        of: Some(Of::MemberId(world.ours.member_id.clone())),
        page_size,
        page_token,
    });
    [invited, listed].into_iter().flat_map(Table::done).collect()
}

fn answers(world: &World) -> Vec<Case> {
    let ours = &world.ours.member_id;
    let accept = AcceptHouseholdInvitationRequest {
        request_id: request_id(),
        invitation_id: request_id(),
        member_id: ours.clone(),
    };
    let accepted = Table::of(
        world,
        "/fealty.members.v1.HouseholdService/AcceptHouseholdInvitation",
    )
    .row(
        "nothing",
        &AcceptHouseholdInvitationRequest::default(),
        invalid(&["request_id", "invitation_id", "member_id"]),
    )
    .row("none", &accept, not_found());
    let decline = DeclineHouseholdInvitationRequest {
        invitation_id: request_id(),
        member_id: ours.clone(),
    };
    let declined = Table::of(
        world,
        "/fealty.members.v1.HouseholdService/DeclineHouseholdInvitation",
    )
    .row(
        "nothing",
        &DeclineHouseholdInvitationRequest::default(),
        invalid(&["invitation_id", "member_id"]),
    )
    .row("none", &decline, not_found());
    let withdraw = |by: &str| WithdrawHouseholdInvitationRequest {
        invitation_id: request_id(),
        by_member_id: by.to_owned(),
    };
    let withdrawn = Table::of(
        world,
        "/fealty.members.v1.HouseholdService/WithdrawHouseholdInvitation",
    )
    .row("nobody's id", &withdraw("Ana"), invalid(&["by_member_id"]))
    .row("none", &withdraw(""), not_found());
    [accepted, declined, withdrawn]
        .into_iter()
        .flat_map(Table::done)
        .collect()
}

fn limits(world: &World) -> Vec<Case> {
    let set = |owner_id: &str, limits| ledger::SetSpendingLimitsRequest {
        owner_id: owner_id.to_owned(),
        limits,
        limits_revision: 1,
    };
    let limit = |unit_code: &str, day_value_max| ledger::SpendingLimit {
        unit_code: unit_code.to_owned(),
        day_value_max,
        month_value_max: None,
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    let bad = vec![limit("", Some(0)), limit("bonus", None)];
    let twice = vec![limit("bonus", Some(1)), limit("bonus", Some(2))];
    let set = Table::of(world, "/fealty.ledger.v1.HouseholdService/SetSpendingLimits")
        .row(
            "nothing",
            &ledger::SetSpendingLimitsRequest::default(),
            invalid(&["owner_id", "limits_revision"]),
        )
        .row(
            "nonsense",
            &set(ours, bad),
            invalid(&[
                "limits[0].unit_code",
                "limits[0].day_value_max",
                "limits[1].day_value_max",
            ]),
        )
        .row("twice", &set(ours, twice), invalid(&["limits[1].unit_code"]))
        .row("another program's", &set(theirs, Vec::new()), not_found());
    let get = |owner_id: &str| ledger::GetSpendingRequest {
        owner_id: owner_id.to_owned(),
    };
    let read = Table::of(world, "/fealty.ledger.v1.HouseholdService/GetSpending")
        .row("nothing", &get(""), invalid(&["owner_id"]))
        .row("another program's", &get(theirs), not_found());
    [set, read].into_iter().flat_map(Table::done).collect()
}

fn ends(world: &World) -> Vec<Case> {
    let end = DissolveHouseholdRequest {
        request_id: request_id(),
        household_id: request_id(),
        policy: HouseholdDissolvePolicy::ToHead.into(),
        by_member_id: String::new(),
    };
    let ended = Table::of(world, "/fealty.members.v1.HouseholdService/DissolveHousehold")
        .row(
            "nothing",
            &DissolveHouseholdRequest::default(),
            invalid(&["request_id", "household_id", "policy"]),
        )
        .row("no household", &end, not_found());
    let dissolve = |household: &str, heir: &str| ledger::DissolveHouseholdRequest {
        request_id: request_id(),
        household_owner_id: household.to_owned(),
        heir_owner_id: heir.to_owned(),
        policy: ledger::DissolvePolicy::ToHeir.into(),
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    let dissolved = Table::of(world, "/fealty.ledger.v1.HouseholdService/DissolveHousehold")
        .row(
            "nothing",
            &ledger::DissolveHouseholdRequest::default(),
            invalid(&["request_id", "household_owner_id", "heir_owner_id", "policy"]),
        )
        .row("oneself", &dissolve(ours, ours), invalid(&["heir_owner_id"]))
        .row("another program's", &dissolve(theirs, ours), not_found());
    [ended, dissolved].into_iter().flat_map(Table::done).collect()
}
