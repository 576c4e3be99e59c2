//! Postgres for the services of Fealty: pools, named transactions fenced by program, roles, migrations and the
//! positions of feeds.
//!
//! A service has a database of its own and three roles ([`mod@provision`]): the owner runs migrations, the service's role
//! serves calls and sees one program at a time, the jobs' role does what crosses programs. All work goes through
//! [`transact`](fn@transact), which sets the program in the round trip that begins; row-level security compares with
//! it, and [`fences`] checks that no table was forgotten.
//!
//! # Tables that carry a program
//!
//! A migration that makes such a table ends with this (here for the ledger; the names of the roles are fixed):
//!
//! ```sql
//! ALTER TABLE lot ENABLE ROW LEVEL SECURITY;
//! ALTER TABLE lot FORCE ROW LEVEL SECURITY;
//! CREATE POLICY by_program ON lot TO fealty_ledger
//!     USING (program = (SELECT current_setting('app.program')::uuid))
//!     WITH CHECK (program = (SELECT current_setting('app.program')::uuid));
//! CREATE POLICY across_programs ON lot TO fealty_ledger_owner, fealty_ledger_jobs
//!     USING (true) WITH CHECK (true);
//! ```
//!
//! The cast lies inside the subselect, so that Postgres evaluates it once per statement and uses the index; outside of
//! it the same query was three times slower. `FORCE` holds for the owner too, hence its policy: migrations move rows of
//! all programs. A setting that is absent is an error, not an empty answer: whoever forgets the scope hears of it.

pub mod acquire;
pub mod deadline;
pub mod error;
pub mod events;
pub mod feed;
pub mod fences;
pub mod migrate;
pub mod pool;
pub mod provision;
pub mod requests;
pub mod sqlstate;
#[cfg(feature = "testing")]
pub mod testing;
pub mod timeline;
pub mod transact;

pub use acquire::{acquire, ping};
pub use deadline::Deadline;
pub use error::{Fault, StorageError, TransactError};
pub use feed::{FeedPosition, FeedTokenError};
pub use migrate::{AppliedMigration, SchemaError, check_schema, migrate};
pub use pool::{PoolConfig, connect, connect_lazy};
pub use provision::{Login, RolePasswords, ServiceDatabase, ServiceUrls, is_provisioned, provision};
pub use sqlstate::Failure;
pub use timeline::{DatabaseTimeline, database_now, database_timeline};
pub use transact::{Scope, TransactOptions, in_tx, transact};
