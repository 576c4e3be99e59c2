//! The ledger: units, owners, transactions, lots, balances, earning rules and purchases.

pub mod units;
