//! What runs by itself, with the jobs' role: it crosses programs.

mod finish_enrolments;
mod forget_requests;

pub(crate) use finish_enrolments::keep_finishing_enrolments;
pub(crate) use forget_requests::keep_forgetting_requests;
