//! From `main` into the asynchronous world and out again.

use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::time::Duration;

use crate::process::{Outcome, panic_text};

/// What may still be blocking a thread after everything has been drained or dropped. Nothing should; a process that
/// has said its last word does not wait long for it.
const BLOCKED_THREADS_GRACE: Duration = Duration::from_secs(1);

/// Runs `main` on a runtime of its own and turns its outcome into the exit code.
///
/// Panics are logged like everything else from here on.
pub fn launch<F>(main: impl FnOnce() -> F) -> ExitCode
where
    F: Future<Output = Outcome>,
{
    log_panics();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let outcome = Outcome::failed("runtime", &error);
            outcome.report();
            return outcome.exit_code();
        }
    };
    let outcome = runtime.block_on(main());
    runtime.shutdown_timeout(BLOCKED_THREADS_GRACE);
    outcome.report();
    outcome.exit_code()
}

fn log_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        if tracing::dispatcher::has_been_set() {
            let location = info.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(panic = panic_text(info.payload()), location, "panicked");
        } else {
            print(info);
        }
    }));
}
