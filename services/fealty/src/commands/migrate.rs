//! `fealty migrate`: makes databases and brings their schemas up to date, before a service starts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use fealty_postgres::{Login, RolePasswords, ServiceDatabase, migrate, provision};
use fealty_runtime::config::Secret;
use sqlx::migrate::Migrator;

use crate::config::Config;
use crate::tool;

/// What to migrate.
#[derive(Debug, clap::Args)]
#[command(after_help = crate::config::ENVIRONMENT)]
pub struct Args {
    /// The config file. Without one the defaults hold.
    #[arg(long, value_name = "FILE", env = "FEALTY_CONFIG")]
    pub config: Option<PathBuf>,
    /// A Postgres role that may create roles and databases; overrides `migrate.admin_url`.
    #[arg(long, value_name = "URL", env = "FEALTY_ADMIN_URL", hide_env_values = true)]
    pub admin_url: Option<String>,
}

/// Migrates both services' databases.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    tool::run(async move {
        let config = Config::load(args.config.as_deref(), &[])?;
        let admin_url = args
            .admin_url
            .map(Secret::new)
            .or(config.migrate.admin_url.clone());
        for service in services(&config) {
            service.migrate(admin_url.as_ref()).await?;
        }
        Ok(true)
    })
}

/// A service's database as the config has it.
struct Target<'a> {
    name: &'static str,
    migrator: &'static Migrator,
    owner_url: &'a Secret<String>,
    service_url: &'a Secret<String>,
    jobs_url: &'a Secret<String>,
}

fn services(config: &Config) -> [Target<'_>; 2] {
    [
        Target {
            name: fealty_members::SERVICE_DATABASE,
            migrator: &fealty_members::MIGRATOR,
            owner_url: &config.migrate.members_owner_url,
            service_url: &config.members.database_url,
            jobs_url: &config.members.jobs_database_url,
        },
        Target {
            name: fealty_ledger::SERVICE_DATABASE,
            migrator: &fealty_ledger::MIGRATOR,
            owner_url: &config.migrate.ledger_owner_url,
            service_url: &config.ledger.database_url,
            jobs_url: &config.ledger.jobs_database_url,
        },
    ]
}

impl Target<'_> {
    async fn migrate(&self, admin_url: Option<&Secret<String>>) -> anyhow::Result<()> {
        let name = self.name;
        if let Some(admin_url) = admin_url {
            let database = self.database()?;
            provision(admin_url.expose(), &database)
                .await
                .with_context(|| format!("{name}: the roles and the database could not be made"))?;
            tool::print_line(&format!(
                "{name}: roles and database {} are there",
                database.database
            ))?;
        }
        let applied = migrate(self.owner_url.expose(), self.migrator)
            .await
            .with_context(|| format!("{name}: the schema could not be brought up to date"))?;
        for migration in &applied {
            tool::print_line(&format!(
                "{name}: applied {:04} {}",
                migration.version, migration.description
            ))?;
        }
        if applied.is_empty() {
            tool::print_line(&format!("{name}: the schema is up to date"))?;
        }
        Ok(())
    }

    /// What the URLs say of roles and database, if they agree with each other and with the names that policies hold.
    fn database(&self) -> anyhow::Result<ServiceDatabase> {
        let wanted = ServiceDatabase::new(self.name);
        let login = |url: &Secret<String>, role: &str| {
            let login = Login::of(url.expose()).with_context(|| format!("the URL of {role}"))?;
            if login.user == role {
                Ok(login)
            } else {
                bail!("the URL that is meant for the role {role} names {:?}", login.user)
            }
        };
        let owner = login(self.owner_url, &wanted.owner_role())?;
        let service = login(self.service_url, &wanted.service_role())?;
        let jobs = login(self.jobs_url, &wanted.jobs_role())?;
        if owner.database != service.database || owner.database != jobs.database {
            bail!(
                "{}: the URLs of its three roles name different databases: {}, {}, {}",
                self.name,
                owner.database,
                service.database,
                jobs.database
            );
        }
        Ok(wanted.in_database(&owner.database).with_passwords(RolePasswords {
            owner: owner.password,
            service: service.password,
            jobs: jobs.password,
        }))
    }
}
