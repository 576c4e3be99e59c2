//! The event feed: nobody skips an event, and each subject's come in order.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fealty_postgres::events::{
    EventFilter, EventPosition, EventQuery, NewEvent, StoredEvent, append_in_tx, horizon_in_tx, list_in_tx,
};
use fealty_postgres::testing::TestDatabase;
use fealty_postgres::{
    FeedTokenError, Scope, StorageError, TransactOptions, database_timeline, fences, in_tx, transact,
};
use fealty_telemetry::{Telemetry, trace_parent};
use fealty_types::{Clock, EventId, ProgramId, SystemClock};
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPool;
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::probe::{admin_url, migration, program, service};

/// Longest wait for what another test's transaction holds up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The tables as a service's migrations have them.
fn tables(of: &str) -> &'static str {
    Box::leak(of.replace("SERVICE", "probe").into_boxed_str())
}

async fn database() -> TestDatabase {
    let migrator = Migrator::with_migrations(vec![
        migration(1, tables(include_str!("../../src/events/event_tables.sql"))),
        migration(2, tables(include_str!("../../src/events/consumer_tables.sql"))),
    ]);
    TestDatabase::create(admin_url().await, &service(), &migrator)
        .await
        .expect("a database for the test")
}

fn subject() -> Uuid {
    Uuid::now_v7()
}

fn event(subject_id: Uuid) -> NewEvent {
    let now: DateTime<Utc> = SystemClock.now();
    NewEvent {
        event_id: EventId::generate_at(now),
        subject_id,
        event_type: 1,
        payload: Vec::new(),
        occur_time: now,
        record_time: now,
    }
}

/// A transaction that a test ends when it likes.
#[expect(
    clippy::disallowed_methods,
    reason = "these tests need transactions that stay open next to each other"
)]
async fn begin(pool: &PgPool, program: ProgramId) -> Transaction<'static, Postgres> {
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("SELECT set_config('app.program', $1, true)")
        .bind(program.to_string())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx
}

async fn append(pool: &PgPool, program: ProgramId, events: Vec<NewEvent>) {
    transact(
        pool,
        "append",
        Scope::Program(program),
        TransactOptions::default(),
        |tx| {
            let events = &events;
            in_tx(async move { append_in_tx(tx, program, events).await })
        },
    )
    .await
    .unwrap();
}

async fn page(
    connection: &mut PgConnection,
    after: EventPosition,
    filter: EventFilter,
    count_max: usize,
) -> Result<Vec<StoredEvent>, StorageError> {
    let horizon = horizon_in_tx(&mut *connection).await?;
    let query = EventQuery {
        after,
        horizon,
        filter,
        count_max,
    };
    list_in_tx(connection, query).await
}

async fn read(pool: &PgPool, after: EventPosition, filter: EventFilter) -> Vec<StoredEvent> {
    let mut connection = pool.acquire().await.unwrap();
    page(&mut connection, after, filter, 10_000).await.unwrap()
}

/// Reads until that many are there: an older transaction anywhere on the cluster, such as another test's, holds them up.
async fn read_until(pool: &PgPool, count: usize) -> Vec<StoredEvent> {
    let begun = Instant::now();
    loop {
        let events = read(pool, EventPosition::START, EventFilter::All).await;
        if events.len() >= count {
            return events;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{} of {count} events can be read",
            events.len()
        );
        sleep(Duration::from_millis(20)).await;
    }
}

fn places(events: &[StoredEvent]) -> Vec<(Uuid, i64)> {
    events
        .iter()
        .map(|event| (event.position.subject_id, event.position.version))
        .collect()
}

#[tokio::test]
async fn a_transaction_that_began_early_and_commits_late_is_not_skipped() {
    let database = database().await;
    let (pool, program) = (&database.service, program());
    let (first, second) = (subject(), subject());
    let mut early = begin(pool, program).await;
    append_in_tx(&mut early, program, &[event(first)]).await.unwrap();
    let mut late = begin(pool, program).await;
    append_in_tx(&mut late, program, &[event(second)]).await.unwrap();
    late.commit().await.unwrap();

    let while_open = read(&database.jobs, EventPosition::START, EventFilter::All).await;
    assert_eq!(while_open, [], "the late one waits for the early one");
    early.commit().await.unwrap();

    let events = read_until(&database.jobs, 2).await;
    assert_eq!(places(&events), [(first, 1), (second, 1)]);
    let rest = read(&database.jobs, events[0].position, EventFilter::All).await;
    assert_eq!(places(&rest), [(second, 1)]);
}

#[tokio::test]
async fn a_transaction_with_an_older_id_that_waited_for_the_subject_comes_after_the_one_it_waited_for() {
    let database = database().await;
    let (pool, program) = (&database.service, program());
    let subject = subject();
    // It gets its id by another write, such as the claim of its request, before it comes to the subject.
    let mut early = begin(pool, program).await;
    let early_xid: i64 = sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint")
        .fetch_one(&mut *early)
        .await
        .unwrap();
    let mut late = begin(pool, program).await;
    append_in_tx(&mut late, program, &[event(subject)]).await.unwrap();
    let appended = [event(subject)];
    let (waiting, ()) = tokio::join!(append_in_tx(&mut early, program, &appended), async {
        // The early one is in its wait for the lock by then; that it may not be yet changes nothing.
        sleep(Duration::from_millis(100)).await;
        late.commit().await.unwrap();
    });
    waiting.unwrap();
    early.commit().await.unwrap();

    let events = read_until(&database.jobs, 2).await;
    assert_eq!(
        places(&events),
        [(subject, 1), (subject, 2)],
        "in the order of the versions"
    );
    assert!(
        events[0].position.feed_xid > early_xid,
        "the one that waited has the older id"
    );
    assert_eq!(events[1].event_id, appended[0].event_id);
}

#[tokio::test]
async fn a_transaction_rolled_back_leaves_no_gap() {
    let database = database().await;
    let (pool, program, subject) = (&database.service, program(), subject());
    append(pool, program, vec![event(subject)]).await;
    let mut undone = begin(pool, program).await;
    append_in_tx(&mut undone, program, &[event(subject)])
        .await
        .unwrap();
    undone.rollback().await.unwrap();
    append(pool, program, vec![event(subject)]).await;
    let events = read_until(&database.jobs, 2).await;
    assert_eq!(places(&events), [(subject, 1), (subject, 2)]);
}

#[tokio::test]
async fn several_events_of_a_transaction_keep_their_order() {
    let database = database().await;
    let (pool, program) = (&database.service, program());
    let (one, other) = (subject(), subject());
    let appended = vec![event(other), event(one), event(one), event(other), event(one)];
    append(pool, program, appended.clone()).await;
    append(pool, program, vec![event(one)]).await;
    let events = read_until(&database.jobs, 6).await;
    let of = |subject: Uuid| -> Vec<EventId> {
        let of_subject = events.iter().filter(|event| event.position.subject_id == subject);
        of_subject.map(|event| event.event_id).collect()
    };
    assert_eq!(
        of(one)[..3],
        [1, 2, 4].map(|index: usize| appended[index].event_id)
    );
    assert_eq!(of(other), [0, 3].map(|index: usize| appended[index].event_id));
}

#[tokio::test]
async fn events_know_the_trace_that_they_were_written_in() {
    let traced = Telemetry::for_tests();
    let database = database().await;
    let (pool, program, subject) = (&database.service, program(), subject());
    let call = tracing::info_span!("call");
    let trace_id = fealty_telemetry::trace_id(&call).unwrap();
    append(pool, program, vec![event(subject), event(subject)])
        .instrument(call)
        .await;
    // A transaction begun outside of everything is traced by nobody.
    let mut untraced = begin(pool, program).await;
    assert_eq!(trace_parent(&tracing::Span::current()), None);
    append_in_tx(&mut untraced, program, &[event(subject)])
        .await
        .unwrap();
    untraced.commit().await.unwrap();

    let events = read_until(&database.jobs, 3).await;
    let places: Vec<Option<&str>> = events.iter().map(|event| event.trace_parent.as_deref()).collect();
    let written = traced
        .sink
        .wait_for_trace(&trace_id, PATIENCE, |spans| spans.len() >= 2)
        .await;
    let writer = written.iter().find(|span| span.name == "append").unwrap();
    let place = format!("00-{trace_id}-{}-01", writer.span_id);
    assert_eq!(places, [Some(place.as_str()), Some(&place), None]);
}

/// Events of a few subjects in two programs, which share one.
async fn mixed(database: &TestDatabase, programs: [ProgramId; 2]) -> Vec<StoredEvent> {
    let shared = subject();
    let subjects = [shared, subject(), subject()];
    let mut random = StdRng::seed_from_u64(7);
    let mut count = 0;
    for _ in 0..30 {
        let program = programs[random.random_range(0..2)];
        let events: Vec<NewEvent> = (0..random.random_range(1..4))
            .map(|_| event(subjects[random.random_range(0..3)]))
            .collect();
        count += events.len();
        append(&database.service, program, events).await;
    }
    // Both in one transaction of the jobs, as a migration gives them: the same number for the same subject.
    let options = TransactOptions::default();
    transact(&database.jobs, "append_both", Scope::Suite, options, |tx| {
        in_tx(async move {
            append_in_tx(&mut *tx, programs[0], &[event(shared)]).await?;
            append_in_tx(tx, programs[1], &[event(shared)]).await
        })
    })
    .await
    .unwrap();
    read_until(&database.jobs, count + 2).await
}

#[tokio::test]
async fn from_any_place_comes_exactly_the_rest() {
    let database = database().await;
    let programs = [program(), program()];
    let timeline = database_timeline(&database.jobs).await.unwrap();
    let all = mixed(&database, programs).await;
    let mut connection = database.jobs.acquire().await.unwrap();
    let subject = all[0].position.subject_id;
    let filters = [
        EventFilter::All,
        EventFilter::Program(programs[0]),
        EventFilter::Program(programs[1]),
        EventFilter::Subject(programs[0], subject),
        EventFilter::Subject(programs[1], subject),
    ];
    let wanted = |event: &StoredEvent, filter: EventFilter| match filter {
        EventFilter::All => true,
        EventFilter::Program(program) => event.position.program == program.as_uuid(),
        EventFilter::Subject(program, subject) => {
            event.position.program == program.as_uuid() && event.position.subject_id == subject
        }
    };
    for filter in filters {
        for index in 0..all.len() {
            let token = all[index].position.encode(timeline);
            let after = EventPosition::decode(&token, timeline).unwrap();
            let rest: Vec<StoredEvent> = all[index + 1..]
                .iter()
                .filter(|event| wanted(event, filter))
                .cloned()
                .collect();
            let read = page(&mut connection, after, filter, 1_000).await.unwrap();
            assert_eq!(read, rest, "{filter:?} from {index}");
            let some = page(&mut connection, after, filter, 2).await.unwrap();
            assert_eq!(
                some,
                rest[..rest.len().min(2)],
                "a page of {filter:?} from {index}"
            );
        }
    }
}

#[tokio::test]
async fn a_token_of_another_database_is_refused() {
    let (one, other) = (database().await, database().await);
    let token = EventPosition::before(9).encode(database_timeline(&one.jobs).await.unwrap());
    let elsewhere = database_timeline(&other.jobs).await.unwrap();
    assert_eq!(
        EventPosition::decode(&token, elsewhere),
        Err(FeedTokenError::OtherTimeline)
    );
}

#[tokio::test]
async fn the_fences_stand_around_events() {
    let database = database().await;
    let (program, stranger) = (program(), program());
    append(&database.service, program, vec![event(subject())]).await;
    read_until(&database.jobs, 1).await;
    assert_eq!(
        fences::violations(&database.jobs, &database.service_database)
            .await
            .unwrap(),
        Vec::<String>::new()
    );
    let leaks = fences::leaks(&database.service, &database.jobs, stranger)
        .await
        .unwrap();
    assert_eq!(leaks.seen, Vec::<String>::new());
    let mut tx = begin(&database.service, program).await;
    let changed = sqlx::query("UPDATE event SET event_type = 2")
        .execute(&mut *tx)
        .await;
    assert!(changed.is_err(), "an event is never changed");
}

/// Writes for a while: transactions that take their ids early, wait in between and meet on few subjects.
async fn write(pool: &PgPool, program: ProgramId, subjects: &[Uuid], seed: u64) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let mut count = 0;
    for _ in 0..15 {
        let mut tx = begin(pool, program).await;
        if random.random_bool(0.5) {
            sqlx::query("SELECT pg_current_xact_id()")
                .execute(&mut *tx)
                .await
                .unwrap();
            sleep(Duration::from_millis(random.random_range(0..8))).await;
        }
        let events: Vec<NewEvent> = (0..random.random_range(1..3))
            .map(|_| event(subjects[random.random_range(0..subjects.len())]))
            .collect();
        append_in_tx(&mut tx, program, &events).await.unwrap();
        sleep(Duration::from_millis(random.random_range(0..4))).await;
        if random.random_bool(0.8) {
            tx.commit().await.unwrap();
            count += events.len();
        } else {
            tx.rollback().await.unwrap();
        }
    }
    count
}

/// Follows until it is told how many there are, and has them.
async fn follow(url: &str, total: tokio::sync::watch::Receiver<Option<usize>>) -> Vec<StoredEvent> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut seen: Vec<StoredEvent> = Vec::new();
    let begun = Instant::now();
    loop {
        let after = seen.last().map_or(EventPosition::START, |event| event.position);
        seen.extend(page(&mut connection, after, EventFilter::All, 7).await.unwrap());
        if total.borrow().is_some_and(|total| seen.len() >= total) {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE * 2, "{} events were seen", seen.len());
    }
}

#[tokio::test]
async fn readers_beside_many_writers_see_each_event_once_and_each_subject_in_order() {
    let database = database().await;
    let program = program();
    let subjects: Vec<Uuid> = (0..4).map(|_| subject()).collect();
    let (tell, total) = tokio::sync::watch::channel(None);
    let url = database.urls.jobs.clone();
    let readers = join_all((0..3).map(|_| follow(&url, total.clone())));
    let writers = async {
        let counts = join_all((0..6).map(|seed| write(&database.service, program, &subjects, seed))).await;
        tell.send(Some(counts.into_iter().sum())).unwrap();
    };
    let (seen, ()) = tokio::join!(readers, writers);
    let everything = read(&database.jobs, EventPosition::START, EventFilter::All).await;
    for seen in seen {
        assert_eq!(seen, everything, "a reader saw each event once, in the one order");
    }
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    for event in &everything {
        let last = versions.entry(event.position.subject_id).or_default();
        assert_eq!(event.position.version, *last + 1);
        *last += 1;
    }
}
