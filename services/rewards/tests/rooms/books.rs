//! Whether everybody's books agree about what became of redemptions.

use fealty_proto::rewards::v1 as pb;
use sqlx::Row;
use uuid::Uuid;

use crate::harness::{PRICE, World};

/// What a case started with.
#[derive(Debug, Clone)]
pub struct Case {
    pub label: String,
    pub member_id: String,
    pub reward_id: String,
    /// The member's points at the beginning.
    pub funds: i64,
    /// Whether the reward costs [`PRICE`].
    pub priced: bool,
}

/// A member's redemptions.
pub async fn redemptions_of(world: &World, member_id: &str) -> Vec<pb::Redemption> {
    let request = pb::ListRedemptionsRequest {
        member_id: member_id.to_owned(),
        page_size: 1_000,
        ..pb::ListRedemptionsRequest::default()
    };
    let listed = world.client().list_redemptions(request).await.expect("a list");
    listed.into_message().redemptions
}

/// A member's vouchers.
pub async fn vouchers_of(world: &World, member_id: &str) -> Vec<pb::Voucher> {
    let request = pb::ListVouchersRequest {
        member_id: member_id.to_owned(),
        page_size: 1_000,
        ..pb::ListVouchersRequest::default()
    };
    let listed = world.client().list_vouchers(request).await.expect("a list");
    listed.into_message().vouchers
}

/// Asserts that what a member has agrees with what became of their redemptions: each has ended, the points of those that
/// were redeemed are spent, all others are theirs, and there is one voucher and one event for each. Answers how many were
/// redeemed.
pub async fn assert_member_agrees(world: &World, case: &Case) -> i64 {
    let redemptions = redemptions_of(world, &case.member_id).await;
    let label = &case.label;
    let is = |status: pb::RedemptionStatus| move |one: &&pb::Redemption| one.status() == status;
    let redeemed: Vec<&pb::Redemption> = redemptions
        .iter()
        .filter(is(pb::RedemptionStatus::Redeemed))
        .collect();
    let undone = redemptions
        .iter()
        .filter(is(pb::RedemptionStatus::Undone))
        .count();
    assert_eq!(
        redeemed.len() + undone,
        redemptions.len(),
        "{label}: {redemptions:?}"
    );
    for one in &redemptions {
        assert!(one.end_time.is_some(), "{label}");
        let is_redeemed = one.status() == pb::RedemptionStatus::Redeemed;
        assert_eq!(one.failure_reason.is_empty(), is_redeemed, "{label}: {one:?}");
    }

    let redeemed_count = i64::try_from(redeemed.len()).expect("few");
    let spent = if case.priced { redeemed_count * PRICE } else { 0 };
    let points = world.points_of(&case.member_id).await;
    assert_eq!(
        (points.available, points.held),
        (case.funds - spent, 0),
        "{label}"
    );
    let paid_count = if case.priced { redeemed.len() } else { 0 };
    assert_eq!(points.captured_count, paid_count, "{label}");

    let mut issued: Vec<String> = vouchers_of(world, &case.member_id)
        .await
        .into_iter()
        .map(|one| one.voucher_id)
        .collect();
    let mut expected: Vec<String> = redeemed.iter().map(|one| one.voucher_id.clone()).collect();
    issued.sort();
    expected.sort();
    assert_eq!(issued, expected, "{label}");
    assert_eq!(
        event_count(world, &case.member_id).await,
        redemptions.len(),
        "{label}"
    );
    assert_eq!(counted(world, case).await, redeemed_count, "{label}");
    redeemed_count
}

/// Events about a member: each redemption ends once.
async fn event_count(world: &World, member_id: &str) -> usize {
    let row = sqlx::query("SELECT count(*) AS count FROM event WHERE program = $1 AND subject_id = $2")
        .bind(world.program.as_uuid())
        .bind(member_id.parse::<Uuid>().expect("an id"))
        .fetch_one(&world.database.owner)
        .await
        .expect("a count");
    usize::try_from(row.get::<i64, _>("count")).expect("few")
}

/// How often the member counts as having redeemed the reward.
async fn counted(world: &World, case: &Case) -> i64 {
    let row = sqlx::query_scalar(
        "SELECT redemption_count FROM member_reward WHERE program = $1 AND member_id = $2 AND reward_id = $3",
    )
    .bind(world.program.as_uuid())
    .bind(case.member_id.parse::<Uuid>().expect("an id"))
    .bind(case.reward_id.parse::<Uuid>().expect("an id"))
    .fetch_optional(&world.database.owner)
    .await
    .expect("a row");
    row.unwrap_or_default()
}

/// Asserts that nothing of a pool is with a redemption that was undone, and everything redeemed has its own code.
pub async fn assert_codes_agree(world: &World) {
    let strays = world
        .count(
            "SELECT count(*) FROM reward_code AS c LEFT JOIN redemption AS r \
             ON r.program = c.program AND r.redemption_id = c.redemption_id \
             WHERE c.redemption_id IS NOT NULL AND r.step IS DISTINCT FROM 'REDEEMED'",
        )
        .await;
    assert_eq!(strays, 0, "codes that belong to nothing redeemed");
    let wrong = world
        .count(
            "SELECT count(*) FROM voucher AS v JOIN reward AS r ON r.program = v.program AND r.reward_id = v.reward_id \
             LEFT JOIN reward_code AS c ON c.program = v.program AND c.redemption_id = v.redemption_id \
             WHERE r.code_source = 'POOL' AND c.code IS DISTINCT FROM v.code",
        )
        .await;
    assert_eq!(wrong, 0, "vouchers with a code that is not theirs");
    let miscounted = world
        .count(
            "SELECT count(*) FROM reward AS r JOIN reward_stock AS s ON s.program = r.program AND s.reward_id = r.reward_id \
             WHERE r.code_source = 'POOL' AND s.stock_left <> \
             (SELECT count(*) FROM reward_code AS c WHERE c.program = r.program AND c.reward_id = r.reward_id \
              AND c.redemption_id IS NULL)",
        )
        .await;
    assert_eq!(miscounted, 0, "pools that count other than what is free");
}

/// Waits until no redemption is under way.
pub async fn settle(world: &World) {
    crate::harness::eventually("the end of all redemptions", async || {
        let pending = world
            .count("SELECT count(*) FROM redemption WHERE lease_time IS NOT NULL")
            .await;
        (pending == 0).then_some(())
    })
    .await;
}
