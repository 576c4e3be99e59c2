//! What every service stands on, and how it comes to stand.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use fealty_postgres::{PoolConfig, StorageError, check_schema, connect_lazy, ping};
use fealty_rpc::server::{Server, ServerError};
use fealty_runtime::{BindError, Health, Listeners, Service, Tasks};
use fealty_types::SharedClock;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPool;

use crate::config::DatabaseConfig;
use crate::gate::{CheckError, SchemaGate, WrongDatabase};

/// Where a started service can be found.
#[derive(Clone)]
pub struct Serving {
    /// Where it takes calls.
    pub grpc: SocketAddr,
    /// Where it answers for its health and metrics.
    pub admin: SocketAddr,
    /// Its health.
    pub health: Health,
}

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address is taken.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address that was bound cannot be told.
    #[error("the bound address cannot be read: {0}")]
    Address(#[from] io::Error),
    /// A database URL is none.
    #[error(transparent)]
    Database(#[from] StorageError),
    /// The server's settings, or its services, are at fault.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Another section of the settings is at fault.
    #[error("{section}: {source}")]
    Settings {
        /// Which one.
        section: &'static str,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ServeError {
    /// For `map_err`: what is wrong with a section of the settings.
    pub fn settings<E>(section: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        move |error| Self::Settings {
            section,
            source: error.into(),
        }
    }
}

/// What the rooms and jobs of a service are built on: its database by both roles, what tells the time, and the gate
/// that keeps callers out until the database has been checked. Clones share all of it.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The service in logs and metrics, and what Postgres shows of its connections.
    pub name: &'static str,
    /// Its database, by the role that sees one program at a time.
    pub service: PgPool,
    /// Its database, by the role that crosses programs.
    pub jobs: PgPool,
    /// A connection of its own by each role: what readiness asks by, so that a replica whose callers use all of theirs
    /// is not taken for one that cannot reach Postgres.
    probes: [PgPool; 2],
    /// What tells the time.
    pub clock: SharedClock,
    /// Opens when the database has been checked.
    pub gate: SchemaGate,
}

impl Ground {
    /// Prepares the ground. Nothing is connected yet.
    pub fn try_new(
        name: &'static str,
        database: DatabaseConfig<'_>,
        clock: SharedClock,
    ) -> Result<Self, ServeError> {
        let (url, jobs_url) = (database.url.expose(), database.jobs_url.expose());
        let lone = |config: &PoolConfig| PoolConfig {
            size: 1,
            ..config.clone()
        };
        Ok(Self {
            name,
            service: connect_lazy(url, name, database.pool)?,
            jobs: connect_lazy(jobs_url, name, database.jobs_pool)?,
            probes: [
                connect_lazy(url, name, &lone(database.pool))?,
                connect_lazy(jobs_url, name, &lone(database.jobs_pool))?,
            ],
            clock,
            gate: SchemaGate::default(),
        })
    }

    /// The health of these gRPC services (their full names). Ready is who reaches Postgres by both roles, since calls
    /// need the one and who calls is looked up by the other, and has checked the database.
    #[must_use]
    pub fn health(&self, services: impl IntoIterator<Item = &'static str>) -> Health {
        let health = Health::new(services);
        let ground = self.clone();
        health.register_check("postgres", move || {
            let ground = ground.clone();
            async move { ground.is_fit().await }
        });
        health
    }

    async fn is_fit(&self) -> Result<(), String> {
        for pool in &self.probes {
            ping(pool).await?;
        }
        if self.gate.opens_soon().await {
            Ok(())
        } else {
            Err("the schema has not been checked yet".to_owned())
        }
    }

    /// Waits for Postgres, and opens the gate if the schema is the one of these migrations.
    pub async fn open(&self, migrator: &Migrator) -> Result<(), WrongDatabase> {
        self.open_when(migrator, async || Ok(())).await
    }

    /// The same for a service that has to know more of its database than the schema, before anybody is served.
    pub async fn open_when<F>(&self, migrator: &Migrator, also: impl Fn() -> F) -> Result<(), WrongDatabase>
    where
        F: Future<Output = Result<(), CheckError>>,
    {
        self.gate
            .open_when(async || {
                check_schema(&self.service, migrator).await?;
                also().await
            })
            .await
    }

    /// Runs what runs beside the calls, until the end is asked for. It begins with [`Ground::open`]: another schema
    /// ends the process, and says so.
    pub fn spawn_jobs(
        &self,
        tasks: &Tasks,
        jobs: impl Future<Output = Result<(), WrongDatabase>> + Send + 'static,
    ) {
        let ending = tasks.soft_shutdown();
        tasks.spawn_critical(format!("{} jobs", self.name), async move {
            tokio::select! {
                biased;
                () = ending.cancelled() => Ok(()),
                end = jobs => end,
            }
        });
    }

    /// Serves calls, health and metrics on these sockets, as tasks of the process.
    pub fn serve(
        &self,
        listeners: Listeners,
        server: Server,
        health: Health,
        tasks: &Tasks,
    ) -> Result<Serving, ServeError> {
        let Listeners { grpc, admin } = listeners;
        let serving = Serving {
            grpc: grpc.local_addr()?,
            admin: admin.local_addr()?,
            health: health.clone(),
        };
        let service = Service {
            name: self.name,
            health,
            admin,
        };
        tasks.spawn_service(service, async move |shutdown| {
            server.serve(grpc, shutdown).await;
            Ok::<_, ServeError>(())
        });
        Ok(serving)
    }
}
