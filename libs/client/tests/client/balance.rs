//! Many replicas behind one name: what callers notice when some go and some come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fealty_client::{CallError, ClientConfig, LedgerClient, RetryConfig};
use fealty_proto::ledger::v1::GetOwnerRequest;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::Code;

use crate::replica::{Moving, Replica};

/// Callers at once.
const CALLERS: usize = 16;
const DEADLINE: Duration = Duration::from_secs(4);
/// Longer than a call may take: whoever pauses before another attempt has failed.
const PAUSE: Duration = Duration::from_secs(5);
/// What happens by itself within a second is waited for so long, on a machine that is busy with everything else.
const BOUND: Duration = Duration::from_secs(20);

fn client(moving: &Moving, change: impl FnOnce(&mut ClientConfig)) -> LedgerClient {
    let mut config = ClientConfig::new("dns:///ledger:7102", "fealty_k_s");
    config.resolver = Arc::new(moving.clone());
    config.resolve_interval = Duration::from_millis(200);
    config.deadline = DEADLINE;
    config.retry = RetryConfig {
        pause_min: PAUSE,
        pause_max: PAUSE,
        ..RetryConfig::default()
    };
    change(&mut config);
    LedgerClient::try_new(&config).expect("a client")
}

async fn call(client: &LedgerClient) -> Result<(), CallError> {
    client.get_owner(GetOwnerRequest::default()).await.map(drop)
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < BOUND, "{what}: not within {BOUND:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Callers who call without a pause.
struct Load {
    stopping: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    callers: JoinSet<Result<(), CallError>>,
}

impl Load {
    fn start(client: &LedgerClient) -> Self {
        let (stopping, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (client, stopping, answered) = (client.clone(), Arc::clone(&stopping), Arc::clone(&answered));
            callers.spawn(async move {
                while !stopping.load(Ordering::SeqCst) {
                    call(&client).await?;
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                Ok(())
            });
        }
        Self {
            stopping,
            answered,
            callers,
        }
    }

    async fn answer(&self, count: usize) {
        let wanted = self.answered.load(Ordering::SeqCst) + count;
        eventually("calls are answered", || {
            self.answered.load(Ordering::SeqCst) >= wanted || self.callers.is_empty()
        })
        .await;
    }

    /// None has failed.
    async fn finish(mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        while let Some(ended) = self.callers.join_next().await {
            if let Err(error) = ended.expect("no caller panics") {
                panic!("a caller noticed: {error}, tried {}", error.attempt_count);
            }
        }
    }
}

#[tokio::test]
async fn a_killed_replica_is_left_and_an_added_one_is_found_without_a_failed_call() {
    let mut replicas = [Replica::start(), Replica::start(), Replica::start()];
    let moving = Moving::to(&replicas);
    let load = Load::start(&client(&moving, |_| {}));
    load.answer(600).await;
    for replica in &replicas {
        assert!(replica.call_count() >= 100, "{replicas:?}");
    }

    // Its name still stands for it: DNS is the last to know.
    replicas[0].kill();
    load.answer(300).await;

    let added = Replica::start();
    moving.move_to([&replicas[1], &replicas[2], &added]);
    eventually("the added one is called", || added.call_count() >= 100).await;
    load.finish().await;
}

#[tokio::test]
async fn a_replica_that_drains_is_left_without_a_second_attempt() {
    let replicas = [Replica::start(), Replica::start()];
    let moving = Moving::to(&replicas);
    let load = Load::start(&client(&moving, |config| config.retry.attempt_count_max = 1));
    load.answer(200).await;
    replicas[0].drain();
    load.answer(400).await;
    let left_at = replicas[0].call_count();
    load.answer(200).await;
    assert_eq!(replicas[0].call_count(), left_at, "nobody asks it any more");
    load.finish().await;
}

#[tokio::test]
async fn a_replica_that_is_unavailable_is_asked_now_and_then() {
    let replicas = [Replica::start(), Replica::start()];
    replicas[0].refuse();
    let moving = Moving::to(&replicas);
    let load = Load::start(&client(&moving, |_| {}));
    load.answer(1_000).await;
    load.finish().await;
    let (refused, answered) = (replicas[0].call_count(), replicas[1].call_count());
    assert!(refused >= 1, "it was in turn once");
    assert!(
        refused * 4 < answered,
        "{refused} calls refused, {answered} answered"
    );
}

#[tokio::test]
async fn calls_of_a_replica_that_froze_are_answered_by_another_within_their_deadline() {
    let replica = Replica::start();
    // The system takes connections for it, and nobody ever reads what they say.
    let frozen = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let frozen = frozen
        .local_addr()
        .map(|address| (address, frozen))
        .expect("bound");
    let endpoint = format!("http://{},http://{}", replica.address, frozen.0);
    let mut config = ClientConfig::new(endpoint, "fealty_k_s");
    config.retry.pause_min = PAUSE;
    config.retry.pause_max = PAUSE;
    let client = LedgerClient::try_new(&config).expect("a client");
    // Once both are connected, every other call goes to the frozen one.
    call(&client).await.expect("an answer");
    let mut calls = JoinSet::new();
    for _ in 0..CALLERS {
        let client = client.clone();
        calls.spawn(async move { call(&client).await });
    }
    for answered in calls.join_all().await {
        answered.expect("an answer in time");
    }
    assert_eq!(replica.call_count(), CALLERS + 1);
}

#[tokio::test]
async fn who_is_not_behind_the_name_any_more_is_not_called() {
    let replicas = [Replica::start(), Replica::start()];
    let moving = Moving::to(&replicas);
    let load = Load::start(&client(&moving, |_| {}));
    load.answer(100).await;
    moving.move_to([&replicas[1]]);
    let asked = moving.asked_count();
    eventually("the name is asked for again", || {
        moving.asked_count() >= asked + 2
    })
    .await;
    let left_at = replicas[0].call_count();
    load.answer(200).await;
    assert!(
        replicas[0].call_count() <= left_at + CALLERS,
        "only what was in flight"
    );
    load.finish().await;
}

#[tokio::test]
async fn a_service_that_moved_as_a_whole_is_found_at_its_new_place() {
    let mut old = Replica::start();
    let moving = Moving::to([&old]);
    // The name would not be asked for again within the call, were its connection not lost.
    let client = client(&moving, |config| {
        config.resolve_interval = BOUND * 10;
        config.deadline = BOUND;
        config.retry = RetryConfig::default();
    });
    call(&client).await.expect("an answer");
    old.kill();
    let new = Replica::start();
    moving.move_to([&new]);
    call(&client).await.expect("an answer from elsewhere");
    assert_eq!(new.call_count(), 1);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told_without_waiting_for_the_deadline() {
    let moving = Moving::default();
    let client = client(&moving, |config| config.retry.attempt_count_max = 1);
    let error = call(&client).await.expect_err("nowhere to go");
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.message.contains("ledger:7102 has no address"), "{error}");
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_and_made_again_when_somebody_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut config = ClientConfig::new(format!("http://{address}"), "fealty_k_s");
    config.deadline = Duration::from_millis(200);
    config.idle_max = Duration::from_millis(300);
    let client = LedgerClient::try_new(&config).expect("a client");
    for _ in 0..2 {
        let (called, accepted) = tokio::join!(call(&client), listener.accept());
        assert_eq!(called.expect_err("nobody answers").code, Code::DeadlineExceeded);
        let (mut stream, _) = accepted.expect("a connection");
        let mut said = Vec::new();
        let closed = timeout(BOUND, stream.read_to_end(&mut said)).await;
        closed
            .expect("it is closed in time")
            .expect("it is closed in order");
    }
}

#[tokio::test]
async fn names_of_a_list_are_all_used() {
    let replicas = [Replica::start(), Replica::start()];
    let endpoint = format!("http://{},http://{}", replicas[0].address, replicas[1].address);
    let load =
        Load::start(&LedgerClient::try_new(&ClientConfig::new(endpoint, "fealty_k_s")).expect("sound"));
    load.answer(200).await;
    load.finish().await;
    for replica in &replicas {
        assert!(replica.call_count() >= 50, "{replicas:?}");
    }
}
