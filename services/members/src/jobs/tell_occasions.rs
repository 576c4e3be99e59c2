//! Tells of occasions when their day begins, and notes the days of members who were enrolled before there were any.

use std::time::Duration;

use tokio::time::sleep;

use crate::occasions::Occasions;
use crate::people::Enrolments;

/// How often: a greeting is not late by a second.
const INTERVAL: Duration = Duration::from_secs(1);

/// Members whose days are noted in one step.
const NOTE_COUNT: i64 = 100;

/// Begins days and tells of them again and again; ends only by being dropped. Replicas take different steps.
pub(crate) async fn keep_telling_occasions(occasions: Occasions) {
    loop {
        if let Err(error) = occasions.begin_days().await {
            tracing::warn!(%error, "days of occasions are begun in the next round");
        }
        match occasions.tell_some().await {
            Ok(0) => {}
            Ok(step_count) => {
                tracing::debug!(step_count, "told of occasions");
                // There may be more.
                continue;
            }
            Err(error) => tracing::warn!(%error, "occasions are told of in the next round"),
        }
        sleep(INTERVAL).await;
    }
}

/// Notes days until all are; ends only by being dropped.
pub(crate) async fn keep_noting_days(enrolments: Enrolments) {
    loop {
        match enrolments.note_days(NOTE_COUNT).await {
            Ok(0) => {}
            Ok(noted_count) => {
                tracing::info!(noted_count, "noted the days of members who were enrolled before");
                continue;
            }
            Err(error) => tracing::warn!(%error, "members' days are noted in the next round"),
        }
        sleep(INTERVAL).await;
    }
}
