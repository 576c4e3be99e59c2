//! A private Postgres: its cluster, its settings, its start.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::{sleep, timeout};

use crate::error::Error;
use crate::find::{PostgresPrograms, Program};
use crate::folder::Folder;
use crate::job::{self, Readiness};
use crate::leftovers::half_made;
use crate::options::Durability;
use crate::places;
use crate::ports::PortChoice;
use crate::process::{INITDB, POSTGRES, Tracked};
use crate::servers::{open_log, read_tail};
use crate::state::{State, random_password};

/// Making a cluster takes a second, and a minute on the slowest disk seen.
const INITDB_BOUND: Duration = Duration::from_mins(3);
/// Starting takes a fraction of a second; after a crash it replays up to `max_wal_size`.
const READY_BOUND: Duration = Duration::from_mins(3);
/// One question whether it answers.
const ANSWER_BOUND: Duration = Duration::from_secs(5);
/// A port may be taken between our look and the start; orphans of a killed Postgres end within a second or two.
const START_ATTEMPTS: usize = 10;
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// The kernel's bound on a socket's path is 108 bytes on Linux and 104 on macOS, with the ending NUL.
const SOCKET_PATH_BYTES_MAX: usize = 103;
/// Four services with their pools, and a test suite with a pool per test.
const CONNECTIONS_MAX: usize = 200;

/// What to start, and how.
pub(crate) struct Start<'a> {
    pub folder: &'a Folder,
    pub programs: &'a [PostgresPrograms],
    pub durability: Durability,
    /// Whether any free port will do when the noted one is taken.
    pub port_choice: PortChoice,
}

impl Start<'_> {
    /// Makes the cluster if there is none, starts Postgres and waits until it answers. The answer is its port; the
    /// child goes to `slot` at once, so that whoever holds it can end it whatever happens here.
    pub(crate) async fn run(&self, state: &mut State, slot: &mut Option<Child>) -> Result<u16, Error> {
        let programs = self.cluster(state).await?;
        let log = self.folder.log_file(POSTGRES);
        let mut preferred = state.postgres_port;
        for _ in 0..START_ATTEMPTS {
            let port = self.port_choice.pick(preferred);
            let port = port.map_err(Error::io("find a port for", &programs.bin_dir))?;
            let url = url(state, port);
            let child = slot.insert(self.spawn(programs, port, &log)?);
            let readiness = job::until_ready(child, READY_BOUND, async || answers(&url).await).await;
            let what = match readiness {
                Readiness::Answers => {
                    state.postgres_port = Some(port);
                    return Ok(port);
                }
                Readiness::Silent => format!("no answer within {} s", READY_BOUND.as_secs()),
                Readiness::Exited(status) => {
                    *slot = None;
                    let tail = read_tail(&log);
                    if tail.contains("Address already in use") && self.port_choice == PortChoice::Any {
                        preferred = None;
                        continue;
                    }
                    if tail.contains("still in use") {
                        sleep(RETRY_PAUSE).await;
                        continue;
                    }
                    status.to_string()
                }
            };
            return Err(self.failed(what));
        }
        Err(self.failed(format!("{START_ATTEMPTS} attempts")))
    }

    fn failed(&self, what: String) -> Error {
        let log = self.folder.log_file(POSTGRES);
        let tail = read_tail(&log);
        Error::Failed {
            program: Program::Postgres,
            what,
            log,
            tail,
        }
    }

    /// The programs that fit the folder's cluster; makes one where there is none.
    async fn cluster(&self, state: &mut State) -> Result<&PostgresPrograms, Error> {
        let data = self.folder.postgres_data();
        let made_by = fs::read_to_string(data.join("PG_VERSION"));
        let made_by = made_by.ok().and_then(|text| places::leading_number(text.trim()));
        let fitting = self
            .programs
            .iter()
            .find(|found| made_by.is_none_or(|major| major == found.major));
        let Some(programs) = fitting else {
            return Err(Error::OtherVersion {
                folder: data,
                made_by: made_by.unwrap_or_default(),
                installed: self.programs.iter().map(|found| found.major).collect(),
            });
        };
        if made_by.is_none() {
            self.make_cluster(programs, state).await?;
        } else if state.postgres_password.is_none() {
            return Err(Error::StateLost {
                file: self.folder.state_file(),
            });
        }
        Ok(programs)
    }

    async fn make_cluster(&self, programs: &PostgresPrograms, state: &mut State) -> Result<(), Error> {
        let password = random_password();
        let password_file = self.folder.run_dir().join("password");
        write_private(&password_file, &password)?;
        self.folder.give(&password_file)?;
        let fresh = half_made(self.folder);
        let mut args: Vec<OsString> = vec!["-D".into(), fresh.clone().into(), "--pwfile".into()];
        args.push(password_file.clone().into());
        let fixed = [
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-instructions",
        ];
        args.extend(fixed.map(OsString::from));
        if self.durability == Durability::Fast {
            args.push("--no-sync".into());
        }
        let log = self.folder.log_file(INITDB);
        let program = programs.bin_dir.join("initdb");
        let tracked = self.tracked(INITDB, &program, &programs.library_dirs);
        let mut command = tracked.command(self.folder, &args, open_log(&log)?)?;
        let status = job::wait(&mut command, INITDB_BOUND).await?;
        for done_with in [password_file, self.folder.pid_file(INITDB)] {
            // A file that is not there is what we want.
            let _ = fs::remove_file(done_with);
        }
        if !status.success() {
            let tail = read_tail(&log);
            let what = format!("initdb: {status}");
            return Err(Error::Failed {
                program: Program::Postgres,
                what,
                log,
                tail,
            });
        }
        // The password is on the disk before the cluster that needs it has its name.
        state.postgres_password = Some(password);
        state.save(self.folder)?;
        let data = self.folder.postgres_data();
        fs::rename(&fresh, &data).map_err(Error::io("rename to", &data))
    }

    fn tracked<'t>(
        &'t self,
        name: &'t str,
        program: &'t Path,
        libraries: &'t [std::path::PathBuf],
    ) -> Tracked<'t> {
        let mark = self.folder.path().to_str().unwrap_or_default();
        Tracked {
            name,
            mark,
            program,
            work_dir: self.folder.postgres_dir(),
            library_dirs: libraries,
        }
    }

    fn spawn(&self, programs: &PostgresPrograms, port: u16, log: &Path) -> Result<Child, Error> {
        let program = programs.bin_dir.join("postgres");
        let tracked = self.tracked(POSTGRES, &program, &programs.library_dirs);
        let mut args: Vec<OsString> = vec!["-D".into(), self.folder.postgres_data().into()];
        for (name, value) in self.settings(port) {
            args.push("-c".into());
            args.push(format!("{name}={value}").into());
        }
        let mut command = tracked.command(self.folder, &args, open_log(log)?)?;
        command.spawn().map_err(Error::io("run", &program))
    }

    /// On the command line, so that they hold whatever the folder's own files say.
    fn settings(&self, port: u16) -> Vec<(&'static str, String)> {
        let socket_dir = self.folder.postgres_dir();
        let socket = socket_dir.join(format!(".s.PGSQL.{port}"));
        let fits = socket.as_os_str().len() <= SOCKET_PATH_BYTES_MAX;
        let socket_dirs = match socket_dir.to_str().filter(|_| fits) {
            // The setting is a list: a quoted name may hold commas and blanks.
            Some(dir) => format!("\"{}\"", dir.replace('"', "\"\"")),
            None => String::new(),
        };
        let mut settings = vec![
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", port.to_string()),
            ("unix_socket_directories", socket_dirs),
            ("max_connections", CONNECTIONS_MAX.to_string()),
            ("shared_buffers", "256MB".to_owned()),
            // Fewer checkpoints under an import, for disk that a developer's machine has.
            ("max_wal_size", "4GB".to_owned()),
            // The suite's statements are short: compiling them takes longer than running them.
            ("jit", "off".to_owned()),
            ("timezone", "UTC".to_owned()),
            ("log_timezone", "UTC".to_owned()),
            ("logging_collector", "off".to_owned()),
        ];
        if self.durability == Durability::Fast {
            // Who breaks off in the middle of logging in holds up a database's removal until then, a minute by default.
            settings.push(("authentication_timeout", "3s".to_owned()));
        }
        let durable = if self.durability == Durability::Durable {
            "on"
        } else {
            "off"
        };
        settings.extend(["fsync", "full_page_writes"].map(|name| (name, durable.into())));
        // Always, and cheap without a flush: what was confirmed outlives a kill of Postgres, which is started again.
        settings.push(("synchronous_commit", "on".to_owned()));
        settings
    }
}

/// The superuser's URL.
pub(crate) fn url(state: &State, port: u16) -> String {
    let password = state.postgres_password.as_deref().unwrap_or_default();
    format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres")
}

/// Whether it lets us in: with the password, so that it is surely ours.
async fn answers(url: &str) -> bool {
    match timeout(ANSWER_BOUND, PgConnection::connect(url)).await {
        Ok(Ok(connection)) => connection.close().await.is_ok(),
        _ => false,
    }
}

fn write_private(file: &Path, text: &str) -> Result<(), Error> {
    // A file left by a kill may belong to the servers' user: start afresh.
    let _ = fs::remove_file(file);
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut open| std::io::Write::write_all(&mut open, text.as_bytes()))
        .map_err(Error::io("write", file))
}
