//! How far it is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use tokio::time::Instant;

/// Between two plain lines: a log stays readable.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// Between two redraws of the bar.
const TICK: Duration = Duration::from_millis(200);

/// Shows progress on standard error.
#[derive(Debug)]
pub struct Display {
    bar: Option<ProgressBar>,
    total_bytes: u64,
    began: Instant,
    resumed_at: (u64, u64),
    last_line: Instant,
}

impl Display {
    /// Begins at a row and byte of the file that earlier runs reached.
    pub fn begin(total_bytes: u64, row: u64, byte: u64) -> Self {
        let now = Instant::now();
        Self {
            bar: std::io::stderr().is_terminal().then(|| bar(total_bytes)),
            total_bytes,
            began: now,
            resumed_at: (row, byte),
            last_line: now,
        }
    }

    /// So many rows are done, up to this byte of the file.
    pub fn show(&mut self, rows: u64, bytes: u64) {
        let now = Instant::now();
        let elapsed = now - self.began;
        let rate = rate(rows - self.resumed_at.0, elapsed);
        let left = time_left(
            self.total_bytes.saturating_sub(bytes),
            bytes.saturating_sub(self.resumed_at.1),
            elapsed,
        );
        let left = left.map_or_else(|| "?".to_owned(), |left| HumanDuration(left).to_string());
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.set_message(format!("{rows} rows, {rate}/s, {left} left"));
        } else if now - self.last_line >= LINE_INTERVAL {
            self.last_line = now;
            let percent = bytes * 100 / self.total_bytes.max(1);
            eprintln!("{rows} rows ({percent} %), {rate} rows/s, {left} left");
        }
    }

    /// Leaves the last state in plain sight.
    pub fn finish(self, rows: u64) {
        let elapsed = self.began.elapsed();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let posted = rows - self.resumed_at.0;
        eprintln!(
            "{posted} rows in {:.1} s, {} rows/s",
            elapsed.as_secs_f64(),
            rate(posted, elapsed)
        );
    }
}

fn bar(total_bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(total_bytes);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

fn rate(rows: u64, elapsed: Duration) -> u64 {
    u64::try_from(u128::from(rows) * 1_000 / elapsed.as_millis().max(1)).unwrap_or(u64::MAX)
}

fn time_left(left_bytes: u64, done_bytes: u64, elapsed: Duration) -> Option<Duration> {
    let millis =
        u128::from(left_bytes) * elapsed.as_millis() / u128::from((done_bytes > 0).then_some(done_bytes)?);
    Some(Duration::from_secs(u64::try_from(millis / 1_000).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_what_is_done() {
        assert_eq!(rate(500, Duration::from_secs(2)), 250);
        assert_eq!(rate(500, Duration::ZERO), 500_000);
        assert_eq!(
            time_left(300, 100, Duration::from_secs(10)),
            Some(Duration::from_secs(30))
        );
        assert_eq!(time_left(300, 0, Duration::from_secs(10)), None);
    }
}
