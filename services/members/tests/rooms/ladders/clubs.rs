//! What counts, and what it gives.

use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::qualification::{Measure, Period};
use fealty_types::Clock as _;

use super::{club, ladder, metals, noon, open_on, publication, spend, tier, timestamp};
use crate::harness::is_replayed;

/// B8: 9,999 spent is not enough for a club of 10,000; one more is, and it is told.
#[tokio::test]
async fn b8_whoever_has_spent_the_threshold_is_in_the_club_at_once() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(club(), 0).await;
    let ana = shop.enrol(&[]).await;
    shop.buy(&ana, 9_999, clock.now());
    let before = shop.counted(&ana, "club", 9_999).await;
    assert_eq!((before.tier_code.as_str(), before.remaining), ("", 1));
    assert_eq!(shop.tiers_of(&ana).await, Vec::<String>::new());
    assert!(!shop.entitled(&ana, "personal-manager").await);
    assert_eq!(shop.heard(&ana).await, []);

    shop.buy(&ana, 1, clock.now());
    let after = shop.counted(&ana, "club", 10_000).await;
    assert_eq!(
        (after.tier_code.as_str(), after.earned_tier_code.as_str()),
        ("regulars", "regulars")
    );
    assert_eq!((after.next_tier_code.as_str(), after.remaining), ("", 0));
    assert_eq!(shop.tiers_of(&ana).await, ["club/regulars"]);
    assert!(shop.entitled(&ana, "personal-manager").await);
    let heard = shop.heard(&ana).await;
    assert_eq!(heard.len(), 1);
    let (told, cause) = (&heard[0], heard[0].cause.as_str());
    assert_eq!(
        (told.ladder_code.as_str(), told.tier_code.as_str(), cause),
        ("club", "regulars", "QUALIFIED")
    );
    let changes = shop.changes(&ana).await;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].change_time, Some(timestamp(clock.now())));
}

/// B10: several ladders, each by another measure, side by side.
#[tokio::test]
async fn b10_ladders_by_spend_points_purchases_and_visits_stand_side_by_side() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    let by = |measure| pb::Qualification {
        measure: Some(measure),
        ..spend(Period::RollingDays(30))
    };
    shop.publish_ladder(metals(), 0).await;
    let points = by(Measure::EarnedUnitCode("points".to_owned()));
    shop.publish_ladder(
        ladder("points", Some(points), vec![tier("collector", 3_000, &[])]),
        0,
    )
    .await;
    let purchases = by(Measure::PurchaseCount(true));
    shop.publish_ladder(ladder("often", Some(purchases), vec![tier("three", 3, &[])]), 0)
        .await;
    let visits = by(Measure::VisitCount(true));
    shop.publish_ladder(ladder("visits", Some(visits), vec![tier("twice", 2, &[])]), 0)
        .await;
    let ana = shop.enrol(&[]).await;
    for (day, minor) in [(1, 1_000), (2, 1_500), (2, 2_500)] {
        shop.buy(&ana, minor, noon(2026, 3, day));
    }
    shop.counted(&ana, "often", 3).await;
    let expected = ["often/three", "points/collector", "status/silver", "visits/twice"];
    assert_eq!(shop.tiers_of(&ana).await, expected);
    let status = shop.standing(&ana, "status").await;
    assert_eq!(
        (status.balance, status.next_tier_code.as_str(), status.remaining),
        (5_000, "gold", 15_000)
    );
    assert_eq!(
        status.balance_until_time,
        Some(timestamp(noon(2027, 1, 1) - super::HOUR * 12))
    );
    assert_eq!(shop.standing(&ana, "visits").await.balance, 2);
    assert!(clock.now() > noon(2026, 3, 1));
}

/// B11: a benefit is had by the tiers that name it, and by nobody else.
#[tokio::test]
async fn b11_each_benefit_is_checked_by_its_code() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(metals(), 0).await;
    shop.publish_ladder(club(), 0).await;
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    shop.buy(&ana, 5_000, clock.now());
    shop.buy(&vera, 20_000, clock.now());
    shop.counted(&ana, "status", 5_000).await;
    shop.counted(&vera, "club", 20_000).await;
    let codes = [
        "personal-manager",
        "priority-service",
        "special-prices",
        "limited-edition",
    ];
    let mut had = Vec::new();
    for member in [&ana, &vera] {
        for code in codes {
            had.push(shop.entitled(member, code).await);
        }
    }
    assert_eq!(had, [false, true, true, false, true, true, true, true]);
    let by = shop.entitlement(&vera, "limited-edition").await;
    assert_eq!(
        (by.tiers[0].ladder_code.as_str(), by.tiers[0].tier_code.as_str()),
        ("status", "gold")
    );
    // The year ends, and the grace of twelve months with it.
    assert_eq!(
        by.valid_until_time,
        Some(timestamp(noon(2028, 1, 1) - super::HOUR * 12))
    );
}

#[tokio::test]
async fn a_refund_takes_back_what_it_gave_from_its_own_day_and_each_event_counts_once() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(club(), 0).await;
    let points = pb::Qualification {
        measure: Some(Measure::EarnedUnitCode("points".to_owned())),
        ..spend(Period::RollingDays(30))
    };
    shop.publish_ladder(
        ladder("points", Some(points), vec![tier("collector", 9_000, &[])]),
        0,
    )
    .await;
    let ana = shop.enrol(&[]).await;
    let bought = shop.buy(&ana, 10_000, clock.now());
    shop.counted(&ana, "club", 10_000).await;
    // All but 500 of the points have been spent meanwhile: the qualification is taken back all the same.
    shop.ledger.postings.tell(&bought.refund(4_000, 500));
    let less = shop.counted(&ana, "club", 6_000).await;
    assert_eq!(less.tier_code, "", "without grace");
    assert_eq!(shop.standing(&ana, "points").await.balance, 6_000);
    assert_eq!(shop.tiers_of(&ana).await, Vec::<String>::new());
    let causes: Vec<_> = shop.changes(&ana).await.iter().map(super::short).collect();
    let taken = (String::from("regulars"), String::new(), "TAKEN_BACK");
    assert_eq!(causes.iter().filter(|change| **change == taken).count(), 1);

    // A ledger that was restored tells everything again.
    shop.ledger.postings.start_over();
    let vera = shop.enrol(&[]).await;
    shop.buy(&vera, 10_000, clock.now());
    shop.counted(&vera, "club", 10_000).await;
    assert_eq!(shop.standing(&ana, "club").await.balance, 6_000);
    assert_eq!(shop.standing(&ana, "points").await.balance, 6_000);
}

#[tokio::test]
async fn a_refund_that_names_no_purchase_is_taken_from_the_day_on_which_it_was_given() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(club(), 0).await;
    let ana = shop.enrol(&[]).await;
    let bought = shop.buy(&ana, 10_000, clock.now());
    shop.counted(&ana, "club", 10_000).await;
    let mut refund = bought.refund(1_000, 0);
    refund.transaction.purchase_id.clear();
    shop.ledger.postings.tell(&refund);
    shop.buy(&ana, 500, clock.now());
    let less = shop.counted(&ana, "club", 9_500).await;
    assert_eq!(less.tier_code, "");
}

#[tokio::test]
async fn what_was_bought_before_a_ladder_was_published_counts_and_is_told_by_itself() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    let ana = shop.enrol(&[]).await;
    shop.publish_ladder(metals(), 0).await;
    shop.buy(&ana, 12_000, clock.now());
    shop.counted(&ana, "status", 12_000).await;
    let published = shop.publish_ladder(club(), 0).await;
    assert_eq!(
        (published.version, published.create_time),
        (1, Some(timestamp(clock.now())))
    );
    // At once for whoever asks; for followers within moments.
    assert_eq!(shop.tiers_of(&ana).await, ["club/regulars", "status/silver"]);
    let told = shop.changes_when(&ana, 2).await;
    assert_eq!(told[1], (String::new(), "regulars".to_owned(), "QUALIFIED"));
    assert_eq!(shop.tiers_of(&ana).await, ["club/regulars", "status/silver"]);
}

#[tokio::test]
async fn two_replicas_count_each_purchase_once() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    let _second = shop.world.start_replica(std::sync::Arc::new(clock.clone())).await;
    shop.publish_ladder(club(), 0).await;
    let members = [
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
        shop.enrol(&[]).await,
    ];
    for round in 0..10 {
        for member in &members {
            shop.buy(member, 1_000 + round, clock.now());
        }
    }
    for member in &members {
        let standing = shop.counted(member, "club", 10_045).await;
        assert_eq!(standing.tier_code, "regulars");
        assert_eq!(shop.heard(member).await.len(), 1);
    }
}

#[tokio::test]
async fn the_same_publication_again_is_the_same_version_and_ladders_are_listed_by_code() {
    let (shop, _clock) = open_on(2026, 3, 2).await;
    let request = publication(metals(), 0);
    let tiers = || shop.world.tiers(&shop.auth);
    let first = tiers().publish_ladder(request.clone()).await.unwrap();
    let second = tiers().publish_ladder(request).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&second));
    let published = first.into_inner().ladder.unwrap();
    assert_eq!(second.into_inner().ladder.as_ref(), Some(&published));
    let expected = pb::Ladder {
        version: 1,
        create_time: published.create_time,
        ..metals()
    };
    assert_eq!(published, expected);
    shop.publish_ladder(club(), 0).await;
    let newer = shop.publish_ladder(metals(), 1).await;
    let mut codes = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListLaddersRequest {
            page_size: 1,
            page_token,
        };
        let page = tiers().list_ladders(request).await.unwrap().into_inner();
        codes.extend(
            page.ladders
                .iter()
                .map(|ladder| (ladder.ladder_code.clone(), ladder.version)),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(codes, [("club".to_owned(), 1), ("status".to_owned(), 2)]);
    for (version, expected) in [(0, &newer), (1, &published), (2, &newer)] {
        let request = pb::GetLadderRequest {
            ladder_code: "status".to_owned(),
            version,
        };
        let found = tiers().get_ladder(request).await.unwrap().into_inner().ladder;
        assert_eq!(found.as_ref(), Some(expected));
    }
}
