//! Many rows at once: copies, by SQL, of rows that the ledger itself has written, with other keys. So they have the shape
//! and the size of real ones, whatever columns the ledger comes to have, and a million takes seconds.

use anyhow::{Context as _, ensure};
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use uuid::Uuid;

/// Copies of one owner's rows of a table.
#[derive(Debug, Clone, Copy)]
pub struct Copies<'a> {
    /// The table.
    pub table: &'a str,
    /// Whose rows are copied.
    pub owner_id: Uuid,
    /// Columns that get another value: an expression over `t`, the copied row, and `c`, of the `source`.
    pub replaced: &'a [(&'a str, &'a str)],
    /// What there is a copy for each row of: a FROM item with the alias `c`. It may use `$2`, the owners to copy for.
    pub source: &'a str,
}

impl Copies<'_> {
    /// Inserts them, and answers how many.
    pub async fn insert(&self, pool: &PgPool, owners: &[Uuid]) -> anyhow::Result<u64> {
        let columns = columns(pool, self.table).await?;
        for (column, _) in self.replaced {
            ensure!(
                columns.iter().any(|known| known == column),
                "{} has no {column}",
                self.table
            );
        }
        let value = |column: &String| {
            let replaced = self.replaced.iter().find(|(name, _)| name == column);
            replaced.map_or_else(
                || format!("t.{column}"),
                |(_, expression)| (*expression).to_owned(),
            )
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        let statement = format!(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} t CROSS JOIN {source} \
             WHERE t.owner_id = $1 AND ($2::uuid[]) IS NOT NULL",
            table = self.table,
            columns = columns.join(", "),
            values = values.join(", "),
            source = self.source,
        );
        // One connection, since the settings are its own: this takes longer than any call may.
        let mut connection = pool.acquire().await?;
        sqlx::query("SET statement_timeout = 0")
            .execute(&mut *connection)
            .await?;
        let inserted = sqlx::query(AssertSqlSafe(statement))
            .bind(self.owner_id)
            .bind(owners)
            .execute(&mut *connection)
            .await
            .with_context(|| format!("copies of {}", self.table))?;
        sqlx::query("RESET statement_timeout")
            .execute(&mut *connection)
            .await?;
        Ok(inserted.rows_affected())
    }
}

/// All that can be written.
async fn columns(pool: &PgPool, table: &str) -> anyhow::Result<Vec<String>> {
    let rows = sqlx::query(
        "SELECT column_name::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position",
    )
    .bind(table)
    .fetch_all(pool)
    .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
