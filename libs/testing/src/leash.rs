//! The leash of a process under test: nothing outlives who started it, however that ends.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};

/// Tells a process to end with its standard input, and which folder to remove then (may be empty).
pub(crate) const VARIABLE: &str = "FEALTY_TEST_LEASH";

/// How long an orderly end may take once nobody is there any more to wait for it.
const END_BOUND: Duration = Duration::from_mins(1);

/// What holds this process, if it was started by [`Process`](crate::process::Process).
#[derive(Debug)]
pub struct Leash {
    folder: Option<String>,
    is_orphaned: Arc<AtomicBool>,
}

impl Leash {
    /// Ends this process as a signal does, as soon as who started it is gone. To be taken first of all.
    #[must_use]
    pub fn take() -> Self {
        let leash = Self {
            folder: setting(VARIABLE),
            is_orphaned: Arc::default(),
        };
        if leash.folder.is_some() {
            let is_orphaned = Arc::clone(&leash.is_orphaned);
            thread::spawn(move || {
                until_standard_input_ends();
                is_orphaned.store(true, Ordering::SeqCst);
                if raise(Signal::SIGTERM).is_ok() {
                    thread::sleep(END_BOUND);
                }
                std::process::exit(1);
            });
        }
        leash
    }

    /// The last thing the process does: removes the folder that its starter would have removed.
    pub fn let_go(self) {
        let orphaned = self.is_orphaned.load(Ordering::SeqCst);
        if let Some(folder) = self.folder.filter(|folder| !folder.is_empty() && orphaned) {
            // Who would have removed it is gone; what cannot be removed stays in the system's temporary folder.
            let _ = std::fs::remove_dir_all(PathBuf::from(folder));
        }
    }
}

fn until_standard_input_ends() {
    let mut byte = [0];
    while !matches!(std::io::stdin().read(&mut byte), Ok(0) | Err(_)) {}
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is told by who starts the process, not by a config"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
