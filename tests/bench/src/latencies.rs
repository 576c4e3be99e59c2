//! How long calls took: counted in buckets, so that ten minutes of calls take as little memory as ten.

use std::time::Duration;

/// Below that, a bucket per microsecond.
const EXACT_MICROS: usize = 64;
/// Above it, this many buckets from one power of two to the next: a bucket is at most 3 % wide.
const STEPS: usize = 32;
const STEP_BITS: u32 = STEPS.ilog2();
/// The first power of two that is divided into steps.
const FIRST_POWER: u32 = EXACT_MICROS.ilog2();
/// The last one, some 38 hours: no call takes longer.
const LAST_POWER: u32 = 36;
const BUCKETS: usize = EXACT_MICROS + (LAST_POWER - FIRST_POWER + 1) as usize * STEPS;

/// Counted durations.
#[derive(Debug, Clone)]
pub struct Latencies {
    counts: Vec<u32>,
    count: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            count: 0,
        }
    }
}

impl Latencies {
    /// One more.
    pub fn note(&mut self, took: Duration) {
        self.counts[bucket_of(took)] += 1;
        self.count += 1;
    }

    /// All of another's.
    pub fn add(&mut self, other: &Self) {
        for (mine, others) in self.counts.iter_mut().zip(&other.counts) {
            *mine += others;
        }
        self.count += other.count;
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The nearest rank, in milliseconds: so many percent took no longer, give or take the width of a bucket. Of nothing
    /// it is zero.
    #[must_use]
    pub fn percentile_ms(&self, percent: u64) -> f64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank {
                return end_of(bucket) / 1_000.0;
            }
        }
        0.0
    }
}

fn bucket_of(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let Some(power) = micros.checked_ilog2().filter(|power| *power >= FIRST_POWER) else {
        return usize::try_from(micros).unwrap_or(0);
    };
    let step = usize::try_from(micros >> (power - STEP_BITS)).unwrap_or(STEPS) % STEPS;
    let bucket = EXACT_MICROS + (power - FIRST_POWER) as usize * STEPS + step;
    bucket.min(BUCKETS - 1)
}

/// The first microsecond that is no longer in the bucket.
fn end_of(bucket: usize) -> f64 {
    let Some(beyond) = bucket.checked_sub(EXACT_MICROS) else {
        return as_f64(bucket);
    };
    let power = FIRST_POWER + u32::try_from(beyond / STEPS).unwrap_or(0);
    let width = 1_usize << (power - STEP_BITS);
    as_f64((STEPS + beyond % STEPS + 1) * width)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn as_f64(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_within_a_bucket() {
        let mut latencies = Latencies::default();
        for micros in 1..=100_000 {
            latencies.note(Duration::from_micros(micros));
        }
        assert_eq!(latencies.count(), 100_000);
        for percent in [1, 50, 99, 100] {
            let exact = as_f64(usize::try_from(percent).unwrap());
            let found = latencies.percentile_ms(percent);
            assert!((found / exact - 1.0).abs() < 0.04, "p{percent} is {found}");
        }
    }

    #[test]
    fn every_duration_has_a_bucket_and_none_ends_before_it_begins() {
        let mut last = 0;
        for power in 2..63_u32 {
            for quarter in 0..4 {
                let micros = (1_u64 << power) + quarter * (1 << (power - 2));
                let bucket = bucket_of(Duration::from_micros(micros));
                assert!(bucket > last || bucket == BUCKETS - 1, "{micros} is in {bucket}");
                last = bucket;
            }
        }
        assert_eq!(last, BUCKETS - 1);
        assert!((Latencies::default().percentile_ms(99)).abs() < f64::EPSILON);
    }

    #[test]
    fn two_counts_are_one() {
        let (mut one, mut other) = (Latencies::default(), Latencies::default());
        one.note(Duration::from_micros(10));
        other.note(Duration::from_micros(30));
        one.add(&other);
        assert_eq!(one.count(), 2);
        assert!((one.percentile_ms(50) - 0.010).abs() < 1e-9);
        assert!((one.percentile_ms(99) - 0.030).abs() < 1e-9);
    }
}
