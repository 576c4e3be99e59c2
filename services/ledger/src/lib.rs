//! The ledger: units, owners, transactions, lots, balances, earning rules and purchases.

pub mod attempts;
pub mod balances;
pub mod messages;
pub mod owners;
pub mod posting;
pub mod purchases;
pub mod refusal;
pub mod rules;
pub mod status;
pub mod terms;
pub mod transactions;
pub mod units;
