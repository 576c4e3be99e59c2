//! Whether the second fence stands: that every table which carries a program shows a service one program at a time,
//! and that the service's role has no way around it. Each service's tests ask, over its migrated database.

mod rows;
mod schema;

use sqlx::postgres::PgPool;

use crate::error::StorageError;
use crate::provision::ServiceDatabase;

pub use rows::leaks;

/// What is wrong with the fences of a service's database, a sentence each; empty when they stand. Any of the service's
/// roles may ask.
///
/// - every table with a column `program`: its type is uuid, row-level security is enabled and forced, the service's
///   role has a policy for all commands which compares with the setting in a subselect, and no permissive policy that
///   would let it see more;
/// - the service's role may not truncate, owns nothing, is neither superuser nor exempt nor able to make roles, and is
///   member of no role;
/// - no view runs with its owner's rights, and no function lends the rights of its owner;
/// - the role of jobs is neither superuser nor exempt.
pub async fn violations(pool: &PgPool, service: &ServiceDatabase) -> Result<Vec<String>, StorageError> {
    let mut connection = pool.acquire().await?;
    let mut violations = schema::roles(&mut connection, service).await?;
    violations.extend(schema::tables(&mut connection, service).await?);
    violations.extend(schema::detours(&mut connection, service).await?);
    Ok(violations)
}
