//! What runs by itself, with the jobs' role: it crosses programs.

pub mod check_cache;
pub mod expiry_notice;
mod keep_statistics;
mod repair_cache;
mod watch_timeline;
pub mod write_off;

pub(crate) use check_cache::keep_checking_cache;
pub(crate) use expiry_notice::keep_telling;
pub(crate) use keep_statistics::keep_statistics;
pub(crate) use repair_cache::keep_repairing_cache;
pub(crate) use watch_timeline::{keep_watching_timeline, use_timeline};
pub(crate) use write_off::keep_writing_off;
