//! What else changes a tier: another version, the member's status, a merge; and what a household does not.

use fealty_proto::members::v1::{self as pb, MemberStatus};
use fealty_types::Clock as _;

use super::{club, grants, metals, open_on, spend, tier};
use crate::harness::request_id;
use crate::postings::Posted;
use crate::{households, merges, status};

#[tokio::test]
async fn a_new_version_raises_at_once_and_lets_nobody_fall_without_its_grace() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(metals(), 0).await;
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    shop.buy(&ana, 5_000, clock.now());
    shop.buy(&vera, 900, clock.now());
    shop.counted(&ana, "status", 5_000).await;
    shop.counted(&vera, "status", 900).await;
    clock.advance(super::HOUR * 24);
    let how = pb::Qualification {
        grace_days: 30,
        ..spend(pb::qualification::Period::CalendarYear(true))
    };
    let tiers = vec![
        tier("bronze", 800, &[]),
        tier("silver", 8_000, &[]),
        tier("gold", 20_000, &[]),
    ];
    shop.publish_ladder(super::ladder("status", Some(how), tiers), 1)
        .await;
    assert_eq!(shop.tiers_of(&vera).await, ["status/bronze"]);
    assert_eq!(shop.tiers_of(&ana).await, ["status/silver"]);
    assert_eq!(shop.changes_when(&vera, 1).await[0].2, "QUALIFIED");
    clock.advance(super::HOUR * 24 * 30);
    assert_eq!(shop.tiers_of(&ana).await, ["status/bronze"]);
}

#[tokio::test]
async fn nobody_has_a_tier_of_a_retired_ladder() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(club(), 0).await;
    let ana = shop.enrol(&[]).await;
    shop.buy(&ana, 10_000, clock.now());
    shop.counted(&ana, "club", 10_000).await;
    let request = pb::RetireLadderRequest {
        request_id: request_id(),
        ladder_code: "club".to_owned(),
    };
    let retired = shop.world.tiers(&shop.auth).retire_ladder(request).await.unwrap();
    assert!(retired.into_inner().ladder.unwrap().retire_time.is_some());
    assert_eq!(shop.tiers_of(&ana).await, Vec::<String>::new());
    assert_eq!(shop.standings(&ana).await, []);
    let told = shop.changes_when(&ana, 2).await;
    assert_eq!(told[1], ("regulars".to_owned(), String::new(), "LADDER_CHANGED"));
    let again = super::publication(club(), 1);
    let refused = shop.try_publish_ladder(again).await.expect_err("it is retired");
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
}

#[tokio::test]
async fn a_suspended_member_keeps_their_tier_and_an_excluded_one_has_none_until_they_are_back() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(club(), 0).await;
    let ana = shop.enrol(&[]).await;
    shop.buy(&ana, 10_000, clock.now());
    shop.counted(&ana, "club", 10_000).await;
    status::set(&shop, &ana, MemberStatus::Suspended).await;
    assert_eq!(shop.tiers_of(&ana).await, ["club/regulars"]);
    assert!(!shop.entitled(&ana, "personal-manager").await);
    status::set(&shop, &ana, MemberStatus::Excluded).await;
    assert_eq!(shop.tiers_of(&ana).await, Vec::<String>::new());
    assert_eq!(shop.standings(&ana).await, []);
    status::set(&shop, &ana, MemberStatus::Active).await;
    assert_eq!(shop.tiers_of(&ana).await, ["club/regulars"]);
    assert!(shop.entitled(&ana, "personal-manager").await);
    let causes: Vec<_> = shop
        .changes_when(&ana, 3)
        .await
        .into_iter()
        .map(|change| change.2)
        .collect();
    assert_eq!(causes, ["QUALIFIED", "STATUS_CHANGED", "STATUS_CHANGED"]);
}

#[tokio::test]
async fn who_takes_over_a_record_counts_what_both_did_and_has_its_grants() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(club(), 0).await;
    shop.publish_ladder(metals(), 0).await;
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    shop.buy(&ana, 6_000, clock.now());
    shop.buy(&vera, 3_000, clock.now());
    shop.counted(&ana, "club", 6_000).await;
    shop.counted(&vera, "club", 3_000).await;
    shop.try_grant(grants::granting(&ana, ("status", "gold"), None))
        .await
        .expect("granted");
    merges::merge(&shop, &ana, &vera).await;
    assert_eq!(shop.standings(&ana).await, []);
    assert_eq!(shop.tiers_of(&ana).await, Vec::<String>::new());
    assert_eq!(shop.standing(&vera, "club").await.balance, 9_000);
    assert_eq!(shop.tiers_of(&vera).await, ["status/gold"]);
    // A till that still knows the old record.
    shop.buy(&ana, 1_000, clock.now());
    let joined = shop.counted(&vera, "club", 10_000).await;
    assert_eq!(joined.tier_code, "regulars");
    let causes: Vec<_> = shop.changes(&ana).await.iter().map(super::short).collect();
    assert_eq!(causes.last().expect("a change").2, "MERGED");
}

/// B9 and B10: a household shares an account, and not a tier.
#[tokio::test]
async fn each_member_of_a_household_counts_what_they_bought_themselves() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(club(), 0).await;
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    let household = households::create(&shop, &ana).await;
    // The household's account is the subject, and the buyer is named.
    let mut bought = Posted::purchase(&shop.program, &vera.member_id, 10_000, 0).at(clock.now());
    bought.member_id.clone_from(&household.household_id);
    shop.ledger.postings.tell(&bought);
    shop.counted(&vera, "club", 10_000).await;
    assert_eq!(shop.standing(&ana, "club").await.balance, 0);
}
