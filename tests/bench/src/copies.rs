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

#[cfg(test)]
mod tests {
    use fealty_ledger::{MIGRATOR, SERVICE_DATABASE};
    use fealty_postgres::ServiceDatabase;
    use fealty_postgres::testing::TestDatabase;
    use fealty_service::testing::plant_program;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn copies_are_the_row_itself_but_for_what_is_replaced() -> anyhow::Result<()> {
        let servers = fealty_testing::servers().await;
        let service = ServiceDatabase::new(SERVICE_DATABASE);
        let database = TestDatabase::create(servers.postgres_admin_url(), &service, &MIGRATOR).await?;
        let program = plant_program(&database.jobs, "Europe/London", "GBP")
            .await?
            .as_uuid();
        let (first, members) = (Uuid::now_v7(), [Uuid::now_v7(), Uuid::now_v7()]);
        sqlx::query(
            "INSERT INTO lot (program, owner_id, lot_id, unit_code, value_left, value_credited, create_time) \
             VALUES ($1, $2, $2, 'points', 3, 7, now())",
        )
        .bind(program)
        .bind(first)
        .execute(&database.owner)
        .await?;
        let copies = Copies {
            table: "lot",
            of: (program, first),
            replaced: &[("owner_id", "c.owner_id"), ("value_left", "t.value_left - 1")],
            source: "unnest($2::uuid[]) AS c (owner_id)",
        };
        assert_eq!(copies.insert(&database.owner, &members).await?, 2);
        let alike: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM lot JOIN lot AS first USING (program, lot_id, unit_code, value_credited, create_time, open) \
             WHERE first.owner_id = $1 AND lot.owner_id = ANY ($2) AND lot.value_left = 2",
        )
        .bind(first)
        .bind(members)
        .fetch_one(&database.owner)
        .await?;
        assert_eq!(alike, 2);

        let unknown = Copies {
            replaced: &[("no_such_column", "1")],
            ..copies
        };
        let refused = unknown.insert(&database.owner, &members).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("no_such_column")));
        Ok(())
    }
}
