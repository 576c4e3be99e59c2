//! Rewards: what members can get for their points, and how they get it.
//!
//! # The path of one request
//!
//! A call comes through the layers that all services share (`fealty_rpc`): limits, deadline, and access, where the copy
//! of the members service's access records answers who calls. Then it goes one way through one room:
//!
//! 1. `grpc` parses the message into a command of the domain, naming everything that is wrong with it at once;
//! 2. the room's use case (the methods of [`catalogue::Catalogue`], [`redemptions::Redemptions`],
//!    [`vouchers::Vouchers`]) opens a transaction, fenced to the caller's program;
//! 3. `storage` claims the request id, locks and reads; `domain` decides, without input or output; `storage` writes;
//!    commit;
//! 4. `grpc` presents the answer; [`refusal`]s become statuses in one table ([`status`]).
//!
//! A redemption takes several transactions, with calls to the ledger between them: [`redemptions::process`].
//!
//! # The rooms
//!
//! | room | what it holds |
//! |---|---|
//! | [`catalogue`] | rewards, what is left of them, the codes that programs bring along |
//! | [`redemptions`] | how a member gets one, from the points that are set aside to the voucher that is issued |
//! | [`vouchers`] | what is shown at a till |
//!
//! [`personal`] lists which tables name people: what is told of them in an export.
//!
//! [`serve()`] wires everything up; `jobs` is what runs by itself; `events` is what the others are told.

pub mod catalogue;
pub mod config;
mod events;
mod jobs;
pub mod personal;
pub mod redemptions;
pub mod refusal;
pub mod serve;
pub mod status;
pub mod vouchers;

use sqlx::migrate::Migrator;

pub use config::RewardsConfig;
pub use fealty_service::ground::{ServeError, Serving};
pub use serve::{serve, serve_on};

/// The name of this service's database and roles: `fealty_rewards`, `fealty_rewards_owner`, `fealty_rewards_jobs`.
pub const SERVICE_DATABASE: &str = "rewards";

/// What makes this service's tables, run by the owner's role.
pub static MIGRATOR: Migrator = sqlx::migrate!();
