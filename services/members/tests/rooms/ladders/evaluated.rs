//! What a changed ladder would be like.

use fealty_proto::members::v1 as pb;
use fealty_types::Clock as _;

use super::{grants, ladder, metals, open_on, spend, tier};
use crate::shop::Shop;

async fn evaluate(shop: &Shop, ladder: pb::Ladder) -> Vec<pb::EvaluateLadderResponse> {
    let request = pb::EvaluateLadderRequest {
        ladder: Some(ladder),
        sample_count: 2,
    };
    let stream = shop.world.tiers(&shop.auth).evaluate_ladder(request).await;
    let mut stream = stream.expect("a stream").into_inner();
    let mut answers = Vec::new();
    while let Some(answer) = stream.message().await.expect("an answer") {
        answers.push(answer);
    }
    answers
}

fn count(tier_code: &str, member_count: i64, rising_count: i64, falling_count: i64) -> pb::TierCount {
    pb::TierCount {
        tier_code: tier_code.to_owned(),
        member_count,
        rising_count,
        falling_count,
    }
}

/// B10: who would rise, fall and stay, and nothing changes.
#[tokio::test]
async fn b10_a_changed_ladder_is_tried_on_everybody_and_changes_nothing() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(metals(), 0).await;
    let mut members = Vec::new();
    for minor in [0, 900, 1_000, 5_000, 20_000, 20_000] {
        let member = shop.enrol(&[]).await;
        if minor > 0 {
            shop.buy(&member, minor, clock.now());
            shop.counted(&member, "status", minor).await;
        }
        members.push(member);
    }
    shop.try_grant(grants::granting(&members[0], ("status", "silver"), None))
        .await
        .expect("granted");
    let before = shop.world.contents().await;
    let how = spend(pb::qualification::Period::CalendarYear(true));
    let tiers = vec![tier("bronze", 900, &[]), tier("gold", 30_000, &[])];
    let answers = evaluate(&shop, ladder("status", Some(how.clone()), tiers)).await;
    let last = answers.last().expect("an answer");
    assert!(last.done && answers.iter().rev().skip(1).all(|answer| !answer.done));
    let counts = (
        last.member_count,
        last.rising_count,
        last.falling_count,
        last.staying_count,
    );
    // A tier that is gone cannot be granted: the first falls, and so do the silver one and both golden ones.
    assert_eq!(counts, (6, 1, 4, 1));
    assert_eq!(
        last.tiers,
        [
            count("", 1, 0, 1),
            count("bronze", 5, 1, 3),
            count("gold", 0, 0, 0)
        ]
    );
    assert_eq!(last.rising_member_ids, [members[1].member_id.clone()]);
    assert_eq!(
        last.falling_member_ids.len(),
        2,
        "as many samples as were asked for"
    );
    assert_eq!(shop.world.contents().await, before);

    let new = ladder("other", Some(how), vec![tier("five", 5_000, &[])]);
    let last = evaluate(&shop, new).await.pop().expect("an answer");
    assert_eq!(
        (last.rising_count, last.falling_count, last.staying_count),
        (3, 0, 3)
    );
}
