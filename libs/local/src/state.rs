//! What a kept folder remembers between two starts.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::folder::Folder;

/// The contents of `state.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// Chosen when the cluster was made.
    pub postgres_password: Option<String>,
    /// Used again when free, so that a noted address stays true.
    pub postgres_port: Option<u16>,
    /// The same.
    pub redis_port: Option<u16>,
    /// Of this run alone: nothing of Redis is kept, so the next run chooses another.
    #[serde(skip)]
    pub redis_password: Option<String>,
}

impl State {
    pub(crate) fn load(folder: &Folder) -> Result<Self, Error> {
        let file = folder.state_file();
        match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| Error::StateLost { file }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::io("read", &file)(error)),
        }
    }

    /// By rename: a kill in between leaves the old one whole.
    pub(crate) fn save(&self, folder: &Folder) -> Result<(), Error> {
        let file = folder.state_file();
        let fresh = file.with_extension("json.new");
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .and_then(|mut open| open.write_all(&text).and_then(|()| open.sync_all()))
            .map_err(Error::io("write", &fresh))?;
        // Root may look after a folder that is somebody else's: they open it again without root.
        folder.give(&fresh)?;
        fs::rename(&fresh, &file).map_err(Error::io("write", &file))
    }
}

/// 128 random bits, as hex: it stands in URLs and configuration lines without quoting.
pub(crate) fn random_password() -> String {
    format!("{:032x}", rand::random::<u128>())
}
