//! Units: what a program counts, and on what terms.

pub mod domain;
