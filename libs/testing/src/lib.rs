//! What tests across the suite stand on: real Postgres and Redis, found, installed or started by themselves, and
//! processes that never outlive their test.

pub mod health;
pub mod leash;
pub mod own_redis;
pub mod process;
pub mod proxy;
pub mod servers;

pub use own_redis::OwnRedis;
pub use proxy::Proxy;
pub use servers::{TestServers, durable_servers, servers};
