//! What callers notice when parts end, orderly and otherwise: nothing that a retry does not heal, and nothing lost.

mod at_random;
mod killed;
mod load;
mod replicas;
mod terminated;

/// The suite's binary, as cargo has just built it.
const FEALTY: &str = env!("CARGO_BIN_EXE_fealty-under-test");
