//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::{call, check_config, import, keys, migrate, service, up};

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed; the reason is the last line on standard error
  2  the command line is wrong
  3  nothing failed, but something did not finish within the drain's bound";

/// Fealty, a loyalty suite: members, ledger, and the tools to run them.
#[derive(Debug, Parser)]
#[command(name = "fealty", version, after_help = EXIT_CODES, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole suite on this machine: private Postgres and Redis, migrations, all services, a first key.
    Up(Box<up::Args>),
    /// Run the members service.
    Members(service::Args),
    /// Run the ledger service.
    Ledger(service::Args),
    /// Make roles and databases where an administrator's URL is given, and bring the schemas up to date.
    Migrate(migrate::Args),
    /// Name every mistake in a config file.
    CheckConfig(check_config::Args),
    /// Make, list and revoke keys, directly in the members database.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Call any method, in JSON.
    Call(call::Args),
    /// Bring in what happened before.
    #[command(subcommand)]
    Import(import::Command),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_argument_says_what_it_is() {
        let mut waiting = vec![Cli::command()];
        while let Some(command) = waiting.pop() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                let name = argument.get_id();
                assert!(argument.get_help().is_some(), "{} {name}", command.get_name());
            }
            waiting.extend(command.get_subcommands().cloned());
        }
    }
}
