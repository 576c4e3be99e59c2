//! What runs by itself, with the jobs' role: it crosses programs.

mod finish_redemptions;

pub(crate) use finish_redemptions::keep_finishing_redemptions;
