//! What is shown of a verification: how far it is, and what it found.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fealty_ledger::verify::{Progress, Report};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

/// Between two redraws of the bar.
const TICK: Duration = Duration::from_millis(200);
/// Between two plain lines: a log stays readable.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Shows on standard error how far it is, as long as it lives: a bar on a terminal, plain lines elsewhere.
pub(super) struct Display {
    /// Dropped, it ends the thread.
    ends: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    pub(super) fn begin(progress: Arc<Progress>) -> Self {
        let (ends, ended) = channel::<()>();
        let bar = std::io::stderr().is_terminal().then(bar);
        let interval = if bar.is_some() { TICK } else { LINE_INTERVAL };
        let thread = thread::spawn(move || {
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let (done, total) = progress.counts();
                match &bar {
                    Some(bar) => {
                        bar.set_length(total);
                        bar.set_position(done);
                    }
                    None => eprintln!("{done} transactions ({} %)", done * 100 / total.max(1)),
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        });
        Self {
            ends: Some(ends),
            thread: Some(thread),
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.ends.take();
        // A bar that could not be drawn is nobody's concern.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = "{bar:40} {percent:>3} %  {pos} transactions, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// A line per finding, and one that sums up.
pub(super) fn lines(report: &Report, took: Duration) -> Vec<String> {
    let findings = &report.findings;
    let mut lines: Vec<String> = findings.kept().iter().map(ToString::to_string).collect();
    let rest = findings.count() - findings.kept().len() as u64;
    if rest > 0 && !lines.is_empty() {
        lines.push(format!("and {rest} more"));
    }
    if report.unchained > 0 {
        lines.push(format!(
            "{} transactions are older than the chain: their sums were recomputed, but no hash protects them",
            report.unchained
        ));
    }
    let came_to = match findings.count() {
        0 => "all is well".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    lines.push(format!(
        "{} transactions of {} owners in {} programs, {:.1} s: {came_to}",
        report.transactions,
        report.owners,
        report.programs,
        took.as_secs_f64()
    ));
    lines
}

/// The same for programs.
pub(super) fn json(report: &Report, took: Duration) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(report)?;
    value["seconds"] = json!(took.as_secs_f64());
    serde_json::to_string(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_summed_up() {
        let report = Report {
            programs: 1,
            owners: 2,
            transactions: 30,
            unchained: 4,
            ..Report::default()
        };
        let lines = lines(&report, Duration::from_millis(1_250));
        assert_eq!(
            lines,
            [
                "4 transactions are older than the chain: their sums were recomputed, but no hash protects them",
                "30 transactions of 2 owners in 1 programs, 1.2 s: all is well",
            ]
        );
    }

    #[test]
    fn json_says_the_same() {
        let text = json(&Report::default(), Duration::from_secs(2)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["findings"]["count"], 0);
        assert_eq!(value["findings"]["first"], json!([]));
        assert_eq!(value["seconds"], json!(2.0));
    }
}
