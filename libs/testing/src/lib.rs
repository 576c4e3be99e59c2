//! What tests across the suite stand on: real Postgres and Redis, found, installed or started by themselves.

pub mod proxy;
pub mod servers;

pub use proxy::Proxy;
pub use servers::{TestServers, servers};
