//! Tiers that are given by hand.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::members::v1 as pb;
use fealty_proto::r#type::v1::ErrorReason;
use fealty_types::Clock as _;
use tonic::{Code, Status};

use super::{HOUR, ladder, metals, open_on, tier, timestamp};
use crate::harness::{assert_refused, eventually, is_replayed, request_id};
use crate::shop::Shop;
use crate::status;

pub fn granting(
    member: &pb::Member,
    (ladder_code, tier_code): (&str, &str),
    end: Option<DateTime<Utc>>,
) -> pb::GrantTierRequest {
    pb::GrantTierRequest {
        request_id: request_id(),
        member_id: member.member_id.clone(),
        ladder_code: ladder_code.to_owned(),
        tier_code: tier_code.to_owned(),
        end_time: end.map(timestamp),
        reason: "knows the founder's aunt".to_owned(),
    }
}

impl Shop {
    pub async fn try_grant(&self, request: pb::GrantTierRequest) -> Result<pb::TierGrant, Status> {
        let answer = self.world.tiers(&self.auth).grant_tier(request).await?;
        Ok(answer.into_inner().tier_grant.expect("a grant"))
    }

    async fn revoke(&self, grant: &pb::TierGrant) -> pb::TierGrant {
        let request = pb::RevokeTierGrantRequest {
            request_id: request_id(),
            tier_grant_id: grant.tier_grant_id.clone(),
        };
        let answer = self.world.tiers(&self.auth).revoke_tier_grant(request).await;
        answer.expect("revoked").into_inner().tier_grant.expect("a grant")
    }

    async fn grants(&self, member: &pb::Member) -> Vec<pb::TierGrant> {
        let request = pb::ListTierGrantsRequest {
            member_id: member.member_id.clone(),
            ..Default::default()
        };
        let answer = self.world.tiers(&self.auth).list_tier_grants(request).await;
        answer.expect("a page").into_inner().tier_grants
    }
}

/// B8: a closed club is for those alone to whom it was granted.
#[tokio::test]
async fn b8_a_closed_club_is_entered_by_a_grant_alone() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    let closed = ladder("insiders", None, vec![tier("insider", 0, &["limited-edition"])]);
    shop.publish_ladder(closed, 0).await;
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    shop.buy(&vera, 1_000_000, clock.now());
    let grant = shop
        .try_grant(granting(&ana, ("insiders", "insider"), None))
        .await
        .expect("granted");
    assert_eq!(
        (grant.reason.as_str(), grant.create_time),
        ("knows the founder's aunt", Some(timestamp(clock.now())))
    );
    assert_eq!(shop.tiers_of(&ana).await, ["insiders/insider"]);
    assert!(shop.entitled(&ana, "limited-edition").await && !shop.entitled(&vera, "limited-edition").await);
    let standing = shop.standing(&ana, "insiders").await;
    assert_eq!(
        (
            standing.earned_tier_code.as_str(),
            standing.next_tier_code.as_str()
        ),
        ("", "")
    );

    clock.advance(HOUR);
    let revoked = shop.revoke(&grant).await;
    assert_eq!(revoked.revoke_time, Some(timestamp(clock.now())));
    assert!(!revoked.revoke_actor.is_empty());
    assert_eq!(shop.tiers_of(&ana).await, Vec::<String>::new());
    clock.advance(HOUR);
    assert_eq!(shop.revoke(&grant).await, revoked, "again changes nothing");
    assert_eq!(shop.grants(&ana).await, [revoked]);
    let told = shop.changes_when(&ana, 2).await;
    assert_eq!((told[0].2, told[1].2), ("GRANTED", "GRANT_REVOKED"));
    assert_eq!(shop.heard(&ana).await.len(), 2);
}

#[tokio::test]
async fn a_grant_ends_at_its_instant_and_what_was_earned_meanwhile_stays() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(metals(), 0).await;
    let ana = shop.enrol(&[]).await;
    let end = clock.now() + TimeDelta::minutes(90);
    let request = granting(&ana, ("status", "gold"), Some(end));
    let first = shop
        .world
        .tiers(&shop.auth)
        .grant_tier(request.clone())
        .await
        .unwrap();
    let second = shop.world.tiers(&shop.auth).grant_tier(request).await.unwrap();
    assert!(!is_replayed(&first) && is_replayed(&second));
    assert_eq!(first.into_inner(), second.into_inner());
    shop.buy(&ana, 1_000, clock.now());
    let gold = shop.counted(&ana, "status", 1_000).await;
    assert_eq!(
        (gold.tier_code.as_str(), gold.earned_tier_code.as_str()),
        ("gold", "bronze")
    );
    assert_eq!(gold.next_change_time, Some(timestamp(end)));
    clock.set(end - TimeDelta::seconds(1));
    assert_eq!(shop.tiers_of(&ana).await, ["status/gold"]);
    clock.set(end);
    assert_eq!(shop.tiers_of(&ana).await, ["status/bronze"]);
    eventually("the end is told", async || {
        (shop.heard(&ana).await.len() == 2).then_some(())
    })
    .await;
    let ended = shop.changes(&ana).await.pop().expect("a change");
    assert_eq!(
        super::short(&ended),
        ("gold".to_owned(), "bronze".to_owned(), "GRANT_ENDED")
    );
    assert_eq!(ended.change_time, Some(timestamp(end)));
}

#[tokio::test]
async fn no_table_says_why_a_tier_was_granted() {
    let (shop, _clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(metals(), 0).await;
    let ana = shop.enrol(&[]).await;
    let request = granting(&ana, ("status", "gold"), None);
    let secret = request.reason.clone();
    shop.try_grant(request).await.expect("granted");
    assert_eq!(shop.grants(&ana).await[0].reason, secret);
    let hexadecimal: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let hexadecimal = hexadecimal.concat();
    for (table, rows) in shop.world.contents().await {
        let rows = rows.unwrap_or_default();
        assert!(!rows.contains(&secret) && !rows.contains(&hexadecimal), "{table}");
    }
}

#[tokio::test]
async fn nobody_gets_a_tier_that_is_not_there_nor_more_grants_than_may_be() {
    let (shop, _clock) = open_on(2026, 3, 2).await;
    shop.publish_ladder(metals(), 0).await;
    let (ana, vera) = (shop.enrol(&[]).await, shop.enrol(&[]).await);
    let before = shop.world.contents().await;
    let unknown = shop.try_grant(granting(&ana, ("status", "platinum"), None)).await;
    assert_refused(
        "no tier",
        unknown,
        Code::FailedPrecondition,
        ErrorReason::TierUnknown,
    );
    let nowhere = shop.try_grant(granting(&ana, ("ladder", "gold"), None)).await;
    assert_refused(
        "no ladder",
        nowhere,
        Code::NotFound,
        ErrorReason::ResourceNotFound,
    );
    assert_eq!(shop.world.contents().await, before);
    for _ in 0..20 {
        shop.try_grant(granting(&ana, ("status", "gold"), None))
            .await
            .expect("granted");
    }
    let more = shop.try_grant(granting(&ana, ("status", "silver"), None)).await;
    assert_refused(
        "one more",
        more,
        Code::FailedPrecondition,
        ErrorReason::CountExceeded,
    );
    status::set(&shop, &vera, pb::MemberStatus::Closed).await;
    let closed = shop.try_grant(granting(&vera, ("status", "gold"), None)).await;
    assert_refused(
        "closed",
        closed,
        Code::FailedPrecondition,
        ErrorReason::MemberNotActive,
    );
}
