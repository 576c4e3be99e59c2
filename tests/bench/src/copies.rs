//! Many rows at once: copies, by SQL, of rows that the ledger itself has written, with other keys. So they have the shape
//! and the size of real ones, whatever columns the ledger comes to have, and a million takes seconds.

use anyhow::{Context as _, ensure};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Row as _};
use uuid::Uuid;

/// Copies of one owner's rows of a table.
#[derive(Debug, Clone, Copy)]
pub struct Copies<'a> {
    /// The table.
    pub table: &'a str,
    /// Whose rows are copied: the program and the owner.
    pub of: (Uuid, Uuid),
    /// Columns that get another value: an expression over `t`, the copied row, and `c`, of the `source`.
    pub replaced: &'a [(&'a str, &'a str)],
    /// What there is a copy for each row of: a FROM item with the alias `c`. It may use `$2`, the owners to copy for, and
    /// `$3`, the program.
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
             WHERE t.program = $3 AND t.owner_id = $1 AND ($2::uuid[]) IS NOT NULL",
            table = self.table,
            columns = columns.join(", "),
            values = values.join(", "),
            source = self.source,
        );
        let (program, owner_id) = self.of;
        let mut connection = unbounded(pool).await?;
        let inserted = sqlx::query(AssertSqlSafe(statement))
            .bind(owner_id)
            .bind(owners)
            .bind(program)
            .execute(&mut connection)
            .await
            .with_context(|| format!("copies of {}", self.table))?;
        connection.close().await?;
        Ok(inserted.rows_affected())
    }
}

/// A connection of its own for what takes longer than any call may.
pub(crate) async fn unbounded(pool: &PgPool) -> anyhow::Result<PgConnection> {
    let mut connection = pool.acquire().await?.detach();
    connection.execute("SET statement_timeout = 0").await?;
    Ok(connection)
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
