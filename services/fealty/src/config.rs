//! The one config file. Each service takes its own section and the shared ones.

use std::path::Path;

use fealty_ledger::LedgerConfig;
use fealty_members::MembersConfig;
use fealty_rewards::RewardsConfig;
use fealty_runtime::config::{ConfigError, DrainConfig, Secret, load_checked};
use fealty_surveys::SurveysConfig;
use fealty_telemetry::TelemetryConfig;
use serde::Deserialize;

use crate::services::ServiceName;

/// What variables that set fields begin with.
const ENV_PREFIX: &str = "FEALTY";

/// How the environment overrides the file, for `--help`.
pub(crate) const ENVIRONMENT: &str = "Every field can be set by the environment, which overrides the file: \
FEALTY__MEMBERS__DATABASE_URL is database_url in [members]. deploy/fealty.example.toml shows every field with its \
default.";

/// Settings of the whole suite. Every field has a default; what is unknown is refused.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The members service.
    pub members: MembersConfig,
    /// The ledger service.
    pub ledger: LedgerConfig,
    /// The rewards service.
    pub rewards: RewardsConfig,
    /// The surveys service.
    pub surveys: SurveysConfig,
    /// What `fealty migrate` needs, and no service does.
    pub migrate: MigrateConfig,
    /// How a process ends.
    pub drain: DrainConfig,
    /// Traces, metrics and logs.
    pub telemetry: TelemetryConfig,
}

/// By which roles databases are made and changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MigrateConfig {
    /// A superuser, or a role that may create roles and databases. With it, the roles and databases that the URLs
    /// name are made, with the passwords that the URLs carry. Without it they must be there.
    pub admin_url: Option<Secret<String>>,
    /// The members database by the role that owns it.
    pub members_owner_url: Secret<String>,
    /// The ledger's database by the role that owns it.
    pub ledger_owner_url: Secret<String>,
    /// The rewards database by the role that owns it.
    pub rewards_owner_url: Secret<String>,
    /// The surveys database by the role that owns it.
    pub surveys_owner_url: Secret<String>,
}

impl Default for MigrateConfig {
    fn default() -> Self {
        let url = |url: &str| Secret::new(url.to_owned());
        Self {
            admin_url: None,
            members_owner_url: url("postgres://fealty_members_owner@127.0.0.1:5432/fealty_members"),
            ledger_owner_url: url("postgres://fealty_ledger_owner@127.0.0.1:5432/fealty_ledger"),
            rewards_owner_url: url("postgres://fealty_rewards_owner@127.0.0.1:5432/fealty_rewards"),
            surveys_owner_url: url("postgres://fealty_surveys_owner@127.0.0.1:5432/fealty_surveys"),
        }
    }
}

/// Where a service's database is, by each of its roles.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseUrls<'a> {
    /// Runs migrations.
    pub owner: &'a Secret<String>,
    /// Serves calls.
    pub service: &'a Secret<String>,
    /// Does what crosses programs.
    pub jobs: &'a Secret<String>,
}

impl Config {
    /// Where a service's database is.
    #[must_use]
    pub fn database_urls(&self, service: ServiceName) -> DatabaseUrls<'_> {
        let (owner, service, jobs) = match service {
            ServiceName::Members => (
                &self.migrate.members_owner_url,
                &self.members.database_url,
                &self.members.jobs_database_url,
            ),
            ServiceName::Ledger => (
                &self.migrate.ledger_owner_url,
                &self.ledger.database_url,
                &self.ledger.jobs_database_url,
            ),
            ServiceName::Rewards => (
                &self.migrate.rewards_owner_url,
                &self.rewards.database_url,
                &self.rewards.jobs_database_url,
            ),
            ServiceName::Surveys => (
                &self.migrate.surveys_owner_url,
                &self.surveys.database_url,
                &self.surveys.jobs_database_url,
            ),
        };
        DatabaseUrls { owner, service, jobs }
    }

    /// Reads the file, if one is given, and the environment over it. All mistakes are in one answer: fields that are
    /// unknown or unreadable wherever they are, values only of the shared sections and of the services that are going
    /// to run, since the secrets of the others are none of this process's business.
    pub fn load(file: Option<&Path>, services: &[ServiceName]) -> Result<Self, ConfigError> {
        load_checked(file, ENV_PREFIX, |config: &Self| config.violations(services))
    }

    /// Everything that is wrong with the values, one sentence each, which begins with the field.
    #[must_use]
    pub fn violations(&self, services: &[ServiceName]) -> Vec<String> {
        let shared = [
            ("drain", self.drain.violations()),
            ("telemetry", self.telemetry.violations()),
        ];
        let of_service = |name: &ServiceName| {
            let violations = match name {
                ServiceName::Members => self.members.violations(),
                ServiceName::Ledger => self.ledger.violations(),
                ServiceName::Rewards => self.rewards.violations(),
                ServiceName::Surveys => self.surveys.violations(),
            };
            (name.as_str(), violations)
        };
        services
            .iter()
            .map(of_service)
            .chain(shared)
            .flat_map(|(section, sentences)| {
                sentences
                    .into_iter()
                    .map(move |sentence| format!("{section}.{sentence}"))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use toml::{Table, Value};

    use super::*;

    const EXAMPLE: &str = include_str!("../../../deploy/fealty.example.toml");

    #[test]
    fn the_example_shows_the_defaults() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/fealty.example.toml");
        let read: Config =
            fealty_runtime::config::load(Some(&path), "FEALTY_TEST_OF_THE_EXAMPLE").expect("it is sound");
        assert_eq!(read, Config::default());
    }

    #[test]
    fn the_example_shows_every_field() {
        let mut missing = Vec::new();
        let example: Table = EXAMPLE.parse().expect("it is TOML");
        look_for_fields(&mut Vec::new(), &example, &mut missing);
        assert_eq!(missing, Vec::<String>::new());
    }

    /// A section names its fields when it refuses one that it does not know.
    fn look_for_fields(section: &mut Vec<String>, shown: &Table, missing: &mut Vec<String>) {
        let mut probe = Table::from_iter([("no such field".to_owned(), Value::Boolean(true))]);
        for name in section.iter().rev() {
            probe = Table::from_iter([(name.clone(), Value::Table(probe))]);
        }
        let refused = probe.try_into::<Config>().expect_err("no such field").to_string();
        let (_, expected) = refused.split_once("expected ").expect("it names what there is");
        for field in expected
            .lines()
            .next()
            .unwrap_or_default()
            .split('`')
            .skip(1)
            .step_by(2)
        {
            match shown.get(field) {
                Some(Value::Table(inner)) => {
                    section.push(field.to_owned());
                    look_for_fields(section, inner, missing);
                    section.pop();
                }
                Some(_) => {}
                // What has no default is shown as a comment.
                None => {
                    let table = format!("# [{}.{field}]", section.join("."));
                    if !EXAMPLE.contains(&table) && !EXAMPLE.contains(&format!("# {field} = ")) {
                        missing.push(format!("{}.{field}", section.join(".")));
                    }
                }
            }
        }
    }

    #[test]
    fn mistakes_of_all_sections_are_named_with_their_place() {
        let mut config = Config::default();
        config.members.pool.size = 0;
        config.ledger.cache.pause_ms = 0;
        config.drain.drain_timeout_ms = 0;
        config.telemetry.trace_sample_ratio = 2.0;
        let violations = config.violations(&ServiceName::ALL);
        for place in [
            "members.pool.size",
            "members.vault.master_key",
            "ledger.cache.pause_ms",
            "surveys.vault.master_key",
            "drain.drain_timeout_ms",
            "telemetry.trace_sample_ratio",
        ] {
            assert!(
                violations.iter().any(|sentence| sentence.starts_with(place)),
                "{violations:?}"
            );
        }
    }
    #[test]
    fn secrets_of_a_service_that_does_not_run_here_are_not_asked_for() {
        assert_eq!(
            Config::default().violations(&[ServiceName::Ledger]),
            Vec::<String>::new()
        );
        assert_eq!(Config::default().violations(&[]), Vec::<String>::new());
    }
}
