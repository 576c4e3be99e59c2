//! The data folder: one owner at a time, readable by nobody else.
//!
//! ```text
//! fealty.lock   held while somebody runs here; says who and what
//! state.json    the ports and the password that the next start uses again
//! postgres/     data, and the socket
//! redis/        its configuration
//! logs/         one per server, and the one before
//! run/          pid files
//! ```

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User, geteuid};

use crate::error::Error;
use crate::folder::lock::Lock;
use crate::options::DataDir;
use crate::process::{self, Manner, ServiceUser};

pub(crate) mod lock;

/// For the owner's eyes only: it holds passwords and customers' data.
const FOLDER_MODE: u32 = 0o700;

/// Users that root's servers may run as, the preferred first.
const SERVICE_USERS: [&str; 2] = ["postgres", "nobody"];

const LOCK_FILE: &str = "fealty.lock";
const STATE_FILE: &str = "state.json";

/// A data folder that is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    ephemeral: bool,
    user: Option<ServiceUser>,
    lock: Lock,
}

impl Folder {
    /// Makes or opens the folder and locks it.
    pub(crate) async fn open(data_dir: &DataDir) -> Result<Self, Error> {
        let (path, ephemeral) = match data_dir {
            DataDir::Kept(path) => (make(path)?, false),
            DataDir::Ephemeral => (make_ephemeral()?, true),
        };
        let opened = Self::take(path.clone(), ephemeral).await;
        if opened.is_err() && ephemeral {
            let _ = fs::remove_dir_all(&path);
        }
        opened
    }

    async fn take(path: PathBuf, ephemeral: bool) -> Result<Self, Error> {
        let user = if geteuid().is_root() {
            Some(hand_over(&path)?)
        } else {
            None
        };
        fs::set_permissions(&path, Permissions::from_mode(FOLDER_MODE))
            .map_err(Error::io("keep others out of", &path))?;
        let lock = Lock::take(&path, LOCK_FILE).await?;
        let folder = Self {
            path,
            ephemeral,
            user,
            lock,
        };
        folder.fill()?;
        Ok(folder)
    }

    fn fill(&self) -> Result<(), Error> {
        self.give(&self.path.join(LOCK_FILE))?;
        for dir in ["postgres", "redis", "logs", "run"].map(|name| self.path.join(name)) {
            match DirBuilder::new().mode(FOLDER_MODE).create(&dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Error::io("make the folder", &dir)(error));
                }
                _ => self.give(&dir)?,
            }
        }
        if let Some(user) = &self.user {
            self.check_reachable(user)?;
        }
        Ok(())
    }

    /// Gives a file or folder to the user that the servers run as.
    pub(crate) fn give(&self, path: &Path) -> Result<(), Error> {
        let Some(user) = &self.user else {
            return Ok(());
        };
        chown(path, Some(user.uid), Some(user.gid)).map_err(Error::io("give to the servers' user", path))
    }

    fn check_reachable(&self, user: &ServiceUser) -> Result<(), Error> {
        let probe = self
            .shell(r#"cd "$1" && test -w ."#)
            .arg("fealty-probe")
            .arg(&self.path)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(Error::io("run", Path::new("/bin/sh")))?;
        if probe.success() {
            return Ok(());
        }
        Err(Error::Unreachable {
            folder: self.path.clone(),
            user: user.name.clone(),
        })
    }

    /// A shell that runs as the servers do.
    pub(crate) fn shell(&self, script: &str) -> Command {
        process::shell(script, self.user.as_ref())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// How servers are to be ended: only what is kept needs care.
    pub(crate) fn manner(&self) -> Manner {
        if self.ephemeral {
            Manner::Abrupt
        } else {
            Manner::Orderly
        }
    }

    pub(crate) fn lock(&self) -> &Lock {
        &self.lock
    }

    pub(crate) fn lock_mut(&mut self) -> &mut Lock {
        &mut self.lock
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.path.join(STATE_FILE)
    }

    pub(crate) fn postgres_dir(&self) -> PathBuf {
        self.path.join("postgres")
    }

    pub(crate) fn postgres_data(&self) -> PathBuf {
        self.path.join("postgres/data")
    }

    pub(crate) fn redis_dir(&self) -> PathBuf {
        self.path.join("redis")
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.path.join("run")
    }

    pub(crate) fn pid_file(&self, name: &str) -> PathBuf {
        self.path.join("run").join(format!("{name}.pid"))
    }

    pub(crate) fn log_file(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// What an orderly end leaves: nothing of an ephemeral folder, no lock file in a kept one.
    pub(crate) fn close(&self) {
        if self.ephemeral {
            // The watchdog removes it too; whoever comes second finds nothing.
            let _ = fs::remove_dir_all(&self.path);
        } else {
            self.lock.remove();
        }
    }
}

fn make(path: &Path) -> Result<PathBuf, Error> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(Error::io("make the folder", parent))?;
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_ours(path)?,
        Err(error) => return Err(Error::io("make the folder", path)(error)),
    }
    let path = path.canonicalize().map_err(Error::io("open the folder", path))?;
    // The path stands in command lines, pid files and configuration lines, and is compared there.
    if path.to_str().is_none_or(|text| text.contains(char::is_control)) {
        let error = io::Error::new(
            io::ErrorKind::InvalidInput,
            "its name holds characters that are no text",
        );
        return Err(Error::io("use the folder", &path)(error));
    }
    Ok(path)
}

/// We change the mode, perhaps the owner, of what we open: not of a folder that is something else.
fn check_ours(path: &Path) -> Result<(), Error> {
    let mut entries = path.read_dir().map_err(Error::io("open the folder", path))?;
    let known = [LOCK_FILE, STATE_FILE]
        .iter()
        .any(|name| path.join(name).exists());
    if known || entries.next().is_none() {
        return Ok(());
    }
    Err(Error::NotOurs {
        folder: path.to_owned(),
    })
}

fn make_ephemeral() -> Result<PathBuf, Error> {
    let parent = std::env::temp_dir();
    let made = tempfile::Builder::new()
        .prefix("fealty-")
        .tempdir_in(&parent)
        .map_err(Error::io("make a folder in", &parent))?
        .keep();
    made.canonicalize().map_err(Error::io("open the folder", &made))
}

/// As root: a folder of root's goes to the service user; one that is already somebody's stays theirs, and the
/// servers run as its owner.
fn hand_over(path: &Path) -> Result<ServiceUser, Error> {
    let owner = path.metadata().map_err(Error::io("open the folder", path))?;
    if owner.uid() != 0 {
        let name = User::from_uid(Uid::from_raw(owner.uid()))
            .ok()
            .flatten()
            .map_or_else(|| owner.uid().to_string(), |user| user.name);
        return Ok(ServiceUser {
            name,
            uid: owner.uid(),
            gid: owner.gid(),
        });
    }
    let user = SERVICE_USERS
        .iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .map(|user| ServiceUser {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        })
        .ok_or(Error::NoServiceUser)?;
    chown(path, Some(user.uid), Some(user.gid)).map_err(Error::io("give to the servers' user", path))?;
    Ok(user)
}
