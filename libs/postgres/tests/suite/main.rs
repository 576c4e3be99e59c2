//! The crate against a real Postgres.

mod bounds;
mod contention;
mod feed;
mod fences;
mod migrate;
mod probe;
mod provision;
mod requests;
mod transact;
