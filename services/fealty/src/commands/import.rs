//! `fealty import`: what happened before.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use tokio::pin;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{import, tool};

/// What can be imported.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Purchases and refunds from a CSV.
    Purchases(Box<import::Args>),
}

/// Runs an import. Ctrl-C lets it note how far it came; a second one does not wait for that.
#[must_use]
pub fn run(command: Command) -> ExitCode {
    let Command::Purchases(args) = command;
    tool::run(until_cancelled(*args))
}

async fn until_cancelled(args: import::Args) -> anyhow::Result<bool> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let cancelled = CancellationToken::new();
    let importing = import::run(args, cancelled.clone());
    pin!(importing);
    tokio::select! {
        done = &mut importing => return done,
        () = either(&mut interrupt, &mut terminate) => cancelled.cancel(),
    }
    tokio::select! {
        done = &mut importing => done,
        () = either(&mut interrupt, &mut terminate) => bail!("stopped at once by a second signal"),
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
