//! Postings: the room that owns the ledger's transactions.
//!
//! Every change of a balance that somebody asks for goes through [`Posting::post_one`] or its likes. A call waits in a
//! lane ([`Lane`]) until the commit before is done, and is then committed together with whatever else waits there, of
//! whichever room; a call is the batch of one. A batch is one Postgres transaction:
//!
//! 1. the owners are locked, and those whose accounts they use, sorted, `FOR NO KEY UPDATE`; in a batch of several, calls
//!    about whom somebody else has locked are left out, and are a batch of their own, which waits, when the others have
//!    their answers;
//! 2. in new statements it is read what the locks protect, the transactions that already bear these request ids and
//!    receipts, and what the calls' room needs ([`Room::load_in_tx`]);
//! 3. everything is decided in pure Rust, call by call ([`Room::plan`], [`domain::decide`], [`Room::settle`]): each sees
//!    what those before it did, so a request id or receipt that comes twice in the slice takes effect once;
//! 4. all of it is written ([`Room::write_in_tx`] included), and committed. Then everybody is answered, and the balances go
//!    to the cache.
//!
//! A request id is remembered for ever with a hash of its command and with the answer, in the same transaction; a
//! decision against a command ([`is_remembered`]) is an answer too. Unique constraints are the nets for what another
//! replica did meanwhile: who is caught runs again and finds its answer.
//!
//! # How another room takes part
//!
//! A room whose calls change balances implements [`Room`] on a unit struct, is listed in `rooms.rs`, and hands its calls to
//! `Posting::post_one::<ItsRoom>(program, call)`:
//!
//! - `Work` is the parsed call, without what [`Call`] carries for all rooms (ids, source, receipt, actor, money ...);
//! - `load_in_tx(tx, program, works)` reads what the room needs for all works of the batch, after the owners' locks, in
//!   the posting's transaction: unit terms, rules, the purchases that refunds name with what is left of them;
//! - `plan(loaded, work, moment)` is pure: it turns the work into a [`domain::Command`], or refuses it;
//! - `see(loaded, seen)` is pure: it puts into `loaded` what a call of any room did, if this one has to know of it;
//! - `settle(loaded, work, draft, posted)` is pure: it makes the row to write, and puts into `loaded` what the next
//!   call of the same batch must see;
//! - `write_in_tx(tx, program, rows)` writes the rows of all accepted calls with few statements;
//! - `present(work, posted, row)` encodes the response message, which is stored and sent byte for byte.
//!
//! A purchase's id may be the id of its transaction ([`Moment::transaction_id`]).

mod batch;
mod books;
mod call;
mod commit;
pub mod config;
pub mod domain;
#[cfg(test)]
mod equivalence;
pub mod grpc;
mod lane;
mod led;
mod left_out;
mod limited;
mod moves;
mod post;
mod remembered;
mod room;
mod rooms;
mod storage;
mod sweeping;

pub use call::{Answer, Call};
pub use commit::TimeSource;
pub use lane::Lane;
pub(crate) use moves::Move;
pub use post::{Group, Posting};
pub use room::{Moment, Plan, Posted, Room, Seen, is_remembered};
pub(crate) use storage::{EntryRow, HoldRow, LotRow, MovementRow, PinRow, find_states_in_tx};
pub(crate) use sweeping::{Sweeper, Swept, Task};
