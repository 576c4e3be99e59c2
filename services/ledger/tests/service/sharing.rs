//! What tests of households and merges ask of a ledger.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::Amount;
use fealty_proto::types::v1::consistency::Requirement;
use tonic::{Response, Status};

use super::harness::new_id;
use super::support::{Ledger, of_unit};
use super::verify::assert_verified;

/// A household of the shop.
pub async fn open_household(ledger: &Ledger) -> String {
    let owner_id = new_id();
    let request = pb::OpenOwnerRequest {
        request_id: new_id(),
        owner_id: owner_id.clone(),
        kind: pb::OwnerKind::Household.into(),
    };
    let opened = ledger.owners().open_owner(ledger.call(request)).await;
    opened.expect("a household");
    owner_id
}

pub fn join_request(owner_id: &str, household: &str) -> pb::JoinHouseholdRequest {
    pb::JoinHouseholdRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        household_owner_id: household.to_owned(),
    }
}

pub async fn try_join(
    ledger: &Ledger,
    request: pb::JoinHouseholdRequest,
) -> Result<Response<pb::JoinHouseholdResponse>, Status> {
    ledger.owners().join_household(ledger.call(request)).await
}

pub async fn join(ledger: &Ledger, owner_id: &str, household: &str) -> pb::Owner {
    let joined = try_join(ledger, join_request(owner_id, household)).await;
    joined.expect("joined").into_inner().owner.expect("an owner")
}

pub async fn leave(ledger: &Ledger, owner_id: &str) -> pb::Owner {
    let request = pb::LeaveHouseholdRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
    };
    let left = ledger.owners().leave_household(ledger.call(request)).await;
    left.expect("left").into_inner().owner.expect("an owner")
}

pub fn merge_request(from: &str, into: &str) -> pb::MergeOwnersRequest {
    pb::MergeOwnersRequest {
        request_id: new_id(),
        from_owner_id: from.to_owned(),
        into_owner_id: into.to_owned(),
    }
}

pub async fn try_merge(
    ledger: &Ledger,
    request: pb::MergeOwnersRequest,
) -> Result<Response<pb::MergeOwnersResponse>, Status> {
    ledger.owners().merge_owners(ledger.call(request)).await
}

/// The two owners afterwards.
pub async fn merge(ledger: &Ledger, from: &str, into: &str) -> (pb::Owner, pb::Owner) {
    let merged = try_merge(ledger, merge_request(from, into)).await;
    let merged = merged.expect("merged").into_inner();
    (
        merged.from_owner.expect("an owner"),
        merged.into_owner.expect("an owner"),
    )
}

pub async fn owner(ledger: &Ledger, owner_id: &str) -> pb::Owner {
    let request = pb::GetOwnerRequest {
        owner_id: owner_id.to_owned(),
    };
    let found = ledger.owners().get_owner(ledger.call(request)).await;
    found.expect("found").into_inner().owner.expect("an owner")
}

/// Available points, by the ledger of record.
pub async fn points_of(ledger: &Ledger, owner_id: &str) -> i64 {
    let balance = ledger.balance(owner_id, Some(Requirement::Strong(true))).await;
    let balance = balance.expect("a balance");
    if balance.balances.is_empty() {
        return 0;
    }
    of_unit(&balance, "points").available
}

/// Everything that the program's owners have less what they owe, by unit, out of the tables; with what their
/// transactions say it must be.
pub async fn books(ledger: &Ledger) -> Vec<(String, i64, i64)> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT a.unit_code, sum(a.available + a.held - a.debt)::bigint, \
                coalesce((SELECT sum((e ->> 'value')::bigint)::bigint FROM transaction t, jsonb_array_elements(t.entries) e \
                          WHERE t.program = a.program AND e ->> 'unit' = a.unit_code \
                            AND e ->> 'account' LIKE 'owner%'), 0) \
         FROM account a WHERE a.program = $1 GROUP BY a.program, a.unit_code ORDER BY a.unit_code",
    )
    .bind(ledger.shop.program.as_uuid())
    .fetch_all(&ledger.database.jobs)
    .await
    .expect("the books");
    rows
}

/// Asserts that accounts are what transactions made of them, that lots are what accounts say, that nothing is on its way
/// between owners, and that every chain of versions is whole. Answers the sum of points.
pub async fn check_books(ledger: &Ledger) -> i64 {
    let books = books(ledger).await;
    for (unit, has, recorded) in &books {
        assert_eq!(has, recorded, "{unit}");
    }
    let program = ledger.shop.program.as_uuid();
    let wrong: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM account a WHERE a.program = $1 AND a.available <> coalesce( \
            (SELECT sum(l.value_left) FROM lot l \
             WHERE l.program = a.program AND l.owner_id = a.owner_id AND l.unit_code = a.unit_code), 0)",
    )
    .bind(program)
    .fetch_one(&ledger.database.jobs)
    .await
    .expect("lots");
    assert_eq!(wrong, 0, "accounts that are not the sum of their lots");
    let on_the_way: Option<i64> = sqlx::query_scalar(
        "SELECT sum((e ->> 'value')::bigint)::bigint FROM transaction t, jsonb_array_elements(t.entries) e \
         WHERE t.program = $1 AND e ->> 'account' = 'program_moved'",
    )
    .bind(program)
    .fetch_one(&ledger.database.jobs)
    .await
    .expect("moves");
    assert_eq!(on_the_way.unwrap_or_default(), 0, "points between two owners");
    let broken: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM owner o WHERE o.program = $1 AND (o.version, o.version) <> \
            (SELECT count(t.version), coalesce(max(t.version), 0) FROM transaction t \
             WHERE t.program = o.program AND t.owner_id = o.owner_id)",
    )
    .bind(program)
    .fetch_one(&ledger.database.jobs)
    .await
    .expect("versions");
    assert_eq!(broken, 0, "owners whose versions have gaps");
    assert_verified(&ledger.database).await;
    let points = books.iter().find(|(unit, ..)| unit == "points");
    points.map_or(0, |(_, has, _)| *has)
}

/// Sets points aside, and answers the hold's id.
pub async fn hold(ledger: &Ledger, owner_id: &str, value: i64) -> String {
    let request = pb::HoldPointsRequest {
        request_id: new_id(),
        owner_id: owner_id.to_owned(),
        amount: Some(Amount {
            unit_code: "points".to_owned(),
            value,
        }),
        ..pb::HoldPointsRequest::default()
    };
    let held = ledger.holds().hold_points(ledger.call(request)).await;
    held.expect("held").into_inner().hold.expect("a hold").hold_id
}

/// Gives back what was set aside.
pub async fn release(ledger: &Ledger, hold_id: String) {
    let request = pb::ReleaseHoldRequest {
        request_id: new_id(),
        hold_id,
        ..pb::ReleaseHoldRequest::default()
    };
    let released = ledger.holds().release_hold(ledger.call(request)).await;
    released.expect("released");
}
