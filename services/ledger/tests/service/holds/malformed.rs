//! What is wrong with a request about a hold is named, all of it, and nothing happens.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Amount;

use super::hold;
use crate::assert_refused;
use crate::service::harness::{Ledger, new_id};
use crate::service::refusals::{bad, not_there};

#[tokio::test]
async fn a_malformed_hold_is_refused_with_all_that_is_wrong() {
    let ledger = Ledger::start().await;
    ledger.define_points().await;
    let owner = ledger.open_owner().await;
    let lasting = |duration_seconds| pb::HoldPointsRequest {
        duration_seconds,
        ..hold(&owner, "points", 1)
    };
    let table = [
        (
            "nothing",
            pb::HoldPointsRequest::default(),
            bad(&["request_id", "owner_id", "amount"]),
        ),
        (
            "nonsense",
            pb::HoldPointsRequest {
                amount: Some(Amount {
                    unit_code: "Points!".to_owned(),
                    value: 0,
                }),
                source: "x".repeat(101),
                reason: "x".repeat(501),
                ..lasting(-1)
            },
            bad(&[
                "amount.unit_code",
                "amount.value",
                "duration_seconds",
                "source",
                "reason",
            ]),
        ),
        (
            "a month and a second",
            lasting(2_592_001),
            bad(&["duration_seconds"]),
        ),
        ("nobody", hold(&new_id(), "points", 1), not_there()),
        ("no unit", hold(&owner, "stars", 1), not_there()),
    ];
    assert_refused!(ledger, holds.hold_points, table);
}

#[tokio::test]
async fn a_malformed_end_of_a_hold_is_refused_with_all_that_is_wrong() {
    let ledger = Ledger::start().await;
    let capture = |hold_id: &str, value| pb::CaptureHoldRequest {
        request_id: new_id(),
        hold_id: hold_id.to_owned(),
        value,
        reason: String::new(),
    };
    let table = [
        (
            "nothing",
            pb::CaptureHoldRequest::default(),
            bad(&["request_id", "hold_id"]),
        ),
        (
            "nonsense",
            pb::CaptureHoldRequest {
                reason: "x".repeat(501),
                ..capture("mine", -1)
            },
            bad(&["hold_id", "value", "reason"]),
        ),
        ("unknown", capture(&new_id(), 1), not_there()),
    ];
    assert_refused!(ledger, holds.capture_hold, table);
    let release = |hold_id: &str| pb::ReleaseHoldRequest {
        request_id: new_id(),
        hold_id: hold_id.to_owned(),
        reason: String::new(),
    };
    let table = [
        (
            "nothing",
            pb::ReleaseHoldRequest::default(),
            bad(&["request_id", "hold_id"]),
        ),
        (
            "nonsense",
            pb::ReleaseHoldRequest {
                reason: "x".repeat(501),
                ..release("mine")
            },
            bad(&["hold_id", "reason"]),
        ),
        ("unknown", release(&new_id()), not_there()),
    ];
    assert_refused!(ledger, holds.release_hold, table);
    let get = |hold_id: &str| pb::GetHoldRequest {
        hold_id: hold_id.to_owned(),
    };
    let table = [
        ("none", get(""), bad(&["hold_id"])),
        ("no id", get("mine"), bad(&["hold_id"])),
        ("unknown", get(&new_id()), not_there()),
    ];
    assert_refused!(ledger, holds.get_hold, table);
}
