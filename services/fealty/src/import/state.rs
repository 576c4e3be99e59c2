//! What a killed import goes on from: how far it came and what it counted, written to a file of its own.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::args::{Args, Map};
use super::tally::Tally;

/// As much of the file as its fingerprint reads: enough to tell two exports apart.
const FINGERPRINT_BYTES: u64 = 1024 * 1024;

/// What makes two runs the same import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Of the ledger whose program the rows go to.
    program_id: String,
    source: String,
    file_size_bytes: u64,
    file_modified: Option<SystemTime>,
    file_head_sha256: String,
    map: Map,
    time_zone: String,
    /// Rows that were rejected for want of it are to be tried with it.
    enrol: bool,
}

/// How far an import came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    /// Which import.
    pub identity: Identity,
    /// Rows that are done, without a gap.
    pub done_count: u64,
    /// Where in the file they end.
    pub done_bytes: u64,
    /// Bytes of the file of rejected rows that belong to them.
    pub rejected_size_bytes: u64,
    /// What became of them.
    pub tally: Tally,
}

/// Where an import keeps its notes.
#[derive(Debug, Clone)]
pub struct Notes {
    /// How far it came.
    pub progress: PathBuf,
    /// Rejected rows, each with its line and the reason.
    pub rejected: PathBuf,
}

impl Identity {
    /// Of the import that these arguments describe.
    pub fn read(args: &Args, source: &str, program_id: &str) -> io::Result<Self> {
        let file = fs::File::open(&args.file)?;
        let metadata = file.metadata()?;
        let mut head = Vec::new();
        file.take(FINGERPRINT_BYTES).read_to_end(&mut head)?;
        Ok(Self {
            program_id: program_id.to_owned(),
            source: source.to_owned(),
            file_size_bytes: metadata.len(),
            file_modified: metadata.modified().ok(),
            file_head_sha256: hex(&Sha256::digest(&head)),
            map: args.map.clone(),
            time_zone: args.time_zone.name().to_owned(),
            enrol: args.enrol,
        })
    }
}

impl Notes {
    /// The notes of a program's source, in the given folder or the user's state folder.
    pub fn at(state_dir: Option<&Path>, identity: &Identity) -> io::Result<Self> {
        let folder = match state_dir {
            Some(folder) => folder.to_owned(),
            None => std::env::home_dir()
                .ok_or_else(|| {
                    io::Error::other("there is no home folder to keep notes in: give --state-dir")
                })?
                .join(".local/state/fealty"),
        };
        fs::create_dir_all(&folder)?;
        let name = &hex(&Sha256::digest(format!(
            "{}\0{}",
            identity.program_id, identity.source
        )))[..16];
        Ok(Self {
            progress: folder.join(format!("import-{name}.json")),
            rejected: folder.join(format!("import-{name}.rejected.csv")),
        })
    }

    /// How far this very import came, if it was cut off.
    pub fn find_progress(&self, identity: &Identity) -> Option<Progress> {
        let text = fs::read_to_string(&self.progress).ok()?;
        let progress: Progress = serde_json::from_str(&text).ok()?;
        (progress.identity == *identity).then_some(progress)
    }

    /// Writes how far it came. The old notes stand until the new ones are whole.
    pub fn save(&self, progress: &Progress) -> io::Result<()> {
        let new = self.progress.with_extension("json.new");
        let mut file = fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec(progress)?)?;
        file.sync_data()?;
        fs::rename(&new, &self.progress)
    }

    /// The import is done: the next run reads the file from its beginning.
    pub fn forget_progress(&self) -> io::Result<()> {
        match fs::remove_file(&self.progress) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
