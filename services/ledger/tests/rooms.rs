//! The ledger's rooms through their gRPC API, on real Postgres and Redis.

mod rooms {
    mod balances;
    mod faults;
    mod idempotency;
    mod owners;
    mod postings;
    pub mod support;
    mod transactions;
}
