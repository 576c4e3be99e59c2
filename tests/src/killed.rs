//! The suite's own Postgres and Redis, killed and started again by hand.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long the kernel may take to end what was killed.
const KILL_BOUND: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The ledger of record.
    Postgres,
    /// The cache in front of it.
    Redis,
}

/// How a killed server was run: enough to run it again at the same address.
#[derive(Debug)]
pub struct Killed {
    server: Server,
    log_file: PathBuf,
    pid_file: PathBuf,
    mark: String,
    program: PathBuf,
    library_dirs: OsString,
    arguments: Vec<OsString>,
    work_dir: PathBuf,
    owner: (u32, u32),
}

/// A server that was started again; ends with this.
#[derive(Debug)]
pub struct Restarted(Child);

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }

    /// What it is called by: Postgres finds its own folder by it, and Debian's Redis is one program that looks at its
    /// name.
    fn called(self, program: &Path) -> OsString {
        match self {
            Self::Postgres => program.into(),
            Self::Redis => "redis-server".into(),
        }
    }

    /// The process that all others of the server come from.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(self, data_dir: &Path) -> Pid {
        self.noted(data_dir).1
    }

    /// Where its process is noted, which that is, and what it is known by.
    fn noted(self, data_dir: &Path) -> (PathBuf, Pid, String) {
        let pid_file = data_dir.join("run").join(format!("{}.pid", self.name()));
        let noted = fs::read_to_string(&pid_file).expect("the server runs");
        let mut lines = noted.lines();
        let pid: i32 = lines.next().and_then(|line| line.parse().ok()).expect("a pid");
        let mark = lines.next().unwrap_or_default().to_owned();
        (pid_file, Pid::from_raw(pid), mark)
    }

    /// `kill -9` of the server of a data folder.
    ///
    /// # Panics
    /// When it does not run, or does not end.
    #[must_use]
    pub fn kill(self, data_dir: &Path) -> Killed {
        let (pid_file, pid, mark) = self.noted(data_dir);
        let process = PathBuf::from(format!("/proc/{pid}"));
        let work_dir = fs::read_link(process.join("cwd")).expect("it has a folder");
        let owner = fs::metadata(&process).expect("it runs");
        let arguments = match self {
            Self::Postgres => command_line(&process).split_off(1),
            // Redis writes its address over its command line.
            Self::Redis => vec![work_dir.join("redis.conf").into()],
        };
        let killed = Killed {
            server: self,
            log_file: data_dir.join("logs").join(format!("{}-again.log", self.name())),
            pid_file,
            mark,
            program: fs::read_link(process.join("exe")).expect("it is a program"),
            library_dirs: library_dirs(&process),
            arguments,
            work_dir,
            owner: (owner.uid(), owner.gid()),
        };
        kill(pid, Signal::SIGKILL).expect("it can be killed");
        wait_until_gone(&process);
        killed
    }
}

impl Killed {
    /// Runs it again as it was run.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_again(&self) -> Restarted {
        self.wait_for_orphans();
        let mut command = Command::new(&self.program);
        command
            .arg0(self.server.called(&self.program))
            .args(&self.arguments)
            .current_dir(&self.work_dir)
            .env("LC_ALL", "C")
            .env("LD_LIBRARY_PATH", &self.library_dirs)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log());
        if nix::unistd::geteuid().is_root() {
            command.uid(self.owner.0).gid(self.owner.1);
        }
        let mut child = command.spawn().expect("the server starts");
        thread::sleep(STAYS_UP);
        let ended = child.try_wait().expect("the system says how a child is");
        let log = fs::read_to_string(&self.log_file).unwrap_or_default();
        assert_eq!(ended, None, "it does not start again: {log}");
        let noted = format!("{}\n{}\n", child.id(), self.mark);
        fs::write(&self.pid_file, noted).expect("the pid is noted");
        Restarted(child)
    }

    /// What it said in earlier lives stays.
    fn log(&self) -> fs::File {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log_file);
        log.expect("a log")
    }

    /// Children of a killed Postgres end by themselves, a moment later. The dead postmaster itself waits in the table of
    /// processes until its parent asks for it, and would be taken for a living one.
    fn wait_for_orphans(&self) {
        if self.server == Server::Redis {
            return;
        }
        let begun = Instant::now();
        while works_in(&self.work_dir) {
            assert!(begun.elapsed() < KILL_BOUND, "children of Postgres do not end");
            thread::sleep(POLL_INTERVAL);
        }
        fs::remove_file(self.work_dir.join("postmaster.pid")).expect("Postgres had left it");
        let sockets = self
            .work_dir
            .join("..")
            .read_dir()
            .expect("the folder of its socket");
        let is_socket = |path: &Path| path.to_string_lossy().contains(".s.PGSQL.");
        for socket in sockets
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| is_socket(path))
        {
            fs::remove_file(socket).expect("Postgres had left it");
        }
    }
}

/// A server that is still there after this long was not refused its start.
const STAYS_UP: Duration = Duration::from_millis(500);

impl Drop for Restarted {
    fn drop(&mut self) {
        // It may have ended with its suite already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command_line(process: &Path) -> Vec<OsString> {
    let bytes = fs::read(process.join("cmdline")).expect("it runs");
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| OsString::from_vec(word.to_vec())).collect()
}

/// Where its libraries lie: not with the system's, where the server was unpacked below somebody's home.
fn library_dirs(process: &Path) -> OsString {
    let maps = fs::read_to_string(process.join("maps")).expect("it runs");
    let files = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]));
    let libraries = files.filter(|file| file.contains(".so"));
    let folders: BTreeSet<&Path> = libraries.filter_map(|file| Path::new(file).parent()).collect();
    env::join_paths(folders).expect("no folder has a colon in its name")
}

/// Whether any process works in a folder.
fn works_in(folder: &Path) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    let mut folders = processes
        .flatten()
        .map(|process| fs::read_link(process.path().join("cwd")));
    folders.any(|work_dir| work_dir.is_ok_and(|work_dir| work_dir == folder))
}

/// An ended process whose parent has not asked for it yet has no command line any more.
fn wait_until_gone(process: &Path) {
    let begun = Instant::now();
    let lives = || fs::read(process.join("cmdline")).is_ok_and(|line| !line.is_empty());
    while lives() {
        assert!(begun.elapsed() < KILL_BOUND, "{} does not end", process.display());
        thread::sleep(POLL_INTERVAL);
    }
}
