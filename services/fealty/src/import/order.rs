//! Rows end in another order than they began. This puts their outcomes back into the file's order, so that "up to row
//! N everything is done" is always true of what is written down.

use std::collections::BTreeMap;

/// Outcomes that wait for earlier ones. Bounded by the rows in flight.
#[derive(Debug)]
pub struct InOrder<T> {
    next: u64,
    waiting: BTreeMap<u64, T>,
}

impl<T> InOrder<T> {
    /// Waits for the row with this index first.
    pub fn starting_at(next: u64) -> Self {
        Self {
            next,
            waiting: BTreeMap::new(),
        }
    }

    /// Takes the outcome of a row.
    pub fn push(&mut self, index: u64, outcome: T) {
        self.waiting.insert(index, outcome);
    }

    /// The next outcome in order, if it is there.
    pub fn pop(&mut self) -> Option<T> {
        let outcome = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(outcome)
    }

    /// Rows that are done without a gap.
    pub fn done_count(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn outcomes_come_out_in_the_order_of_the_file(order in Just((0_u64..200).collect::<Vec<_>>()).prop_shuffle()) {
            let mut in_order = InOrder::starting_at(0);
            let mut out = Vec::new();
            for index in order {
                in_order.push(index, index);
                while let Some(outcome) = in_order.pop() {
                    out.push(outcome);
                }
                prop_assert_eq!(in_order.done_count(), out.len() as u64);
            }
            prop_assert_eq!(out, (0..200).collect::<Vec<_>>());
        }
    }
}
