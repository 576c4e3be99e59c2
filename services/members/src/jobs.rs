//! What runs by itself, with the jobs' role: it crosses programs.

mod finish_enrolments;

pub(crate) use finish_enrolments::keep_finishing_enrolments;
