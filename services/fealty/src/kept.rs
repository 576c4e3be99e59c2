//! What `up` must keep between two starts, in one file of its data folder that only its owner can read.
//!
//! It holds secrets in the clear: the key that personal data is encrypted under, the roles' passwords, the services' own
//! keys, and the first program's key, so that a second start prints the same one. That is for one's own machine; in
//! production the config and its environment carry them, and a key's text is stored nowhere.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use fealty_postgres::RolePasswords;
use fealty_vault::MasterKey;
use serde::{Deserialize, Serialize};

use crate::services::{PerService, ServiceName};

const FILE: &str = "up.json";

/// For its owner's eyes only.
const FILE_MODE: u32 = 0o600;

/// Everything that is kept. What a folder of an earlier version lacks is made.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Encrypts the keys that the members' personal data is encrypted with.
    pub vault_master_key: String,
    /// Encrypts the keys that the words of survey answers are encrypted with.
    #[serde(default = "new_master_key")]
    pub surveys_vault_master_key: String,
    members: Passwords,
    ledger: Passwords,
    #[serde(default = "Passwords::generate")]
    rewards: Passwords,
    #[serde(default = "Passwords::generate")]
    surveys: Passwords,
    /// The keys, once they have been planted.
    pub keys: Keys,
    /// Where the last start put everything.
    pub addresses: Addresses,
}

/// Passwords of a service's three roles.
#[derive(Clone, Serialize, Deserialize)]
pub struct Passwords {
    owner: String,
    service: String,
    jobs: String,
}

/// Texts of keys; empty until they have been planted.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Keys {
    members_service: String,
    ledger_service: String,
    #[serde(default)]
    rewards_service: String,
    #[serde(default)]
    surveys_service: String,
    /// The first program's, with all scopes that a program's key can have.
    pub program: String,
}

/// Where the last start put everything.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Addresses {
    members: String,
    ledger: String,
    #[serde(default)]
    rewards: String,
    #[serde(default)]
    surveys: String,
    /// The members database, by the role of its jobs.
    pub members_jobs_database_url: String,
    /// The ledger's database, by the role of its jobs.
    #[serde(default)]
    pub ledger_jobs_database_url: String,
}

impl Keys {
    /// With which a service calls the others.
    #[must_use]
    pub fn of(&self, service: ServiceName) -> &str {
        match service {
            ServiceName::Members => &self.members_service,
            ServiceName::Ledger => &self.ledger_service,
            ServiceName::Rewards => &self.rewards_service,
            ServiceName::Surveys => &self.surveys_service,
        }
    }

    /// The same, to be planted.
    pub fn of_mut(&mut self, service: ServiceName) -> &mut String {
        match service {
            ServiceName::Members => &mut self.members_service,
            ServiceName::Ledger => &mut self.ledger_service,
            ServiceName::Rewards => &mut self.rewards_service,
            ServiceName::Surveys => &mut self.surveys_service,
        }
    }
}

impl Addresses {
    /// Where the services are.
    #[must_use]
    pub fn new(
        urls: PerService<String>,
        members_jobs_database_url: &str,
        ledger_jobs_database_url: &str,
    ) -> Self {
        let [members, ledger, rewards, surveys] = urls.into_array();
        Self {
            members,
            ledger,
            rewards,
            surveys,
            members_jobs_database_url: members_jobs_database_url.to_owned(),
            ledger_jobs_database_url: ledger_jobs_database_url.to_owned(),
        }
    }

    /// Where a service takes calls, as a URL.
    #[must_use]
    pub fn of(&self, service: ServiceName) -> &str {
        match service {
            ServiceName::Members => &self.members,
            ServiceName::Ledger => &self.ledger,
            ServiceName::Rewards => &self.rewards,
            ServiceName::Surveys => &self.surveys,
        }
    }
}

impl Kept {
    /// New secrets.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            vault_master_key: new_master_key(),
            surveys_vault_master_key: new_master_key(),
            members: Passwords::generate(),
            ledger: Passwords::generate(),
            rewards: Passwords::generate(),
            surveys: Passwords::generate(),
            keys: Keys::default(),
            addresses: Addresses::default(),
        }
    }

    /// The passwords of a service's roles.
    #[must_use]
    pub const fn passwords(&self, service: ServiceName) -> &Passwords {
        match service {
            ServiceName::Members => &self.members,
            ServiceName::Ledger => &self.ledger,
            ServiceName::Rewards => &self.rewards,
            ServiceName::Surveys => &self.surveys,
        }
    }

    /// What an earlier start kept in the folder, if there was one.
    pub fn find(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path(folder);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .with_context(|| format!("{} holds something else than `up` wrote", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes it by rename: a kill in between leaves the old one whole.
    pub fn save(&self, folder: &Path, owner: FileOwner) -> anyhow::Result<()> {
        let path = Self::path(folder);
        let fresh = path.with_extension("json.new");
        self.write(&fresh, owner)
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn write(&self, fresh: &Path, owner: FileOwner) -> io::Result<()> {
        // Left behind by a kill, perhaps with another mode.
        match fs::remove_file(fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(fresh)?;
        if let FileOwner::Other { uid, gid } = owner {
            chown(fresh, Some(uid), Some(gid))?;
        }
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()
    }

    /// The file of a folder.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }
}

impl Passwords {
    fn generate() -> Self {
        Self {
            owner: random_password(),
            service: random_password(),
            jobs: random_password(),
        }
    }

    /// For making the roles.
    #[must_use]
    pub fn of_roles(&self) -> RolePasswords {
        RolePasswords {
            owner: Some(self.owner.clone()),
            service: Some(self.service.clone()),
            jobs: Some(self.jobs.clone()),
        }
    }
}

/// Whose the file is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileOwner {
    /// Whoever runs this.
    Us,
    /// Root looks after an ordinary user's folder: they open it again without root.
    Other {
        /// The user.
        uid: u32,
        /// Their group.
        gid: u32,
    },
}

impl FileOwner {
    /// Whose the file of this folder is to be; to be asked before the folder is opened, which may give it to the user
    /// that Postgres runs as, who shall not read the secrets.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let owner = fs::metadata(Kept::path(folder)).or_else(|_| fs::metadata(folder));
        match owner {
            Ok(owner) if owner.uid() != nix::unistd::geteuid().as_raw() => Self::Other {
                uid: owner.uid(),
                gid: owner.gid(),
            },
            _ => Self::Us,
        }
    }
}

fn new_master_key() -> String {
    MasterKey::generate_text().to_string()
}

/// 128 random bits, in hexadecimal: they stand in URLs without quoting.
fn random_password() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_and_nobody_else_can_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Kept::find(folder.path()).expect("readable").is_none());
        let mut kept = Kept::generate();
        kept.save(folder.path(), FileOwner::Us).expect("written");
        kept.keys.program = "fealty_x".to_owned();
        kept.save(folder.path(), FileOwner::Us).expect("written again");

        let found = Kept::find(folder.path()).expect("readable").expect("there");
        assert_eq!(found.keys.program, "fealty_x");
        assert_eq!(found.vault_master_key, kept.vault_master_key);
        assert!(MasterKey::parse("members", &found.vault_master_key).is_ok());
        let mode = fs::metadata(Kept::path(folder.path())).expect("there").mode();
        assert_eq!(mode & 0o777, FILE_MODE);
    }

    #[test]
    fn another_file_of_that_name_is_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(Kept::path(folder.path()), "{}").expect("written");
        let Err(refused) = Kept::find(folder.path()) else {
            panic!("it is none of ours");
        };
        assert!(refused.to_string().contains("up.json"), "{refused}");
    }
}
