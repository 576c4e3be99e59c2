//! The one binary of the suite: a service each, all of them locally, and the tools of those who operate them.
//!
//! [`run()`] reads the command line ([`cli`]) and hands it to one file below [`commands`]:
//!
//! | command | what it does |
//! |---|---|
//! | `up` | the whole suite in one process over real gRPC, with Postgres and Redis of its own |
//! | `demo` | the same with an invented shop's year in it |
//! | `members`, `ledger`, `rewards`, `surveys` | one service |
//! | `migrate`, `check-config` | what comes before a service starts |
//! | `health` | how a service is, for probes |
//! | `keys` | the door of those who have no key yet |
//! | `call` | any method, in JSON |
//! | `import` | a shop's history |
//! | `person` | all that the suite keeps about somebody, as one document |
//! | `erasures` | who was erased, and again after a restore |
//! | `verify` | everything that the ledger recorded, recomputed |
//!
//! Services and tools read one file ([`config`]). `up` reads none: what it must keep, it keeps in its data folder
//! ([`kept`]).

pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
pub mod import;
pub mod kept;
pub mod services;
mod tool;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

/// Runs what the command line asks for.
#[must_use]
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Up(args) => commands::up::run(*args),
        Command::Demo(args) => commands::demo::run(*args),
        Command::Members(args) => commands::members::run(args),
        Command::Ledger(args) => commands::ledger::run(args),
        Command::Rewards(args) => commands::rewards::run(args),
        Command::Surveys(args) => commands::surveys::run(args),
        Command::Migrate(args) => commands::migrate::run(args),
        Command::CheckConfig(args) => commands::check_config::run(&args),
        Command::Health(args) => commands::health::run(&args),
        Command::Keys(command) => commands::keys::run(command),
        Command::Call(args) => commands::call::run(args),
        Command::Import(command) => commands::import::run(command),
        Command::Person(command) => commands::person::run(command),
        Command::Erasures(command) => commands::erasures::run(command),
        Command::Verify(args) => commands::verify::run(args),
    }
}
