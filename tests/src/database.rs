//! A look behind the services, by the superuser of the suite's own Postgres: what the tables hold, whatever a program
//! may see.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use fealty::services::ServiceName;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::bounded;

/// What the services tell each other is with them long before.
const SETTLED_BOUND: Duration = Duration::from_secs(30);
/// Between two looks: longer than the access feed's interval.
const SETTLED_PAUSE: Duration = Duration::from_millis(1_500);

/// Rows per table, named "database.table".
pub type RowCounts = BTreeMap<String, i64>;

/// The private Postgres of a data folder.
#[derive(Debug, Clone)]
pub struct Database {
    admin_url: String,
}

impl Database {
    /// Of a suite that runs in this folder.
    ///
    /// # Panics
    /// When the folder has no Postgres of its own.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        let state = fs::read(data_dir.join("state.json")).expect("a data folder has its state");
        let state: serde_json::Value = serde_json::from_slice(&state).expect("it is JSON");
        let password = state["postgres_password"].as_str().expect("a private Postgres");
        let port = state["postgres_port"].as_u64().expect("a private Postgres");
        Self {
            admin_url: format!("postgres://postgres:{password}@127.0.0.1:{port}"),
        }
    }

    /// Every row of every table as text, with the table before it: "database.table".
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn contents(&self) -> Vec<(String, String)> {
        let mut contents = Vec::new();
        for service in ServiceName::ALL {
            let database = format!("fealty_{}", service.database());
            let mut connection = self.connect(&database).await;
            for table in tables(&mut connection).await {
                let rows = format!("SELECT string_agg(t::text, chr(10)) FROM \"{table}\" AS t");
                let rows: Option<String> = sqlx::query_scalar(AssertSqlSafe(rows))
                    .fetch_one(&mut connection)
                    .await
                    .expect("a table can be read");
                contents.push((format!("{database}.{table}"), rows.unwrap_or_default()));
            }
        }
        contents
    }

    /// How many rows each table has.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn row_counts(&self) -> RowCounts {
        let mut counts = RowCounts::new();
        for service in ServiceName::ALL {
            let database = format!("fealty_{}", service.database());
            let mut connection = self.connect(&database).await;
            for table in tables(&mut connection).await {
                let count = format!("SELECT count(*) FROM \"{table}\"");
                let count = sqlx::query_scalar(AssertSqlSafe(count))
                    .fetch_one(&mut connection)
                    .await
                    .expect("a table can be counted");
                counts.insert(format!("{database}.{table}"), count);
            }
        }
        counts
    }

    /// The counts once nothing moves any more of what was asked for before.
    ///
    /// # Panics
    /// When something keeps moving.
    pub async fn settled_row_counts(&self) -> RowCounts {
        let mut before = self.row_counts().await;
        bounded::eventually("the tables come to rest", SETTLED_BOUND, async || {
            tokio::time::sleep(SETTLED_PAUSE).await;
            let now = self.row_counts().await;
            let at_rest = now == before;
            before = now;
            at_rest.then(|| before.clone())
        })
        .await
    }

    /// The rows of a query over the ledger, each column as text.
    ///
    /// # Panics
    /// When the query fails.
    pub async fn ledger_rows(&self, query: &'static str) -> Vec<Vec<Option<String>>> {
        let mut connection = self.connect("fealty_ledger").await;
        let rows = sqlx::query(query)
            .fetch_all(&mut connection)
            .await
            .expect("the query runs");
        rows.iter()
            .map(|row| (0..row.len()).map(|column| row.get(column)).collect())
            .collect()
    }

    /// Changes something that the services do not know of.
    ///
    /// # Panics
    /// When the statement fails.
    pub async fn change(&self, statement: &'static str) {
        let mut connection = self.connect("fealty_ledger").await;
        let changed = sqlx::query(statement).execute(&mut connection).await;
        changed.expect("the statement runs");
    }

    /// Whether Postgres takes connections.
    pub async fn answers(&self) -> bool {
        PgConnection::connect(&format!("{}/postgres", self.admin_url))
            .await
            .is_ok()
    }

    async fn connect(&self, database: &str) -> PgConnection {
        let url = format!("{}/{database}", self.admin_url);
        PgConnection::connect(&url)
            .await
            .expect("the suite's Postgres answers")
    }
}

async fn tables(connection: &mut PgConnection) -> Vec<String> {
    let query =
        "SELECT tablename::text FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
                 ORDER BY tablename";
    sqlx::query_scalar(query)
        .fetch_all(connection)
        .await
        .expect("the catalog answers")
}
