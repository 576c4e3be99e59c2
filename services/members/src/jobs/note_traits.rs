//! Writes by what members may be found to be there twice, for those who were enrolled before that was written with them.

use std::time::Duration;

use tokio::time::sleep;

use crate::means::Means;
use crate::people;

/// Between two steps that have something to do: calls come first.
const PAUSE: Duration = Duration::from_millis(50);

/// How often it is asked whether anybody is left. Once all are written nobody is, but for whom an older replica still enrols.
const INTERVAL: Duration = Duration::from_secs(5);

/// Writes again and again; ends only by being dropped. Replicas take different ones.
pub(crate) async fn keep_noting_traits(means: Means) {
    loop {
        let wait = match people::note_missing_traits(&means).await {
            Ok(0) => INTERVAL,
            Ok(taken_count) => {
                tracing::info!(
                    taken_count,
                    "wrote by what members may be found to be there twice"
                );
                PAUSE
            }
            Err(error) => {
                tracing::warn!(%error, "members stay without what they are compared by until the next round");
                INTERVAL
            }
        };
        sleep(wait).await;
    }
}
