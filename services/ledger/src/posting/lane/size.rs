//! How many calls a batch may have.

/// How a batch ended, as far as its size is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BatchOutcome {
    Committed,
    Failed,
    TookTooLong,
}

/// How many calls a batch may have: as many as allowed, and fewer where so many do not end within a transaction's time.
#[derive(Debug)]
pub(super) struct BatchSize {
    now: usize,
    max: usize,
}

impl BatchSize {
    pub(super) const fn new(max: usize) -> Self {
        Self { now: max, max }
    }

    pub(super) const fn get(&self) -> usize {
        self.now
    }

    /// Halves after a batch that took too long, and grows back by one with each that did not.
    pub(super) fn learn(&mut self, outcome: BatchOutcome) {
        match outcome {
            BatchOutcome::Committed => self.now = (self.now + 1).min(self.max),
            BatchOutcome::Failed => {}
            BatchOutcome::TookTooLong => {
                self.now = (self.now / 2).max(1);
                tracing::warn!(
                    batch_calls_max = self.now,
                    "a batch took too long: smaller ones from now on"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_that_take_too_long_shrink_and_grow_back() {
        let mut size = BatchSize::new(256);
        size.learn(BatchOutcome::TookTooLong);
        assert_eq!(size.get(), 128);
        size.learn(BatchOutcome::Failed);
        assert_eq!(size.get(), 128);
        for _ in 0..9 {
            size.learn(BatchOutcome::TookTooLong);
        }
        assert_eq!(size.get(), 1);
        for _ in 0..300 {
            size.learn(BatchOutcome::Committed);
        }
        assert_eq!(size.get(), 256);
    }
}
