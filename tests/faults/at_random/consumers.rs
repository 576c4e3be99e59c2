//! Consumers who follow the events: through one replica, through the other, and one who is cut off again and again.

use std::time::{Duration, Instant};

use fealty_client::EventsClient;
use fealty_proto::events::v1::event::Payload;
use fealty_proto::events::v1::{Event, WatchEventsRequest};
use fealty_tests::history::{Recorder, Told};
use fealty_tests::recorded::available_changes;
use fealty_tests::shop::config;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long the forgetful one follows before it begins anew at the place that it kept.
const FOLLOWS: Duration = Duration::from_millis(1_500);
/// What commits is told within that time, on a machine that checks a history meanwhile.
const TOLD_BOUND: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Those who follow.
pub struct Consumers {
    clients: [EventsClient; 2],
    recorder: Recorder,
    running: JoinSet<()>,
}

impl Consumers {
    /// Follow two replicas.
    pub fn start(urls: [String; 2], key: &str, recorder: &Recorder) -> Self {
        let clients = urls.map(|url| EventsClient::try_new(&config(&url, key)).expect("a client"));
        let mut running = JoinSet::new();
        for (index, client) in clients.iter().enumerate() {
            let (client, recorder) = (client.clone(), recorder.clone());
            running.spawn(async move { follow(&client, &recorder, &format!("replica {index}")).await });
        }
        running.spawn(follow_cut_off(clients.clone(), recorder.clone()));
        Self {
            clients,
            recorder: recorder.clone(),
            running,
        }
    }

    /// Waits until each has been told that many events, as long as that may take; and follows once more, from the
    /// beginning.
    pub async fn finish(mut self, count: usize) {
        let begun = Instant::now();
        while self.recorder.told_count_min() < count && begun.elapsed() < TOLD_BOUND {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        // What is doubled comes late.
        tokio::time::sleep(FOLLOWS).await;
        self.running.abort_all();
        while self.running.join_next().await.is_some() {}
        let again = follow(&self.clients[0], &self.recorder, "from the beginning");
        // It ends by itself only if it is told what it need not be told.
        let _ = timeout(FOLLOWS, again).await;
    }
}

async fn follow(client: &EventsClient, recorder: &Recorder, name: &str) {
    let mut stream = client.watch(WatchEventsRequest::default());
    recorder.told(name, Vec::new());
    loop {
        let answer = stream.next().await.expect("no waiting is in vain");
        recorder.told(name, answer.events.into_iter().map(told).collect());
    }
}

/// Keeps the token of each answer, as whoever applies events does, and goes on from it through the other replica.
async fn follow_cut_off(clients: [EventsClient; 2], recorder: Recorder) {
    let mut resume_token = String::new();
    recorder.told("cut off", Vec::new());
    for client in clients.iter().cycle() {
        let mut stream = client.watch(WatchEventsRequest {
            resume_token: resume_token.clone(),
            ..WatchEventsRequest::default()
        });
        let begun = Instant::now();
        while let Ok(answer) = timeout(FOLLOWS.saturating_sub(begun.elapsed()), stream.next()).await {
            let answer = answer.expect("no waiting is in vain");
            recorder.told("cut off", answer.events.into_iter().map(told).collect());
            resume_token = answer.resume_token;
        }
    }
}

fn told(event: Event) -> Told {
    let Some(Payload::TransactionPosted(posted)) = event.payload else {
        panic!("the ledger tells of transactions: {event:?}");
    };
    Told {
        owner_id: event.subject_id,
        version: event.version,
        available_changes: available_changes(&posted),
        transaction_id: posted.transaction_id,
    }
}
