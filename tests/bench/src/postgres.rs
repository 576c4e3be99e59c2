//! The Postgres of a benchmark, by its superuser: whether it keeps what it confirms, databases of baselines, and what the
//! postings took of its disk.

use std::str::FromStr as _;

use anyhow::{Context as _, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use url::Url;

/// Without these a confirmed commit may be lost, and figures would be of another thing.
const DURABLE: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// What is told beside the figures.
const TOLD: [&str; 5] = [
    "server_version",
    "shared_buffers",
    "max_wal_size",
    "wal_sync_method",
    "wal_compression",
];

/// Where Postgres is.
#[derive(Debug, Clone)]
pub struct Postgres {
    admin_url: String,
}

/// What Postgres has written so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    /// Bytes of the write-ahead log since ever.
    pub wal_bytes: i64,
    /// Bytes of a database's files.
    pub database_bytes: i64,
}

impl Postgres {
    /// By the URL of a role that may do everything.
    #[must_use]
    pub fn at(admin_url: &str) -> Self {
        Self {
            admin_url: admin_url.to_owned(),
        }
    }

    /// A connection as superuser.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnectOptions::from_str(&self.admin_url)?.connect().await?)
    }

    /// Makes sure that commits are durable, and answers the settings that matter beside.
    pub async fn check_durable(&self) -> anyhow::Result<String> {
        let mut connection = self.connect().await?;
        for name in DURABLE {
            let value = setting(&mut connection, name).await?;
            ensure!(value == "on", "commits would not be durable: {name} is {value}");
        }
        let mut told = vec![format!("{} on", DURABLE.join(", "))];
        for name in TOLD {
            told.push(format!("{name} {}", setting(&mut connection, name).await?));
        }
        connection.close().await?;
        Ok(told.join("; "))
    }

    /// An empty database in place of what bears the name, and the URL by which the superuser reaches it.
    pub async fn create_database(&self, name: &str) -> anyhow::Result<String> {
        self.drop_database(name).await?;
        let mut connection = self.connect().await?;
        let create = format!("CREATE DATABASE \"{name}\"");
        sqlx::query(AssertSqlSafe(create))
            .execute(&mut connection)
            .await?;
        let mut url = Url::parse(&self.admin_url)?;
        url.set_path(name);
        Ok(url.into())
    }

    /// Drops a database, used or not.
    pub async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let drop = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
        sqlx::query(AssertSqlSafe(drop)).execute(&mut connection).await?;
        Ok(())
    }

    /// What it has written so far.
    pub async fn written(&self, database: &str) -> anyhow::Result<Written> {
        let mut connection = self.connect().await?;
        let (wal_bytes, database_bytes) = sqlx::query_as(
            "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, pg_database_size($1)",
        )
        .bind(database)
        .fetch_one(&mut connection)
        .await?;
        Ok(Written {
            wal_bytes,
            database_bytes,
        })
    }

    /// Writes everything to the files; what is changed next goes to the log as whole pages.
    pub async fn checkpoint(&self) -> anyhow::Result<()> {
        sqlx::query("CHECKPOINT")
            .execute(&mut self.connect().await?)
            .await?;
        Ok(())
    }

    /// What autovacuum does of a database within its first minutes, done at once: else figures would hang on when it
    /// comes by.
    pub async fn analyze(&self, database: &str) -> anyhow::Result<()> {
        self.run_in(database, "ANALYZE").await
    }

    /// Brings a database to rest after it was filled: what would be done beside the measurement is done before.
    pub async fn settle(&self, database: &str) -> anyhow::Result<()> {
        self.run_in(database, "VACUUM (ANALYZE)").await?;
        self.checkpoint().await
    }

    async fn run_in(&self, database: &str, statement: &'static str) -> anyhow::Result<()> {
        let mut url = Url::parse(&self.admin_url)?;
        url.set_path(database);
        let mut connection = PgConnectOptions::from_str(url.as_str())?.connect().await?;
        sqlx::query(statement).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }

    /// Where its programs lie, as it was built.
    pub async fn program_dir(&self) -> anyhow::Result<String> {
        let found = sqlx::query_scalar("SELECT setting FROM pg_config WHERE name = 'BINDIR'");
        found
            .fetch_optional(&mut self.connect().await?)
            .await?
            .context("it does not say")
    }
}

async fn setting(connection: &mut PgConnection, name: &str) -> anyhow::Result<String> {
    let shown = sqlx::query_scalar("SELECT current_setting($1)").bind(name);
    Ok(shown.fetch_one(connection).await?)
}
