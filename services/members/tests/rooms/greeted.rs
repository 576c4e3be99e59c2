//! Occasions as events: once for each member, occasion and year, when the day begins on their wall.

use chrono::{DateTime, TimeDelta, Utc};
use fealty_proto::events::v1::MemberOccasion;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::members::v1 as pb;
use fealty_types::Clock;

use crate::happened::happened_to;
use crate::harness::{eventually, request_id};
use crate::occasions::{day, joined, move_to, noon, set_member_days, set_program_days};
use crate::shop::Shop;

/// Enough for several steps of a day that is everybody's.
const MANY: usize = 1_050;

/// What somebody is greeted for: what, on which day, how many years.
async fn greeted(shop: &Shop, member: &pb::Member) -> Vec<(String, String, (i32, i32, i32), i32)> {
    let happened = happened_to(shop, &member.member_id).await.into_iter();
    let occasion = |payload| match payload {
        Payload::MemberOccasion(MemberOccasion {
            kind,
            day_code,
            date: Some(date),
            number,
        }) => Some((kind, day_code, (date.year, date.month, date.day), number)),
        _ => None,
    };
    happened.filter_map(occasion).collect()
}

/// Waits until nothing is left to be told.
async fn settled(shop: &Shop, date: &str) {
    let statement = "SELECT count(*) FILTER (WHERE done) > 0 AND count(*) = count(*) FILTER (WHERE done) \
                     FROM occasion_run WHERE due_date = $1::text::date";
    eventually("the day is told of", async || {
        let done: bool = sqlx::query_scalar(statement)
            .bind(date)
            .fetch_one(&shop.world.database.owner)
            .await
            .expect("runs");
        done.then_some(())
    })
    .await;
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

#[tokio::test]
async fn b3_an_occasion_is_an_event_once_in_a_year_through_two_replicas() {
    let (shop, clock) = Shop::open_with_clock().await;
    move_to(&clock, noon(day(2027, 5, 19)));
    settled(&shop, "2027-05-19").await;
    let ana = joined(&shop, Some(day(1990, 5, 21))).await;
    set_member_days(&shop, &ana, &[("wedding", day(0, 5, 21))])
        .await
        .unwrap();
    set_program_days(&shop, &[("company", day(0, 5, 21))]).await;
    let replica = shop.world.start_replica(std::sync::Arc::new(clock.clone())).await;
    move_to(&clock, noon(day(2027, 5, 20)));
    settled(&shop, "2027-05-20").await;
    assert!(greeted(&shop, &ana).await.is_empty());
    move_to(&clock, noon(day(2027, 5, 21)));
    settled(&shop, "2027-05-21").await;
    let on = |year, what: &str, code: &str| (what.to_owned(), code.to_owned(), (year, 5, 21), 0);
    let mut first = greeted(&shop, &ana).await;
    first.sort();
    let expected = |year| {
        [
            on(year, "BIRTHDAY", ""),
            on(year, "MEMBER_DAY", "wedding"),
            on(year, "PROGRAM_DAY", "company"),
        ]
    };
    assert_eq!(first, expected(2027));
    // Whoever moves their birthday to another day of the same year is not greeted for it again.
    let changed = pb::Member {
        member_id: ana.member_id.clone(),
        profile: Some(pb::Profile {
            birth_date: Some(day(1990, 5, 22)),
            ..Default::default()
        }),
        ..Default::default()
    };
    shop.update(changed, &["profile.birth_date"]).await.unwrap();
    move_to(&clock, noon(day(2027, 5, 22)));
    settled(&shop, "2027-05-22").await;
    assert_eq!(greeted(&shop, &ana).await.len(), 3);
    // A year later, and the anniversary of joining two days before it.
    clock.advance(noon(day(2028, 5, 19)) - clock.now());
    settled(&shop, "2028-05-19").await;
    let joining = greeted(&shop, &ana).await.pop().unwrap();
    assert_eq!(
        joining,
        ("JOINING_ANNIVERSARY".to_owned(), String::new(), (2028, 5, 19), 1)
    );
    drop(replica);
}

#[tokio::test]
async fn b3_a_day_begins_for_each_by_their_own_clock_and_what_was_missed_is_told_later() {
    let (shop, clock) = Shop::open_with_clock().await;
    move_to(&clock, utc("2027-05-19T12:00:00Z"));
    let (here, there) = (
        joined(&shop, Some(day(0, 5, 21))).await,
        joined(&shop, Some(day(0, 5, 21))).await,
    );
    let preferences = pb::SetContactPreferencesRequest {
        request_id: request_id(),
        preferences: Some(pb::ContactPreferences {
            member_id: there.member_id.clone(),
            time_zone: "Pacific/Auckland".to_owned(),
            ..Default::default()
        }),
    };
    shop.world
        .contacts(&shop.auth)
        .set_contact_preferences(preferences)
        .await
        .expect("set");
    // In Auckland the 21st begins at noon of the 20th by UTC; in London it is the 20th then.
    move_to(&clock, utc("2027-05-20T12:00:00Z"));
    settled(&shop, "2027-05-21").await;
    assert_eq!(greeted(&shop, &there).await.len(), 1);
    assert!(greeted(&shop, &here).await.is_empty());
    // The days until the 24th are missed, and told together: for each its own.
    move_to(&clock, utc("2027-05-24T09:00:00Z"));
    settled(&shop, "2027-05-24").await;
    settled(&shop, "2027-05-21").await;
    let told = greeted(&shop, &here).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].2, (2027, 5, 21));
    assert_eq!(greeted(&shop, &there).await.len(), 1);
    let occurred: DateTime<Utc> =
        sqlx::query_scalar("SELECT occur_time FROM event WHERE subject_id = $1 AND event_type = 24")
            .bind(here.member_id.parse::<uuid::Uuid>().unwrap())
            .fetch_one(&shop.world.database.owner)
            .await
            .unwrap();
    assert_eq!(
        occurred,
        utc("2027-05-20T23:00:00Z"),
        "it happened when the day began"
    );
}

#[tokio::test]
async fn b3_a_day_of_the_program_is_told_to_all_in_steps_and_to_nobody_twice() {
    let (shop, clock) = Shop::open_with_clock().await;
    move_to(&clock, noon(day(2027, 12, 30)));
    settled(&shop, "2027-12-30").await;
    set_program_days(&shop, &[("new_year", day(0, 1, 1))]).await;
    let ana = joined(&shop, None).await;
    // Copies of her: to enrol so many one by one takes too long for a test.
    let columns: Vec<String> = sqlx::query_scalar(
        "SELECT column_name::text FROM information_schema.columns \
         WHERE table_name = 'member' AND column_name <> 'member_id'",
    )
    .fetch_all(&shop.world.database.owner)
    .await
    .unwrap();
    let columns = columns.join(", ");
    let statement = format!(
        "INSERT INTO member (member_id, {columns}) SELECT gen_random_uuid(), {columns} FROM member, \
         generate_series(2, {MANY})"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&shop.world.database.owner)
        .await
        .unwrap();
    let replica = shop.world.start_replica(std::sync::Arc::new(clock.clone())).await;
    move_to(&clock, utc("2028-01-01T00:00:00Z") - TimeDelta::seconds(1));
    settled(&shop, "2027-12-31").await;
    let count = async || -> (i64, i64) {
        sqlx::query_as("SELECT count(*), count(DISTINCT subject_id) FROM event WHERE event_type = 24")
            .fetch_one(&shop.world.database.owner)
            .await
            .unwrap()
    };
    assert_eq!(count().await, (0, 0));
    clock.advance(TimeDelta::seconds(1));
    settled(&shop, "2028-01-01").await;
    let many = i64::try_from(MANY).unwrap();
    assert_eq!(count().await, (many, many));
    assert_eq!(greeted(&shop, &ana).await.len(), 1);
    drop(replica);
}

#[tokio::test]
async fn who_was_enrolled_before_days_were_noted_is_noted_by_itself() {
    let shop = Shop::open().await;
    let ana = joined(&shop, Some(day(1990, 5, 21))).await;
    for statement in ["DELETE FROM occasion_day", "UPDATE member SET days_noted = false"] {
        sqlx::query(statement)
            .execute(&shop.world.database.owner)
            .await
            .unwrap();
    }
    eventually("her days are noted", async || {
        let request = pb::ListDueOccasionsRequest {
            from_date: Some(day(2040, 5, 21)),
            kinds: vec![pb::OccasionKind::Birthday.into()],
            ..Default::default()
        };
        let due = shop.world.occasions(&shop.auth).list_due_occasions(request).await;
        let due = due.unwrap().into_inner().occasions;
        (due.len() == 1 && due[0].member_id == ana.member_id).then_some(())
    })
    .await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM member WHERE NOT days_noted")
        .fetch_one(&shop.world.database.owner)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
