//! Everything that running a service takes and that is the same for every service.
//!
//! A binary reads like this:
//!
//! ```no_run
//! # use fealty_runtime::{BindError, Health, Outcome, Process, Service, config};
//! # use fealty_telemetry::{ServiceIdentity, Telemetry, TelemetryConfig};
//! #[derive(Default, serde::Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config {
//!     grpc: config::GrpcListenConfig<7102>,
//!     admin: config::AdminConfig<9102>,
//!     drain: config::DrainConfig,
//!     telemetry: TelemetryConfig,
//! }
//!
//! # fn identity() -> ServiceIdentity {
//! #     ServiceIdentity { name: "ledger".into(), version: "1.0".into(), instance: "a".into() }
//! # }
//! async fn run(config: Config, telemetry: Telemetry) -> Outcome {
//!     let process = Process::new(&config.drain).with_telemetry(telemetry);
//!     process
//!         .run(async move |tasks| {
//!             let grpc = fealty_runtime::bind("gRPC", config.grpc.listen).await?;
//!             let admin = fealty_runtime::bind("health and metrics", config.admin.listen).await?;
//!             let health = Health::new(["fealty.ledger.v1.LedgerService"]);
//!             health.register_check("postgres", async || Ok::<_, String>(()));
//!             let router = tonic::transport::Server::builder().add_service(health.grpc_service());
//!             let incoming = tonic::transport::server::TcpIncoming::from(grpc);
//!             tasks.spawn_service(Service { name: "ledger", health, admin }, |shutdown| {
//!                 router.serve_with_incoming_shutdown(incoming, shutdown)
//!             });
//!             Ok::<_, BindError>(())
//!         })
//!         .await
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     fealty_runtime::launch(async || {
//!         let config: Config = match config::load(None, "FEALTY") {
//!             Ok(config) => config,
//!             Err(error) => return Outcome::failed("configuration", &error),
//!         };
//!         match Telemetry::try_init(&config.telemetry, identity()) {
//!             Ok(telemetry) => run(config, telemetry).await,
//!             Err(error) => Outcome::failed("telemetry", &error),
//!         }
//!     })
//! }
//! ```
//!
//! How a process ends, whoever asks for it (SIGTERM, SIGINT, a task that fails):
//!
//! 1. **soft**: every service says `NOT_SERVING` and goes on accepting for `not_serving_pause_ms`, so that load
//!    balancers look away first; then it takes no new connections and calls in flight finish;
//! 2. **hard**, after `drain_timeout_ms` or at a second signal: what still runs is dropped, and the exit code says so;
//! 3. telemetry is flushed, within a bound, in every case.

/// What one thread allocates another frees all day: requests wait in one place and are answered from another. The
/// system's allocator takes a quarter of a busy service's time for that, this one a tenth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod admin;
mod bind;
pub mod config;
mod health;
mod launch;
mod process;
mod serve;

pub use bind::{BindError, Listeners, bind};
pub use health::{FailingCheck, GrpcHealth, Health, Phase, Readiness};
pub use launch::launch;
pub use process::{Failure, Outcome, Process, Tasks, error_chain};
pub use serve::{Service, Shutdown, drain_gracefully};
