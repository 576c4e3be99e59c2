//! What people do with the suite, from the first call to the last.

mod club;
mod erased;
mod family;
mod import;
mod member_tokens;
mod purchase;
mod referrals;
mod standing;
mod trace;
mod whole;

use std::sync::LazyLock;

use fealty_tests::suite::{Options, Suite};

/// The suite's binary, as cargo has just built it.
const FEALTY: &str = env!("CARGO_BIN_EXE_fealty-under-test");

/// One suite for the tests that leave it as it is; each has a program of its own.
fn suite() -> &'static Suite {
    static SUITE: LazyLock<Suite> = LazyLock::new(|| Suite::start(Options::new(FEALTY)));
    &SUITE
}
