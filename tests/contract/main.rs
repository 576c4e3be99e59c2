//! What every client can rely on, whatever it is made of: shown on the wire.

mod bad_input;
mod chain;
mod idempotency;
mod python_client;

use std::sync::LazyLock;

use fealty_tests::suite::{Options, Suite};

/// The suite's binary, as cargo has just built it.
const FEALTY: &str = env!("CARGO_BIN_EXE_fealty-under-test");

/// One suite for all tests; each has a program of its own.
fn suite() -> &'static Suite {
    static SUITE: LazyLock<Suite> = LazyLock::new(|| Suite::start(Options::new(FEALTY)));
    &SUITE
}
