//! API keys: their text, their records, and who the caller of a call is.
//!
//! A caller sends `authorization: Bearer KEY`. The key belongs to one program, or to the whole suite; a key of the suite
//! names the program of each call in the header `fealty-program-id`. [`Authenticator`] holds the rules.
//!
//! An app or a web page sends a member token in place of a key: signed by means of a key, for one member and some minutes
//! ([`MemberGrant`]). Which methods take it, and by which field of the request it is held to its member, the protos say.

mod authenticator;
mod cache;
mod caller;
mod key;
pub(crate) mod layer;
mod member_token;
mod nudge;
mod own;
mod records;
mod stream;

pub use authenticator::{Authenticator, PROGRAM_HEADER, key_of};
pub use caller::{Caller, CallerKey, ProgramContext};
pub use key::{ApiKeySecret, KEY_LENGTH, KEY_PREFIX, KeyTextError, SHORT_ID_LENGTH, SecretHash};
pub use member_token::{MEMBER_TOKEN_LIFE_MAX, MemberGrant, MemberTokenError, TokenPublicKey};
pub use nudge::{FeedRound, Nudge};
pub use records::{AccessRecords, KeyRecord, Lookup, ProgramRecord, RecordsError, StaffState};
