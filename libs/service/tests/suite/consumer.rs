//! Consumers apply each event once and in order, whatever happens to them, and what is poison stops nobody else.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fealty_postgres::events::EventPosition;
use fealty_postgres::{StorageError, database_timeline};
use fealty_proto::events::v1::Event;
use fealty_proto::events::v1::event::Payload;
use fealty_service::consumer::{ConsumeError, Consumer, Handler, Source};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::PgConnection;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use crate::feed::{Feed, Replica, client, program, tier};
use crate::probe::until;

const NAME: &str = "effects";

/// Notes each event that it applies.
#[derive(Clone, Default)]
struct Effects {
    /// Whether it can apply what is poison.
    mended: Arc<AtomicBool>,
    /// How often it still says that it cannot now.
    not_now: Arc<AtomicUsize>,
}

impl Handler for Effects {
    async fn apply_in_tx(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ConsumeError> {
        let subject_id: Uuid = event.subject_id.parse().expect("a UUID");
        // Written before it is known to be poison: nothing of it may stay.
        sqlx::query("INSERT INTO applied (subject_id, version) VALUES ($1, $2)")
            .bind(subject_id)
            .bind(event.version)
            .execute(&mut *tx)
            .await?;
        let waits = self
            .not_now
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if waits.is_ok() {
            return Err(ConsumeError::Transient("not now".to_owned()));
        }
        let Some(Payload::MemberTierChanged(changed)) = &event.payload else {
            return Ok(());
        };
        if self.mended.load(Ordering::SeqCst) {
            return Ok(());
        }
        match changed.tier_code.as_str() {
            "poison" => Err(ConsumeError::Poison("there is no such tier".to_owned())),
            "data" => {
                sqlx::query("SELECT 1 / 0").execute(tx).await?;
                Ok(())
            }
            "panic" => panic!("the handler met the tier of doom"),
            _ => Ok(()),
        }
    }
}

fn consumer(feed: &Feed, replica: &Replica, handler: Effects) -> Consumer<Effects> {
    let source = Source {
        events: client(replica, &feed.key(None)),
        event_types: Vec::new(),
    };
    Consumer::new(NAME, source, &feed.ground, handler)
}

/// What was applied, in the order in which it was.
async fn applied(feed: &Feed) -> Vec<(Uuid, i64)> {
    sqlx::query_as("SELECT subject_id, version FROM applied ORDER BY sequence")
        .fetch_all(&feed.database.owner)
        .await
        .expect("read")
}

async fn parked(feed: &Feed) -> Vec<(Uuid, i64, String)> {
    sqlx::query_as("SELECT subject_id, version, error FROM parked_event ORDER BY subject_id, version")
        .fetch_all(&feed.database.owner)
        .await
        .expect("read")
}

fn assert_each_once_in_order(applied: &[(Uuid, i64)]) {
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    for (subject, version) in applied {
        let last = versions.entry(*subject).or_default();
        assert_eq!(*version, *last + 1, "of {subject}, after {last}");
        *last += 1;
    }
}

/// Kills two replicas of a consumer at random moments while events keep coming.
async fn kill_and_restart(seed: u64) {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let program = program();
    let subjects: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
    let mut random = StdRng::seed_from_u64(seed);
    let mut total = 0;
    for _ in 0..25 {
        let mut replicas = JoinSet::new();
        for _ in 0..2 {
            replicas.spawn(consumer(&feed, &replica, Effects::default()).keep_consuming());
        }
        for _ in 0..random.random_range(1..6) {
            let batch: Vec<_> = (0..random.random_range(1..8))
                .map(|_| tier(subjects[random.random_range(0..4)], "gold"))
                .collect();
            total += batch.len();
            feed.append(program, &batch).await;
            replica.waker.wake();
            sleep(Duration::from_micros(random.random_range(0..15_000))).await;
        }
        // Dropped wherever they are: in a statement, before a commit, between a commit and its answer.
        replicas.abort_all();
        while replicas.join_next().await.is_some() {}
    }
    let mut last = JoinSet::new();
    last.spawn(consumer(&feed, &replica, Effects::default()).keep_consuming());
    until("everything is applied", async || {
        applied(&feed).await.len() >= total
    })
    .await;
    let applied = applied(&feed).await;
    assert_eq!(applied.len(), total, "each once, with seed {seed}");
    assert_each_once_in_order(&applied);
}

#[tokio::test]
async fn two_replicas_that_are_killed_at_any_moment_apply_each_event_once_and_in_order() {
    for seed in 0..6 {
        kill_and_restart(seed).await;
    }
}

#[tokio::test]
async fn a_replica_takes_over_when_the_one_that_leads_dies() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let (program, subject) = (program(), Uuid::now_v7());
    let mut replicas: Vec<JoinSet<()>> = (0..2)
        .map(|_| {
            let mut running = JoinSet::new();
            running.spawn(consumer(&feed, &replica, Effects::default()).keep_consuming());
            running
        })
        .collect();
    let mut total = 0;
    for _ in 0..20 {
        feed.append(program, &[tier(subject, "gold")]).await;
        total += 1;
    }
    until("the two apply", async || applied(&feed).await.len() >= total).await;
    for survivor in [0, 1] {
        replicas[1 - survivor].abort_all();
        feed.append(program, &[tier(subject, "gold")]).await;
        total += 1;
        until("one applies alone", async || applied(&feed).await.len() >= total).await;
        replicas[1 - survivor].spawn(consumer(&feed, &replica, Effects::default()).keep_consuming());
    }
    assert_each_once_in_order(&applied(&feed).await);
}

#[tokio::test]
async fn poison_parks_its_subject_alone_and_comes_back_in_order_when_it_is_mended() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let program = program();
    let sick: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
    let sound = Uuid::now_v7();
    for (subject, poison) in sick.iter().zip(["poison", "data", "panic"]) {
        feed.append(
            program,
            &[
                tier(*subject, "silver"),
                tier(sound, "silver"),
                tier(*subject, poison),
                tier(*subject, "gold"),
                tier(sound, "gold"),
            ],
        )
        .await;
    }
    let effects = Effects::default();
    let consumer = consumer(&feed, &replica, effects.clone());
    let mut running = JoinSet::new();
    running.spawn(consumer.clone().keep_consuming());
    running.spawn(consumer.keep_retrying());
    until("the sound are applied", async || applied(&feed).await.len() >= 9).await;
    // Later events go behind the parked ones, and the sound go on.
    for subject in &sick {
        feed.append(program, &[tier(*subject, "platinum"), tier(sound, "platinum")])
            .await;
    }
    until("the sound go on", async || applied(&feed).await.len() >= 12).await;
    until("the sick wait", async || parked(&feed).await.len() == 9).await;
    let waiting = parked(&feed).await;
    for subject in &sick {
        let of_subject: Vec<&(Uuid, i64, String)> =
            waiting.iter().filter(|(parked, ..)| parked == subject).collect();
        let versions: Vec<i64> = of_subject.iter().map(|(_, version, _)| *version).collect();
        assert_eq!(versions, [2, 3, 4]);
        assert!(!of_subject[0].2.is_empty(), "the first says what was wrong");
        assert!(of_subject[1].2.is_empty(), "the next only wait");
    }
    let before = applied(&feed).await;
    assert_eq!(before.len(), 12, "nothing of what failed has stayed");
    assert_each_once_in_order(&before);

    effects.mended.store(true, Ordering::SeqCst);
    until("the sick are well", async || parked(&feed).await.is_empty()).await;
    // And what comes next is applied as if nothing had been.
    for subject in &sick {
        feed.append(program, &[tier(*subject, "gold")]).await;
    }
    until("all is applied", async || applied(&feed).await.len() >= 24).await;
    let after = applied(&feed).await;
    assert_eq!(after.len(), 24);
    assert_each_once_in_order(&after);
}

#[tokio::test]
async fn parked_poison_is_tried_again_and_stays_while_it_is_not_mended() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let subject = Uuid::now_v7();
    feed.append(program(), &[tier(subject, "poison"), tier(subject, "gold")])
        .await;
    let consumer = consumer(&feed, &replica, Effects::default());
    let mut running = JoinSet::new();
    running.spawn(consumer.clone().keep_consuming());
    running.spawn(consumer.keep_retrying());
    until("it was tried three times", async || {
        let attempts: Option<i32> = sqlx::query_scalar("SELECT max(attempts) FROM parked_event")
            .fetch_one(&feed.database.owner)
            .await
            .expect("read");
        attempts.is_some_and(|attempts| attempts >= 3)
    })
    .await;
    assert_eq!(parked(&feed).await.len(), 2);
    assert_eq!(applied(&feed).await, []);
}

#[tokio::test]
async fn a_parked_subject_that_cannot_even_be_read_holds_up_no_other() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let (broken, sick) = (Uuid::now_v7(), Uuid::now_v7());
    feed.append(program(), &[tier(broken, "poison"), tier(sick, "poison")])
        .await;
    let effects = Effects::default();
    let consumer = consumer(&feed, &replica, effects.clone());
    let mut running = JoinSet::new();
    running.spawn(consumer.clone().keep_consuming());
    until("both are parked", async || parked(&feed).await.len() == 2).await;
    // It has waited longest, so it comes first each time.
    sqlx::query(
        "UPDATE parked_event SET event = '\\xff', next_try_time = now() - interval '1 hour' \
         WHERE subject_id = $1",
    )
    .bind(broken)
    .execute(&feed.database.owner)
    .await
    .expect("broken");
    effects.mended.store(true, Ordering::SeqCst);
    running.spawn(consumer.keep_retrying());
    until("the other is well", async || parked(&feed).await.len() == 1).await;
    assert_eq!(applied(&feed).await, [(sick, 1)]);
    assert_eq!(parked(&feed).await[0].0, broken);
}

#[tokio::test]
async fn what_cannot_be_applied_now_stops_the_feed_and_loses_nothing() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let (program, subjects) = (program(), [Uuid::now_v7(), Uuid::now_v7()]);
    feed.append_each(program, &subjects, 10).await;
    let effects = Effects::default();
    effects.not_now.store(4, Ordering::SeqCst);
    let mut running = JoinSet::new();
    running.spawn(consumer(&feed, &replica, effects.clone()).keep_consuming());
    until("all is applied", async || applied(&feed).await.len() >= 10).await;
    assert_eq!(effects.not_now.load(Ordering::SeqCst), 0);
    let applied = applied(&feed).await;
    assert_eq!(applied.len(), 10);
    assert_each_once_in_order(&applied);
    assert_eq!(parked(&feed).await, []);
}

/// Puts the consumer at a position that the followed service does not know: it was restored.
async fn plant_other_history(feed: &Feed) {
    let elsewhere = Feed::new().await;
    let timeline = database_timeline(&elsewhere.database.jobs)
        .await
        .expect("a timeline");
    sqlx::query(
        "INSERT INTO feed_position VALUES ($1, $2, now()) \
         ON CONFLICT (feed) DO UPDATE SET resume_token = EXCLUDED.resume_token",
    )
    .bind(NAME)
    .bind(EventPosition::before(i64::MAX).encode(timeline))
    .execute(&feed.database.owner)
    .await
    .expect("planted");
}

#[tokio::test]
async fn a_position_of_another_history_starts_over() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let subject = Uuid::now_v7();
    feed.append_each(program(), &[subject], 3).await;
    plant_other_history(&feed).await;
    let mut running = JoinSet::new();
    running.spawn(consumer(&feed, &replica, Effects::default()).keep_consuming());
    until("all of it comes", async || applied(&feed).await.len() >= 3).await;
    assert_each_once_in_order(&applied(&feed).await);
}

#[tokio::test]
async fn a_parked_subject_whose_events_come_again_from_the_first_is_tried_again() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let subject = Uuid::now_v7();
    feed.append(program(), &[tier(subject, "silver"), tier(subject, "poison")])
        .await;
    let effects = Effects::default();
    let mut running = JoinSet::new();
    running.spawn(consumer(&feed, &replica, effects.clone()).keep_consuming());
    until("it is parked", async || parked(&feed).await.len() == 1).await;
    running.shutdown().await;

    plant_other_history(&feed).await;
    sqlx::query("DELETE FROM applied")
        .execute(&feed.database.owner)
        .await
        .expect("emptied");
    running.spawn(consumer(&feed, &replica, effects.clone()).keep_consuming());
    until("the first waits, too", async || parked(&feed).await.len() == 2).await;
    effects.mended.store(true, Ordering::SeqCst);
    running.spawn(consumer(&feed, &replica, effects).keep_retrying());
    until("it is well", async || parked(&feed).await.is_empty()).await;
    assert_eq!(applied(&feed).await, [(subject, 1), (subject, 2)]);
}

#[test]
fn errors_of_the_data_are_poison_and_those_of_the_database_are_not() {
    let poison = StorageError::corrupt("event", "nonsense");
    assert!(matches!(ConsumeError::from(poison), ConsumeError::Poison(_)));
    let busy = StorageError::from(sqlx::Error::PoolTimedOut);
    assert!(matches!(ConsumeError::from(busy), ConsumeError::Storage(_)));
}
