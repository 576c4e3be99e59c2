//! What a killed owner left in its folder. The lock is ours by now, so nobody else is at work here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::folder::Folder;
use crate::options::Report;
use crate::process::{self, INITDB, Manner, POSTGRES, REDIS};

/// A child of initdb lives for a fraction of a second without it.
const REMOVE_BOUND: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// Ends servers that still run (their watchdog was killed as well), and clears half-made and stale files away.
pub(crate) fn recover(folder: &Folder, report: &Report) -> Result<(), Error> {
    let left: Vec<&str> = [POSTGRES, REDIS, INITDB]
        .into_iter()
        .filter(|name| folder.pid_file(name).exists())
        .collect();
    if !left.is_empty() {
        report.say(&format!(
            "The last run in {} was cut off; cleaning up after it.",
            folder.path().display()
        ));
    }
    process::stop_all(folder, Manner::Orderly)?;
    for name in left {
        remove(&folder.pid_file(name))?;
    }
    remove_folder(&half_made(folder))?;
    clear_after_postgres(folder)
}

/// What a Postgres that did not end in order left, and the next one would take for a living one.
pub(crate) fn clear_after_postgres(folder: &Folder) -> Result<(), Error> {
    remove_sockets(&folder.postgres_dir())?;
    disown(&folder.postgres_data().join("postmaster.pid"))
}

/// A socket's lock file names a pid as well; the sockets in this folder are nobody else's.
fn remove_sockets(dir: &Path) -> Result<(), Error> {
    let entries = dir.read_dir().map_err(Error::io("open the folder", dir))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(".s.PGSQL.") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// No postmaster of this folder lives now. When its pid is somebody else's by now (after a restart of the machine,
/// in a new container), or still waits to be collected by its parent, Postgres would refuse to start. Removing
/// the file would help and be wrong: by the rest of it Postgres finds out whether orphaned backends still use
/// the data. So it gets our own pid, which Postgres, as our child, does not mistake for another postmaster.
fn disown(file: &Path) -> Result<(), Error> {
    let Ok(text) = fs::read_to_string(file) else {
        return Ok(());
    };
    let Some((_, rest)) = text.split_once('\n') else {
        return remove(file);
    };
    fs::write(file, format!("{}\n{rest}", std::process::id())).map_err(Error::io("write", file))
}

/// Where a cluster is made before it is renamed to its place: what bears the final name is whole.
pub(crate) fn half_made(folder: &Folder) -> PathBuf {
    folder.postgres_dir().join("data.new")
}

fn remove(file: &Path) -> Result<(), Error> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", file)(error)),
        _ => Ok(()),
    }
}

/// A killed initdb leaves a child that writes on until it notices.
fn remove_folder(dir: &Path) -> Result<(), Error> {
    let start = Instant::now();
    loop {
        match fs::remove_dir_all(dir) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if start.elapsed() > REMOVE_BOUND => return Err(Error::io("remove", dir)(error)),
            Err(_) => thread::sleep(POLL),
        }
    }
}
