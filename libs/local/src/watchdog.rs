//! Nothing outlives us, however we end: a shell of its own waits at the end of a pipe that we hold. When the pipe
//! closes (we stopped, panicked, or were killed with -9), it ends whatever servers are left, and goes.
//!
//! It is a process and no signal handler, because `kill -9` cannot be handled; and it does not ask the kernel to
//! tie children to us (`PR_SET_PDEATHSIG`), because that takes unsafe code and exists on Linux only.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::folder::Folder;

/// The script. Its arguments: the folder, `kept` or `ephemeral`.
const SCRIPT: &str = include_str!("watchdog.sh");

/// How long it may take to see that nothing is left: it looks five times a second, and removes a folder.
const FINISH_BOUND: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// The running watchdog.
#[derive(Debug)]
pub(crate) struct Watchdog {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Watchdog {
    pub(crate) fn start(folder: &Folder) -> Result<Self, Error> {
        let kind = if folder.ephemeral() { "ephemeral" } else { "kept" };
        let mut child = folder
            .shell(r#"eval "$FEALTY_WATCHDOG""#)
            // Not as an argument, where it would fill the list of processes.
            .env("FEALTY_WATCHDOG", SCRIPT)
            .arg("fealty-watchdog")
            .arg(folder.path())
            .arg(kind)
            .current_dir(Path::new("/"))
            .stdin(Stdio::piped())
            // Not written to: this is how the lock is held for as long as the watchdog lives.
            .stdout(folder.lock().share()?)
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::Watchdog)?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Says that all has been stopped, and waits until the watchdog has seen it.
    pub(crate) fn finish(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // Should it be gone already, there is nobody to tell.
            let _ = pipe.write_all(b"stopped\n");
        }
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < FINISH_BOUND {
            thread::sleep(POLL);
        }
    }
}
