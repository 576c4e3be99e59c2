//! Load in a closed loop: so many callers, each of whom calls again as soon as it is answered.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::Status;

use crate::latencies::Latencies;
use crate::options::Round;

/// How long who was refused stays away: what the service asks for at the least. Else a loop would call refusals.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// What was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something that is read.
    Read,
    /// Something that is written.
    Write,
}

/// One of many who call at the same time.
pub trait Caller: Send + 'static {
    /// Calls once; `None` when there is nothing left to do.
    fn call(&mut self) -> impl Future<Output = Option<Result<Kind, Status>>> + Send;
}

/// What came of a round.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Of reads that were answered in the measured time.
    pub reads: Latencies,
    /// Of writes that were answered in the measured time.
    pub writes: Latencies,
    /// The measured time, or shorter where there was nothing left to do.
    pub took: Duration,
    /// Answered over all, the warm-up included.
    pub answered_count: u64,
    /// Not answered well over all.
    pub refused_count: u64,
    /// The first refusal.
    pub refusal: Option<String>,
}

impl Measured {
    /// Calls per second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        let count = self.reads.count() + self.writes.count();
        if count == 0 {
            return 0.0;
        }
        as_f64(count) / self.took.as_secs_f64()
    }

    /// Of all calls.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        let mut all = self.reads.clone();
        all.add(&self.writes);
        all
    }

    pub(crate) fn note(&mut self, kind: Kind, took: Duration) {
        match kind {
            Kind::Read => self.reads.note(took),
            Kind::Write => self.writes.note(took),
        }
    }

    pub(crate) fn note_refusal(&mut self, status: &Status) {
        self.refused_count += 1;
        self.refusal
            .get_or_insert_with(|| format!("{:?}: {}", status.code(), status.message()));
    }

    fn add(&mut self, other: Self) {
        self.reads.add(&other.reads);
        self.writes.add(&other.writes);
        self.took = self.took.max(other.took);
        self.answered_count += other.answered_count;
        self.refused_count += other.refused_count;
        self.refusal = self.refusal.take().or(other.refusal);
    }
}

/// Keeps `in_flight` callers calling for a round, or until they have nothing left to do.
pub async fn closed_loop<C: Caller>(in_flight: usize, round: Round, caller: impl Fn(usize) -> C) -> Measured {
    let begin = Instant::now() + round.warm_up;
    let end = begin + round.measured;
    let mut calling = JoinSet::new();
    for number in 0..in_flight {
        calling.spawn(keep_calling(caller(number), begin, end));
    }
    let mut all = Measured::default();
    while let Some(measured) = calling.join_next().await {
        all.add(measured.expect("a caller does not panic"));
    }
    all
}

async fn keep_calling(mut caller: impl Caller, begin: Instant, end: Instant) -> Measured {
    let mut measured = Measured::default();
    let mut last = begin;
    loop {
        let asked = Instant::now();
        if asked >= end {
            measured.took = end - begin;
            return measured;
        }
        let Some(answer) = caller.call().await else {
            measured.took = last - begin;
            return measured;
        };
        let answered = Instant::now();
        match answer {
            Ok(kind) => {
                measured.answered_count += 1;
                if answered >= begin && answered <= end {
                    measured.note(kind, answered - asked);
                    last = answered;
                }
            }
            Err(status) => {
                measured.note_refusal(&status);
                sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sleeper {
        left: usize,
    }

    impl Caller for Sleeper {
        async fn call(&mut self) -> Option<Result<Kind, Status>> {
            self.left = self.left.checked_sub(1)?;
            sleep(Duration::from_millis(5)).await;
            if self.left == 0 {
                return Some(Err(Status::internal("the last one fails")));
            }
            Some(Ok(Kind::Write))
        }
    }

    #[tokio::test]
    async fn a_round_ends_when_there_is_nothing_left_to_do() {
        let round = Round {
            warm_up: Duration::ZERO,
            measured: Duration::from_mins(1),
        };
        let measured = closed_loop(4, round, |_| Sleeper { left: 10 }).await;
        assert_eq!(measured.answered_count, 36);
        assert_eq!(measured.writes.count(), 36);
        assert_eq!(measured.refused_count, 4);
        assert!(
            measured
                .refusal
                .as_ref()
                .is_some_and(|text| text.contains("the last one"))
        );
        assert!(measured.took < Duration::from_secs(30));
        assert!(measured.per_second() > 1.0);
    }

    #[tokio::test]
    async fn what_is_answered_in_the_warm_up_is_not_measured() {
        let round = Round {
            warm_up: Duration::from_millis(100),
            measured: Duration::from_millis(100),
        };
        let measured = closed_loop(2, round, |_| Sleeper { left: usize::MAX }).await;
        assert!(measured.writes.count() > 0);
        assert!(measured.writes.count() < measured.answered_count);
        assert_eq!(measured.took, round.measured);
    }
}
