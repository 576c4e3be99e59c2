//! The command line of every benchmark.

use std::path::PathBuf;
use std::time::Duration;

/// What is to be measured, and for how long.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    about = "Measures a service against baselines that run in the same call.",
    max_term_width = 120
)]
pub struct Options {
    /// Short rounds and small tables: under three minutes in all, and rough.
    #[arg(long)]
    pub quick: bool,
    /// Tables as large as the row's name says (20 million transactions: some 30 GB of disk and half an hour).
    #[arg(long, conflicts_with = "quick")]
    pub big: bool,
    /// Write the rows there as JSON, too.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Only rows whose name contains this; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// How long each row is measured, in seconds, instead of 10 (quick: 2.5).
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<f64>,
    /// Given by `cargo bench`, and means nothing here.
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// How long a round takes.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Before anything is counted: connections, caches and plans are made meanwhile.
    pub warm_up: Duration,
    /// What is counted.
    pub measured: Duration,
}

const FULL: Round = Round {
    warm_up: Duration::from_secs(3),
    measured: Duration::from_secs(10),
};
const QUICK: Round = Round {
    warm_up: Duration::from_millis(700),
    measured: Duration::from_millis(2_500),
};

impl Options {
    /// How long a round takes.
    #[must_use]
    pub fn round(&self) -> Round {
        let usual = if self.quick { QUICK } else { FULL };
        Round {
            measured: self.seconds.map_or(usual.measured, Duration::from_secs_f64),
            ..usual
        }
    }

    /// The one number for a quick call, the other for a full one.
    pub const fn either<T: Copy>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Whether a row is asked for.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_takes_what_cargo_adds() {
        Options::command().debug_assert();
        let options = Options::parse_from(["ledger", "--quick", "--only", "post", "--bench"]);
        assert!(options.wants("post-64") && !options.wants("balance"));
        assert!(options.round().measured < Duration::from_secs(3));
    }
}
