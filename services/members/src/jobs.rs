//! What runs by itself, with the jobs' role: it crosses programs.

mod forget_requests;

pub(crate) use forget_requests::keep_forgetting_requests;
