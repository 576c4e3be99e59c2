//! How long calls took, by what they are.

use std::fmt;
use std::time::{Duration, Instant};

/// The steps in the order in which they were first taken.
#[derive(Debug, Default)]
pub struct Timings(Vec<(&'static str, Vec<Duration>)>);

impl Timings {
    /// Awaits a call and notes how long it took.
    pub async fn time<F: Future>(&mut self, step: &'static str, call: F) -> F::Output {
        let begun = Instant::now();
        let answer = call.await;
        self.note(step, vec![begun.elapsed()]);
        answer
    }

    /// Takes in another caller's.
    pub fn add(&mut self, other: Self) {
        for (step, durations) in other.0 {
            self.note(step, durations);
        }
    }

    fn note(&mut self, step: &'static str, durations: Vec<Duration>) {
        match self.0.iter_mut().find(|(known, _)| *known == step) {
            Some((_, noted)) => noted.extend(durations),
            None => self.0.push((step, durations)),
        }
    }
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| call | p50 | p99 | slowest |\n|---|---|---|---|")?;
        for (step, durations) in &self.0 {
            let mut sorted = durations.clone();
            sorted.sort_unstable();
            let [p50, p99, slowest] = [50, 99, 100].map(|percent| ms(rank(&sorted, percent)));
            writeln!(f, "| {step} | {p50} | {p99} | {slowest} |")?;
        }
        Ok(())
    }
}

/// The nearest rank.
fn rank(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}
