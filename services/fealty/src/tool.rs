//! Commands that do something and end, as opposed to services.

use std::io::{self, Write as _};
use std::process::ExitCode;

use fealty_runtime::error_chain;

/// The exit code when something failed.
const EXIT_FAILED: u8 = 1;

/// Runs a command to its end. False is a failure that has been told already.
pub(crate) fn run(tool: impl Future<Output = anyhow::Result<bool>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    report(runtime.block_on(tool))
}

/// What came of a command, as its exit code; an error is told as one sentence with its causes.
pub(crate) fn report(done: anyhow::Result<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_FAILED),
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {}", error_chain(error.as_ref()));
    ExitCode::from(EXIT_FAILED)
}

/// Prints a line. Who listens no longer (`| head`) has heard enough: that is no failure.
pub(crate) fn print_line(line: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
