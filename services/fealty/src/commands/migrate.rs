//! `fealty migrate`: makes databases and brings their schemas up to date, before a service starts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use fealty_postgres::{Login, RolePasswords, ServiceDatabase, migrate, provision};
use fealty_runtime::config::Secret;

use crate::config::{Config, DatabaseUrls};
use crate::services::ServiceName;
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

/// Migrates the services' databases.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    tool::run(async move {
        let config = Config::load(args.config.as_deref(), &[])?;
        let admin_url = args
            .admin_url
            .map(Secret::new)
            .or(config.migrate.admin_url.clone());
        for service in ServiceName::ALL {
            let urls = config.database_urls(service);
            Target { service, urls }.migrate(admin_url.as_ref()).await?;
        }
        Ok(true)
    })
}

/// A service's database as the config has it.
struct Target<'a> {
    service: ServiceName,
    urls: DatabaseUrls<'a>,
}

impl Target<'_> {
    async fn migrate(&self, admin_url: Option<&Secret<String>>) -> anyhow::Result<()> {
        let name = self.service.database();
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
        let applied = migrate(self.urls.owner.expose(), self.service.migrator())
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
        let wanted = ServiceDatabase::new(self.service.database());
        let login = |url: &Secret<String>, role: &str| {
            let login = Login::of(url.expose()).with_context(|| format!("the URL of {role}"))?;
            if login.user == role {
                Ok(login)
            } else {
                bail!("the URL that is meant for the role {role} names {:?}", login.user)
            }
        };
        let owner = login(self.urls.owner, &wanted.owner_role())?;
        let service = login(self.urls.service, &wanted.service_role())?;
        let jobs = login(self.urls.jobs, &wanted.jobs_role())?;
        if owner.database != service.database || owner.database != jobs.database {
            bail!(
                "{}: the URLs of its three roles name different databases: {}, {}, {}",
                self.service.database(),
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
