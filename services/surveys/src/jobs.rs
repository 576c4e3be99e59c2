//! What runs by itself, with the jobs' role: it crosses programs.

mod decide_invitations;
mod plan_invitations;

pub(crate) use decide_invitations::keep_deciding_invitations;
pub use plan_invitations::PurchaseHandler;
pub(crate) use plan_invitations::keep_planning_invitations;
