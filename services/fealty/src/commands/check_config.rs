//! `fealty check-config`: every mistake at once, before anything starts.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::Config;
use crate::services::ServiceName;
use crate::tool;

/// Which file to check.
#[derive(Debug, clap::Args)]
#[command(after_help = crate::config::ENVIRONMENT)]
pub struct Args {
    /// The config file.
    pub file: PathBuf,
    /// Only what these services need, where they do not all run from this file and environment. All of them unless
    /// told.
    #[arg(long, value_name = "NAME,...", value_enum, value_delimiter = ',', default_values_t = ServiceName::ALL)]
    pub services: Vec<ServiceName>,
}

/// Reads the file and the environment as a service does, and names every mistake.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    tool::report(check(args))
}

fn check(args: &Args) -> anyhow::Result<bool> {
    Config::load(Some(&args.file), &args.services)?;
    tool::print_line(&format!("{} is in order", args.file.display()))?;
    Ok(true)
}
