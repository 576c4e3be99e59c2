//! What the ledger refuses to set aside, to spend of it, and to give back.

use fealty_proto::ledger::v1::{CaptureHoldRequest, GetHoldRequest, HoldPointsRequest, ReleaseHoldRequest};
use fealty_proto::types::v1::Amount;
use fealty_tests::shop::{UNIT, request_id};

use super::case::{Case, Table, invalid, not_found};
use super::world::World;

/// All cases.
pub fn cases(world: &World) -> Vec<Case> {
    [hold_points, capture_hold, release_hold, get_hold]
        .into_iter()
        .flat_map(|cases| cases(world))
        .collect()
}

fn hold_points(world: &World) -> Vec<Case> {
    let hold = || HoldPointsRequest {
        request_id: request_id(),
        owner_id: world.ours.member_id.clone(),
        amount: Some(amount(UNIT, 1)),
        ..HoldPointsRequest::default()
    };
    let lasting = |duration_seconds| HoldPointsRequest {
        duration_seconds,
        ..hold()
    };
    Table::of(world, "/fealty.ledger.v1.HoldService/HoldPoints")
        .row(
            "nothing",
            &HoldPointsRequest::default(),
            invalid(&["request_id", "owner_id", "amount"]),
        )
        .row(
            "nonsense",
            &HoldPointsRequest {
                amount: Some(amount("Stamps!", 0)),
                source: "x".repeat(101),
                reason: "x".repeat(501),
                ..lasting(-1)
            },
            invalid(&[
                "amount.unit_code",
                "amount.value",
                "duration_seconds",
                "source",
                "reason",
            ]),
        )
        .row(
            "a month and a second",
            &lasting(2_592_001),
            invalid(&["duration_seconds"]),
        )
        .row(
            "another program's owner",
            &HoldPointsRequest {
                owner_id: world.theirs.member_id.clone(),
                ..hold()
            },
            not_found(),
        )
        .row(
            "another program's unit",
            &HoldPointsRequest {
                amount: Some(amount(&world.theirs.unit_code, 1)),
                ..hold()
            },
            not_found(),
        )
        .done()
}

fn amount(unit_code: &str, value: i64) -> Amount {
    Amount {
        unit_code: unit_code.to_owned(),
        value,
    }
}

fn capture_hold(world: &World) -> Vec<Case> {
    let capture = |hold_id: &str, value| CaptureHoldRequest {
        request_id: request_id(),
        hold_id: hold_id.to_owned(),
        value,
        ..CaptureHoldRequest::default()
    };
    Table::of(world, "/fealty.ledger.v1.HoldService/CaptureHold")
        .row(
            "nothing",
            &CaptureHoldRequest::default(),
            invalid(&["request_id", "hold_id"]),
        )
        .row(
            "less than nothing of no hold, without end",
            &CaptureHoldRequest {
                reason: "x".repeat(501),
                ..capture("mine", -1)
            },
            invalid(&["hold_id", "value", "reason"]),
        )
        .row(
            "another program's",
            &capture(&world.theirs.hold_id, 1),
            not_found(),
        )
        .done()
}

fn release_hold(world: &World) -> Vec<Case> {
    let release = |hold_id: &str| ReleaseHoldRequest {
        request_id: request_id(),
        hold_id: hold_id.to_owned(),
        ..ReleaseHoldRequest::default()
    };
    Table::of(world, "/fealty.ledger.v1.HoldService/ReleaseHold")
        .row(
            "nothing",
            &ReleaseHoldRequest::default(),
            invalid(&["request_id", "hold_id"]),
        )
        .row(
            "no hold, without end",
            &ReleaseHoldRequest {
                reason: "x".repeat(501),
                ..release("mine")
            },
            invalid(&["hold_id", "reason"]),
        )
        .row("another program's", &release(&world.theirs.hold_id), not_found())
        .done()
}

fn get_hold(world: &World) -> Vec<Case> {
    let get = |hold_id: &str| GetHoldRequest {
        hold_id: hold_id.to_owned(),
    };
    Table::of(world, "/fealty.ledger.v1.HoldService/GetHold")
        .row("none", &get(""), invalid(&["hold_id"]))
        .row("no id", &get("mine"), invalid(&["hold_id"]))
        .row("another program's", &get(&world.theirs.hold_id), not_found())
        .done()
}
