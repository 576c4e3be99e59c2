//! Streams of events: whole, in order, of whom the caller may follow, and no longer than it may.

use std::collections::HashMap;
use std::time::Duration;

use fealty_client::CallError;
use fealty_postgres::database_timeline;
use fealty_postgres::events::EventPosition;
use fealty_proto::events::v1::{Event, EventType, WatchEventsRequest, WatchEventsResponse};
use fealty_proto::types::v1::ErrorReason;
use fealty_rpc::errors::reason_of;
use fealty_rpc::server::ServerConfig;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::feed::{
    Feed, PATIENCE, client, enrolled, events, everything, next, open, places, program, take, tier,
};

fn from(resume_token: &str) -> WatchEventsRequest {
    WatchEventsRequest {
        resume_token: resume_token.to_owned(),
        ..everything()
    }
}

fn assert_in_order(events: &[Event]) {
    let mut versions: HashMap<&str, i64> = HashMap::new();
    for event in events {
        let last = versions.entry(&event.subject_id).or_default();
        assert_eq!(event.version, *last + 1, "of {}", event.subject_id);
        *last += 1;
    }
}

/// The next event, however many tokens come before it.
async fn next_event(stream: &mut Streaming<WatchEventsResponse>) -> Result<Option<Event>, Status> {
    let event = async {
        loop {
            match stream.message().await? {
                None => return Ok(None),
                Some(answer) => {
                    if let Some(event) = answer.events.into_iter().next() {
                        return Ok(Some(event));
                    }
                }
            }
        }
    };
    timeout(PATIENCE, event).await.expect("in time")
}

/// How a stream ends.
async fn end(stream: &mut Streaming<WatchEventsResponse>) -> Result<(), Status> {
    let ended = async {
        while stream.message().await?.is_some() {}
        Ok(())
    };
    timeout(PATIENCE, ended).await.expect("it ends")
}

#[tokio::test]
async fn a_stream_shows_everything_in_order_and_goes_on_from_any_token() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let (program, subjects) = (program(), [(); 3].map(|()| Uuid::now_v7()));
    feed.append_each(program, &subjects, 250).await;
    let client = client(&replica, &feed.key(Some(program)));
    let mut stream = client.watch(everything());
    let mut answers = take(&mut stream, 250).await;
    // What comes while it follows comes too, woken or not.
    for round in 0..10 {
        feed.append_each(program, &subjects, 1).await;
        if round % 2 == 0 {
            replica.waker.wake();
        }
        answers.extend(take(&mut stream, 1).await);
    }
    let all = events(&answers);
    assert_eq!(all.len(), 260);
    assert_in_order(&all);
    assert!(all.iter().all(|event| event.program_id == program.to_string()));

    let mut seen = 0;
    for answer in &answers {
        seen += answer.events.len();
        let mut rest = client.watch(from(&answer.resume_token));
        if seen < all.len() {
            let taken = events(&take(&mut rest, all.len() - seen).await);
            assert_eq!(taken, all[seen..], "after {seen}");
        }
    }
}

#[tokio::test]
async fn a_stream_from_now_shows_what_comes_and_not_what_was() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let (program, subject) = (program(), Uuid::now_v7());
    feed.append_each(program, &[subject], 5).await;
    let client = client(&replica, &feed.key(Some(program)));
    // Readable, so that they are not of the future any more.
    take(&mut client.watch(everything()), 5).await;

    let mut stream = client.watch(WatchEventsRequest {
        from_now: true,
        ..everything()
    });
    let begun = next(&mut stream).await.expect("a token at once");
    assert_eq!(begun.events, []);
    feed.append_each(program, &[subject], 2).await;
    let come = events(&take(&mut stream, 2).await);
    assert_eq!(come.iter().map(|event| event.version).collect::<Vec<_>>(), [6, 7]);
    // The token of the beginning leads to the same.
    let again = events(&take(&mut client.watch(from(&begun.resume_token)), 2).await);
    assert_eq!(again, come);
}

#[tokio::test]
async fn streams_are_filtered_by_kind_and_by_subject_and_their_tokens_move_all_the_same() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let (program, one, other) = (program(), Uuid::now_v7(), Uuid::now_v7());
    for subject in [one, other] {
        feed.append(
            program,
            &[enrolled(subject), tier(subject, "silver"), tier(subject, "gold")],
        )
        .await;
    }
    let client = client(&replica, &feed.key(Some(program)));
    let of_kind = |kind: EventType| WatchEventsRequest {
        event_types: vec![kind.into()],
        ..everything()
    };
    let mut enrolments = client.watch(of_kind(EventType::MemberEnrolled));
    let come = take(&mut enrolments, 2).await;
    assert_eq!(
        places(&events(&come)),
        [(one.to_string(), 1), (other.to_string(), 1)]
    );
    let of_subject = WatchEventsRequest {
        subject_id: other.to_string(),
        ..everything()
    };
    let mut followed = client.watch(of_subject.clone());
    let come_of_other = take(&mut followed, 3).await;
    assert_eq!(
        places(&events(&come_of_other)),
        [1, 2, 3].map(|version| (other.to_string(), version))
    );

    // Nothing that matches, but what was passed over need not be passed over again.
    let before = come.last().expect("answers").resume_token.clone();
    feed.append(program, &[tier(one, "platinum")]).await;
    let moved = next(&mut enrolments).await.expect("a token");
    assert_eq!(moved.events, []);
    assert_ne!(moved.resume_token, before);
    feed.append(program, &[enrolled(one), tier(other, "none")]).await;
    let come = events(
        &take(
            &mut client.watch(WatchEventsRequest {
                resume_token: moved.resume_token,
                ..of_kind(EventType::MemberEnrolled)
            }),
            1,
        )
        .await,
    );
    assert_eq!(places(&come), [(one.to_string(), 5)]);
    let come = events(&take(&mut followed, 1).await);
    assert_eq!(places(&come), [(other.to_string(), 4)]);
    // A filter by both.
    let both = WatchEventsRequest {
        event_types: vec![EventType::MemberTierChanged.into()],
        ..of_subject
    };
    let come = events(&take(&mut client.watch(both), 3).await);
    assert_eq!(
        places(&come),
        [2, 3, 4].map(|version| (other.to_string(), version))
    );
}

#[tokio::test]
async fn a_key_of_a_program_follows_that_program_and_one_of_the_suite_what_it_names_or_all() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let (ours, theirs) = (program(), program());
    // Both know the same subject.
    let subject = Uuid::now_v7();
    for program in [ours, theirs, ours, theirs] {
        feed.append(program, &[tier(subject, "gold")]).await;
    }
    let of =
        |events: &[Event]| -> Vec<String> { events.iter().map(|event| event.program_id.clone()).collect() };
    let suite = client(&replica, &feed.key(None));
    let all = events(&take(&mut suite.watch(everything()), 4).await);
    assert_eq!(
        of(&all),
        [ours, theirs, ours, theirs].map(|program| program.to_string())
    );

    let program_key = client(&replica, &feed.key(Some(ours)));
    let in_suite = suite.for_program(ours);
    let of_subject = WatchEventsRequest {
        subject_id: subject.to_string(),
        ..everything()
    };
    let mut ours_count = 2;
    for client in [&program_key, &in_suite] {
        for request in [everything(), of_subject.clone()] {
            let mut stream = client.watch(request);
            let come = events(&take(&mut stream, ours_count).await);
            assert_eq!(of(&come), vec![ours.to_string(); ours_count]);
            // Also live: theirs is passed over, ours comes.
            feed.append(theirs, &[tier(subject, "silver")]).await;
            feed.append(ours, &[tier(subject, "silver")]).await;
            ours_count += 1;
            let come = events(&take(&mut stream, 1).await);
            assert_eq!(of(&come), [ours.to_string()]);
        }
    }
    // The other program's place is no secret, and no way in.
    let token = take(&mut suite.watch(everything()), 2)
        .await
        .remove(0)
        .resume_token;
    feed.append(theirs, &[tier(subject, "gold")]).await;
    feed.append(ours, &[tier(subject, "gold")]).await;
    let come = events(&take(&mut program_key.watch(from(&token)), 1).await);
    assert!(of(&come).iter().all(|program| *program == ours.to_string()));
    let mut foreign = program_key.for_program(theirs).watch(everything());
    let refused = next(&mut foreign).await.expect_err("a foreign program");
    assert_eq!(refused.reason, Some(ErrorReason::ProgramDenied));
}

#[tokio::test]
async fn who_reads_slowly_holds_nobody_up_and_misses_nothing() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let (program, subjects) = (program(), [(); 5].map(|()| Uuid::now_v7()));
    let key = feed.key(Some(program));
    feed.append_each(program, &subjects[..1], 1).await;
    let mut slow = open(&replica, &key, everything()).await.expect("a stream");
    let first = next_event(&mut slow)
        .await
        .expect("no refusal")
        .expect("an event");

    // More than is kept in memory, and more than fits into what lies between: it is not read any more.
    let mut quick = client(&replica, &key).watch(everything());
    take(&mut quick, 1).await;
    for _ in 0..60 {
        let batch: Vec<_> = (0..100).map(|index| tier(subjects[index % 5], "gold")).collect();
        feed.append(program, &batch).await;
        replica.waker.wake();
        take(&mut quick, 100).await;
    }

    let mut versions = HashMap::from([(first.subject_id, first.version)]);
    let mut count = 1;
    while count < 6_001 {
        let answer = timeout(PATIENCE, slow.message()).await.expect("in time");
        for event in answer.expect("no refusal").expect("no end").events {
            let last = versions.entry(event.subject_id).or_default();
            assert_eq!(event.version, *last + 1);
            *last += 1;
            count += 1;
        }
    }
}

#[tokio::test]
async fn a_malformed_request_is_refused_with_everything_that_is_wrong() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let client_of = |key| client(&replica, &key);
    let program_key = client_of(feed.key(Some(program())));
    let refusal = async |request: WatchEventsRequest| -> CallError {
        next(&mut program_key.watch(request))
            .await
            .expect_err("a refusal")
    };
    let refused = refusal(WatchEventsRequest {
        resume_token: "x".to_owned(),
        event_types: vec![1, 0, 99],
        subject_id: "nobody".to_owned(),
        from_now: true,
    })
    .await;
    assert_eq!(refused.code, Code::InvalidArgument);
    let fields: Vec<&str> = refused.fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(
        fields,
        ["event_types[1]", "event_types[2]", "subject_id", "from_now"]
    );
    let refused = refusal(WatchEventsRequest {
        event_types: vec![1; 33],
        ..everything()
    })
    .await;
    assert_eq!(refused.fields[0].field, "event_types");

    let other = Feed::new().await;
    let elsewhere = database_timeline(&other.database.jobs).await.expect("a timeline");
    for token in ["x", &EventPosition::START.encode(elsewhere)] {
        let refused = refusal(from(token)).await;
        assert_eq!(refused.code, Code::OutOfRange);
        assert_eq!(refused.reason, Some(ErrorReason::ResumeTokenInvalid));
    }
    // A subject is known within a program only.
    let suite = client_of(feed.key(None));
    let of_subject = WatchEventsRequest {
        subject_id: Uuid::now_v7().to_string(),
        ..everything()
    };
    let refused = next(&mut suite.watch(of_subject)).await.expect_err("no program");
    assert_eq!(refused.reason, Some(ErrorReason::ProgramRequired));
}

#[tokio::test]
async fn a_stream_ends_within_five_seconds_when_its_key_is_revoked() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let (program, subject) = (program(), Uuid::now_v7());
    let key = feed.key(Some(program));
    let mut stream = open(&replica, &key, everything()).await.expect("a stream");
    feed.append(program, &[enrolled(subject)]).await;
    assert!(next_event(&mut stream).await.expect("no refusal").is_some());
    feed.revoke(&key);
    let refused = end(&mut stream)
        .await
        .expect_err("a refusal, and no end in good order");
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(reason_of(&refused), Some(ErrorReason::KeyRevoked));
    let again = open(&replica, &key, everything()).await.expect_err("a refusal");
    assert_eq!(again.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn one_stream_too_many_is_refused_with_a_time_to_come_back() {
    let feed = Feed::new().await;
    let replica = feed
        .serve_with(ServerConfig {
            streams_max: 2,
            ..ServerConfig::default()
        })
        .await;
    let key = feed.key(Some(program()));
    let one = open(&replica, &key, everything()).await.expect("a stream");
    let _other = open(&replica, &key, everything()).await.expect("a stream");
    let refused = open(&replica, &key, everything())
        .await
        .expect_err("one too many");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.get_details_retry_info().is_some());
    // A place becomes free with its stream.
    drop(one);
    let begun = Instant::now();
    while open(&replica, &key, everything()).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the place does not become free");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn streams_end_at_their_age_and_at_the_soft_end_and_the_client_loses_nothing() {
    let feed = Feed::new().await;
    let ageing = ServerConfig {
        stream_age_max_ms: 100,
        ..ServerConfig::default()
    };
    let replica = feed.serve_with(ageing).await;
    let (program, subject) = (program(), Uuid::now_v7());
    let key = feed.key(Some(program));
    let mut stream = client(&replica, &key).watch(everything());
    let mut seen = Vec::new();
    for _ in 0..20 {
        feed.append(program, &[tier(subject, "gold")]).await;
        seen.extend(events(&take(&mut stream, 1).await));
        sleep(Duration::from_millis(30)).await;
    }
    assert_in_order(&seen);
    assert_eq!(seen.len(), 20);
    let mut raw = open(&replica, &key, everything()).await.expect("a stream");
    end(&mut raw).await.expect("at its age it ends in good order");

    let replica = feed.serve().await;
    let mut raw = open(&replica, &key, everything()).await.expect("a stream");
    assert!(next_event(&mut raw).await.expect("no refusal").is_some());
    replica.closing.cancel();
    end(&mut raw)
        .await
        .expect("at the soft end it ends in good order");
    let refused = open(&replica, &key, everything()).await.expect_err("no new ones");
    assert_eq!(refused.code(), Code::Unavailable);
}

#[tokio::test]
async fn the_callers_own_deadline_ends_its_stream() {
    let feed = Feed::new().await;
    let replica = feed.serve().await;
    let key = feed.key(Some(program()));
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", replica.address))
        .expect("a URI")
        .connect()
        .await
        .expect("a connection");
    let mut request = tonic::Request::new(everything());
    let value = format!("Bearer {}", key.expose()).parse().expect("a header");
    request.metadata_mut().insert("authorization", value);
    // By the header alone, so that it is the server that keeps it.
    request
        .metadata_mut()
        .insert("grpc-timeout", "300m".parse().expect("a header"));
    let opened = fealty_proto::events::v1::event_service_client::EventServiceClient::new(channel)
        .watch_events(request)
        .await;
    let refused = match opened {
        Ok(stream) => end(&mut stream.into_inner()).await.expect_err("its time is over"),
        Err(refused) => refused,
    };
    assert_eq!(refused.code(), Code::DeadlineExceeded);
}
