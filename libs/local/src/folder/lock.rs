//! One owner at a time.
//!
//! The lock is the kernel's, on an open file: it cannot be left behind. The watchdog holds the same open file,
//! so the folder is free only once the servers of a killed owner have ended, too.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::error::{Error, Running};

/// How long a dead owner's watchdog may take to end the servers, with some room: its own bounds sum up to 25 s.
const HANDOVER_BOUND: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(50);

/// The held lock.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    note: Note,
}

/// What the lock file says about its owner.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Note {
    pid: u32,
    since: DateTime<Utc>,
    addresses: Vec<(String, String)>,
}

impl Lock {
    /// Takes the lock. While its owner lives the answer is [`Error::AlreadyRunning`]; while only the owner's
    /// watchdog does, we wait for it.
    pub(crate) async fn take(folder: &Path, name: &str) -> Result<Self, Error> {
        let path = folder.join(name);
        let start = Instant::now();
        loop {
            let file = open(&path)?;
            match file.try_lock() {
                // An owner that ends removes the file: then we hold one that nobody else will ever see.
                Ok(()) if !is_same(&file, &path) => continue,
                Ok(()) => return Self::sign(file, path),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            let running = read(folder, &path);
            if running.pid.is_some_and(crate::process::is_alive) || start.elapsed() > HANDOVER_BOUND {
                return Err(Error::AlreadyRunning(Box::new(running)));
            }
            sleep(POLL).await;
        }
    }

    fn sign(file: File, path: PathBuf) -> Result<Self, Error> {
        let mut lock = Self {
            file,
            path,
            note: Note {
                pid: process::id(),
                ..Note::default()
            },
        };
        lock.write()?;
        // The file's own time says when we started, so that no clock is read here.
        let written = lock.file.metadata().and_then(|metadata| metadata.modified());
        lock.note.since = written.map_err(Error::io("read", &lock.path))?.into();
        lock.write()?;
        Ok(lock)
    }

    /// Adds an address to what a second start is told.
    pub(crate) fn add_address(&mut self, name: &str, address: &str) -> Result<(), Error> {
        let noted = (name.to_owned(), address.to_owned());
        // A server that was started again is where it was.
        if self.note.addresses.contains(&noted) {
            return Ok(());
        }
        self.note.addresses.push(noted);
        self.write()
    }

    fn write(&mut self) -> Result<(), Error> {
        let text = serde_json::to_vec(&self.note).unwrap_or_default();
        let file = &mut self.file;
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(&text))
            .map_err(Error::io("write", &self.path))
    }

    /// The same open file, for the watchdog to hold.
    pub(crate) fn share(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(Error::io("share", &self.path))
    }

    /// Removes the file while the lock is still held: nothing is left to wonder about.
    pub(crate) fn remove(&self) {
        // The watchdog may have removed ours, and the next owner made a new one.
        if is_same(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(Error::io("open", path))
}

fn is_same(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(held), Ok(seen)) => (held.dev(), held.ino()) == (seen.dev(), seen.ino()),
        _ => false,
    }
}

/// What the owner wrote; nothing while it is about to.
fn read(folder: &Path, path: &Path) -> Running {
    let note = fs::read(path)
        .ok()
        .and_then(|text| serde_json::from_slice::<Note>(&text).ok());
    let folder = folder.to_owned();
    match note {
        Some(note) => Running {
            folder,
            pid: Some(note.pid),
            since: Some(note.since),
            addresses: note.addresses,
        },
        None => Running {
            folder,
            pid: None,
            since: None,
            addresses: Vec::new(),
        },
    }
}
