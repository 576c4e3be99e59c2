//! Writes the metadata of each service's checked queries (`services/*/.sqlx`), by which a fresh clone builds without a
//! database. With `--check` it writes nothing and fails when what is committed is not fresh.
//!
//! It does what `cargo sqlx prepare` does, against databases that it makes and migrates itself, so that nobody needs
//! that tool or a database at hand: the macros write the metadata of what they check when `SQLX_OFFLINE_DIR` is set.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};
use fealty_postgres::ServiceDatabase;
use fealty_postgres::testing::TestDatabase;
use sqlx::migrate::Migrator;

#[tokio::main]
async fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    match run(check).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(check: bool) -> anyhow::Result<bool> {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services");
    let mut fresh = true;
    let mut folders = Vec::new();
    for entry in fs::read_dir(&services)? {
        folders.push(entry?.path());
    }
    // The tests of those that come later are built with those before them.
    folders.sort();
    for folder in folders {
        if !folder.join("sqlx.toml").exists() {
            continue;
        }
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let written = tempfile::tempdir()?;
        describe(&name, &folder, written.path()).await?;
        let committed = folder.join(".sqlx");
        if read(written.path())? == read(&committed)? {
            println!("{name}: the query metadata is fresh");
        } else if check {
            fresh = false;
            eprintln!(
                "{name}: the query metadata is stale: run `cargo run -p fealty-testing --example query_metadata`"
            );
        } else {
            replace(&committed, written.path())?;
            println!("{name}: wrote {}", committed.display());
        }
    }
    Ok(fresh)
}

/// Has the compiler check every query of a service against a freshly migrated database, and keep what it learns.
async fn describe(name: &str, folder: &Path, into: &Path) -> anyhow::Result<()> {
    let servers = fealty_testing::servers().await;
    let migrator = Migrator::new(folder.join("migrations")).await?;
    let database = TestDatabase::create(
        servers.postgres_admin_url(),
        &ServiceDatabase::new(name),
        &migrator,
    )
    .await
    .with_context(|| format!("cannot prepare a database for {name}"))?;
    // The compiler only looks again at what is newer than its last look.
    File::options()
        .append(true)
        .open(folder.join("src/lib.rs"))?
        .set_modified(now())?;
    let status = Command::new(env!("CARGO"))
        .args([
            "check",
            "--quiet",
            "--all-targets",
            "-p",
            &format!("fealty-{name}"),
        ])
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", into)
        .env(
            format!("{}_DATABASE_URL", name.to_uppercase()),
            &database.urls.owner,
        )
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "{name}: a query does not fit its database");
    Ok(())
}

fn now() -> std::time::SystemTime {
    fealty_types::Clock::now(&fealty_types::SystemClock).into()
}

fn read(folder: &Path) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    if !folder.exists() {
        return Ok(BTreeMap::new());
    }
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        files.insert(
            PathBuf::from(path.file_name().unwrap_or_default()),
            fs::read(&path)?,
        );
    }
    Ok(files)
}

fn replace(committed: &Path, written: &Path) -> anyhow::Result<()> {
    if committed.exists() {
        fs::remove_dir_all(committed)?;
    }
    fs::create_dir_all(committed)?;
    for (name, text) in read(written)? {
        fs::write(committed.join(name), text)?;
    }
    Ok(())
}
