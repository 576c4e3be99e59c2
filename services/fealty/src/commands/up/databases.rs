//! Roles, databases, schemas.

use std::path::Path;

use anyhow::{Context as _, bail};
use fealty_postgres::{ServiceDatabase, ServiceUrls, is_provisioned, migrate, provision};

use crate::kept::{Kept, Passwords};
use crate::services::{PerService, ServiceName};

/// Databases whose secrets are not in the folder are not touched: new ones would lock out whoever uses them, and what
/// is encrypted in them could not be read anyway.
pub(super) async fn check_not_orphaned(admin_url: &str, is_kept: bool, folder: &Path) -> anyhow::Result<()> {
    if is_kept {
        return Ok(());
    }
    for service in ServiceName::ALL {
        let database = ServiceDatabase::new(service.database());
        let there = is_provisioned(admin_url, &database)
            .await
            .context("the databases cannot be listed")?;
        if there {
            bail!(
                "this Postgres has a database {} already, but {}, which holds its secrets, is missing: bring that file \
                 back, or name another data folder or another Postgres",
                database.database,
                Kept::path(folder).display()
            );
        }
    }
    Ok(())
}

/// Makes everything that is missing, and says where each service connects.
pub(super) async fn prepare(admin_url: &str, kept: &Kept) -> anyhow::Result<PerService<ServiceUrls>> {
    let mut all = Vec::new();
    for service in ServiceName::ALL {
        all.push(prepare_service(admin_url, service, kept.passwords(service)).await?);
    }
    PerService::try_from_vec(all).context("one for each service")
}

async fn prepare_service(
    admin_url: &str,
    service: ServiceName,
    passwords: &Passwords,
) -> anyhow::Result<ServiceUrls> {
    let name = service.database();
    let database = ServiceDatabase::new(name).with_passwords(passwords.of_roles());
    let urls = provision(admin_url, &database)
        .await
        .with_context(|| format!("the database of {name} could not be made"))?;
    migrate(&urls.owner, service.migrator())
        .await
        .with_context(|| format!("the schema of {name} could not be brought up to date"))?;
    Ok(urls)
}
