//! Migrations: run by the owner with `fealty migrate`, looked at by every service when it starts.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::acquire::acquire;
use crate::error::StorageError;
use crate::provision::quoted;

/// Taken while migrations run, so that what is reported as applied was applied by this run. sqlx's own lock is held
/// within it.
const MIGRATE_LOCK: i64 = 0x6665_616c_7479_0002;

/// Longest wait for a lock, in milliseconds: for another run of migrations, and for a table that a service uses. A
/// change of a table that waits keeps everybody else waiting behind it, hence not longer.
const MIGRATE_LOCK_TIMEOUT_MS: u64 = 20_000;

/// Where sqlx keeps what was applied.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";

/// A migration that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMigration {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub description: String,
}

/// Applies the migrations that the database lacks, in order, and answers which. Several runs at once wait for each
/// other.
pub async fn migrate(owner_url: &str, migrator: &Migrator) -> Result<Vec<AppliedMigration>, SchemaError> {
    let options: PgConnectOptions = owner_url.parse().map_err(StorageError::from)?;
    let mut connection = options
        .application_name("fealty-migrate")
        .options([("lock_timeout", MIGRATE_LOCK_TIMEOUT_MS)])
        .connect()
        .await
        .map_err(StorageError::from)?;
    let applied = migrate_on(&mut connection, migrator).await;
    // Closing gives the locks back, also after a failure.
    connection.close().await.map_err(StorageError::from)?;
    applied
}

async fn migrate_on(
    connection: &mut PgConnection,
    migrator: &Migrator,
) -> Result<Vec<AppliedMigration>, SchemaError> {
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(MIGRATE_LOCK)
        .execute(&mut *connection)
        .await
        .map_err(StorageError::from)?;
    let known_before = applied_checksums(&mut *connection).await?;
    migrator.run(&mut *connection).await?;
    protect_record(&mut *connection).await?;
    Ok(forward(migrator)
        .filter(|migration| !known_before.contains_key(&migration.version))
        .map(|migration| AppliedMigration {
            version: migration.version,
            description: migration.description.to_string(),
        })
        .collect())
}

/// The default privileges let services write every table; what was applied is theirs to read only.
async fn protect_record(connection: &mut PgConnection) -> Result<(), StorageError> {
    let grantees: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT grantee::text FROM information_schema.role_table_grants \
         WHERE table_schema = 'public' AND table_name = $1 AND privilege_type <> 'SELECT' \
         AND grantee <> current_user",
    )
    .bind(MIGRATIONS_TABLE)
    .fetch_all(&mut *connection)
    .await?;
    for grantee in grantees {
        let statement = format!(
            "REVOKE INSERT, UPDATE, DELETE ON {MIGRATIONS_TABLE} FROM {}",
            quoted(&grantee)
        );
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Checks that the database's schema is the one this program was built for. A service that finds anything else does not
/// start: it would fail at its first statement, or write what another version cannot read.
pub async fn check_schema(pool: &PgPool, migrator: &Migrator) -> Result<(), SchemaError> {
    let mut connection = acquire(pool).await?;
    let applied = applied_checksums(&mut connection).await?;
    compare(&applied, migrator)
}

fn compare(applied: &BTreeMap<i64, Vec<u8>>, migrator: &Migrator) -> Result<(), SchemaError> {
    let known: BTreeSet<i64> = forward(migrator).map(|migration| migration.version).collect();
    let unknown: Vec<i64> = applied
        .keys()
        .filter(|version| !known.contains(version))
        .copied()
        .collect();
    if !unknown.is_empty() {
        return Err(SchemaError::Ahead(Versions(unknown)));
    }
    let changed: Vec<i64> = forward(migrator)
        .filter(|migration| {
            applied
                .get(&migration.version)
                .is_some_and(|checksum| *checksum != *migration.checksum)
        })
        .map(|migration| migration.version)
        .collect();
    if !changed.is_empty() {
        return Err(SchemaError::Changed(Versions(changed)));
    }
    let missing: Vec<i64> = known
        .into_iter()
        .filter(|version| !applied.contains_key(version))
        .collect();
    if !missing.is_empty() {
        return Err(SchemaError::Behind(Versions(missing)));
    }
    Ok(())
}

/// The migrations that lead forward.
pub(crate) fn forward(migrator: &Migrator) -> impl Iterator<Item = &Migration> {
    migrator
        .iter()
        .filter(|migration| !migration.migration_type.is_down_migration())
}

/// What was applied, with its checksum; nothing when the table is not there yet.
async fn applied_checksums(connection: &mut PgConnection) -> Result<BTreeMap<i64, Vec<u8>>, StorageError> {
    let is_there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(MIGRATIONS_TABLE)
        .fetch_one(&mut *connection)
        .await?;
    if !is_there {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(&mut *connection)
            .await?;
    Ok(rows.into_iter().collect())
}

/// Numbers of migrations, for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions(pub Vec<i64>);

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(", "))
    }
}

/// Why a database cannot be used by this program, or could not be migrated.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Migrations are still to be applied.
    #[error("the database lacks the migrations {0}: run `fealty migrate`, then start again")]
    Behind(Versions),
    /// The database has migrations that this program does not know.
    #[error("the database has the migrations {0}, which this version does not know: start a newer version")]
    Ahead(Versions),
    /// Applied migrations differ from the ones this program was built with.
    #[error(
        "the migrations {0} were applied in another wording than this version has: start the version that the \
         database was migrated with, or restore the files; an applied migration is never edited"
    )]
    Changed(Versions),
    /// A migration failed.
    #[error("migration failed: {0}")]
    Migrate(#[from] MigrateError),
    /// Postgres could not be asked.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr;
    use sqlx::migrate::MigrationType;

    use super::*;

    fn migration(version: i64, sql: &'static str) -> Migration {
        Migration::new(
            version,
            "step".into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    }

    fn applied(migrator: &Migrator) -> BTreeMap<i64, Vec<u8>> {
        forward(migrator)
            .map(|migration| (migration.version, migration.checksum.to_vec()))
            .collect()
    }

    #[test]
    fn each_difference_has_its_message() {
        let one = Migrator::with_migrations(vec![migration(1, "SELECT 1")]);
        let two = Migrator::with_migrations(vec![migration(1, "SELECT 1"), migration(2, "SELECT 2")]);
        let other = Migrator::with_migrations(vec![migration(1, "SELECT 10")]);

        assert!(compare(&applied(&one), &one).is_ok());
        let behind = compare(&applied(&one), &two).unwrap_err().to_string();
        assert!(behind.contains("lacks the migrations 2") && behind.contains("`fealty migrate`"));
        let ahead = compare(&applied(&two), &one).unwrap_err().to_string();
        assert!(ahead.contains("migrations 2") && ahead.contains("newer version"));
        let changed = compare(&applied(&other), &one).unwrap_err();
        assert!(matches!(changed, SchemaError::Changed(Versions(versions)) if versions == [1]));
    }
}
