//! Finding installed programs: `PATH`, then the folders where distributions hide versioned ones, then what an
//! ordinary user had unpacked.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::options::Options;
use crate::places;

/// The oldest Postgres that is used: what a current Ubuntu LTS still ships; older ones end initdb differently
/// and are no longer maintained by anybody.
pub(crate) const POSTGRES_MAJOR_MIN: u32 = 14;

/// The names of the Redis server: Redis itself, and the fork that distributions ship instead.
const REDIS_NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Postgres.
    Postgres,
    /// Redis or Valkey.
    Redis,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "Postgres",
            Self::Redis => "Redis",
        })
    }
}

impl Program {
    /// The program's package on each system, as one types it.
    pub(crate) fn packages_text(self) -> &'static str {
        match self {
            Self::Postgres => {
                "`apt-get install postgresql`, `dnf install postgresql-server`, `apk add postgresql`, \
                 `brew install postgresql@17`"
            }
            Self::Redis => {
                "`apt-get install redis-server`, `dnf install redis` (or valkey), `apk add redis`, \
                 `brew install redis`"
            }
        }
    }

    /// The ways to name a running one.
    pub(crate) fn url_text(self) -> &'static str {
        match self {
            Self::Postgres => {
                "`--postgres-url` or FEALTY_POSTGRES_URL for `up`, FEALTY_TEST_POSTGRES_URL for the tests"
            }
            Self::Redis => "`--redis-url` or FEALTY_REDIS_URL for `up`, FEALTY_TEST_REDIS_URL for the tests",
        }
    }
}

/// The programs of one Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PostgresPrograms {
    pub bin_dir: PathBuf,
    pub major: u32,
    /// Set when they were unpacked privately: where their libraries lie.
    pub library_dirs: Vec<PathBuf>,
}

/// The program of a Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RedisProgram {
    pub path: PathBuf,
    /// As with Postgres.
    pub library_dirs: Vec<PathBuf>,
}

/// Every usable Postgres, the preferred first.
pub(crate) fn postgres(options: &Options) -> Vec<PostgresPrograms> {
    let mut found: Vec<PostgresPrograms> = Vec::new();
    let places = options.program_dirs.clone().unwrap_or_else(postgres_dirs);
    let private = if options.program_dirs.is_none() {
        private_root(Program::Postgres)
    } else {
        None
    };
    let private_bins = private.iter().flat_map(|root| {
        let bins = places::versioned(&root.join("usr/lib/postgresql"), "", "bin");
        bins.into_iter().map(|bin| (bin, library_dirs(root)))
    });
    for (bin_dir, library_dirs) in places
        .into_iter()
        .map(|dir| (dir, Vec::new()))
        .chain(private_bins)
    {
        if !is_program(&bin_dir.join("postgres")) || !is_program(&bin_dir.join("initdb")) {
            continue;
        }
        let Some(major) = postgres_major(&bin_dir, &library_dirs) else {
            continue;
        };
        if major >= POSTGRES_MAJOR_MIN && !found.iter().any(|known| known.major == major) {
            found.push(PostgresPrograms {
                bin_dir,
                major,
                library_dirs,
            });
        }
    }
    found
}

/// The Redis to use.
pub(crate) fn redis(options: &Options) -> Option<RedisProgram> {
    let dirs = options.program_dirs.clone().unwrap_or_else(redis_dirs);
    let installed = REDIS_NAMES
        .iter()
        .flat_map(|name| dirs.iter().map(move |dir| dir.join(name)))
        .find(|path| is_program(path))
        .map(|path| RedisProgram {
            path,
            library_dirs: Vec::new(),
        });
    if installed.is_some() || options.program_dirs.is_some() {
        return installed;
    }
    let root = private_root(Program::Redis)?;
    let path = REDIS_NAMES
        .iter()
        .map(|name| root.join("usr/bin").join(name))
        .find(|path| is_program(path))?;
    Some(RedisProgram {
        path,
        library_dirs: library_dirs(&root),
    })
}

/// Where a privately unpacked program lies, when it does.
fn private_root(program: Program) -> Option<PathBuf> {
    let root = places::programs_dir().join(private_name(program));
    root.is_dir().then_some(root)
}

/// The folder of a privately unpacked program.
pub(crate) fn private_name(program: Program) -> &'static str {
    match program {
        Program::Postgres => "postgres",
        Program::Redis => "redis",
    }
}

fn postgres_dirs() -> Vec<PathBuf> {
    let mut dirs = places::path_dirs();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/usr/libexec", "postgresql"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql@"),
        ("/Applications/Postgres.app/Contents/Versions", ""),
    ] {
        // Alpine keeps the programs beside each other without a `bin`.
        let tail = if parent == "/usr/libexec" { "" } else { "bin" };
        dirs.extend(places::versioned(Path::new(parent), prefix, tail));
    }
    dirs.extend(["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    dirs
}

fn redis_dirs() -> Vec<PathBuf> {
    let mut dirs = places::path_dirs();
    dirs.extend(
        [
            "/usr/bin",
            "/usr/sbin",
            "/usr/local/bin",
            "/opt/homebrew/bin",
            "/opt/homebrew/opt/redis/bin",
            "/opt/homebrew/opt/valkey/bin",
            "/home/linuxbrew/.linuxbrew/bin",
        ]
        .map(PathBuf::from),
    );
    dirs
}

/// The folders under an unpacked root that hold shared libraries: `lib` itself and the architecture's below it.
fn library_dirs(root: &Path) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for lib in ["usr/lib", "lib"].map(|name| root.join(name)) {
        let Ok(entries) = lib.read_dir() else {
            continue;
        };
        let below = entries.flatten().map(|entry| entry.path());
        dirs.extend(below.filter(|path| path.is_dir() && path.to_string_lossy().contains("-linux-")));
        dirs.push(lib);
    }
    dirs
}

pub(crate) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 15. A program that cannot even say its version
/// (a library is missing, another architecture) is not found.
fn postgres_major(bin_dir: &Path, library_dirs: &[PathBuf]) -> Option<u32> {
    let mut command = Command::new(bin_dir.join("postgres"));
    command.arg("--version");
    crate::process::set_libraries(&mut command, library_dirs);
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    places::leading_number(text.split_once(") ")?.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::DataDir;

    fn script(dir: &Path, name: &str, body: &str) -> std::io::Result<()> {
        let path = dir.join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
    }

    #[test]
    fn a_postgres_counts_when_it_can_make_a_cluster_and_say_its_version() -> std::io::Result<()> {
        let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?;
        let [good, no_initdb, broken, old] = &dirs[..] else {
            unreachable!("four were made")
        };
        script(
            good.path(),
            "postgres",
            "echo 'postgres (PostgreSQL) 17.2 (Debian 17.2-1)'",
        )?;
        script(good.path(), "initdb", "")?;
        script(no_initdb.path(), "postgres", "echo 'postgres (PostgreSQL) 18.0'")?;
        script(broken.path(), "postgres", "exit 127")?;
        script(broken.path(), "initdb", "")?;
        script(old.path(), "postgres", "echo 'postgres (PostgreSQL) 9.6.24'")?;
        script(old.path(), "initdb", "")?;

        let mut options = Options::new(DataDir::Ephemeral);
        options.program_dirs = Some(dirs.iter().map(|dir| dir.path().to_owned()).collect());
        let found = postgres(&options);
        let expected = PostgresPrograms {
            bin_dir: good.path().to_owned(),
            major: 17,
            library_dirs: Vec::new(),
        };
        assert_eq!(found, [expected]);
        Ok(())
    }

    #[test]
    fn valkey_is_taken_where_there_is_no_redis() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        script(dir.path(), "valkey-server", "")?;
        let mut options = Options::new(DataDir::Ephemeral);
        options.program_dirs = Some(vec![dir.path().to_owned()]);
        assert_eq!(
            redis(&options).map(|found| found.path),
            Some(dir.path().join("valkey-server"))
        );
        Ok(())
    }
}
