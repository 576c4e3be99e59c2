//! Dropping databases of tests: one's own at the end, and what killed tests left.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use crate::error::StorageError;
use crate::provision::{connect_admin, quoted};

/// No test runs this long, in seconds: an older database is a leftover.
const LEFTOVER_AGE_S: u64 = 3_600;

/// How the names of a service's test databases begin; a version 7 UUID follows, which tells the age.
pub(super) fn prefix(service: &str) -> String {
    format!("fealty_test_{service}_")
}

/// Drops a database, whoever is still connected to it.
pub(super) async fn drop_database(admin_url: &str, database: &str) -> Result<(), StorageError> {
    let mut admin = connect_admin(admin_url).await?;
    drop_on(&mut admin, database).await?;
    Ok(admin.close().await?)
}

async fn drop_on(admin: &mut PgConnection, database: &str) -> Result<(), StorageError> {
    let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(database));
    admin.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

/// Drops the databases that killed tests of the service left.
pub(super) async fn drop_leftovers(admin: &mut PgConnection, service: &str) -> Result<(), StorageError> {
    let prefix = prefix(service);
    let now_s: i64 = sqlx::query_scalar("SELECT extract(epoch FROM now())::bigint")
        .fetch_one(&mut *admin)
        .await?;
    let databases: Vec<String> =
        sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1)")
            .bind(&prefix)
            .fetch_all(&mut *admin)
            .await?;
    for database in databases {
        if is_leftover(&database, &prefix, now_s) {
            drop_on(admin, &database).await?;
        }
    }
    Ok(())
}

fn is_leftover(database: &str, prefix: &str, now_s: i64) -> bool {
    let made = database
        .strip_prefix(prefix)
        .and_then(|id| Uuid::try_parse(id).ok())
        .and_then(|id| id.get_timestamp());
    let Some(made) = made else {
        return false;
    };
    let (made_s, _) = made.to_unix();
    made_s + LEFTOVER_AGE_S < u64::try_from(now_s).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_databases_of_our_own_are_leftovers() {
        let made_s = 1_700_000_000;
        let id = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, made_s, 0));
        let name = format!("fealty_test_ledger_{}", id.simple());
        let is_leftover_at = |name: &str, age_s: u64| {
            is_leftover(
                name,
                "fealty_test_ledger_",
                i64::try_from(made_s + age_s).unwrap(),
            )
        };
        assert!(is_leftover_at(&name, LEFTOVER_AGE_S + 1));
        assert!(!is_leftover_at(&name, LEFTOVER_AGE_S - 1));
        assert!(!is_leftover_at("fealty_ledger", LEFTOVER_AGE_S + 1));
        assert!(!is_leftover_at("fealty_test_ledger_of_mine", LEFTOVER_AGE_S + 1));
    }
}
