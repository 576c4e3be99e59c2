//! Whether a batch asks whom its owners are led to before it locks them.

use std::sync::atomic::{AtomicU32, Ordering};

/// Batches that ask, after one that should have: with households in every batch, hardly one runs twice.
const BATCHES_COUNT: u32 = 64;

/// Whether owners who use another's account, or were merged, are about.
///
/// All who are concerned are locked at once, in one order. Who is led where stands in the owners' rows: to ask first is a
/// round trip of every batch, and not to ask costs a batch another run where somebody turns out to be led elsewhere. So a
/// batch asks where one shortly before it would have had to.
#[derive(Debug, Default)]
pub(super) struct LedLately {
    /// Batches that still ask.
    left: AtomicU32,
}

impl LedLately {
    /// Whether the next batch asks.
    pub(super) fn asks(&self) -> bool {
        let one_less = |left: u32| left.checked_sub(1);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_ok()
    }

    /// Somebody is led elsewhere.
    pub(super) fn seen(&self) {
        self.left.store(BATCHES_COUNT, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_ask_for_a_while_after_somebody_was_led_elsewhere() {
        let led = LedLately::default();
        assert!(!led.asks());
        led.seen();
        for _ in 0..BATCHES_COUNT {
            assert!(led.asks());
        }
        assert!(!led.asks());
    }
}
