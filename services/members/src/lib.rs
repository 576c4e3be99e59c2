//! Members: programs and who may call them; people, their identifiers, consents and personal data.
//!
//! # The path of one request
//!
//! A call comes through the layers that all services share (`fealty_rpc`): limits, deadline, and access, where
//! [`access::OwnRecords`] answers who calls out of this service's own tables. Then it goes one way through one room:
//!
//! 1. `grpc` parses the message into a command of the domain, naming everything that is wrong with it at once;
//! 2. the room's use case (the methods of [`programs::Programs`], [`api_keys::ApiKeys`], [`staff::Staff`], ..) opens one
//!    transaction, fenced to the caller's program;
//! 3. `storage` claims the request id ([`fealty_postgres::requests`]), locks and reads; `domain` decides, without input or output;
//!    `storage` writes, and notes for the other services what they have to know ([`access`]); commit;
//! 4. `grpc` presents the answer; [`refusal`]s become statuses in one table ([`status`]).
//!
//! # The rooms
//!
//! | room | what it holds |
//! |---|---|
//! | [`programs`] | loyalty programs |
//! | [`api_keys`] | callers' keys |
//! | [`member_tokens`] | what an app shows in place of a key, for one member |
//! | [`staff`] | the people who work with a program |
//! | [`policies`] | the terms that people accept when they join |
//! | [`people`] | members, their identifiers, their consent and their tier |
//! | [`cards`] | loyalty cards that are made before anybody has them |
//! | [`changes`] | what the ledger has to know of first: status, merge, household |
//! | [`households`] | members who share one account |
//! | [`referrals`] | who brought whom, and what both get for it |
//! | [`consents`] | what members allow, to whom and since when, with proof |
//! | [`ladders`] | tiers and clubs, and where members stand on them |
//! | [`contacts`] | whether a member may be contacted, and how often they were |
//! | [`erasures`] | people who are erased, in all services, with proof |
//! | [`retention`] | how long data about people is kept, and what holds it longer |
//! | [`disclosures`] | what was disclosed to somebody outside |
//! | [`personal`] | which tables name people: what is told of them in an export, and goes when they are erased |
//! | [`occasions`] | on which days members are greeted, as a list and as events |
//! | [`access`] | the feed of all three for the other services, and this service's own look-ups |
//! | [`operator`] | the door for people who operate the suite, who need no key |
//!
//! Personal data is encrypted and found by [`fealty_vault`]; the ledger is told through [`ledger`]; what happens to members
//! is told to others as events ([`fealty_service::events`]). [`serve()`] wires everything up; [`jobs`] is what runs by
//! itself.

pub mod access;
pub mod api_keys;
pub mod cards;
pub mod changes;
pub mod config;
pub mod consents;
pub mod contacts;
pub mod disclosures;
pub mod display_name;
pub mod erasures;
pub mod households;
pub mod jobs;
pub mod ladders;
pub mod ledger;
pub mod means;
pub mod member_tokens;
pub mod occasions;
pub mod operator;
pub mod people;
pub mod personal;
pub mod policies;
pub mod programs;
pub mod referrals;
pub mod refusal;
pub mod retention;
pub mod serve;
pub mod staff;
pub mod status;

use sqlx::migrate::Migrator;

pub use config::MembersConfig;
pub use fealty_service::ground::{ServeError, Serving};
pub use serve::{serve, serve_on};

/// The name of this service's database and roles: `fealty_members`, `fealty_members_owner`, `fealty_members_jobs`.
pub const SERVICE_DATABASE: &str = "members";

/// What makes this service's tables, run by the owner's role.
pub static MIGRATOR: Migrator = sqlx::migrate!();
