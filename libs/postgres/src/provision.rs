//! A service's roles and its database.
//!
//! Three roles per service, the same in every database of a cluster, because the policies in the migrations name them:
//!
//! | role | may | row-level security |
//! |---|---|---|
//! | `fealty_ledger_owner` | owns the database and its tables, runs migrations | a policy of its own lets it see all |
//! | `fealty_ledger` | reads and writes rows | sees the program that its transaction names |
//! | `fealty_ledger_jobs` | reads and writes rows | a policy of its own lets it see all |
//!
//! None of them is a superuser, bypasses row-level security, or may make roles or databases.

mod login;
mod statements;
mod urls;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use crate::error::StorageError;
pub use login::Login;
use statements::Role;
#[cfg(feature = "testing")]
pub(crate) use statements::literal;
pub(crate) use statements::quoted;

/// Taken while roles and databases are made, so that processes which provision at once wait for each other. The number
/// is arbitrary and ours alone.
const PROVISION_LOCK: i64 = 0x6665_616c_7479_0001;

/// Longest wait for somebody else who provisions, in milliseconds: creating a database takes some 100 ms.
const PROVISION_LOCK_TIMEOUT_MS: u64 = 60_000;

/// Further attempts when two processes that are connected to different maintenance databases collide.
const COLLISIONS_MAX: u32 = 5;

/// Passwords of the roles. `None` leaves a role's password as it is.
#[derive(Clone, Default)]
pub struct RolePasswords {
    /// Of the owner.
    pub owner: Option<String>,
    /// Of the service.
    pub service: Option<String>,
    /// Of the jobs.
    pub jobs: Option<String>,
}

impl std::fmt::Debug for RolePasswords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RolePasswords(..)")
    }
}

/// The database of one service and who may do what in it.
#[derive(Debug, Clone)]
pub struct ServiceDatabase {
    /// The service: `ledger`. Lower-case letters, digits and underscores.
    pub name: String,
    /// The database, `fealty_ledger` unless there are several of the kind on a cluster.
    pub database: String,
    /// The roles' passwords.
    pub passwords: RolePasswords,
}

impl ServiceDatabase {
    /// The usual database of a service, without passwords.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            database: format!("fealty_{name}"),
            passwords: RolePasswords::default(),
        }
    }

    /// The same roles with another database.
    #[must_use]
    pub fn in_database(&self, database: &str) -> Self {
        Self {
            database: database.to_owned(),
            ..self.clone()
        }
    }

    /// The same with these passwords.
    #[must_use]
    pub fn with_passwords(mut self, passwords: RolePasswords) -> Self {
        self.passwords = passwords;
        self
    }

    /// The role that owns the database and runs migrations.
    #[must_use]
    pub fn owner_role(&self) -> String {
        format!("fealty_{}_owner", self.name)
    }

    /// The role that serves calls.
    #[must_use]
    pub fn service_role(&self) -> String {
        format!("fealty_{}", self.name)
    }

    /// The role of jobs that cross programs.
    #[must_use]
    pub fn jobs_role(&self) -> String {
        format!("fealty_{}_jobs", self.name)
    }

    /// The URLs of the three roles, beside the administrator's: same server, same TLS settings.
    pub fn urls(&self, admin_url: &str) -> Result<ServiceUrls, StorageError> {
        let url = |role: &str, password: Option<&String>| {
            urls::derive(admin_url, role, password.map(String::as_str), &self.database)
        };
        Ok(ServiceUrls {
            owner: url(&self.owner_role(), self.passwords.owner.as_ref())?,
            service: url(&self.service_role(), self.passwords.service.as_ref())?,
            jobs: url(&self.jobs_role(), self.passwords.jobs.as_ref())?,
        })
    }

    fn roles(&self) -> [Role; 3] {
        let role = |name, password: &Option<String>| Role {
            name,
            password: password.clone(),
        };
        [
            role(self.owner_role(), &self.passwords.owner),
            role(self.service_role(), &self.passwords.service),
            role(self.jobs_role(), &self.passwords.jobs),
        ]
    }
}

/// Where a service connects, per role.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceUrls {
    /// For migrations.
    pub owner: String,
    /// For calls.
    pub service: String,
    /// For jobs.
    pub jobs: String,
}

impl std::fmt::Debug for ServiceUrls {
    /// URLs carry passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceUrls(..)")
    }
}

/// Makes the roles and the database, or brings them to the state described above; tables come with the migrations.
/// Running it again, also at the same time, changes nothing more.
///
/// `admin_url` is a superuser, or a role that may create roles and databases (as managed Postgres gives one).
pub async fn provision(admin_url: &str, service: &ServiceDatabase) -> Result<ServiceUrls, StorageError> {
    let urls = service.urls(admin_url)?;
    let mut admin = connect_admin(admin_url).await?;
    let provisioned = provision_on(&mut admin, service).await;
    // Closing gives the lock back.
    admin.close().await?;
    provisioned?;
    grant_schema(admin_url, service).await?;
    Ok(urls)
}

/// Whether the service's database is there already.
pub async fn is_provisioned(admin_url: &str, service: &ServiceDatabase) -> Result<bool, StorageError> {
    let mut admin = connect_admin(admin_url).await?;
    let found = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&service.database)
        .fetch_one(&mut admin)
        .await?;
    admin.close().await?;
    Ok(found)
}

pub(crate) async fn connect_admin(admin_url: &str) -> Result<PgConnection, StorageError> {
    connect_with(admin_url.parse()?).await
}

async fn connect_with(options: PgConnectOptions) -> Result<PgConnection, StorageError> {
    let options = options
        .application_name("fealty-provision")
        .options([("lock_timeout", PROVISION_LOCK_TIMEOUT_MS)]);
    Ok(options.connect().await?)
}

async fn lock(connection: &mut PgConnection) -> Result<(), StorageError> {
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(PROVISION_LOCK)
        .execute(connection)
        .await?;
    Ok(())
}

async fn provision_on(admin: &mut PgConnection, service: &ServiceDatabase) -> Result<(), StorageError> {
    lock(&mut *admin).await?;
    for role in service.roles() {
        ensure_role(admin, &role).await?;
    }
    ensure_database(admin, service).await
}

async fn ensure_role(admin: &mut PgConnection, role: &Role) -> Result<(), StorageError> {
    let found: Option<(bool,)> = sqlx::query_as(
        "SELECT rolcanlogin AND NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication) \
         FROM pg_roles WHERE rolname = $1",
    )
    .bind(&role.name)
    .fetch_optional(&mut *admin)
    .await?;
    let create = match found {
        None => Some(role.create()),
        Some((false,)) => Some(role.narrow()),
        Some((true,)) => None,
    };
    for statement in create.into_iter().chain(role.set_password()) {
        execute_despite_collisions(admin, &statement).await?;
    }
    Ok(())
}

async fn ensure_database(admin: &mut PgConnection, service: &ServiceDatabase) -> Result<(), StorageError> {
    let owner = service.owner_role();
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&service.database)
        .fetch_one(&mut *admin)
        .await?;
    // Who is no superuser may hand a database over only to a role that it is a member of.
    let is_member: bool = sqlx::query_scalar(
        "SELECT rolsuper OR pg_has_role(current_user, $1, 'USAGE') FROM pg_roles WHERE rolname = current_user",
    )
    .bind(&owner)
    .fetch_one(&mut *admin)
    .await?;
    if !is_member {
        let statement = format!("GRANT {} TO CURRENT_USER", quoted(&owner));
        execute_despite_collisions(admin, &statement).await?;
    }
    if !exists {
        let statement = format!(
            "CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0",
            quoted(&service.database),
            quoted(&owner)
        );
        execute_despite_collisions(admin, &statement).await?;
    }
    grant_database(admin, service).await
}

/// Who may connect. A clone of a database does not inherit this, so that it is also run for one that exists.
pub(crate) async fn grant_database(
    admin: &mut PgConnection,
    service: &ServiceDatabase,
) -> Result<(), StorageError> {
    for statement in statements::database_grants(service) {
        execute_despite_collisions(admin, &statement).await?;
    }
    Ok(())
}

/// Who may do what in the schema, and with the tables that migrations will make.
async fn grant_schema(admin_url: &str, service: &ServiceDatabase) -> Result<(), StorageError> {
    let options: PgConnectOptions = admin_url.parse()?;
    let mut connection = connect_with(options.database(&service.database)).await?;
    let granted = grant_schema_on(&mut connection, service).await;
    connection.close().await?;
    granted
}

async fn grant_schema_on(
    connection: &mut PgConnection,
    service: &ServiceDatabase,
) -> Result<(), StorageError> {
    lock(&mut *connection).await?;
    for statement in statements::schema_grants(service) {
        execute_despite_collisions(connection, &statement).await?;
    }
    Ok(())
}

/// Runs a statement over names that are quoted and a password that is a quoted literal. Somebody who is connected to
/// another database does not see our lock: what both of them make is then there already, or changes under our hands.
async fn execute_despite_collisions(
    connection: &mut PgConnection,
    statement: &str,
) -> Result<(), StorageError> {
    let mut collisions_count = 0;
    loop {
        let Err(error) = connection.execute(AssertSqlSafe(statement.to_owned())).await else {
            return Ok(());
        };
        let code = error.as_database_error().and_then(DatabaseError::code);
        match code.as_deref() {
            // duplicate_object, duplicate_database, unique_violation in the catalogue: made meanwhile.
            Some("42710" | "42P04" | "23505") => return Ok(()),
            // internal_error, "tuple concurrently updated": two grants on one object. object_in_use: the template is
            // being copied by another.
            Some("XX000" | "55006") if collisions_count < COLLISIONS_MAX => collisions_count += 1,
            _ => return Err(error.into()),
        }
    }
}
