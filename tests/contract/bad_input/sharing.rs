//! What the ledger refuses of what owners may do, and of whose account they use.

use fealty_proto::ledger::v1::{
    GetBalanceRequest, JoinHouseholdRequest, LeaveHouseholdRequest, MergeOwnersRequest, OwnerStatus,
    SetOwnerStatusRequest,
};
use fealty_proto::types::v1::Consistency;
use fealty_proto::types::v1::consistency::Requirement;
use fealty_tests::shop::request_id;
use tonic::Code;

use super::case::{Case, Table, invalid, not_found, refused};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [set_status, join, leave, merge, versions]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn set_status(world: &World) -> Vec<Case> {
    let set = |owner_id: &str, status: i32, status_revision| SetOwnerStatusRequest {
        owner_id: owner_id.to_owned(),
        status,
        status_revision,
    };
    let closed = OwnerStatus::Closed.into();
    Table::of(world, "/fealty.ledger.v1.OwnerService/SetOwnerStatus")
        .row(
            "nothing",
            &SetOwnerStatusRequest::default(),
            invalid(&["owner_id", "status", "status_revision"]),
        )
        .row(
            "nonsense",
            &set("Ana", 99, -1),
            invalid(&["owner_id", "status", "status_revision"]),
        )
        .row(
            "what only a merge makes",
            &set(&world.ours.member_id, OwnerStatus::Merged.into(), 1),
            invalid(&["status"]),
        )
        .row(
            "another program's",
            &set(&world.theirs.member_id, closed, 1),
            not_found(),
        )
        .done()
}

fn join(world: &World) -> Vec<Case> {
    let join = |owner_id: &str, household: &str| JoinHouseholdRequest {
        request_id: request_id(),
        owner_id: owner_id.to_owned(),
        household_owner_id: household.to_owned(),
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    Table::of(world, "/fealty.ledger.v1.OwnerService/JoinHousehold")
        .row(
            "nothing",
            &JoinHouseholdRequest::default(),
            invalid(&["request_id", "owner_id", "household_owner_id"]),
        )
        .row("oneself", &join(ours, ours), invalid(&["household_owner_id"]))
        .row("another program's", &join(theirs, ours), not_found())
        .row("to another program's", &join(ours, theirs), not_found())
        .row("nobody", &join(ours, &request_id()), not_found())
        .done()
}

fn leave(world: &World) -> Vec<Case> {
    let leave = |owner_id: &str| LeaveHouseholdRequest {
        request_id: request_id(),
        owner_id: owner_id.to_owned(),
    };
    Table::of(world, "/fealty.ledger.v1.OwnerService/LeaveHousehold")
        .row(
            "nothing",
            &LeaveHouseholdRequest::default(),
            invalid(&["request_id", "owner_id"]),
        )
        .row("no id", &leave("Ana"), invalid(&["owner_id"]))
        .row("another program's", &leave(&world.theirs.member_id), not_found())
        .done()
}

fn merge(world: &World) -> Vec<Case> {
    let merge = |from: &str, into: &str| MergeOwnersRequest {
        request_id: request_id(),
        from_owner_id: from.to_owned(),
        into_owner_id: into.to_owned(),
    };
    let (ours, theirs) = (&world.ours.member_id, &world.theirs.member_id);
    Table::of(world, "/fealty.ledger.v1.OwnerService/MergeOwners")
        .row(
            "nothing",
            &MergeOwnersRequest::default(),
            invalid(&["request_id", "from_owner_id", "into_owner_id"]),
        )
        .row("oneself", &merge(ours, ours), invalid(&["into_owner_id"]))
        .row("another program's", &merge(theirs, ours), not_found())
        .row("into another program's", &merge(ours, theirs), not_found())
        .done()
}

fn versions(world: &World) -> Vec<Case> {
    let ours = &world.ours.member_id;
    let get = |requirement, version_owner_id: &str| GetBalanceRequest {
        owner_id: ours.clone(),
        consistency: Some(Consistency {
            requirement: Some(requirement),
        }),
        version_owner_id: version_owner_id.to_owned(),
    };
    let version = |number| Requirement::AtLeastVersion(number);
    Table::of(world, "/fealty.ledger.v1.BalanceService/GetBalance")
        .row(
            "a version of no id",
            &get(version(1), "Ana"),
            invalid(&["version_owner_id"]),
        )
        .row(
            "whose version, and none",
            &get(Requirement::Strong(true), ours),
            invalid(&["version_owner_id"]),
        )
        .row(
            "a version that was not written, by name",
            &get(version(1_000), ours),
            refused(Code::OutOfRange, "VERSION_AHEAD"),
        )
        .done()
}
