//! Settings: what every service shares, and how they are read.
//!
//! A service's settings are a plain struct whose fields all have a default. [`load`] lays the file over the defaults
//! and the environment over the file, and refuses what it does not know, every mistake in one answer.

mod load;
mod secret;
mod shared;

pub use load::{ConfigError, Violation, load, load_checked};
pub use secret::Secret;
pub use shared::{AdminConfig, DrainConfig, GrpcListenConfig};
