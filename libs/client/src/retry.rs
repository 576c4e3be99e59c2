//! When to try again, and after how long.

use std::error::Error;
use std::time::Duration;

use rand::RngExt as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::retry::budget::{Budget, TpsBudget};

use crate::RetryConfig;

/// Over how long the share of retries is counted.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// The retries that all calls of a client share.
#[derive(Debug)]
pub(crate) struct Retries {
    config: RetryConfig,
    budget: TpsBudget,
}

impl Retries {
    pub(crate) fn new(config: RetryConfig) -> Self {
        Self {
            config,
            budget: TpsBudget::new(BUDGET_WINDOW, config.budget_per_second_min, config.budget_share),
        }
    }

    /// A call begins: it earns its share of retries.
    pub(crate) fn call_begins(&self) {
        self.budget.deposit();
    }

    /// How long to pause before the next attempt: not at all where it goes to a replica that has not been asked yet,
    /// unless this one has asked for a pause. None: the answer is final.
    pub(crate) fn pause_after(
        &self,
        status: &Status,
        attempt_count: u32,
        elsewhere: bool,
    ) -> Option<Duration> {
        let asked = retry_delay(status);
        let again = asked.is_some() || status.code() == Code::Unavailable || lost_on_the_wire(status);
        if !again || attempt_count >= self.config.attempt_count_max || !self.budget.withdraw() {
            return None;
        }
        let pause = self.pause(attempt_count);
        match asked {
            Some(asked) => Some(asked.max(pause)),
            None if elsewhere => Some(Duration::ZERO),
            None => Some(pause),
        }
    }

    /// How long to pause before a stream is opened again that has failed that often in a row. It has no end to its
    /// patience, so its pauses are what spares a suite that is down.
    pub(crate) fn pause_before_reopening(&self, status: &Status, failure_count: u32) -> Duration {
        let pause = self.pause(failure_count);
        retry_delay(status).map_or(pause, |asked| asked.max(pause))
    }

    /// Doubles from one attempt to the next up to its bound; half of it is chance, so that callers who failed together
    /// do not come back together.
    fn pause(&self, attempt_count: u32) -> Duration {
        let doubled = self.config.pause_min.saturating_mul(
            1_u32
                .checked_shl(attempt_count.saturating_sub(1))
                .unwrap_or(u32::MAX),
        );
        let whole = doubled.min(self.config.pause_max);
        whole.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

/// What the server asks for, whatever its code.
fn retry_delay(status: &Status) -> Option<Duration> {
    let details = status.get_error_details();
    let info = details.retry_info()?;
    Some(info.retry_delay.unwrap_or_default())
}

/// The connection broke under the call: no server answered, so the outcome is unknown, and a retry with the same request
/// id finds it out. Such a status has an error of the transport behind it, one from a server has none.
fn lost_on_the_wire(status: &Status) -> bool {
    let from_transport = status.source().is_some();
    from_transport
        && matches!(
            status.code(),
            Code::Unknown | Code::Cancelled | Code::Internal | Code::ResourceExhausted
        )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn retries(budget_per_second_min: u32) -> Retries {
        Retries::new(RetryConfig {
            budget_per_second_min,
            budget_share: 0.0,
            ..RetryConfig::default()
        })
    }

    #[test]
    fn unavailable_is_tried_again_and_a_refusal_is_not() {
        let retries = retries(10);
        assert!(
            retries
                .pause_after(&Status::unavailable("away"), 1, false)
                .is_some()
        );
        for code in [
            Code::InvalidArgument,
            Code::FailedPrecondition,
            Code::AlreadyExists,
            Code::Internal,
            Code::DeadlineExceeded,
        ] {
            assert_eq!(
                retries.pause_after(&Status::new(code, "no"), 1, false),
                None,
                "{code:?}"
            );
        }
    }

    #[test]
    fn what_carries_retry_info_is_tried_again_not_before_the_delay() {
        let mut details = ErrorDetails::with_error_info("OVERLOADED", "fealty", HashMap::new());
        details.set_retry_info(Some(Duration::from_millis(700)));
        let status = Status::with_error_details(Code::ResourceExhausted, "full", details);
        let pause = retries(10).pause_after(&status, 1, true).expect("tried again");
        assert!(pause >= Duration::from_millis(700), "{pause:?}");
    }

    #[test]
    fn another_replica_is_asked_at_once() {
        let away = Status::unavailable("away");
        assert_eq!(retries(10).pause_after(&away, 5, true), Some(Duration::ZERO));
    }

    #[test]
    fn the_budget_bounds_what_all_calls_retry() {
        let retries = retries(1);
        let allowed = (0..1_000)
            .filter(|_| {
                retries
                    .pause_after(&Status::unavailable("away"), 1, false)
                    .is_some()
            })
            .count();
        // One a second over a window of ten.
        assert!((1..=20).contains(&allowed), "{allowed}");
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        let retries = retries(10);
        let last = RetryConfig::default().attempt_count_max;
        assert_eq!(
            retries.pause_after(&Status::unavailable("away"), last, true),
            None
        );
    }

    #[test]
    fn pauses_grow_up_to_their_bound() {
        let retries = retries(10);
        let config = RetryConfig::default();
        for attempt in 1..200 {
            let pause = retries.pause(attempt);
            assert!(pause <= config.pause_max);
            assert!(pause >= config.pause_min.mul_f64(0.5));
        }
        assert!(retries.pause(20) >= config.pause_max.mul_f64(0.5));
    }
}
