//! What runs by itself, with the jobs' role: it crosses programs.

mod credit_referrals;
mod finish_changes;
mod finish_enrolments;
mod finish_erasures;
mod follow_ledger;
mod follow_purchases;
mod keep_tiers;
mod note_traits;
mod tell_occasions;

pub(crate) use credit_referrals::keep_crediting_referrals;
pub(crate) use finish_changes::keep_finishing_changes;
pub(crate) use finish_enrolments::keep_finishing_enrolments;
pub(crate) use finish_erasures::keep_finishing_erasures;
pub(crate) use follow_ledger::keep_counting;
pub(crate) use follow_purchases::keep_following_purchases;
pub(crate) use keep_tiers::keep_tiers;
pub(crate) use note_traits::keep_noting_traits;
pub(crate) use tell_occasions::{keep_noting_days, keep_telling_occasions};
