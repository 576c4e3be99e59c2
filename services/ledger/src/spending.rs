//! What members of a household may spend of its account, and what they have spent of it.
//!
//! The limits stand in the owner's row, which a posting reads under its lock in any case. What was spent is a row for each
//! account, owner and unit under the lock of the account's owner: whoever spends of the account at the same time waits for
//! that lock, on whatever replica, so nobody passes a limit together. What open holds have set aside is part of the
//! account's own state; it is not counted twice, and needs nothing when a hold ends.

pub mod domain;
mod storage;

pub(crate) use storage::{LimitRow, find_account_in_tx, load_in_tx, set_limits_in_tx, write_in_tx};
