//! The suite's one binary as the tests run it: on a leash, so that nothing outlives a test process, however that ends.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, raise};

/// How long an orderly end may take once nobody is there any more to wait for it.
const END_BOUND: Duration = Duration::from_mins(1);

fn main() -> ExitCode {
    let orphaned = Arc::new(AtomicBool::new(false));
    let leash = setting(fealty_tests::process::LEASH_VARIABLE);
    if leash.is_some() {
        let orphaned = Arc::clone(&orphaned);
        thread::spawn(move || {
            until_standard_input_ends();
            orphaned.store(true, Ordering::SeqCst);
            if raise(Signal::SIGTERM).is_ok() {
                thread::sleep(END_BOUND);
            }
            std::process::exit(1);
        });
    }
    let code = fealty::run();
    if let Some(folder) = leash.filter(|folder| !folder.is_empty() && orphaned.load(Ordering::SeqCst)) {
        // Who would have removed it is gone; what cannot be removed stays in the system's temporary folder.
        let _ = std::fs::remove_dir_all(PathBuf::from(folder));
    }
    code
}

fn until_standard_input_ends() {
    let mut byte = [0];
    while !matches!(std::io::stdin().read(&mut byte), Ok(0) | Err(_)) {}
}

#[expect(clippy::disallowed_methods, reason = "it is told by a test, not by a config")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
