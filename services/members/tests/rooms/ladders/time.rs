//! What time alone does.

use std::sync::Arc;

use chrono::TimeDelta;
use fealty_proto::access::v1::Scope;
use fealty_proto::members::v1 as pb;
use fealty_proto::members::v1::qualification::Period;
use fealty_types::Clock as _;

use super::{HOUR, ladder, metals, noon, open_on, spend, tier, timestamp};
use crate::harness::eventually;

/// B10: whoever asks past the instant is told what holds, though nobody could tell it yet; the history says since when.
#[tokio::test]
async fn b10_a_tier_falls_at_its_instant_whether_a_job_ran_or_not() {
    let (shop, clock) = open_on(2026, 6, 1).await;
    shop.publish_ladder(metals(), 0).await;
    let ana = shop.enrol(&[]).await;
    shop.buy(&ana, 20_000, clock.now());
    let gold = shop.counted(&ana, "status", 20_000).await;
    let end = noon(2028, 1, 1) - HOUR * 12;
    assert_eq!(
        (gold.tier_code.as_str(), gold.next_change_time),
        ("gold", Some(timestamp(end)))
    );

    // Whom somebody has locked, the job leaves alone.
    let mut held = shop.world.database.owner.acquire().await.expect("a connection");
    sqlx::raw_sql("BEGIN; SELECT 1 FROM member FOR UPDATE")
        .execute(&mut *held)
        .await
        .expect("locked");
    clock.set(noon(2027, 6, 1));
    let kept = shop.standing(&ana, "status").await;
    assert_eq!((kept.tier_code.as_str(), kept.balance), ("gold", 0));
    assert_eq!(kept.grace_until_time, Some(timestamp(end)));
    clock.set(end - TimeDelta::seconds(1));
    assert_eq!(shop.tiers_of(&ana).await, ["status/gold"]);
    assert!(shop.entitled(&ana, "limited-edition").await);
    clock.set(end);
    assert_eq!(shop.tiers_of(&ana).await, Vec::<String>::new());
    assert!(!shop.entitled(&ana, "limited-edition").await);
    let batch = pb::BatchGetMembersRequest {
        member_ids: vec![ana.member_id.clone()],
    };
    let batch = shop
        .world
        .members(&shop.auth)
        .batch_get_members(batch)
        .await
        .unwrap();
    assert_eq!(batch.into_inner().members[0].tiers, []);
    assert_eq!(shop.changes(&ana).await.len(), 1);

    clock.advance(HOUR);
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut *held)
        .await
        .expect("let go");
    eventually("the fall is told", async || {
        (shop.heard(&ana).await.len() == 2).then_some(())
    })
    .await;
    let fell = shop.changes(&ana).await.pop().expect("a change");
    assert_eq!(
        super::short(&fell),
        ("gold".to_owned(), String::new(), "GRACE_ENDED")
    );
    assert_eq!(fell.change_time, Some(timestamp(end)));
    assert_eq!(fell.record_time, Some(timestamp(clock.now())));
}

/// B10: the soft landing, one step after each grace.
#[tokio::test]
async fn b10_a_soft_landing_is_told_step_by_step_though_nobody_looked() {
    let (shop, clock) = open_on(2026, 3, 1).await;
    let how = pb::Qualification {
        grace_days: 10,
        landing: pb::TierLanding::OneStep.into(),
        ..spend(Period::RollingDays(30))
    };
    shop.publish_ladder(ladder("status", Some(how), metals().tiers), 0)
        .await;
    let ana = shop.enrol(&[]).await;
    shop.buy(&ana, 20_000, clock.now());
    shop.counted(&ana, "status", 20_000).await;
    clock.set(noon(2026, 4, 15));
    assert_eq!(shop.tiers_of(&ana).await, ["status/silver"]);
    // Everybody was away for two months; what is bought then is told after what time did.
    clock.set(noon(2026, 6, 1));
    shop.buy(&ana, 1_000, clock.now());
    shop.counted(&ana, "status", 1_000).await;
    let told = shop.changes_when(&ana, 5).await;
    let expected = [
        ("", "gold", "QUALIFIED"),
        ("gold", "silver", "GRACE_ENDED"),
        ("silver", "bronze", "GRACE_ENDED"),
        ("bronze", "", "GRACE_ENDED"),
        ("", "bronze", "QUALIFIED"),
    ];
    assert_eq!(
        told,
        expected.map(|(from, to, why)| (from.to_owned(), to.to_owned(), why))
    );
    let days: Vec<_> = shop
        .changes(&ana)
        .await
        .iter()
        .map(|change| change.change_time)
        .collect();
    // London is an hour ahead by then.
    let midnight = |month, day| Some(timestamp(noon(2026, month, day) - HOUR * 13));
    assert_eq!(days[1..4], [midnight(4, 10), midnight(4, 20), midnight(4, 30)]);
}

#[tokio::test]
async fn a_day_is_the_programs_and_a_leap_day_counts_twelve_months() {
    let (shop, clock) = open_on(2024, 2, 29).await;
    let how = spend(Period::RollingMonths(12));
    shop.publish_ladder(ladder("status", Some(how), vec![tier("bronze", 1_000, &[])]), 0)
        .await;
    let ana = shop.enrol(&[]).await;
    shop.buy(&ana, 1_000, clock.now());
    let bronze = shop.counted(&ana, "status", 1_000).await;
    assert_eq!(
        bronze.balance_until_time,
        Some(timestamp(noon(2025, 2, 28) - HOUR * 12))
    );
    assert_eq!(bronze.next_change_time, bronze.balance_until_time);
    clock.set(noon(2025, 2, 27) + HOUR * 11);
    assert_eq!(shop.tiers_of(&ana).await, ["status/bronze"]);
    clock.set(noon(2025, 2, 28) - HOUR * 12);
    assert_eq!(shop.tiers_of(&ana).await, Vec::<String>::new());
}

#[tokio::test]
async fn where_the_day_is_another_the_tier_is_that_days() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    let how = spend(Period::RollingDays(1));
    let tiers = vec![tier("bronze", 1_000, &[])];
    shop.publish_ladder(ladder("status", Some(how), tiers), 0).await;
    let ana = shop.enrol(&[]).await;
    shop.buy(&ana, 1_000, clock.now());
    shop.counted(&ana, "status", 1_000).await;
    assert_eq!(shop.tiers_of(&ana).await, ["status/bronze"]);
    let scopes = [Scope::ProgramsWrite];
    let operator = shop.world.suite_key(&scopes).await;
    let operator = operator.of_program(&shop.program.to_string());
    let program = pb::Program {
        time_zone: "Pacific/Auckland".to_owned(),
        ..pb::Program::default()
    };
    let request = pb::UpdateProgramRequest {
        program: Some(program),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["time_zone".to_owned()],
        }),
    };
    shop.world
        .programs(&operator)
        .update_program(request)
        .await
        .expect("moved");
    // There it is the next day already.
    assert_eq!(shop.tiers_of(&ana).await, Vec::<String>::new());
}

/// Two replicas do what time does: each change is told once.
#[tokio::test]
async fn two_replicas_tell_each_fall_once() {
    let (shop, clock) = open_on(2026, 3, 2).await;
    let _second = shop.world.start_replica(Arc::new(clock.clone())).await;
    shop.publish_ladder(metals(), 0).await;
    let mut members = Vec::new();
    for _ in 0..6 {
        let member = shop.enrol(&[]).await;
        shop.buy(&member, 5_000, clock.now());
        members.push(member);
    }
    for member in &members {
        shop.counted(member, "status", 5_000).await;
    }
    clock.set(noon(2028, 6, 1));
    for member in &members {
        let told = shop.changes_when(member, 2).await;
        assert_eq!(told[1], ("silver".to_owned(), String::new(), "GRACE_ENDED"));
    }
    // A round of the job later there is nothing more.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    for member in &members {
        assert_eq!(shop.heard(member).await.len(), 2);
    }
}

#[tokio::test]
async fn days_that_are_too_old_for_any_period_are_put_together() {
    let (shop, clock) = open_on(2020, 1, 1).await;
    shop.publish_ladder(metals(), 0).await;
    shop.publish_ladder(super::club(), 0).await;
    let ana = shop.enrol(&[]).await;
    for day in 1..=20 {
        clock.set(noon(2020, 1, day));
        shop.buy(&ana, 1_000, clock.now());
    }
    shop.counted(&ana, "status", 20_000).await;
    clock.set(noon(2026, 1, 1));
    shop.buy(&ana, 1_500, clock.now());
    let status = shop.counted(&ana, "status", 1_500).await;
    assert_eq!(status.tier_code, "bronze");
    assert_eq!(shop.standing(&ana, "club").await.balance, 21_500);
    let days: i64 = sqlx::query_scalar("SELECT count(DISTINCT day) FROM qualification_day")
        .fetch_one(&shop.world.database.owner)
        .await
        .expect("a count");
    assert_eq!(days, 2, "what was, and today");
    assert_eq!(shop.tiers_of(&ana).await, ["club/regulars", "status/bronze"]);
}
