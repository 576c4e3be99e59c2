//! Fealty: ledger.
