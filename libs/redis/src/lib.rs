//! Redis in front of the balances: never the truth, and never a reason to fail.
//!
//! [`BalanceCache`] holds, per owner, the newest version that was written to it. Every answer comes within some 50 ms,
//! and where Redis is absent, down, slow or empty the answer is that the caller has to ask Postgres.

pub mod balance_cache;
mod breaker;
pub mod config;
mod connection;

pub use balance_cache::{
    BalanceCache, BalanceKey, CacheAnswer, CachedBalances, Lease, Seen, Walk, WriteOutcome,
};
pub use config::{BalanceCacheConfig, ConfigError};
