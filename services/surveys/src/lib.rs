//! Surveys: what is asked of members, who is invited to answer, what they answered, and the score that it makes.
//!
//! # The path of one request
//!
//! A call comes through the layers that all services share (`fealty_rpc`): limits, deadline, and access, answered from
//! this service's own copy of the access records (`fealty_service::access`). Then it goes one way through one room:
//!
//! 1. `grpc` parses the message into a command of the domain, naming everything that is wrong with it at once;
//! 2. the room's use case (the methods of [`surveys::Surveys`], [`invitations::Invitations`], [`answers::Answers`], ..)
//!    opens one transaction, fenced to the caller's program;
//! 3. `storage` claims the request id, locks and reads; `domain` decides, without input or output; `storage` writes, and
//!    appends what others have to hear of to the event feed; commit;
//! 4. `grpc` presents the answer; a [`refusal`] becomes a status in one table ([`status`]).
//!
//! # The rooms
//!
//! | room | what it holds |
//! |---|---|
//! | [`surveys`] | what is asked, of whom and when; in versions that never change |
//! | [`invitations`] | who is invited, whether they may be, and the tokens by which they answer |
//! | [`answers`] | what they answered: once, and the words under a key of the person's own |
//! | [`scores`] | Net Promoter Scores, with how sure one can be of them |
//!
//! [`personal`] lists which tables name people: what is told of them in an export, and goes when they are erased.
//!
//! [`serve()`] wires everything up; [`jobs`] is what runs by itself.

pub mod answers;
pub mod config;
mod events;
pub mod invitations;
pub mod jobs;
pub mod members_door;
pub mod personal;
pub mod refusal;
pub mod scores;
pub mod serve;
pub mod status;
pub mod surveys;

use sqlx::migrate::Migrator;

pub use config::SurveysConfig;
pub use fealty_service::ground::{ServeError, Serving};
pub use serve::{serve, serve_on};

/// The name of this service's database and roles: `fealty_surveys`, `fealty_surveys_owner`, `fealty_surveys_jobs`.
pub const SERVICE_DATABASE: &str = "surveys";

/// What makes this service's tables, run by the owner's role.
pub static MIGRATOR: Migrator = sqlx::migrate!();
