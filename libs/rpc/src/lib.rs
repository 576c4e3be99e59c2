//! What is common to every gRPC call of every service.
//!
//! # The way of a call through a server
//!
//! Outermost first, as [`server::ServerBuilder`] puts them around the services:
//!
//! 1. **connections**: limits on connections, streams, windows and headers; idle and old ones are told to go;
//! 2. **web origins**: which web pages may call, then gRPC-Web is translated to gRPC;
//! 3. **observe**: the span in the caller's trace, one log line, the metrics. It sees what the caller gets;
//! 4. **enrich**: every error gets a reason, also tonic's own; what is not meant for callers is hidden;
//! 5. **catch panics**: a panic costs one call;
//! 6. **deadline**: what the caller grants, at most what the server grants; covers all below, streamed bodies too;
//! 7. **in flight**: a full process refuses at once. Before access, so that a refusal costs no look-up;
//! 8. **access**: the caller, its scope, its program ([`access::Authenticator`]);
//! 9. the service: it takes [`access::Caller`] and [`deadline::Deadline`] from the request, parses with [`fields`] into
//!    [`violations::Violations`], pages with [`page`], answers with [`present`], and refuses with [`errors::ApiError`].
//!
//! Health and reflection pass 6 to 8: no deadline, no limit, no key.

pub mod access;
mod call;
mod command_hash;
pub mod deadline;
mod enrich;
pub mod errors;
pub mod etag;
pub mod fields;
mod limits;
mod observe;
pub mod page;
pub mod page_token;
mod panics;
pub mod present;
pub mod replayed;
pub mod server;
pub mod violations;
mod web;

pub use command_hash::command_hash;
