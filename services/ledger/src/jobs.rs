//! What runs by itself, with the jobs' role: it crosses programs.

pub mod access_feed;
mod forget_requests;
mod repair_cache;
mod watch_timeline;

pub(crate) use forget_requests::keep_forgetting_requests;
pub(crate) use repair_cache::keep_repairing_cache;
pub(crate) use watch_timeline::keep_watching_timeline;
