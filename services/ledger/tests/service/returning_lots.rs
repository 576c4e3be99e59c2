//! Lots that come to an account in which they were before.

use chrono::{DateTime, TimeDelta};
use fealty_proto::ledger::v1 as pb;
use fealty_types::ManualClock;

use super::messages::sliding_miles;
use super::reversals::{reversal, try_reverse};
use super::sharing::{join, leave, open_household};
use super::support::{Ledger, credit, days, spend};
use super::verify::assert_verified;

async fn give(ledger: &Ledger, owner: &str, value: i64) {
    ledger.credit(credit(owner, "miles", value)).await.expect("given");
}

/// Of each lot that has something left: its id, that, and what was ever credited to it.
async fn lots(ledger: &Ledger, owner: &str) -> Vec<(String, i64, i64)> {
    let request = pb::ListLotsRequest {
        owner_id: owner.to_owned(),
        unit_code: "miles".to_owned(),
        ..pb::ListLotsRequest::default()
    };
    let page = ledger.balances().list_lots(ledger.call(request)).await;
    let lots = page.expect("a page").into_inner().lots.into_iter();
    lots.map(|lot| (lot.lot_id, lot.value_left, lot.value_credited))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lot_that_comes_again_as_the_first_is_written_off_counts_all_that_ever_came_to_it() {
    let clock = ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    let ledger = Ledger::start_at(&clock).await;
    ledger.define(sliding_miles()).await;
    let (member, household) = (ledger.open_owner().await, open_household(&ledger).await);
    give(&ledger, &member, 40).await;
    let spent = ledger.spend(spend(&member, "miles", 10)).await.expect("spent");
    let spent = spent.into_inner().transaction.expect("a transaction");
    join(&ledger, &member, &household).await;
    let lot_id = lots(&ledger, &household).await[0].0.clone();
    leave(&ledger, &member).await;
    clock.advance(days(20));
    // The member's own lot is open again, and slides on, without the household's.
    let back = try_reverse(&ledger, reversal(&spent.transaction_id, 0)).await;
    back.expect("reversed");
    give(&ledger, &member, 5).await;
    assert_eq!(lots(&ledger, &member).await, [(lot_id.clone(), 15, 45)]);
    assert_verified(&ledger.database).await;

    // Nobody has written off yet what of it lies at the household's.
    clock.advance(days(15));
    join(&ledger, &member, &household).await;
    assert_verified(&ledger.database).await;
    assert_eq!(lots(&ledger, &household).await, [(lot_id, 15, 45)]);
}
