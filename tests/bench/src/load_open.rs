//! Load in an open loop: calls begin when they are due, whether those before them have been answered or not, and how long
//! one took is counted from when it was due. A service that stalls is not asked less meanwhile, and its stall is seen in
//! every call that fell into it.

use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::{JoinSet, spawn_blocking};
use tonic::Status;

use crate::load::{Caller, Kind, Measured};
use crate::options::Round;

/// Callers who wait at the same time. What is due while so many wait is counted as refused: the service is not up to the
/// rate then, and the queue would only grow.
const WAITING_MAX: usize = 20_000;

/// How long after the last call its answer is waited for: longer than a call's own deadline.
const LAST_ANSWER_BOUND: Duration = Duration::from_secs(15);

type Answer = (Instant, Instant, Option<Result<Kind, Status>>);

/// Begins a call every `1 / per_second` for a round.
pub async fn open_loop<C: Caller>(
    per_second: f64,
    round: Round,
    caller: impl Fn(u64) -> C + Send + 'static,
) -> Measured {
    let runtime = Handle::current();
    // A thread of its own, because the runtime's timer is a millisecond coarse.
    let begun = spawn_blocking(move || keep_beginning(&runtime, per_second, round, caller)).await;
    let mut loop_ = begun.expect("the schedule does not panic");
    let last = tokio::time::timeout(LAST_ANSWER_BOUND, async {
        while let Some(answer) = loop_.waiting.join_next().await {
            loop_.take(answer.expect("a caller does not panic"));
        }
    });
    if last.await.is_err() {
        loop_.measured.note_refusal(&Status::unknown("never answered"));
    }
    loop_.measured.took = round.measured;
    loop_.measured
}

/// What is under way.
struct OpenLoop {
    begin: Instant,
    waiting: JoinSet<Answer>,
    measured: Measured,
}

fn keep_beginning<C: Caller>(
    runtime: &Handle,
    per_second: f64,
    round: Round,
    caller: impl Fn(u64) -> C,
) -> OpenLoop {
    let start = Instant::now();
    let mut loop_ = OpenLoop {
        begin: start + round.warm_up,
        waiting: JoinSet::new(),
        measured: Measured::default(),
    };
    let end = loop_.begin + round.measured;
    let mut number = 0;
    loop {
        let due = start + Duration::from_secs_f64(crate::load::as_f64(number) / per_second);
        if due >= end {
            return loop_;
        }
        while let Some(answer) = loop_.waiting.try_join_next() {
            loop_.take(answer.expect("a caller does not panic"));
        }
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            thread::sleep(early);
        }
        if loop_.waiting.len() < WAITING_MAX {
            let mut caller = caller(number);
            let begun = async move {
                let answer = caller.call().await;
                (due, Instant::now(), answer)
            };
            loop_.waiting.spawn_on(begun, runtime);
        } else {
            let full = Status::resource_exhausted("too many wait already");
            loop_.measured.note_refusal(&full);
        }
        number += 1;
    }
}

impl OpenLoop {
    fn take(&mut self, (due, answered, answer): Answer) {
        match answer {
            Some(Ok(kind)) => {
                self.measured.answered_count += 1;
                if due >= self.begin {
                    self.measured.note(kind, answered - due);
                }
            }
            Some(Err(status)) => self.measured.note_refusal(&status),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that stalls now and then, as a service would.
    struct Stalling(u64);

    impl Caller for Stalling {
        async fn call(&mut self) -> Option<Result<Kind, Status>> {
            if self.0 == 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Some(Ok(Kind::Read))
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn calls_begin_when_they_are_due() {
        let round = Round {
            warm_up: Duration::ZERO,
            measured: Duration::from_millis(500),
        };
        let measured = open_loop(200.0, round, Stalling).await;
        assert_eq!(measured.reads.count(), 100);
        assert!(
            measured.latencies().percentile_ms(100) >= 100.0,
            "the stall is seen"
        );
        assert_eq!(measured.refused_count, 0);
    }
}
