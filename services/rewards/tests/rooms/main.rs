//! The rewards service as its callers see it: each test runs the whole service on a port of its own, over a database of
//! its own, beside stand-ins for members and the ledger.

mod books;
mod catalogue;
mod chaos;
mod codes;
mod crashes;
mod events;
mod fences;
mod harness;
mod outages;
mod real_ledger;
mod redemptions;
mod stand_ins;
mod stock;
mod vouchers;
