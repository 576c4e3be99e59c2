//! A service's copy of the access records: programs, keys, staff. The members service administers them and serves their
//! changes as a feed; [`AccessFollower`] follows it, and callers are verified against the copy.
//!
//! The tables are in the service's own migrations, with its own roles in the policies (see [`fealty_postgres`]). A
//! service may give `program` more columns with defaults; every other table's rows hang on one of its rows.
//!
//! ```sql
//! CREATE TABLE program (
//!     program uuid PRIMARY KEY,
//!     time_zone text NOT NULL,     -- IANA
//!     currency_code text NOT NULL, -- ISO 4217
//!     active boolean NOT NULL,
//!     sequence bigint NOT NULL     -- of two forms of the record, the larger number is the newer
//! );
//! CREATE TABLE api_key (
//!     program uuid NOT NULL,       -- nil for a key of the whole suite; no reference: a key can come before its program
//!     api_key_id uuid NOT NULL,
//!     short_id text NOT NULL,
//!     secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
//!     scopes integer[] NOT NULL,   -- numbers: a scope that only a newer build knows keeps its number
//!     staff_id uuid,               -- null for a machine's key
//!     revoke_time timestamptz,
//!     expire_time timestamptz,
//!     sequence bigint NOT NULL,
//!     PRIMARY KEY (program, api_key_id)
//! );
//! CREATE UNIQUE INDEX api_key_short_id ON api_key (short_id);
//! CREATE TABLE staff (
//!     program uuid NOT NULL,
//!     staff_id uuid NOT NULL,
//!     active boolean NOT NULL,
//!     sequence bigint NOT NULL,
//!     PRIMARY KEY (program, staff_id)
//! );
//! ```
//!
//! and the table of [`positions`](crate::positions).

mod copy;
pub mod domain;
mod follower;
mod grpc;
mod metrics;
mod storage;

pub use copy::{AccessCopy, Applied};
pub use follower::{AccessFollower, RoundError};
