//! Who holds the data folder, and what runs in it.

use std::fs;
use std::path::Path;
use std::process::{Child, ExitStatus};

use crate::error::Error;
use crate::find::Program;
use crate::folder::Folder;
use crate::given;
use crate::install::{self, Needed, Programs};
use crate::leftovers;
use crate::options::{Durability, Options, Report};
use crate::ports::PortChoice;
use crate::postgres;
use crate::process::{self, INITDB, POSTGRES, REDIS};
use crate::redis_server;
use crate::state::State;
use crate::watchdog::Watchdog;

/// A private server that has ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which of the two.
    pub program: Program,
    /// How, and where it says why.
    pub sentence: String,
}

/// Holds the folder and what runs in it.
#[derive(Debug)]
pub(super) struct Owner {
    pub folder: Folder,
    state: State,
    programs: Programs,
    durability: Durability,
    report: Report,
    postgres: Option<Child>,
    redis: Option<Child>,
    watchdog: Option<Watchdog>,
    stopped: bool,
}

impl Owner {
    /// Nothing runs yet.
    pub(super) fn new(folder: Folder, options: &Options) -> Self {
        Self {
            folder,
            state: State::default(),
            programs: Programs::default(),
            durability: options.durability,
            report: options.report.clone(),
            postgres: None,
            redis: None,
            watchdog: None,
            stopped: false,
        }
    }

    /// Everything that comes before the first server.
    pub(super) async fn prepare(&mut self, options: &Options) -> Result<(), Error> {
        // First of all, since this file is what the folder is known by when this start fails.
        self.state = State::load(&self.folder)?;
        self.state.save(&self.folder)?;
        leftovers::recover(&self.folder, &self.report)?;
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
        self.programs = install::provide(needed, options).await?;
        for name in [POSTGRES, REDIS, INITDB] {
            set_aside(&self.folder.log_file(name))?;
        }
        self.watchdog = Some(Watchdog::start(&self.folder)?);
        Ok(())
    }

    /// Starts Postgres and answers its superuser's URL.
    pub(super) async fn start_postgres(&mut self, port_choice: PortChoice) -> Result<String, Error> {
        end_silent(&mut self.postgres);
        leftovers::clear_after_postgres(&self.folder)?;
        let start = postgres::Start {
            folder: &self.folder,
            programs: &self.programs.postgres,
            durability: self.durability,
            port_choice,
        };
        let port = start.run(&mut self.state, &mut self.postgres).await?;
        self.note_started(Program::Postgres, &format!("127.0.0.1:{port}"))?;
        Ok(postgres::url(&self.state, port))
    }

    /// Starts Redis and answers its URL.
    pub(super) async fn start_redis(&mut self, port_choice: PortChoice) -> Result<String, Error> {
        let Some(program) = &self.programs.redis else {
            return Err(Error::Missing {
                missing: vec![Program::Redis],
                why: None,
            });
        };
        end_silent(&mut self.redis);
        let start = redis_server::Start {
            folder: &self.folder,
            program,
            port_choice,
        };
        let (url, address) = start.run(&mut self.state, &mut self.redis).await?;
        self.note_started(Program::Redis, &address)?;
        Ok(url)
    }

    fn note_started(&mut self, program: Program, address: &str) -> Result<(), Error> {
        self.state.save(&self.folder)?;
        self.report
            .say(&format!("A private {program} answers at {address}."));
        let name = program.to_string();
        self.folder.lock_mut().add_address(&name, address)
    }

    pub(super) fn note_given(&mut self, program: Program, url: &str) -> Result<String, Error> {
        let (name, address) = (program.to_string(), given::redacted(url));
        self.folder.lock_mut().add_address(&name, &address)?;
        Ok(url.to_owned())
    }

    /// Lets go of what has ended by itself.
    pub(super) fn find_ended(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        for (program, name, slot) in [
            (Program::Postgres, POSTGRES, &mut self.postgres),
            (Program::Redis, REDIS, &mut self.redis),
        ] {
            if let Some(Ok(Some(status))) = slot.as_mut().map(Child::try_wait) {
                *slot = None;
                let sentence = end_of(&self.folder, name, status);
                ended.push(Ended { program, sentence });
            }
        }
        ended
    }

    /// Ends all, once: after that the folder may be somebody else's.
    pub(super) fn stop(&mut self) -> Result<(), Error> {
        if self.stopped {
            return Ok(());
        }
        self.stopped = true;
        let stopped = process::stop_all(&self.folder, self.folder.manner());
        for mut child in [self.postgres.take(), self.redis.take()].into_iter().flatten() {
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

/// A start before this one was given up while its server had not answered: two of them would fight over the data.
fn end_silent(slot: &mut Option<Child>) {
    if let Some(mut child) = slot.take() {
        // It may have ended just now: that is what we want.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn end_of(folder: &Folder, name: &str, status: ExitStatus) -> String {
    let log = folder.log_file(name);
    format!(
        "the private {name} has ended ({status}); why is in {}",
        log.display()
    )
}

/// Keeps the log of the run before beside the new one.
fn set_aside(log: &Path) -> Result<(), Error> {
    if !log.exists() {
        return Ok(());
    }
    fs::rename(log, log.with_extension("log.1")).map_err(Error::io("set aside", log))
}
