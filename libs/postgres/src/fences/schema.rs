//! What the catalogue says about roles, tables and ways around.

use sqlx::PgConnection;

use crate::error::StorageError;
use crate::provision::ServiceDatabase;

/// The policy's condition as Postgres prints it. The cast lies inside the subselect, so that it is evaluated once per
/// statement.
const BY_PROGRAM: &str =
    "(program = ( SELECT (current_setting('app.program'::text))::uuid AS current_setting))";

/// The roles: what they may do apart from their tables.
pub(super) async fn roles(
    connection: &mut PgConnection,
    service: &ServiceDatabase,
) -> Result<Vec<String>, StorageError> {
    let mut violations = Vec::new();
    for role in [service.service_role(), service.jobs_role()] {
        violations.extend(role_violations(connection, &role).await?);
    }
    Ok(violations)
}

async fn role_violations(connection: &mut PgConnection, role: &str) -> Result<Vec<String>, StorageError> {
    let found: Option<(i64, bool, bool, bool)> = sqlx::query_as(
        "SELECT oid::bigint, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = $1",
    )
    .bind(role)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((oid, is_super, is_exempt, makes_roles)) = found else {
        return Ok(vec![format!("role {role} does not exist")]);
    };
    let mut violations: Vec<String> = [
        (is_super, "is a superuser"),
        (is_exempt, "bypasses row-level security"),
        (makes_roles, "may make roles, and so give itself others"),
    ]
    .into_iter()
    .filter(|(is_so, _)| *is_so)
    .map(|(_, what)| format!("role {role} {what}"))
    .collect();

    let member_of: Vec<String> = sqlx::query_scalar(
        "SELECT r.rolname::text FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid \
         WHERE m.member = $1::bigint::oid ORDER BY 1",
    )
    .bind(oid)
    .fetch_all(&mut *connection)
    .await?;
    violations.extend(
        member_of
            .iter()
            .map(|other| format!("role {role} is a member of {other}")),
    );

    let owned: Vec<String> = sqlx::query_scalar(
        "SELECT pg_describe_object(classid, objid, objsubid) FROM pg_shdepend \
         WHERE deptype = 'o' AND refclassid = 'pg_authid'::regclass AND refobjid = $1::bigint::oid \
         AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY 1",
    )
    .bind(oid)
    .fetch_all(&mut *connection)
    .await?;
    violations.extend(owned.iter().map(|object| format!("role {role} owns {object}")));
    Ok(violations)
}

/// Every ordinary and partitioned table that has a column `program`.
pub(super) async fn tables(
    connection: &mut PgConnection,
    service: &ServiceDatabase,
) -> Result<Vec<String>, StorageError> {
    let role = service.service_role();
    let tables: Vec<(String, Vec<String>)> = sqlx::query_as(
        "SELECT c.oid::regclass::text, array_remove(ARRAY[ \
             CASE WHEN a.atttypid <> 'uuid'::regtype THEN 'its column program is no uuid' END, \
             CASE WHEN NOT c.relrowsecurity THEN 'row-level security is not enabled' END, \
             CASE WHEN NOT c.relforcerowsecurity THEN 'row-level security is not forced on its owner' END, \
             CASE WHEN has_table_privilege($1, c.oid, 'TRUNCATE') THEN $1 || ' may truncate it' END \
         ], NULL) \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
         WHERE c.relkind IN ('r', 'p') AND a.attname = 'program' AND NOT a.attisdropped \
         AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) \
         AND EXISTS (SELECT FROM pg_roles WHERE rolname = $1) \
         ORDER BY 1",
    )
    .bind(&role)
    .fetch_all(&mut *connection)
    .await?;
    let mut violations = Vec::new();
    for (table, faults) in &tables {
        violations.extend(faults.iter().map(|fault| format!("table {table}: {fault}")));
        violations.extend(policy_violations(connection, table, &role).await?);
    }
    Ok(violations)
}

#[derive(sqlx::FromRow)]
struct Policy {
    name: String,
    is_for_all_commands: bool,
    using: Option<String>,
    with_check: Option<String>,
}

impl Policy {
    /// Whether it shows and takes the rows of the set program, and no others.
    fn is_by_program(&self) -> bool {
        let checks_the_same = self.with_check.as_deref().is_none_or(|check| check == BY_PROGRAM);
        self.using.as_deref() == Some(BY_PROGRAM) && checks_the_same
    }
}

async fn policy_violations(
    connection: &mut PgConnection,
    table: &str,
    role: &str,
) -> Result<Vec<String>, StorageError> {
    // Policies for everybody (role 0) and for roles that this one is a member of hold for it too. Restrictive ones
    // only take away.
    let policies: Vec<Policy> = sqlx::query_as(
        "SELECT polname::text AS name, polcmd = '*' AS is_for_all_commands, \
             pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS with_check \
         FROM pg_policy WHERE polrelid = $1::regclass AND polpermissive \
         AND EXISTS (SELECT FROM unnest(polroles) AS r(oid) WHERE r.oid = 0 OR pg_has_role($2, r.oid, 'MEMBER')) \
         ORDER BY 1",
    )
    .bind(table)
    .bind(role)
    .fetch_all(connection)
    .await?;
    let has_fence = policies
        .iter()
        .any(|policy| policy.is_for_all_commands && policy.is_by_program());
    let mut violations: Vec<String> = policies
        .iter()
        .filter(|policy| !policy.is_by_program())
        .map(|policy| {
            format!(
                "table {table}: policy {} lets {role} past the program of its transaction (its condition must be \
                 exactly program = (SELECT current_setting('app.program')::uuid))",
                policy.name
            )
        })
        .collect();
    if !has_fence {
        violations.push(format!(
            "table {table}: no policy for all commands of {role} by program"
        ));
    }
    Ok(violations)
}

/// Ways around the tables: what runs with the rights of another.
pub(super) async fn detours(
    connection: &mut PgConnection,
    service: &ServiceDatabase,
) -> Result<Vec<String>, StorageError> {
    let role = service.service_role();
    Ok(sqlx::query_scalar(
        "SELECT 'view ' || c.oid::regclass || ': runs with the rights of its owner (security_invoker is off)' \
         FROM pg_class c WHERE c.relkind = 'v' \
         AND NOT coalesce((SELECT o.option_value::boolean FROM pg_options_to_table(c.reloptions) o \
             WHERE o.option_name = 'security_invoker'), false) \
         AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) \
         AND has_table_privilege((SELECT oid FROM pg_roles WHERE rolname = $1), c.oid, 'SELECT') \
         UNION ALL \
         SELECT 'materialized view ' || c.oid::regclass || ': holds rows without a fence' \
         FROM pg_class c WHERE c.relkind = 'm' \
         AND has_table_privilege((SELECT oid FROM pg_roles WHERE rolname = $1), c.oid, 'SELECT') \
         UNION ALL \
         SELECT 'function ' || p.oid::regprocedure || ': lends the rights of its owner (security definer)' \
         FROM pg_proc p WHERE p.prosecdef \
         AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) \
         AND has_function_privilege((SELECT oid FROM pg_roles WHERE rolname = $1), p.oid, 'EXECUTE') \
         ORDER BY 1",
    )
    .bind(role)
    .fetch_all(connection)
    .await?)
}
