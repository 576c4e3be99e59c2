//! Folders by the system's own conventions. The one file here that reads the environment.

use std::env;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

/// The data folder for somebody who names none: `/var/lib/fealty` for root (Postgres runs as another user
/// then, who may not look into root's home), else `fealty` under `XDG_DATA_HOME` or `~/.local/share`.
#[must_use]
pub fn default_data_dir() -> PathBuf {
    if geteuid().is_root() {
        return PathBuf::from("/var/lib/fealty");
    }
    own_folder("XDG_DATA_HOME", ".local/share")
}

/// Where an ordinary user's unpacked programs lie. They are kept apart from any data folder, so that tests,
/// whose folders are removed, and `up` share one copy.
pub(crate) fn programs_dir() -> PathBuf {
    if geteuid().is_root() {
        return PathBuf::from("/var/cache/fealty/programs");
    }
    own_folder("XDG_CACHE_HOME", ".cache").join("programs")
}

/// The folders of `PATH`, relative ones left out: what runs must not depend on where we stand.
pub(crate) fn path_dirs() -> Vec<PathBuf> {
    let Some(path) = env::var_os("PATH") else {
        return Vec::new();
    };
    env::split_paths(&path).filter(|dir| dir.is_absolute()).collect()
}

fn own_folder(variable: &str, below_home: &str) -> PathBuf {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute(variable)
        .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
        .map_or_else(
            || env::temp_dir().join(format!("fealty-{}", geteuid())),
            |dir| dir.join("fealty"),
        )
}

/// The folders below `parent` whose name begins with `prefix`, the highest version first, each with `tail`.
pub(crate) fn versioned(parent: &Path, prefix: &str, tail: &str) -> Vec<PathBuf> {
    let Ok(entries) = parent.read_dir() else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.to_owned();
            Some((leading_number(&version).unwrap_or(0), entry.path().join(tail)))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// The number a version begins with: 15 of `15.18`, 17 of `17beta1`.
pub(crate) fn leading_number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versioned_folders_come_newest_first() -> std::io::Result<()> {
        let parent = tempfile::tempdir()?;
        for name in ["pgsql-9", "pgsql-16", "pgsql-15", "other"] {
            std::fs::create_dir(parent.path().join(name))?;
        }
        let found = versioned(parent.path(), "pgsql-", "bin");
        let expected = ["pgsql-16/bin", "pgsql-15/bin", "pgsql-9/bin"].map(|name| parent.path().join(name));
        assert_eq!(found, expected);
        Ok(())
    }
}
