//! The system's package manager.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::error::Error;
use crate::find::{Program, is_program};
use crate::job;
use crate::places::path_dirs;

/// A download and an unpacking of some 100 MB over a slow line.
const INSTALL_BOUND: Duration = Duration::from_mins(15);
/// Whether sudo asks for a password is known at once.
const SUDO_BOUND: Duration = Duration::from_secs(10);

/// apt-get, quietly, and patient with another apt that is at work.
///
/// Debian would make and start a cluster of its own beside ours; the snippet tells it not to, while we install.
/// An update that fails for one of several sources is no reason to stop: the installation will say.
const APT: &str = r#"
set -e
export DEBIAN_FRONTEND=noninteractive
options='-y --no-install-recommends -o DPkg::Lock::Timeout=120'
apt-get $options update || echo 'some package lists could not be brought up to date'
snippet=/etc/postgresql-common/createcluster.d/fealty.conf
case " $* " in
*' postgresql '*)
    apt-get $options install postgresql-common
    if [ ! -d /etc/postgresql-common/createcluster.d ]; then
        mkdir -p /etc/postgresql-common/createcluster.d
    fi
    echo 'create_main_cluster = false' >"$snippet"
    trap 'rm -f "$snippet"' EXIT
    ;;
esac
apt-get $options install "$@"
"#;

const DNF: &str = r#"
set -e
for package in "$@"; do
    case "$package" in
    redis) dnf -y install redis || dnf -y install valkey ;;
    *) dnf -y install "$package" ;;
    esac
done
"#;

const APK: &str = r#"
set -e
for package in "$@"; do
    case "$package" in
    redis) apk add --update-cache redis || apk add --update-cache valkey ;;
    *) apk add --update-cache "$package" ;;
    esac
done
"#;

const BREW: &str = r#"HOMEBREW_NO_AUTO_UPDATE=1 brew install "$@""#;

/// The package managers that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    Apt,
    Dnf,
    Apk,
    Brew,
}

/// How we come to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// By who we are.
    Own,
    /// By sudo, without a password.
    Sudo,
}

impl Manager {
    /// The one that this system has.
    pub(super) fn of_this_system() -> Option<Self> {
        [Self::Apt, Self::Dnf, Self::Apk, Self::Brew]
            .into_iter()
            .find(|manager| on_path(manager.program()))
    }

    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Apt => "apt-get",
            Self::Dnf => "dnf",
            Self::Apk => "apk",
            Self::Brew => "brew",
        }
    }

    fn package(self, program: Program) -> &'static str {
        match (self, program) {
            (Self::Apt | Self::Apk, Program::Postgres) => "postgresql",
            (Self::Dnf, Program::Postgres) => "postgresql-server",
            (Self::Brew, Program::Postgres) => "postgresql@17",
            (Self::Apt, Program::Redis) => "redis-server",
            (Self::Dnf | Self::Apk | Self::Brew, Program::Redis) => "redis",
        }
    }

    /// What will be done.
    pub(super) fn sentence(self, leave: Leave, names: &str) -> String {
        let by = if leave == Leave::Sudo { " through sudo" } else { "" };
        let besides = if self == Self::Apt {
            " (a redis-server service that Debian may start by itself is not used)"
        } else {
            ""
        };
        format!(
            "Installing {names} on this system with {}{by}{besides}.",
            self.program()
        )
    }

    pub(super) async fn install(self, leave: Leave, missing: &[Program]) -> Result<(), Error> {
        let script = match self {
            Self::Apt => APT,
            Self::Dnf => DNF,
            Self::Apk => APK,
            Self::Brew => BREW,
        };
        let mut command = match leave {
            Leave::Own => Command::new("/bin/sh"),
            Leave::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.args(["-n", "/bin/sh"]);
                sudo
            }
        };
        let packages: Vec<&str> = missing.iter().map(|program| self.package(*program)).collect();
        command
            .args(["-c", script, "fealty-install"])
            .args(&packages)
            .current_dir("/");
        let finished = job::run(command, INSTALL_BOUND).await?;
        if finished.success {
            return Ok(());
        }
        let what = format!("{} install {}", self.program(), packages.join(" "));
        Err(Error::Install {
            what,
            tail: job::tail(&finished.output),
        })
    }
}

/// Whether sudo lets us without asking.
pub(super) async fn sudo_works() -> bool {
    if !on_path("sudo") {
        return false;
    }
    let mut command = Command::new("sudo");
    command.args(["-n", "true"]);
    job::run(command, SUDO_BOUND)
        .await
        .is_ok_and(|finished| finished.success)
}

fn on_path(program: &str) -> bool {
    path_dirs().iter().any(|dir| is_program(&dir.join(program)))
        || is_program(&Path::new("/usr/bin").join(program))
}
