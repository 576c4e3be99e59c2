//! What the services of the suite have in common, so that a service is its rooms and little else.
//!
//! A service is put together like this, in its `serve.rs`. [`Ground`](ground::Ground) holds what the rooms are built on;
//! the [`AccessFollower`](access::AccessFollower) keeps the copy of the access records and verifies callers against it;
//! jobs begin by waiting for Postgres and end when the end is asked for.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use fealty_rpc::server::{ServerBuilder, ServerConfig};
//! use fealty_runtime::{Listeners, Tasks};
//! use fealty_service::access::AccessFollower;
//! use fealty_service::config::{DatabaseConfig, PeerConfig, ports};
//! use fealty_service::ground::{Ground, ServeError, Serving};
//! use fealty_service::jobs::keep_forgetting_requests;
//! use fealty_types::SharedClock;
//! use sqlx::migrate::Migrator;
//! # use fealty_postgres::PoolConfig;
//! # use fealty_runtime::config::{AdminConfig, GrpcListenConfig, Secret};
//!
//! const NAME: &str = "rewards";
//! # static MIGRATOR: Migrator = Migrator::DEFAULT;
//! # const CATALOGUE: &str = "fealty.rewards.v1.CatalogueService";
//! # #[derive(Default, serde::Deserialize)]
//! # #[serde(default, deny_unknown_fields)]
//! struct RewardsConfig {
//!     grpc: GrpcListenConfig<{ ports::REWARDS }>,
//!     admin: AdminConfig<{ ports::REWARDS_ADMIN }>,
//!     database_url: Secret<String>,
//!     jobs_database_url: Secret<String>,
//!     pool: PoolConfig,
//!     jobs_pool: PoolConfig,
//!     server: ServerConfig,
//!     members: PeerConfig<{ ports::MEMBERS }>,
//! }
//!
//! async fn serve(config: &RewardsConfig, clock: SharedClock, tasks: &Tasks) -> Result<Serving, ServeError> {
//!     let listeners = Listeners::bind(NAME, config.grpc.listen, config.admin.listen).await?;
//!     let database = DatabaseConfig {
//!         url: &config.database_url,
//!         pool: &config.pool,
//!         jobs_url: &config.jobs_database_url,
//!         jobs_pool: &config.jobs_pool,
//!     };
//!     let ground = Ground::try_new(NAME, database, clock)?;
//!     let access = AccessFollower::try_new(&ground, &config.members)?;
//!     let health = ground.health([CATALOGUE]);
//!     let server = ServerBuilder::new(config.server.clone(), Arc::new(access.authenticator()))
//!         // .add_service(limited!(config.server, CatalogueServiceServer::new(catalogue)))
//!         .add_health(health.grpc_service())
//!         .build()?;
//!     let serving = ground.serve(listeners, server, health, tasks)?;
//!
//!     let jobs = ground.clone();
//!     ground.spawn_jobs(tasks, async move {
//!         jobs.open(&MIGRATOR).await?;
//!         tokio::join!(access.keep_following(), keep_forgetting_requests(jobs));
//!         Ok(())
//!     });
//!     Ok(serving)
//! }
//! ```
//!
//! Its rpcs go through [`call::serve`] and its relatives; its table of errors ends in [`status::storage_status`]; what it
//! makes, it claims by [`fealty_postgres::requests`]. Members owns the access records, so it answers who calls out of
//! its own tables and has no follower.

pub mod access;
pub mod call;
pub mod config;
pub mod consumer;
pub mod erasing;
pub mod events;
pub mod gate;
pub mod ground;
pub mod jobs;
pub mod personal;
pub mod positions;
pub mod read_audit;
pub mod status;
#[cfg(feature = "testing")]
pub mod testing;
