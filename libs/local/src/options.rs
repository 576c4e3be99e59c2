//! What the caller decides.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the servers keep their data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// A folder that stays: made when absent, opened again by the next start.
    Kept(PathBuf),
    /// A folder of its own under the system's temporary folder, removed at the end.
    Ephemeral,
}

/// Whether missing programs may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Install {
    /// No: say what is missing.
    Never,
    /// Ask at the prompt; where nobody can answer (standard input is no terminal) it is a no.
    Ask,
    /// Yes.
    Yes,
}

/// Whether a confirmed commit must survive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Yes: every commit is flushed to the disk.
    Durable,
    /// No: for tests, whose data nobody misses. It survives a kill of Postgres all the same.
    Fast,
}

/// Is told one sentence about each step.
#[derive(Clone)]
pub struct Report(Arc<dyn Fn(&str) + Send + Sync>);

impl Report {
    /// Tells the steps to `tell`.
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn say(&self, sentence: &str) {
        (self.0)(sentence);
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Report")
    }
}

/// Everything [`start`](crate::start) needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the servers keep their data.
    pub data_dir: DataDir,
    /// Whether missing programs may be installed.
    pub install: Install,
    /// A Postgres to use as it is, by a role that may create roles and databases.
    pub postgres_url: Option<String>,
    /// A Redis to use as it is.
    pub redis_url: Option<String>,
    /// Whether a confirmed commit must survive a loss of power.
    pub durability: Durability,
    /// Is told one sentence about each step.
    pub report: Report,
    /// Look for programs in these folders only; `None` is the usual places of the system.
    pub program_dirs: Option<Vec<PathBuf>>,
}

impl Options {
    /// The usual choice for a folder: nothing given, nothing installed unasked, durable, silent.
    #[must_use]
    pub fn new(data_dir: DataDir) -> Self {
        Self {
            data_dir,
            install: Install::Never,
            postgres_url: None,
            redis_url: None,
            durability: Durability::Durable,
            report: Report::silent(),
            program_dirs: None,
        }
    }
}
