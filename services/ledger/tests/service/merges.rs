//! Merges: two owners who are one person.

use fealty_proto::ledger::v1 as pb;
use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement::{AtLeastVersion, Strong};
use futures::future::{join_all, join3};
use tonic::Code;

use super::harness::{holding, is_replayed, new_id, until};
use super::messages::{cashback, purchase_of, refund_of};
use super::sharing::{
    check_books, hold, join, leave, merge, merge_request, open_household, owner, points_of, release,
    try_merge,
};
use super::support::{Ledger, Redis, Setting, credit, of_unit, refused, spend};

/// Rounds in which postings race with a merge: each meets it at another point of its way.
const ROUNDS: usize = 12;

/// One in a hundred, in points.
async fn give_cashback(ledger: &Ledger) {
    let request = pb::CreateEarningRuleRequest {
        request_id: new_id(),
        earning_rule: Some(cashback("points", "0.01")),
    };
    let made = ledger.rules().create_earning_rule(ledger.call(request)).await;
    made.expect("a rule");
}

async fn buy(ledger: &Ledger, owner_id: &str, minor: i64) -> pb::Purchase {
    let request = ledger.call(purchase_of(owner_id, minor));
    let bought = ledger.purchases().record_purchase(request).await;
    bought.expect("bought").into_inner().purchase.expect("a purchase")
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_names_the_one_means_the_other() {
    let ledger = Ledger::start().await;
    let (from, into) = (ledger.open_owner().await, ledger.open_owner().await);
    ledger.give(&from, 30).await;
    ledger.give(&into, 12).await;
    let (gone, stays) = merge(&ledger, &from, &into).await;
    assert_eq!(
        (gone.status(), &gone.account_owner_id),
        (pb::OwnerStatus::Merged, &into)
    );
    assert_eq!(
        (stays.status(), stays.account_owner_id.as_str()),
        (pb::OwnerStatus::Active, "")
    );
    assert_eq!((gone.version, stays.version), (2, 2), "one more each");
    for owner_id in [&from, &into] {
        let balance = ledger
            .balance(owner_id, Some(Strong(true)))
            .await
            .expect("a balance");
        assert_eq!(
            (&balance.owner_id, of_unit(&balance, "points").available),
            (&into, 42)
        );
    }
    ledger.give(&from, 8).await;
    ledger
        .spend(spend(&from, "points", 50))
        .await
        .expect("what the other has");
    assert_eq!(points_of(&ledger, &into).await, 0);
    let kinds: Vec<_> = ledger
        .statement(&from)
        .await
        .iter()
        .map(pb::Transaction::kind)
        .collect();
    let expected = [
        pb::TransactionKind::Spend,
        pb::TransactionKind::Credit,
        pb::TransactionKind::Move,
        pb::TransactionKind::Credit,
    ];
    assert_eq!(kinds, expected);
    assert_eq!(check_books(&ledger).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_of_before_the_merge_is_refunded_after_it() {
    let ledger = Ledger::start().await;
    give_cashback(&ledger).await;
    let (from, into) = (ledger.open_owner().await, ledger.open_owner().await);
    let first = buy(&ledger, &from, 500_000).await;
    let other = buy(&ledger, &into, 200_000).await;
    merge(&ledger, &from, &into).await;
    // By the same number in the new account as one of its own had.
    let next = buy(&ledger, &from, 100_000).await;
    let refunded = ledger
        .purchases()
        .refund_purchase(ledger.call(refund_of(&first.purchase_id, 500_000)))
        .await
        .expect("refunded")
        .into_inner();
    assert_eq!(refunded.taken_back[0].from_available, 50);
    let transaction = refunded.transaction.expect("a transaction");
    assert_eq!(
        (&transaction.owner_id, &transaction.on_behalf_of_owner_id),
        (&into, &from)
    );
    assert_eq!(holding(refunded.balance.as_ref(), "points"), (30, 0));
    // Both are one person: so are their purchases, the latest first, in pages.
    for owner_id in [&from, &into] {
        let mut read = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListPurchasesRequest {
                owner_id: owner_id.clone(),
                page_size: 2,
                page_token,
            };
            let page = ledger.purchases().list_purchases(ledger.call(request)).await;
            let page = page.expect("a page").into_inner();
            read.extend(page.purchases.into_iter().map(|purchase| purchase.purchase_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(
            read,
            [&next, &other, &first].map(|purchase| purchase.purchase_id.clone())
        );
    }
    assert_eq!(check_books(&ledger).await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_merges_leads_everybody_to_the_last() {
    let ledger = Ledger::start().await;
    let (a, b, c) = (
        ledger.open_owner().await,
        ledger.open_owner().await,
        ledger.open_owner().await,
    );
    for (owner_id, value) in [(&a, 1), (&b, 20), (&c, 300)] {
        ledger.give(owner_id, value).await;
    }
    merge(&ledger, &a, &b).await;
    merge(&ledger, &b, &c).await;
    let household = open_household(&ledger).await;
    for (account, step) in [(&c, "merged"), (&household, "joined"), (&c, "left")] {
        match step {
            "joined" => drop(join(&ledger, &c, &household).await),
            "left" => drop(leave(&ledger, &c).await),
            _ => {}
        }
        for owner_id in [&a, &b] {
            assert_eq!(
                &owner(&ledger, owner_id).await.account_owner_id,
                account,
                "{step}"
            );
            assert_eq!(owner(&ledger, owner_id).await.status(), pb::OwnerStatus::Merged);
        }
        let shown = [
            ledger.balance(&a, None).await,
            ledger.balance(&a, Some(Strong(true))).await,
        ];
        for balance in shown {
            assert_eq!(&balance.expect("a balance").owner_id, account, "{step}");
        }
    }
    assert_eq!(points_of(&ledger, &household).await, 321);
    ledger.give(&a, 4).await;
    assert_eq!(points_of(&ledger, &c).await, 4);
    check_books(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_merged_into_a_member_of_a_household_brings_their_points_home() {
    let ledger = Ledger::start().await;
    let (from, into) = (ledger.open_owner().await, ledger.open_owner().await);
    let household = open_household(&ledger).await;
    join(&ledger, &into, &household).await;
    ledger.give(&from, 9).await;
    let (gone, stays) = merge(&ledger, &from, &into).await;
    assert_eq!(
        (&gone.account_owner_id, &stays.account_owner_id),
        (&household, &household)
    );
    assert_eq!(points_of(&ledger, &household).await, 9);
    check_books(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stays_takes_the_others_place_in_a_household_with_all_that_they_have() {
    let ledger = Ledger::start().await;
    let (from, into, before) = (
        ledger.open_owner().await,
        ledger.open_owner().await,
        ledger.open_owner().await,
    );
    let household = open_household(&ledger).await;
    ledger.give(&from, 9).await;
    join(&ledger, &from, &household).await;
    ledger.give(&into, 5).await;
    merge(&ledger, &before, &into).await;

    let (gone, stays) = merge(&ledger, &from, &into).await;
    assert_eq!(
        (&gone.account_owner_id, &stays.account_owner_id),
        (&household, &household)
    );
    // Whoever was merged into them goes along.
    assert_eq!(owner(&ledger, &before).await.account_owner_id, household);
    for name in [&from, &into, &before, &household] {
        assert_eq!(points_of(&ledger, name).await, 14, "{name}");
    }
    ledger.give(&into, 1).await;
    assert_eq!(points_of(&ledger, &household).await, 15);
    check_books(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_points_held_takes_nobodys_place_and_is_merged_with_nobody_by_half() {
    let ledger = Ledger::start().await;
    let (from, into) = (ledger.open_owner().await, ledger.open_owner().await);
    let household = open_household(&ledger).await;
    join(&ledger, &from, &household).await;
    ledger.give(&into, 10).await;
    let held = hold(&ledger, &into, 4).await;
    let status = try_merge(&ledger, merge_request(&from, &into))
        .await
        .expect_err("unsuitable");
    let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    assert_eq!(metadata["owner_id"], into);
    assert_eq!(owner(&ledger, &from).await.status(), pb::OwnerStatus::Active);
    assert_eq!(owner(&ledger, &into).await.account_owner_id, "", "their own");

    release(&ledger, held).await;
    merge(&ledger, &from, &into).await;
    assert_eq!(points_of(&ledger, &household).await, 10);
    check_books(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postings_that_race_with_a_merge_lose_and_double_nothing() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let mut given = 0;
    for round in 0..ROUNDS {
        let (from, into) = (ledger.open_owner().await, ledger.open_owner().await);
        ledger.give(&from, 50).await;
        ledger.give(&into, 50).await;
        let credits = join_all((0..8).map(|place| {
            let by = if place % 2 == 0 { &ledger } else { &replica };
            by.credit(credit(if place % 3 == 0 { &into } else { &from }, "points", 1))
        }));
        let spends = join_all((0..4).map(|place| {
            let owner_id = if place % 2 == 0 { &into } else { &from };
            replica.spend(spend(owner_id, "points", 5))
        }));
        let both_ways = async {
            tokio::time::sleep(std::time::Duration::from_millis(round as u64)).await;
            // Each into the other: one of the two is first.
            tokio::join!(
                try_merge(&ledger, merge_request(&from, &into)),
                try_merge(&replica, merge_request(&into, &from)),
            )
        };
        let (credits, spends, merged) = join3(credits, spends, both_ways).await;
        assert!(credits.iter().all(Result::is_ok) && spends.iter().all(Result::is_ok));
        let lost = match merged {
            (Ok(_), Err(lost)) | (Err(lost), Ok(_)) => lost,
            both => panic!("{both:?}"),
        };
        refused(&lost, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
        given += 100 + 8 - 20;
        for owner_id in [&from, &into] {
            assert_eq!(points_of(&ledger, owner_id).await, 88);
            let balance = ledger.balance(owner_id, None).await.expect("a balance");
            assert_eq!(
                of_unit(&balance, "points").available,
                88,
                "what the cache holds is no older"
            );
        }
    }
    assert_eq!(check_books(&ledger).await, given);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_merges_in_a_circle_at_once_end_in_one_owner() {
    let ledger = Ledger::start().await;
    let replica = ledger.replica().await;
    let mut owners = Vec::new();
    for _ in 0..6 {
        let owner_id = ledger.open_owner().await;
        ledger.give(&owner_id, 10).await;
        owners.push(owner_id);
    }
    let circle = owners.iter().enumerate().map(|(place, from)| {
        let by = if place % 2 == 0 { &ledger } else { &replica };
        let into = &owners[(place + 1) % owners.len()];
        async move {
            let merged = try_merge(by, merge_request(from, into)).await;
            if let Err(status) = &merged {
                refused(status, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
            }
            merged.is_ok()
        }
    });
    let merged = join_all(circle)
        .await
        .into_iter()
        .filter(|merged| *merged)
        .count();
    assert!((1..owners.len()).contains(&merged), "{merged}");
    let mut accounts = 0;
    for owner_id in &owners {
        let found = owner(&ledger, owner_id).await;
        accounts += usize::from(found.account_owner_id.is_empty());
        if !found.account_owner_id.is_empty() {
            let last = owner(&ledger, &found.account_owner_id).await;
            assert_eq!(last.account_owner_id, "", "one step suffices");
        }
    }
    assert_eq!(accounts, owners.len() - merged);
    assert_eq!(check_books(&ledger).await, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_is_replayed_and_done_again_it_changes_nothing() {
    let ledger = Ledger::start().await;
    let (from, into) = (ledger.open_owner().await, ledger.open_owner().await);
    ledger.give(&from, 7).await;
    let request = merge_request(&from, &into);
    let first = try_merge(&ledger, request.clone()).await.expect("merged");
    let again = try_merge(&ledger, request).await.expect("merged");
    assert!(!is_replayed(&first) && is_replayed(&again));
    assert_eq!(first.get_ref(), again.get_ref());
    let anew = try_merge(&ledger, merge_request(&from, &into))
        .await
        .expect("merged");
    assert_eq!(first.get_ref(), anew.get_ref());
    assert_eq!(check_books(&ledger).await, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_merged_is_refused_and_stays_as_it_is() {
    let ledger = Ledger::start().await;
    let (member, other) = (ledger.open_owner().await, ledger.open_owner().await);
    let household = open_household(&ledger).await;
    ledger.give(&member, 10).await;
    hold(&ledger, &member, 4).await;
    for (from, into) in [(&member, &other), (&other, &household)] {
        let status = try_merge(&ledger, merge_request(from, into))
            .await
            .expect_err("unsuitable");
        let metadata = refused(&status, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
        assert_eq!(&metadata["owner_id"], from);
    }
    // What is held does not hinder those who come.
    merge(&ledger, &other, &member).await;
    let status = try_merge(&ledger, merge_request(&other, &household))
        .await
        .expect_err("merged");
    refused(&status, Code::FailedPrecondition, ErrorReason::OwnerUnsuitable);
    let same = try_merge(&ledger, merge_request(&member, &member))
        .await
        .expect_err("the same");
    refused(&same, Code::InvalidArgument, ErrorReason::InvalidFields);
    let nobody = try_merge(&ledger, merge_request(&new_id(), &member))
        .await
        .expect_err("nobody");
    refused(&nobody, Code::NotFound, ErrorReason::ResourceNotFound);
    check_books(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_redis_missed_is_shown_to_whoever_has_seen_it_and_soon_to_everybody() {
    let ledger = Ledger::start().await;
    let redis_url = ledger.config.cache.url.clone().expect("a Redis");
    let (proxy, url) = fealty_testing::Proxy::in_front_of(&redis_url).await;
    let replica = ledger.replica_by_redis(&url).await;
    let (from, into) = (ledger.open_owner().await, ledger.open_owner().await);
    ledger.give(&from, 5).await;
    ledger.give(&into, 6).await;
    // Whoever reads puts into Redis what is not there yet.
    for owner in [&from, &into] {
        ledger.balance(owner, None).await.expect("a balance");
    }
    proxy.cut();
    let (gone, stays) = merge(&replica, &from, &into).await;
    // Redis still holds what both had before.
    let before = ledger.balance(&from, None).await.expect("a balance");
    assert_eq!(
        (&before.owner_id, of_unit(&before, "points").available),
        (&from, 5)
    );
    for (owner_id, version) in [(&from, gone.version), (&into, stays.version)] {
        let seen = ledger
            .balance(owner_id, Some(AtLeastVersion(version)))
            .await
            .expect("a balance");
        assert_eq!((&seen.owner_id, of_unit(&seen, "points").available), (&into, 11));
    }
    // And what was earned since, by the name of the one, to the account of the other.
    replica.give(&from, 1).await;
    proxy.restore();
    for owner_id in [&from, &into] {
        until("repaired", async || {
            let shown = ledger.balance(owner_id, None).await.expect("a balance");
            shown.owner_id == into && of_unit(&shown, "points").available == 12
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_everything_is_shown_all_the_same() {
    let ledger = Ledger::start_in(Setting {
        redis: Redis::Absent,
        ..Setting::default()
    })
    .await;
    let (from, into) = (ledger.open_owner().await, ledger.open_owner().await);
    let version = ledger.give(&from, 5).await;
    merge(&ledger, &from, &into).await;
    for consistency in [None, Some(AtLeastVersion(version)), Some(Strong(true))] {
        let balance = ledger.balance(&from, consistency).await.expect("a balance");
        assert_eq!(
            (&balance.owner_id, of_unit(&balance, "points").available),
            (&into, 5)
        );
    }
}
