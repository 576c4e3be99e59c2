//! Keeps a log readable while the same thing goes wrong a thousand times a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(1);

/// Lets so many lines a second through and counts the others. For a `static` beside the line that it throttles.
#[derive(Debug)]
pub struct Throttle {
    per_second_max: u32,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    begun: Option<Instant>,
    let_through: u32,
    held_back: u64,
}

impl Throttle {
    /// Lets so many lines a second through.
    #[must_use]
    pub const fn new(per_second_max: u32) -> Self {
        let window = Window {
            begun: None,
            let_through: 0,
            held_back: 0,
        };
        Self {
            per_second_max,
            window: Mutex::new(window),
        }
    }

    /// Whether a line may be written now; if so, how many were held back since the last one that was.
    pub fn pass(&self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = window
            .begun
            .is_none_or(|begun| now.saturating_duration_since(begun) >= WINDOW);
        if is_over {
            window.begun = Some(now);
            window.let_through = 0;
        }
        if window.let_through >= self.per_second_max {
            window.held_back += 1;
            return None;
        }
        window.let_through += 1;
        Some(std::mem::take(&mut window.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_room_for_so_many_and_the_next_one_says_how_many_had_none() {
        let throttle = Throttle::new(2);
        let begun = Instant::now();
        let passes = |after_ms| throttle.pass_at(begun + Duration::from_millis(after_ms));
        let of_the_first = [0, 10, 20, 999].map(passes);
        assert_eq!(of_the_first, [Some(0), Some(0), None, None]);
        assert_eq!([1_000, 1_001, 1_002].map(passes), [Some(2), Some(0), None]);
        assert_eq!(passes(60_000), Some(1));
    }
}
