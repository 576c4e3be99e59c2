//! Starting processes so that they can be found and ended again, and ending them.
//!
//! Every server writes its pid to `run/NAME.pid` before it becomes the server, with a mark that its command
//! line bears. A pid alone proves nothing, since pids are used again: only a process whose command line names
//! this folder, or bears the mark, is taken for ours.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::error::Error;
use crate::folder::Folder;

/// Writes the pid file, then becomes the program, keeping the pid. By rename, so that nobody reads half of it.
const TRACKED: &str = r#"printf '%s\n%s\n' "$$" "$2" > "$1.new" && mv "$1.new" "$1" && shift 2 && exec "$@""#;

/// How long a server may take to end by itself: Postgres writes a last checkpoint of up to its buffers' size.
const ORDERLY_BOUND: Duration = Duration::from_secs(15);
/// How long the harder request may take, which does without a checkpoint.
const HARD_BOUND: Duration = Duration::from_secs(5);
/// How long the kernel may take to end what was killed.
const KILL_BOUND: Duration = Duration::from_secs(5);
/// How often it is looked whether a process has ended.
const POLL: Duration = Duration::from_millis(10);

/// The unprivileged user that the servers run as when we are root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceUser {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

/// What a server process is.
pub(crate) struct Tracked<'a> {
    /// The pid file's name.
    pub name: &'a str,
    /// What its command line bears, should it not name the folder.
    pub mark: &'a str,
    pub program: &'a Path,
    pub work_dir: PathBuf,
    pub library_dirs: &'a [PathBuf],
}

/// How to end a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Its data is kept: let it write what it has.
    Orderly,
    /// Its data is thrown away.
    Abrupt,
}

impl Tracked<'_> {
    /// The command, in a process group of its own, so that Ctrl-C at the terminal reaches only us, and the
    /// servers stand until the services have drained.
    pub(crate) fn command(&self, folder: &Folder, args: &[OsString], log: File) -> Result<Command, Error> {
        let error_log = log
            .try_clone()
            .map_err(Error::io("write the log of", self.program))?;
        let mut command = folder.shell(TRACKED);
        command
            .arg("fealty-server")
            .arg(folder.pid_file(self.name))
            .arg(self.mark)
            .arg(self.program)
            .args(args)
            .current_dir(&self.work_dir)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(error_log);
        set_libraries(&mut command, self.library_dirs);
        Ok(command)
    }
}

/// A shell in a process group of its own, as `user` where one is named.
pub(crate) fn shell(script: &str, user: Option<&ServiceUser>) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).process_group(0);
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Lets a privately unpacked program find the libraries that were unpacked with it.
pub(crate) fn set_libraries(command: &mut Command, library_dirs: &[PathBuf]) {
    if library_dirs.is_empty() {
        return;
    }
    let inherited = env::var_os("LD_LIBRARY_PATH");
    let inherited = inherited.iter().flat_map(env::split_paths);
    // A folder with a colon in its name cannot be in the list at all.
    if let Ok(list) = env::join_paths(library_dirs.iter().cloned().chain(inherited)) {
        command.env("LD_LIBRARY_PATH", list);
    }
}

/// Whether a process with this pid runs; one that has ended and waits to be collected does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid).map(Pid::from_raw) else {
        return false;
    };
    // Another user's process may not be looked at, but is there.
    kill(pid, None) == Err(Errno::EPERM) || command_line(pid).is_some()
}

/// Ends every process of the folder and waits until none is left. For servers without a parent as well as for
/// our own children: an ended child that nobody waited for has no command line, and counts as gone.
pub(crate) fn stop_all(folder: &Folder, manner: Manner) -> Result<(), Error> {
    let steps = match manner {
        Manner::Orderly => [(Signal::SIGINT, ORDERLY_BOUND), (Signal::SIGQUIT, HARD_BOUND)],
        Manner::Abrupt => [(Signal::SIGQUIT, HARD_BOUND), (Signal::SIGQUIT, HARD_BOUND)],
    };
    for (signal, bound) in steps.into_iter().chain([(Signal::SIGKILL, KILL_BOUND)]) {
        let alive = living(folder);
        for (name, pid) in &alive {
            // The signals are Postgres's own: INT ends sessions and checkpoints, QUIT ends at once.
            let own = match *name {
                POSTGRES => signal,
                REDIS if signal == Signal::SIGINT => Signal::SIGTERM,
                _ => Signal::SIGKILL,
            };
            // It may have ended just now: that is what we want.
            let _ = kill(*pid, own);
        }
        if wait_until_gone(folder, bound) {
            return Ok(());
        }
    }
    match living(folder).first() {
        None => Ok(()),
        Some((_, pid)) => Err(Error::Stubborn {
            folder: folder.path().to_owned(),
            pid: pid.as_raw(),
        }),
    }
}

fn wait_until_gone(folder: &Folder, bound: Duration) -> bool {
    let start = Instant::now();
    loop {
        if living(folder).is_empty() {
            return true;
        }
        if start.elapsed() > bound {
            return false;
        }
        thread::sleep(POLL);
    }
}

/// The pid files' names.
pub(crate) const POSTGRES: &str = "postgres";
pub(crate) const REDIS: &str = "redis";
pub(crate) const INITDB: &str = "initdb";

/// The processes of the folder that live.
fn living(folder: &Folder) -> Vec<(&'static str, Pid)> {
    let mut found: Vec<(&'static str, Pid)> = Vec::new();
    let files = [POSTGRES, REDIS, INITDB].map(|name| (name, folder.pid_file(name)));
    // Postgres's own file too, should ours have been lost.
    let own = (POSTGRES, folder.postgres_data().join("postmaster.pid"));
    for (name, file) in files.into_iter().chain([own]) {
        let Some((pid, mark)) = read_pid_file(&file) else {
            continue;
        };
        if is_ours(pid, folder, &mark) && !found.contains(&(name, pid)) {
            found.push((name, pid));
        }
    }
    found
}

/// The pid, and the line after it.
fn read_pid_file(file: &Path) -> Option<(Pid, String)> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines();
    let pid: i32 = lines.next()?.trim().parse().ok()?;
    // 0 and -1 address groups and everybody; 1 is never ours.
    (pid > 1).then(|| (Pid::from_raw(pid), lines.next().unwrap_or_default().to_owned()))
}

fn is_ours(pid: Pid, folder: &Folder, mark: &str) -> bool {
    let Some(command_line) = command_line(pid) else {
        return false;
    };
    let names_folder = folder
        .path()
        .to_str()
        .is_some_and(|path| command_line.contains(path));
    names_folder || (!mark.is_empty() && command_line.contains(mark))
}

/// The command line of a living process: from /proc where there is one (slim images have no `ps`).
fn command_line(pid: Pid) -> Option<String> {
    let bytes = if Path::new("/proc/self/cmdline").exists() {
        fs::read(format!("/proc/{pid}/cmdline")).ok()?
    } else {
        let pid = pid.to_string();
        let args: [&OsStr; 4] = ["-p".as_ref(), pid.as_ref(), "-o".as_ref(), "command=".as_ref()];
        Command::new("ps").args(args).output().ok()?.stdout
    };
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    (!text.trim().is_empty()).then_some(text)
}
