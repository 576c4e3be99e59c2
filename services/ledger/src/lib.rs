//! The ledger: what a program counts, who holds how much of it, and every change of that, for ever.
//!
//! # The path of one request
//!
//! A call comes through the layers that all services share (`fealty_rpc`): limits, deadline, and access, where
//! [`fealty_service::access`] answers who calls out of this service's own copy of the access records. Then it goes one way
//! through one room:
//!
//! 1. `grpc` parses the message into a command of the domain, naming everything that is wrong with it at once;
//! 2. the room's use case (the methods of [`units::Units`], [`rules::Rules`], [`purchases::Purchases`], ..) opens one
//!    transaction, fenced to the caller's program; what changes balances is handed to [`posting::Posting`], which owns
//!    the transaction and locks the owners, and through whose doors the other rooms take part ([`posting::Room`]);
//! 3. `storage` reads, `domain` decides without input or output, `storage` writes; commit; then the balances go to
//!    Redis;
//! 4. `grpc` presents the answer; a [`refusal`] becomes a status in one table ([`status`]).
//!
//! # The rooms
//!
//! | room | what it holds |
//! |---|---|
//! | [`units`] | what a program counts, and on what terms |
//! | [`owners`] | who can hold points |
//! | [`posting`] | the write path: the state machine of an owner's accounts, and its commit |
//! | [`transactions`] | points given and taken by hand, and the record of everything that happened |
//! | [`holds`] | points that are set aside until somebody spends them or gives them back |
//! | [`events`] | the record again, as a feed for whoever follows |
//! | [`balances`] | what owners hold, as fresh as the caller needs it |
//! | [`budgets`] | how much somebody gives at the most |
//! | [`spending`] | what members of a household may spend of its account |
//! | [`rules`] | what purchases earn |
//! | [`purchases`] | purchases and refunds, and what each rule gave for them |
//!
//! All of them go by the record's clock, which is Postgres's ([`clock::RecordClock`]).
//!
//! [`verify`] is no room: it reads what all of them recorded, and recomputes it without their code.
//!
//! [`personal`] lists which tables name owners: what is told of a member in an export.
//!
//! The copy of programs, keys and staff is kept as in every service ([`fealty_service::access`]). [`serve()`] wires
//! everything up; [`jobs`] is what runs by itself.

pub mod balances;
pub mod budgets;
pub mod clock;
pub mod config;
pub mod events;
pub mod holds;
pub mod jobs;
pub mod owners;
pub mod personal;
pub mod posting;
pub mod purchases;
pub mod refusal;
pub mod rules;
#[cfg(feature = "sabotage")]
mod sabotage;
pub mod serve;
pub mod spending;
pub mod status;
pub mod terms;
pub mod transactions;
pub mod units;
pub mod verify;

use sqlx::migrate::Migrator;

pub use config::LedgerConfig;
pub use fealty_service::ground::{ServeError, Serving};
pub use serve::{Times, serve, serve_on};

/// The name of this service's database and roles: `fealty_ledger`, `fealty_ledger_owner`, `fealty_ledger_jobs`.
pub const SERVICE_DATABASE: &str = "ledger";

/// What makes this service's tables, run by the owner's role.
pub static MIGRATOR: Migrator = sqlx::migrate!();
