//! A private Redis: a cache in front of the record, so nothing of it is kept.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use crate::error::Error;
use crate::find::{Program, RedisProgram};
use crate::folder::Folder;
use crate::given::ping_redis;
use crate::job::{self, Readiness};
use crate::ports::PortChoice;
use crate::process::{REDIS, Tracked};
use crate::servers::{open_log, read_tail};
use crate::state::{State, random_password};

/// Nothing is loaded, so it answers within milliseconds; a machine under load may need longer.
const READY_BOUND: Duration = Duration::from_secs(30);
const ANSWER_BOUND: Duration = Duration::from_secs(2);
/// A port may be taken between our look and the start.
const START_ATTEMPTS: usize = 5;
/// Tests take one each; an unused one costs a few hundred bytes.
const DATABASES: usize = 1024;

/// What to start.
pub(crate) struct Start<'a> {
    pub folder: &'a Folder,
    pub program: &'a RedisProgram,
    /// Whether any free port will do when the noted one is taken.
    pub port_choice: PortChoice,
}

impl Start<'_> {
    /// Starts Redis and waits until it answers. The answer is its URL and address.
    pub(crate) async fn run(
        &self,
        state: &mut State,
        slot: &mut Option<Child>,
    ) -> Result<(String, String), Error> {
        let log = self.folder.log_file(REDIS);
        let password = state.redis_password.get_or_insert_with(random_password).clone();
        let mut preferred = state.redis_port;
        for _ in 0..START_ATTEMPTS {
            let port = self.port_choice.pick(preferred);
            let port = port.map_err(Error::io("find a port for", &self.program.path))?;
            let address = format!("127.0.0.1:{port}");
            let url = format!("redis://:{password}@{address}/0");
            let child = slot.insert(self.spawn(port, &password, &log)?);
            let answers = async || ping_redis(&url, ANSWER_BOUND).await.is_ok();
            let readiness = job::until_ready(child, READY_BOUND, answers).await;
            let what = match readiness {
                Readiness::Answers => {
                    state.redis_port = Some(port);
                    return Ok((url, address));
                }
                Readiness::Silent => format!("no answer within {} s", READY_BOUND.as_secs()),
                Readiness::Exited(status) => {
                    *slot = None;
                    let is_taken = read_tail(&log).contains("Address already in use");
                    if is_taken && self.port_choice == PortChoice::Any {
                        preferred = None;
                        continue;
                    }
                    status.to_string()
                }
            };
            return Err(failed(what, &log));
        }
        Err(failed(format!("{START_ATTEMPTS} attempts"), &log))
    }

    fn spawn(&self, port: u16, password: &str, log: &Path) -> Result<Child, Error> {
        let settings = self.folder.redis_dir().join("redis.conf");
        // In a file and not on the command line, which every user of the machine can read.
        write_settings(&settings, &settings_text(port, password))?;
        self.folder.give(&settings)?;
        // Redis puts its address where its command line was: that is what it is known by.
        let mark = format!("127.0.0.1:{port}");
        let tracked = Tracked {
            name: REDIS,
            mark: &mark,
            program: &self.program.path,
            work_dir: self.folder.redis_dir(),
            library_dirs: &self.program.library_dirs,
        };
        let args = [OsString::from(settings)];
        let mut command = tracked.command(self.folder, &args, open_log(log)?)?;
        command.spawn().map_err(Error::io("run", &self.program.path))
    }
}

fn failed(what: String, log: &Path) -> Error {
    Error::Failed {
        program: Program::Redis,
        what,
        log: log.to_owned(),
        tail: read_tail(log),
    }
}

fn settings_text(port: u16, password: &str) -> String {
    format!(
        "bind 127.0.0.1\n\
         port {port}\n\
         protected-mode yes\n\
         requirepass {password}\n\
         databases {DATABASES}\n\
         maxmemory 256mb\n\
         maxmemory-policy allkeys-lru\n\
         save \"\"\n\
         appendonly no\n\
         daemonize no\n"
    )
}

fn write_settings(file: &Path, text: &str) -> Result<(), Error> {
    // The old one may belong to the servers' user: start afresh.
    let _ = fs::remove_file(file);
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut open| open.write_all(text.as_bytes()))
        .map_err(Error::io("write", file))
}
