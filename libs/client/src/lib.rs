//! The typed client of the suite, for backend teams and for the services among themselves.
//!
//! [`MembersClient`] and [`LedgerClient`] have one method per rpc. Around each call they do what every caller needs and
//! few write well:
//!
//! - **Request ids.** A write that carries none gets one before the first attempt, and keeps it through all retries, so
//!   that whatever happens on the wire it takes effect once.
//! - **Retries.** What is UNAVAILABLE, lost on the wire or carries a `RetryInfo` is tried again, with growing pauses and
//!   jitter, within the call's deadline and a budget that all calls of a client share: a suite that is down is not
//!   hammered.
//! - **Load balancing.** Calls go in turn to every address that the endpoint stands for. A replica that goes away is
//!   left at once, and its calls are tried at another; a new one is found within seconds.
//! - **Deadlines.** Each call has one; what is left of it travels with each attempt.
//! - **Reading one's own writes.** The client remembers the newest version it has seen of each owner, and a balance read
//!   that asks for nothing in particular asks for that: its users never see time run backwards.
//! - **Events.** [`EventsClient`] follows the events of a service by a stream that opens itself again where it was lost.
//! - **Traces.** The current span's context travels along.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use fealty_client::{ClientConfig, LedgerClient};
//! use fealty_proto::ledger::v1::GetBalanceRequest;
//!
//! let ledger = LedgerClient::try_new(&ClientConfig::new("http://127.0.0.1:7102", "fealty_..."))?;
//! let balance = ledger
//!     .get_balance(GetBalanceRequest { owner_id: "0193...".into(), ..Default::default() })
//!     .await?;
//! println!("{:?}", balance.balance);
//! # Ok(())
//! # }
//! ```

mod answer;
mod caller;
mod config;
mod connections;
mod endpoint;
mod error;
mod evaluation;
mod events;
mod ledger;
mod members;
mod method;
mod resolve;
mod retry;
mod rewards;
mod surveys;
mod versions;

pub use answer::Answer;
pub use config::{ClientConfig, RetryConfig};
pub use endpoint::ConnectError;
pub use error::{CallError, FieldError};
pub use evaluation::LadderEvaluation;
pub use events::{EventStream, EventsClient};
pub use ledger::LedgerClient;
pub use members::MembersClient;
pub use resolve::{Resolve, Resolving, SystemResolver};
pub use rewards::RewardsClient;
pub use surveys::SurveysClient;
