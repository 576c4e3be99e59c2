//! What the benchmarks stand on: real servers that flush what they confirm, a service in a process of its own, callers
//! that keep it busy, the baselines it is compared with, and the report.
//!
//! A benchmark is a binary `benches/<service>.rs` of rows: what is compared with what, a small file each. It begins with
//! [`run`], which is also how its children begin: the services under measurement are served by the same binary.
//!
//! The client, the servers and the databases share one machine. Absolute figures are that machine's; the ratios to
//! baselines that were measured in the same call are what is compared.

pub mod baselines;
pub mod bench;
pub mod callers;
pub mod child;
pub mod connections;
pub mod copies;
pub mod empty;
pub mod ground;
pub mod history;
pub mod latencies;
pub mod load;
pub mod load_open;
pub mod options;
pub mod pgbench;
pub mod postgres;
pub mod report;
pub mod rows;
pub mod serving;
pub mod usual;

pub use rows::{Rows, run};
