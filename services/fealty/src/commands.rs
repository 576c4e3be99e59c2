//! The commands, a file each.

pub mod call;
pub mod check_config;
pub mod health;
pub mod import;
pub mod keys;
pub mod ledger;
pub mod members;
pub mod migrate;
pub mod service;
pub mod up;
