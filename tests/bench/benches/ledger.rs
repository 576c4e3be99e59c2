//! The ledger against the usual design, against Postgres's own benchmark, and against a call that does nothing.

mod ledger {
    pub mod balance;
    pub mod batch_post;
    pub mod budget;
    pub mod fresh;
    pub mod growth;
    pub mod hold;
    pub mod memory;
    pub mod mixed;
    pub mod post_1024;
    pub mod post_64;
    pub mod spend;
    pub mod ten_owners;
}

use std::process::ExitCode;

use fealty_bench::Rows;

/// In the order in which they run.
const ROWS: &[Rows] = &[
    ledger::post_64::ROWS,
    ledger::fresh::ROWS,
    ledger::post_1024::ROWS,
    ledger::batch_post::ROWS,
    ledger::ten_owners::ROWS,
    ledger::budget::ROWS,
    ledger::spend::ROWS,
    ledger::hold::ROWS,
    ledger::balance::ROWS,
    ledger::mixed::ROWS,
    ledger::growth::ROWS,
    ledger::memory::ROWS,
];

fn main() -> ExitCode {
    fealty_bench::run(ROWS)
}
