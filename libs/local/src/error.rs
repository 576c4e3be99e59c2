//! What can go wrong, each with what to do about it.

use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::find::Program;

/// What another owner runs in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The folder.
    pub folder: PathBuf,
    /// The owner's process id, unless it could not be read.
    pub pid: Option<u32>,
    /// When it started.
    pub since: Option<DateTime<Utc>>,
    /// Names and addresses of all it runs: Postgres, Redis, and what the owner added.
    pub addresses: Vec<(String, String)>,
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is in use", self.folder.display())?;
        if let Some(pid) = self.pid {
            write!(f, " by process {pid}")?;
        }
        if let Some(since) = self.since {
            write!(f, " since {}", since.format("%Y-%m-%d %H:%M:%S UTC"))?;
        }
        for (position, (name, address)) in self.addresses.iter().enumerate() {
            let lead = if position == 0 { ". It runs" } else { "," };
            write!(f, "{lead} {name} at {address}")?;
        }
        f.write_str(". Stop it first (Ctrl-C where it runs), or name another folder")
    }
}

/// Why the servers do not stand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Programs are missing, and there is no leave to install them.
    #[error("{}", missing_text(.missing, .why.as_deref()))]
    Missing {
        /// What is missing.
        missing: Vec<Program>,
        /// Why it was not installed, where somebody wanted it to be.
        why: Option<String>,
    },
    /// An installation failed.
    #[error("installing failed: {what}{}", tail_text(.tail))]
    Install {
        /// What was being done.
        what: String,
        /// The last lines it printed.
        tail: String,
    },
    /// A server given by its URL does not answer.
    #[error("the given {program} does not answer at {url}: {cause}")]
    Given {
        /// Which of the two.
        program: Program,
        /// The URL, its password hidden.
        url: String,
        /// What the attempt said.
        cause: String,
    },
    /// A given Postgres is not of use.
    #[error("the given Postgres at {url} cannot be used: {cause}")]
    GivenUnfit {
        /// The URL, its password hidden.
        url: String,
        /// What it lacks.
        cause: String,
    },
    /// Somebody else runs in this folder.
    #[error("{0}")]
    AlreadyRunning(Box<Running>),
    /// The folder holds something else.
    #[error("{} is not empty and no data folder of Fealty: name another one", .folder.display())]
    NotOurs {
        /// The folder.
        folder: PathBuf,
    },
    /// Run as root, and the user that the servers must run as cannot get at the folder.
    #[error(
        "Postgres refuses to run as root, so it runs as the user {user}, who cannot reach {}: \
         name a folder outside root's home, such as {}",
        .folder.display(), crate::places::default_data_dir().display()
    )]
    Unreachable {
        /// The folder.
        folder: PathBuf,
        /// The user.
        user: String,
    },
    /// Run as root, and there is no other user to run the servers as.
    #[error(
        "Postgres refuses to run as root, and there is neither a user `postgres` nor `nobody` to run it as"
    )]
    NoServiceUser,
    /// The data was made by a major version of Postgres that is not installed.
    #[error(
        "{} was made by Postgres {made_by}, but {}: install Postgres {made_by}, or name another folder",
        .folder.display(), installed_text(.installed)
    )]
    OtherVersion {
        /// The folder.
        folder: PathBuf,
        /// The major version that made it.
        made_by: u32,
        /// The major versions found.
        installed: Vec<u32>,
    },
    /// The folder's Postgres is there, its password is not.
    #[error("{} is missing or unreadable, so the Postgres of this folder cannot be opened", .file.display())]
    StateLost {
        /// The file.
        file: PathBuf,
    },
    /// A server did not start.
    #[error("{program} did not start ({what}); its log is {}{}", .log.display(), tail_text(.tail))]
    Failed {
        /// Which of the two.
        program: Program,
        /// What was seen.
        what: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A process of this folder does not end.
    #[error("process {pid} of {} does not end, not even by kill -9", .folder.display())]
    Stubborn {
        /// The folder.
        folder: PathBuf,
        /// The process.
        pid: i32,
    },
    /// No shell to watch over the servers.
    #[error("the watchdog did not start: {0}")]
    Watchdog(io::Error),
    /// A file or a process could not be had.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A step took longer than it may.
    #[error("{what} took longer than {} s", .bound.as_secs())]
    TooSlow {
        /// The step.
        what: String,
        /// How long it may take.
        bound: Duration,
    },
}

impl Error {
    /// For `map_err`: what was done to which path.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

fn tail_text(tail: &str) -> String {
    if tail.trim().is_empty() {
        String::new()
    } else {
        format!(":\n{}", tail.trim_end())
    }
}

fn installed_text(installed: &[u32]) -> String {
    if installed.is_empty() {
        return "Postgres is not installed".to_owned();
    }
    let versions: Vec<String> = installed.iter().map(u32::to_string).collect();
    format!("only Postgres {} is installed", versions.join(", "))
}

/// Says what is missing and every way to get it.
fn missing_text(missing: &[Program], why: Option<&str>) -> String {
    let names: Vec<String> = missing.iter().map(Program::to_string).collect();
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let mut text = format!("{} {verb} not installed", names.join(" and "));
    if let Some(why) = why {
        let _ = write!(text, " ({why})");
    }
    text.push_str(".\nThe ways to get there, any of them:\n");
    text.push_str("  - let Fealty install what is missing: `--install`, or FEALTY_INSTALL=1 for the tests\n");
    for program in missing {
        let _ = writeln!(
            text,
            "  - install {program} yourself: {}",
            program.packages_text()
        );
    }
    for program in missing {
        let _ = writeln!(text, "  - name a running {program}: {}", program.url_text());
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_every_way_to_get_it() {
        let text = Error::Missing {
            missing: vec![Program::Postgres, Program::Redis],
            why: None,
        }
        .to_string();
        for part in [
            "Postgres and Redis are not installed",
            "--install",
            "FEALTY_INSTALL=1",
            "apt-get install postgresql",
            "dnf install redis",
            "brew install",
            "--postgres-url",
            "FEALTY_TEST_POSTGRES_URL",
            "--redis-url",
            "FEALTY_TEST_REDIS_URL",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
    }

    #[test]
    fn what_is_there_is_not_called_missing() {
        let text = Error::Missing {
            missing: vec![Program::Redis],
            why: None,
        }
        .to_string();
        assert!(text.starts_with("Redis is not installed"), "{text}");
        assert!(!text.contains("postgres"), "{text}");
    }

    #[test]
    fn a_second_start_is_told_what_runs() {
        let running = Running {
            folder: "/data".into(),
            pid: Some(41),
            since: DateTime::from_timestamp(1_700_000_000, 0),
            addresses: vec![
                ("Postgres".into(), "127.0.0.1:5".into()),
                ("members".into(), "127.0.0.1:6".into()),
            ],
        };
        assert_eq!(
            Error::AlreadyRunning(Box::new(running)).to_string(),
            "/data is in use by process 41 since 2023-11-14 22:13:20 UTC. It runs Postgres at 127.0.0.1:5, \
             members at 127.0.0.1:6. Stop it first (Ctrl-C where it runs), or name another folder"
        );
    }
}
