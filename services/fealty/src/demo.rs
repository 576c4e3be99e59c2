//! An invented shop's year, played through the gRPC API, and what its loyalty manager would look at.
//!
//! [`plan`] draws the year from a seed: who comes when, what they buy, what they think. [`play`] makes the calls, with
//! the suite's clock moved from week to week, so that lots, holds, vouchers and pauses between contacts live as long as
//! they would. [`report`] reads everything back from the services. The same seed gives the same year.

pub mod clock;
pub mod plan;
pub mod play;
pub mod report;
pub mod shop;
