//! Starting, holding and stopping the servers.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::Error;
use crate::find::Program;
use crate::folder::Folder;
use crate::job;
use crate::options::Options;
use crate::ports::PortChoice;

mod owner;

pub use owner::Ended;
use owner::Owner;

/// A Postgres and a Redis that answer, and stop when this is dropped or its process ends.
///
/// Nothing in it belongs to an async runtime: it may be held over many of them.
#[derive(Debug)]
pub struct LocalServers {
    postgres_admin_url: String,
    redis_url: String,
    owner: Owner,
}

impl LocalServers {
    /// Postgres, as a superuser (or the given role): for creating roles and databases.
    #[must_use]
    pub fn postgres_admin_url(&self) -> &str {
        &self.postgres_admin_url
    }

    /// Redis, with its password.
    #[must_use]
    pub fn redis_url(&self) -> &str {
        &self.redis_url
    }

    /// The data folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.owner.folder.path()
    }

    /// Adds to what a second start on this folder is told: a service and where it listens.
    pub fn record_address(&mut self, name: &str, address: &str) -> Result<(), Error> {
        self.owner.folder.lock_mut().add_address(name, address)
    }

    /// Stops the servers, waits until they have ended, and frees the folder. A drop does the same, but blocks its
    /// thread and keeps errors to itself.
    pub async fn stop(mut self) -> Result<(), Error> {
        let stopping = tokio::task::spawn_blocking(move || self.owner.stop());
        // The task can only be lost with its runtime; the servers are stopped by the drop then.
        stopping.await.unwrap_or(Ok(()))
    }

    /// The private servers that have ended by themselves since the last look. Whoever looks also lets go of what is left
    /// of them, so that they can be started again.
    pub fn find_ended(&mut self) -> Vec<Ended> {
        self.owner.find_ended()
    }

    /// Starts a private server that has ended once more, at the same address and with the same password, so that whoever
    /// was connected finds it again. Postgres replays what it had confirmed; Redis begins empty.
    pub async fn start_again(&mut self, program: Program) -> Result<(), Error> {
        match program {
            Program::Postgres => self.owner.start_postgres(PortChoice::Same).await.map(drop),
            Program::Redis => self.owner.start_redis(PortChoice::Same).await.map(drop),
        }
    }
}

/// Finds, installs and starts what `options` asks for. Dropping the future halfway leaves nothing behind.
pub async fn start(options: Options) -> Result<LocalServers, Error> {
    let folder = Folder::open(&options.data_dir).await?;
    let mut owner = Owner::new(folder, &options);
    owner.prepare(&options).await?;
    let redis_url = match &options.redis_url {
        None => owner.start_redis(PortChoice::Any).await?,
        Some(given) => owner.note_given(Program::Redis, given)?,
    };
    let postgres_admin_url = match &options.postgres_url {
        None => owner.start_postgres(PortChoice::Any).await?,
        Some(given) => owner.note_given(Program::Postgres, given)?,
    };
    Ok(LocalServers {
        postgres_admin_url,
        redis_url,
        owner,
    })
}

/// Opens a server's log at its end.
pub(crate) fn open_log(log: &Path) -> Result<File, Error> {
    let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(log);
    opened.map_err(Error::io("open", log))
}

/// The last lines of a log.
pub(crate) fn read_tail(log: &Path) -> String {
    fs::read(log)
        .map(|bytes| job::tail(&String::from_utf8_lossy(&bytes)))
        .unwrap_or_default()
}
