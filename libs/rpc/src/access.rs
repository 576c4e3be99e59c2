//! API keys: their text, their records, and who the caller of a call is.
//!
//! A caller sends `authorization: Bearer KEY`. The key belongs to one program, or to the whole suite; a key of the suite
//! names the program of each call in the header `fealty-program-id`. [`Authenticator`] holds the rules.

mod authenticator;
mod cache;
mod caller;
mod key;
pub(crate) mod layer;
mod nudge;
mod records;
mod stream;

pub use authenticator::{Authenticator, PROGRAM_HEADER};
pub use caller::{Caller, CallerKey, ProgramContext};
pub use key::{ApiKeySecret, KEY_LENGTH, KEY_PREFIX, KeyTextError, SHORT_ID_LENGTH, SecretHash};
pub use nudge::{FeedRound, Nudge};
pub use records::{AccessRecords, KeyRecord, Lookup, ProgramRecord, RecordsError, StaffState};
