//! The suite's one binary as the tests run it: on a leash, so that nothing outlives a test process, however that ends.

use std::process::ExitCode;

use fealty_testing::leash::Leash;

fn main() -> ExitCode {
    let leash = Leash::take();
    let code = fealty::run();
    leash.let_go();
    code
}
