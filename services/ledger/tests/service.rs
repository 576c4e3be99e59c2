//! The ledger as a whole service, through all its layers, on real Postgres and Redis.

mod service {
    mod access;
    mod access_feed;
    mod adjustments;
    mod balances;
    mod batches;
    mod budgets;
    mod cache_check;
    mod clocks;
    mod cuts;
    mod doubles;
    mod events;
    mod expiry;
    mod faults;
    mod fences;
    mod harness;
    mod held;
    mod histories;
    mod holds;
    mod households;
    mod idempotency;
    mod lanes;
    mod locked_owner;
    mod lost_writes;
    mod merges;
    mod messages;
    mod notices;
    mod outage;
    mod owners;
    mod pending;
    mod plans;
    mod postings;
    mod purchases;
    mod refunds;
    mod refusals;
    mod rules;
    mod sharing;
    mod storm;
    mod sums;
    mod support;
    mod transactions;
    mod transfers;
    mod units;
    mod verify;
    mod write_off;
}
