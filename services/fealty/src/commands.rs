//! The commands, a file each.

pub mod call;
pub mod check_config;
mod database;
pub mod demo;
pub mod erasures;
pub mod health;
pub mod import;
pub mod keys;
pub mod ledger;
pub mod members;
pub mod migrate;
pub mod person;
pub mod rewards;
pub mod service;
pub mod surveys;
pub mod up;
pub mod verify;
