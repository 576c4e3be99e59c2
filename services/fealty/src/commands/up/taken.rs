//! Waits until a service takes a key that was just planted.
//!
//! Services learn of keys by the feed of members, and ask for the newest when they meet one that they do not know. On a
//! machine that is busy this takes its time.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use fealty_client::CallError;
use fealty_proto::types::v1::ErrorReason;
use tokio::time::sleep;
use tonic::Code;

use crate::services::ServiceName;

/// How long to wait, and how often to ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How long at the most.
    within: Duration,
    /// After the first answer; twice as long after each other.
    pause_first: Duration,
    /// As long as pauses grow.
    pause_max: Duration,
}

impl Patience {
    /// A key is known within a second on a machine that has nothing else to do. Where it takes thirty times as long,
    /// something else is wrong.
    pub(super) const WHILE_STARTING: Self = Self {
        within: Duration::from_secs(30),
        pause_first: Duration::from_millis(50),
        pause_max: Duration::from_secs(1),
    };

    /// Asks until the service takes the key; until it has had its time, or says what no waiting will change.
    pub(super) async fn until_taken<T>(
        self,
        service: ServiceName,
        mut ask: impl AsyncFnMut() -> Result<T, CallError>,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        let mut pause = self.pause_first;
        loop {
            let error = match ask().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let name = service.as_str();
            if !is_passing(&error) {
                return Err(anyhow!(error).context(format!("{name} does not take the planted key")));
            }
            if begun.elapsed() + pause > self.within {
                let waited = begun.elapsed().as_secs_f64();
                return Err(anyhow!(error).context(format!("after {waited:.1} s {}", still(name))));
            }
            sleep(pause).await;
            pause = self.pause_max.min(2 * pause);
        }
    }
}

fn still(name: &str) -> String {
    format!(
        "{name} still does not take the planted key: it learns of keys by the feed of members, which it may not reach, or \
         which is behind; its log says more (--log info)"
    )
}

/// Whether the next answer may be another one: the service does not know the key yet, or its program, or cannot tell by
/// now.
fn is_passing(error: &CallError) -> bool {
    match error.reason {
        Some(ErrorReason::KeyInvalid | ErrorReason::ProgramDenied) => true,
        _ => matches!(
            error.code,
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SHORT: Patience = Patience {
        within: Duration::from_millis(40),
        pause_first: Duration::from_millis(1),
        pause_max: Duration::from_millis(8),
    };

    fn refused(code: Code, reason: Option<ErrorReason>) -> CallError {
        CallError {
            method: "/fealty.ledger.v1.UnitService/ListUnits",
            code,
            reason,
            message: "no".to_owned(),
            metadata: BTreeMap::new(),
            fields: Vec::new(),
            attempt_count: 1,
        }
    }

    fn unknown() -> CallError {
        refused(Code::Unauthenticated, Some(ErrorReason::KeyInvalid))
    }

    #[tokio::test]
    async fn a_key_that_is_not_known_yet_is_tried_again_until_it_is() {
        let mut answers = vec![
            Ok(7),
            Err(refused(Code::PermissionDenied, Some(ErrorReason::ProgramDenied))),
            Err(refused(Code::Unavailable, None)),
            Err(unknown()),
        ];
        let ask = async || answers.pop().expect("no more questions than answers");
        let patience = Patience {
            // Whatever this machine has to do.
            within: Duration::from_mins(1),
            ..SHORT
        };
        let taken = patience.until_taken(ServiceName::Ledger, ask).await;
        assert_eq!(taken.expect("taken"), 7);
        assert!(answers.is_empty());
    }

    #[tokio::test]
    async fn a_key_that_stays_unknown_is_told_of_with_what_may_be_wrong() {
        let mut questions = 0;
        let ask = async || {
            questions += 1;
            Err::<(), _>(unknown())
        };
        let taken = SHORT.until_taken(ServiceName::Ledger, ask).await;
        let told = format!("{:#}", taken.expect_err("it stays unknown"));
        assert!(
            told.contains("ledger still does not take the planted key"),
            "{told}"
        );
        assert!(
            told.contains("feed of members") && told.contains("KEY_INVALID"),
            "{told}"
        );
        assert!(questions > 1);
    }

    #[tokio::test]
    async fn what_no_waiting_changes_ends_it_at_once() {
        let mut questions = 0;
        let ask = async || {
            questions += 1;
            let revoked = refused(Code::Unauthenticated, Some(ErrorReason::KeyRevoked));
            Err::<(), _>(revoked)
        };
        let taken = Patience::WHILE_STARTING
            .until_taken(ServiceName::Members, ask)
            .await;
        let told = format!("{:#}", taken.expect_err("it is revoked"));
        assert!(
            told.starts_with("members does not take the planted key"),
            "{told}"
        );
        assert_eq!(questions, 1);
    }
}
