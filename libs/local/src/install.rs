//! Getting the programs: found, or installed where there is leave to.

use std::io::{self, IsTerminal as _, Write as _};
use std::thread;

use nix::unistd::geteuid;
use tokio::sync::oneshot;

use crate::error::Error;
use crate::find::{self, PostgresPrograms, Program, RedisProgram};
use crate::options::{Install, Options};

mod debian;
mod system;

use system::{Leave, Manager};

/// Which programs are to be started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needed {
    pub postgres: bool,
    pub redis: bool,
}

/// The programs, as far as they are needed.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    pub postgres: Vec<PostgresPrograms>,
    pub redis: Option<RedisProgram>,
}

impl Programs {
    fn find(needed: Needed, options: &Options) -> Self {
        Self {
            postgres: if needed.postgres {
                find::postgres(options)
            } else {
                Vec::new()
            },
            redis: if needed.redis { find::redis(options) } else { None },
        }
    }

    fn missing(&self, needed: Needed) -> Vec<Program> {
        let mut missing = Vec::new();
        if needed.postgres && self.postgres.is_empty() {
            missing.push(Program::Postgres);
        }
        if needed.redis && self.redis.is_none() {
            missing.push(Program::Redis);
        }
        missing
    }
}

/// Finds the needed programs; installs the missing ones where there is leave to.
pub(crate) async fn provide(needed: Needed, options: &Options) -> Result<Programs, Error> {
    let found = Programs::find(needed, options);
    let missing = found.missing(needed);
    if missing.is_empty() {
        return Ok(found);
    }
    if options.install == Install::Never {
        return Err(Error::Missing { missing, why: None });
    }
    let how = How::choose(&missing).await?;
    let sentence = how.sentence(&missing);
    if options.install == Install::Yes {
        options.report.say(&sentence);
    } else if !agreed(&sentence).await {
        return Err(Error::Missing {
            missing,
            why: Some("nobody said yes to installing".to_owned()),
        });
    }
    match how {
        How::System(manager, leave) => manager.install(leave, &missing).await?,
        How::Unpacked => debian::unpack(&missing).await?,
    }
    let found = Programs::find(needed, options);
    let still: Vec<String> = found.missing(needed).iter().map(Program::to_string).collect();
    if still.is_empty() {
        return Ok(found);
    }
    let what = format!("it went through, but {} is still not found", still.join(" and "));
    Err(Error::Install {
        what,
        tail: String::new(),
    })
}

/// The way an installation goes.
enum How {
    /// By the system's package manager.
    System(Manager, Leave),
    /// Debian packages, unpacked where an ordinary user may write.
    Unpacked,
}

impl How {
    async fn choose(missing: &[Program]) -> Result<Self, Error> {
        let refuse = |why: &str| Error::Missing {
            missing: missing.to_vec(),
            why: Some(why.to_owned()),
        };
        let manager = Manager::of_this_system()
            .ok_or_else(|| refuse("no package manager that Fealty knows: apt-get, dnf, apk, brew"))?;
        if manager == Manager::Brew {
            return Ok(Self::System(manager, Leave::Own));
        }
        if geteuid().is_root() {
            return Ok(Self::System(manager, Leave::Own));
        }
        if system::sudo_works().await {
            return Ok(Self::System(manager, Leave::Sudo));
        }
        if manager == Manager::Apt {
            return Ok(Self::Unpacked);
        }
        Err(refuse(&format!(
            "{} needs root, and `sudo -n` is not allowed here",
            manager.program()
        )))
    }

    fn sentence(&self, missing: &[Program]) -> String {
        let names: Vec<String> = missing.iter().map(Program::to_string).collect();
        let names = names.join(" and ");
        match self {
            Self::System(manager, leave) => manager.sentence(*leave, &names),
            Self::Unpacked => format!(
                "Installing {names} for you alone: Debian's packages are downloaded with apt-get and unpacked \
                 into {}; the system is not changed.",
                crate::places::programs_dir().display()
            ),
        }
    }
}

/// Asks at the terminal. On a thread of its own, which may wait for ever without holding up the end of us.
async fn agreed(sentence: &str) -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    let question = format!("{sentence} Go ahead? [y/N] ");
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let mut answer = String::new();
        let mut screen = io::stderr();
        let asked = screen
            .write_all(question.as_bytes())
            .and_then(|()| screen.flush());
        let read = asked.and_then(|()| io::stdin().read_line(&mut answer));
        let yes = read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
        // Nobody listens any more when the start was given up.
        let _ = sender.send(yes);
    });
    receiver.await.unwrap_or(false)
}
