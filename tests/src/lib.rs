//! What the tests across services share: the suite as a process of its own, a shop that uses it, and the means to look
//! at both from outside.
//!
//! The tests reach the suite as its users do, over gRPC and the command line; only [`database`] looks behind that.

pub mod bounded;
pub mod database;
pub mod frozen;
pub mod history;
pub mod killed;
pub mod offers;
pub mod python;
pub mod raw;
pub mod recorded;
pub mod redis;
pub mod replica;
pub mod shop;
pub mod shop_year;
pub mod suite;

pub use fealty_testing::{health, process};
