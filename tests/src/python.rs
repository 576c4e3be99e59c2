//! A Python of one's own below `target/`, with the pinned packages of `tests/python/requirements.txt`.
//!
//! Tests that need it are never skipped: without it, and without leave to make it (`FEALTY_INSTALL=1`), they fail and
//! say what is missing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// The packages a client generated from the protos needs; the same as in requirements.txt.
const CLIENT_CHECK: &str = "import grpc, grpc_tools, google.rpc.error_details_pb2";
/// Reading local times needs a Python with zones in it, and the zones themselves.
const ZONES_CHECK: &str = "import zoneinfo; zoneinfo.ZoneInfo('Europe/London')";
const WAYS_OUT: &str = "set FEALTY_INSTALL=1 to have it installed below target/, or install Python 3.9 or newer with \
    venv, and the packages of tests/python/requirements.txt";

/// One installation at a time within a process; a file's lock keeps processes apart.
static INSTALLING: Mutex<()> = Mutex::new(());

/// A Python that can do what a test needs.
#[derive(Debug, Clone)]
pub struct Python {
    program: PathBuf,
}

impl Python {
    /// One with grpcio and grpcio-tools.
    ///
    /// # Panics
    /// When there is none and no leave to install it.
    #[must_use]
    pub fn with_grpc() -> Self {
        Self::that_can(CLIENT_CHECK)
    }

    /// One with time zones.
    ///
    /// # Panics
    /// When there is none and no leave to install it.
    #[must_use]
    pub fn with_zones() -> Self {
        Self::that_can(ZONES_CHECK)
    }

    /// A command that runs a script of `tests/python`.
    #[must_use]
    pub fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-B").arg(here().join("python").join(name));
        command
    }

    fn that_can(check: &str) -> Self {
        let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
        let own = venv().join("bin/python");
        let candidates = [own.clone(), PathBuf::from("python3")];
        if let Some(program) = candidates.into_iter().find(|program| can(program, check)) {
            return Self { program };
        }
        assert!(
            may_install(),
            "these tests need a Python 3 that runs `{check}`, and there is none: {WAYS_OUT}"
        );
        install();
        assert!(
            can(&own, check),
            "{} was made and cannot `{check}`",
            own.display()
        );
        Self { program: own }
    }
}

/// The repository.
#[must_use]
pub fn root() -> PathBuf {
    here().join("..")
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Beside what cargo makes, in whatever folder that is: this file's own binary lies below it.
fn venv() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists());
    target
        .map_or_else(|| root().join("target"), Path::to_owned)
        .join("python-venv")
}

fn can(program: &Path, check: &str) -> bool {
    let output = Command::new(program).arg("-c").arg(check).output();
    output.is_ok_and(|output| output.status.success())
}

fn install() {
    let venv = venv();
    let lock = fs::File::create(venv.with_extension("lock")).expect("target/ is writable");
    lock.lock().expect("files here can be locked");
    if !makes_environments() {
        install_system_packages();
    }
    let mut make = Command::new("python3");
    run(make.args(["-m", "venv"]).arg(&venv));
    let mut pip = Command::new(venv.join("bin/python"));
    run(pip
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ])
        .arg(here().join("python/requirements.txt")));
}

/// Debian splits what makes environments from Python itself.
fn makes_environments() -> bool {
    can(Path::new("python3"), "import venv, ensurepip")
}

fn install_system_packages() {
    assert!(
        nix::unistd::geteuid().is_root() && can_run("apt-get"),
        "python3 with venv is missing, and only root on a Debian can install it here: {WAYS_OUT}"
    );
    eprintln!("installing python3 and python3-venv with apt-get");
    let mut update = Command::new("apt-get");
    run(update.args(["update", "-q"]));
    let mut install = Command::new("apt-get");
    run(install
        .args([
            "install",
            "-q",
            "-y",
            "--no-install-recommends",
            "python3",
            "python3-venv",
        ])
        .env("DEBIAN_FRONTEND", "noninteractive"));
}

fn can_run(program: &str) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.status.success())
}

fn run(command: &mut Command) {
    let output = command.output();
    let said = |output: &Output| {
        let (out, err) = (&output.stdout, &output.stderr);
        format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
    };
    match output {
        Ok(output) => assert!(output.status.success(), "{command:?}: {}", said(&output)),
        Err(error) => panic!("{command:?}: {error}; {WAYS_OUT}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test process has no config: this is how it is given leave"
)]
fn may_install() -> bool {
    std::env::var("FEALTY_INSTALL").is_ok_and(|value| value == "1")
}
