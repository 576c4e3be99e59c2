//! Debian packages for an ordinary user without sudo: resolved and downloaded with apt-get, unpacked with dpkg,
//! never installed. What is already on the system is used from there; maintainer scripts do not run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::error::Error;
use crate::find::{Program, private_name};
use crate::job;
use crate::places;

/// Another process of the same user may be unpacking the same: that takes a download.
const LOCK_BOUND: Duration = Duration::from_mins(10);
const LOCK_POLL: Duration = Duration::from_millis(200);
/// Resolving reads the package lists; updating and downloading go over the network.
const APT_BOUND: Duration = Duration::from_mins(10);
const UNPACK_BOUND: Duration = Duration::from_mins(2);

/// Never unpacked beside the system's own: a C library works only with the loader it was built with.
const SYSTEM_ONLY: [&str; 2] = ["libc6", "libc-bin"];

/// Unpacks the missing programs, each with the packages that the system lacks for it.
pub(super) async fn unpack(missing: &[Program]) -> Result<(), Error> {
    let dir = places::programs_dir();
    fs::create_dir_all(&dir).map_err(Error::io("make the folder", &dir))?;
    let lock = lock(&dir.join("lock")).await?;
    for program in missing {
        let target = dir.join(private_name(*program));
        // Somebody else did it while we waited.
        if target.is_dir() {
            continue;
        }
        let work = dir.join(format!("{}.new", private_name(*program)));
        clear(&work)?;
        let root = work.join("root");
        fs::create_dir_all(&root).map_err(Error::io("make the folder", &root))?;
        download(*program, &work, &dir).await?;
        unpack_all(&work, &root).await?;
        fs::rename(&root, &target).map_err(Error::io("rename to", &target))?;
        clear(&work)?;
    }
    drop(lock);
    Ok(())
}

async fn lock(path: &Path) -> Result<fs::File, Error> {
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file = file.map_err(Error::io("open", path))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
            Err(fs::TryLockError::WouldBlock) if start.elapsed() > LOCK_BOUND => {
                let what = "another process's unpacking of the same programs".to_owned();
                return Err(Error::TooSlow {
                    what,
                    bound: LOCK_BOUND,
                });
            }
            Err(fs::TryLockError::WouldBlock) => sleep(LOCK_POLL).await,
        }
    }
}

/// Downloads the packages into `work`: by the system's package lists, or, where those are absent or out of date,
/// by lists of our own.
async fn download(program: Program, work: &Path, dir: &Path) -> Result<(), Error> {
    if Apt::of_the_system(work).download(program).await.is_ok() {
        return Ok(());
    }
    let own = Apt::with_own_lists(work, &dir.join(format!("apt-{}", id())))?;
    let done = own.update_and_download(program).await;
    clear(&own.state)?;
    done
}

/// apt-get with its files in one place or another.
struct Apt {
    options: Vec<String>,
    work: PathBuf,
    state: PathBuf,
}

impl Apt {
    fn of_the_system(work: &Path) -> Self {
        Self {
            options: Vec::new(),
            work: work.to_owned(),
            state: work.join("apt"),
        }
    }

    /// Sources, keys and what is installed stay the system's; lists and caches are our own.
    fn with_own_lists(work: &Path, state: &Path) -> Result<Self, Error> {
        for needed in ["lists/partial", "cache/archives/partial"].map(|name| state.join(name)) {
            fs::create_dir_all(&needed).map_err(Error::io("make the folder", &needed))?;
        }
        let options = vec![
            format!("-oDir::State::lists={}", state.join("lists").display()),
            format!("-oDir::Cache={}", state.join("cache").display()),
            // The system's hook after an update clears the system's cache, which is not ours to clear.
            "-oAPT::Update::Post-Invoke-Success=".to_owned(),
        ];
        Ok(Self {
            options,
            work: work.to_owned(),
            state: state.to_owned(),
        })
    }

    async fn update_and_download(&self, program: Program) -> Result<(), Error> {
        // A source that fails is no reason to stop, and apt-get may not even call it a failure: should the download
        // fail, what the update printed is likely to say why.
        let updated = self.run(&["update"], &[]).await?;
        self.download(program).await.map_err(|error| match error {
            Error::Install { what, tail } => Error::Install {
                what,
                tail: format!("{}\n{tail}", job::tail(&updated.output)),
            },
            other => other,
        })
    }

    async fn download(&self, program: Program) -> Result<(), Error> {
        let package = match program {
            Program::Postgres => "postgresql",
            Program::Redis => "redis-server",
        };
        let plan = self
            .run(
                &["--simulate", "--no-install-recommends", "install"],
                &[package.to_owned()],
            )
            .await?;
        let packages = planned(&plan.output);
        if !plan.success || packages.is_empty() {
            let what = format!("apt-get cannot resolve {package}");
            return Err(Error::Install {
                what,
                tail: job::tail(&plan.output),
            });
        }
        let downloaded = self.run(&["download"], &packages).await?;
        if downloaded.success {
            return Ok(());
        }
        let what = format!("apt-get download {}", packages.join(" "));
        Err(Error::Install {
            what,
            tail: job::tail(&downloaded.output),
        })
    }

    async fn run(&self, action: &[&str], packages: &[String]) -> Result<job::Finished, Error> {
        let mut command = Command::new("apt-get");
        command
            .arg("-q")
            .args(&self.options)
            .args(action)
            .args(packages)
            .env("LC_ALL", "C")
            .current_dir(&self.work);
        job::run(command, APT_BOUND).await
    }
}

/// `Inst libjemalloc2 (5.3.0-1 Debian:12/stable [amd64])` is `libjemalloc2=5.3.0-1`; an upgrade has the old version
/// in brackets before.
fn planned(output: &str) -> Vec<String> {
    output
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix("Inst ")?;
            let name = line.split_whitespace().next()?;
            let version = line.split_once('(')?.1.split_whitespace().next()?;
            let bare = name.split(':').next().unwrap_or(name);
            (!SYSTEM_ONLY.contains(&bare)).then(|| format!("{name}={version}"))
        })
        .collect()
}

async fn unpack_all(work: &Path, root: &Path) -> Result<(), Error> {
    let entries = work.read_dir().map_err(Error::io("open the folder", work))?;
    for package in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "deb"))
    {
        let mut command = Command::new("dpkg-deb");
        command.arg("-x").arg(&package).arg(root);
        let finished = job::run(command, UNPACK_BOUND).await?;
        if !finished.success {
            let what = format!("unpacking {}", package.display());
            return Err(Error::Install {
                what,
                tail: job::tail(&finished.output),
            });
        }
    }
    Ok(())
}

fn clear(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", dir)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::planned;

    #[test]
    fn the_plan_names_each_package_with_its_version() {
        let output = "NOTE: This is only a simulation!\n\
            Inst libjemalloc2 (5.3.0-1 Debian:12.15/oldstable [amd64])\n\
            Inst libssl3 [3.0.1-1] (3.0.2-1 Debian:12.15/oldstable [amd64]) []\n\
            Inst libc6 [2.36-9] (2.36-10 Debian:12.15/oldstable [amd64])\n\
            Inst redis-server (5:7.0.15-1~deb12u10 Debian-Security:12/oldstable-security [amd64])\n\
            Conf libjemalloc2 (5.3.0-1 Debian:12.15/oldstable [amd64])\n";
        assert_eq!(
            planned(output),
            [
                "libjemalloc2=5.3.0-1",
                "libssl3=3.0.2-1",
                "redis-server=5:7.0.15-1~deb12u10"
            ]
        );
    }
}
