//! The one binary of the suite.

pub mod import;
