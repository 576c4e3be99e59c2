//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::{
    call, check_config, demo, erasures, health, import, keys, migrate, person, service, up, verify,
};

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed; the reason is the last line on standard error
  2  the command line is wrong
  3  nothing failed, but something did not finish within the drain's bound";

/// Fealty, a loyalty suite: members, ledger, rewards, surveys, and the tools to run them.
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
    ///
    /// Postgres and Redis are found on this machine, or installed when you allow it, and run privately below the data
    /// folder; given ones are used as they are. Ctrl-C ends everything; the next start goes on with the same data and
    /// the same key. The folder's up.json holds secrets, that key among them, and is readable by its owner only.
    Up(Box<up::Args>),
    /// Play an invented shop's year on this machine, and show what its loyalty manager would look at.
    ///
    /// The suite is started as `up` does and stays afterwards, with a key and three calls to paste. The data goes with the
    /// end unless a folder is named.
    Demo(Box<demo::Args>),
    /// Run the members service.
    Members(service::Args),
    /// Run the ledger service.
    Ledger(service::Args),
    /// Run the rewards service.
    Rewards(service::Args),
    /// Run the surveys service.
    Surveys(service::Args),
    /// Make roles and databases where an administrator's URL is given, and bring the schemas up to date.
    ///
    /// With an administrator's URL the roles and databases of all services are made where they are missing, with the
    /// passwords that the config's URLs carry. Then each schema is brought up to date by the role that owns it. Running
    /// it again changes nothing; a schema that is newer than this program is refused.
    Migrate(migrate::Args),
    /// Name every mistake in a config file.
    CheckConfig(check_config::Args),
    /// Ask a service how it is: a probe for containers.
    Health(health::Args),
    /// Make, list and revoke keys, directly in the members database.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Call any method, in JSON.
    ///
    /// The answer is JSON on standard output. A refusal is told on standard error with its code, its reason, and every
    /// field that is wrong; the exit code is 1 then.
    Call(call::Args),
    /// Bring in what happened before.
    #[command(subcommand)]
    Import(import::Command),
    /// What concerns one person in all services.
    #[command(subcommand)]
    Person(person::Command),
    /// The list of who was erased: kept outside the databases, and done again after a restore.
    #[command(subcommand)]
    Erasures(erasures::Command),
    /// Recompute everything that the ledger recorded: chains of hashes, sums, balances, lots, holds.
    ///
    /// It only reads, by the role of the ledger's jobs, and can run beside the services. Whatever was altered, removed,
    /// inserted or reordered is named, a line each, on standard output; how far it is, on standard error. The exit code is 1
    /// when something was found.
    Verify(verify::Args),
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
