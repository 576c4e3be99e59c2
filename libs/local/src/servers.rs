//! Starting, holding and stopping the servers.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus};

use crate::error::Error;
use crate::find::{PostgresPrograms, RedisProgram};
use crate::folder::Folder;
use crate::given;
use crate::install::{self, Needed};
use crate::job;
use crate::leftovers;
use crate::options::Options;
use crate::postgres;
use crate::process::{self, INITDB, POSTGRES, REDIS};
use crate::redis_server;
use crate::state::State;
use crate::watchdog::Watchdog;

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

    /// The private servers that have ended by themselves since the last look, each in a sentence. Whoever looks also lets
    /// go of what is left of them, so that they can be started again by hand.
    pub fn find_ended(&mut self) -> Vec<String> {
        let Owner { folder, children, .. } = &mut self.owner;
        let mut ended = Vec::new();
        children.retain_mut(|child| match child.try_wait() {
            Ok(Some(status)) => {
                ended.push(end_of(folder, child.id(), status));
                false
            }
            _ => true,
        });
        ended
    }
}

/// Finds, installs and starts what `options` asks for. Dropping the future halfway leaves nothing behind.
pub async fn start(options: Options) -> Result<LocalServers, Error> {
    let folder = Folder::open(&options.data_dir).await?;
    let mut owner = Owner {
        folder,
        children: Vec::new(),
        watchdog: None,
        stopped: false,
    };
    // First of all, since this file is what the folder is known by when this start fails.
    let mut state = State::load(&owner.folder)?;
    state.save(&owner.folder)?;
    leftovers::recover(&owner.folder, &options.report)?;
    if let Some(url) = &options.postgres_url {
        given::check_postgres(url).await?;
    }
    if let Some(url) = &options.redis_url {
        given::check_redis(url).await?;
    }
    let needed = Needed {
        postgres: options.postgres_url.is_none(),
        redis: options.redis_url.is_none(),
    };
    let programs = install::provide(needed, &options).await?;
    for name in [POSTGRES, REDIS, INITDB] {
        set_aside(&owner.folder.log_file(name))?;
    }
    owner.watchdog = Some(Watchdog::start(&owner.folder)?);

    let redis_url = match (&options.redis_url, &programs.redis) {
        (None, Some(program)) => owner.start_redis(program, &mut state, &options).await?,
        (given, _) => owner.note_given("Redis", given.as_deref())?,
    };
    let postgres_admin_url = match &options.postgres_url {
        None => {
            owner
                .start_postgres(&programs.postgres, &mut state, &options)
                .await?
        }
        given => owner.note_given("Postgres", given.as_deref())?,
    };
    state.save(&owner.folder)?;
    Ok(LocalServers {
        postgres_admin_url,
        redis_url,
        owner,
    })
}

/// Holds the folder and what runs in it.
#[derive(Debug)]
struct Owner {
    folder: Folder,
    children: Vec<Child>,
    watchdog: Option<Watchdog>,
    stopped: bool,
}

impl Owner {
    async fn start_postgres(
        &mut self,
        programs: &[PostgresPrograms],
        state: &mut State,
        options: &Options,
    ) -> Result<String, Error> {
        let start = postgres::Start {
            folder: &self.folder,
            programs,
            durability: options.durability,
        };
        let port = start.run(state, &mut self.children).await?;
        let address = format!("127.0.0.1:{port}");
        options
            .report
            .say(&format!("A private Postgres answers at {address}."));
        self.folder.lock_mut().add_address("Postgres", &address)?;
        Ok(postgres::url(state, port))
    }

    async fn start_redis(
        &mut self,
        program: &RedisProgram,
        state: &mut State,
        options: &Options,
    ) -> Result<String, Error> {
        let start = redis_server::Start {
            folder: &self.folder,
            program,
        };
        let (url, address) = start.run(state, &mut self.children).await?;
        options
            .report
            .say(&format!("A private Redis answers at {address}."));
        self.folder.lock_mut().add_address("Redis", &address)?;
        Ok(url)
    }

    fn note_given(&mut self, name: &str, url: Option<&str>) -> Result<String, Error> {
        let url = url.unwrap_or_default();
        self.folder.lock_mut().add_address(name, &given::redacted(url))?;
        Ok(url.to_owned())
    }

    /// Ends all, once: after that the folder may be somebody else's.
    fn stop(&mut self) -> Result<(), Error> {
        if self.stopped {
            return Ok(());
        }
        self.stopped = true;
        let stopped = process::stop_all(&self.folder, self.folder.manner());
        for mut child in self.children.drain(..) {
            // What has not ended by now will not, and waiting for it would hang.
            let _ = if stopped.is_ok() {
                child.wait().map(Some)
            } else {
                child.try_wait()
            };
        }
        for name in [POSTGRES, REDIS, INITDB] {
            // Gone already, where an ephemeral folder is.
            let _ = fs::remove_file(self.folder.pid_file(name));
        }
        if let Some(mut watchdog) = self.watchdog.take() {
            watchdog.finish();
        }
        self.folder.close();
        stopped
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Nobody is there to be told; what does not end by our signals does not end by the watchdog's either.
        let _ = self.stop();
    }
}

fn end_of(folder: &Folder, pid: u32, status: ExitStatus) -> String {
    let is_it = |name: &&str| {
        let noted = fs::read_to_string(folder.pid_file(name)).unwrap_or_default();
        noted.lines().next() == Some(pid.to_string().as_str())
    };
    let name = [POSTGRES, REDIS].into_iter().find(is_it);
    match name {
        Some(name) => format!(
            "the private {name} has ended ({status}); why is in {}",
            folder.log_file(name).display()
        ),
        None => format!("the private server {pid} has ended ({status})"),
    }
}

/// Keeps the log of the run before beside the new one.
fn set_aside(log: &Path) -> Result<(), Error> {
    if !log.exists() {
        return Ok(());
    }
    fs::rename(log, log.with_extension("log.1")).map_err(Error::io("set aside", log))
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
