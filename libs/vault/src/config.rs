//! The setting that a vault needs.

use fealty_runtime::config::Secret;
use serde::Deserialize;

use super::Vault;
use super::master_key::{MasterKey, MasterKeyError, decode};

/// What personal data is encrypted under.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VaultConfig {
    /// 32 bytes in base64, as `openssl rand -base64 32` makes them. There is no default, and no service without one: it
    /// is the one thing that a copy of the database must not come with. Keep a copy of it apart from the backups, for
    /// without it nobody can read the personal data again.
    pub master_key: Secret<String>,
    /// Earlier ones that still open what lies under them, until `fealty keys rotate` has wrapped all of it under the one
    /// above.
    pub previous_master_keys: Vec<Secret<String>>,
}

impl VaultConfig {
    /// The key of a service.
    pub fn master_key(&self, service: &str) -> Result<MasterKey, MasterKeyError> {
        MasterKey::parse(service, self.master_key.expose())
    }

    /// The vault of a service: it seals under the master key, and opens by the previous ones too.
    pub fn vault(&self, service: &str) -> Result<Vault, MasterKeyError> {
        let previous = self.previous_master_keys.iter();
        let previous = previous.map(|key| MasterKey::parse(service, key.expose()));
        Ok(Vault::with_previous(
            self.master_key(service)?,
            previous.collect::<Result<_, _>>()?,
        ))
    }

    /// Everything that is wrong with the settings.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let problem = decode(self.master_key.expose()).err();
        let own = problem.map(|error| format!("master_key {error}"));
        let previous = self.previous_master_keys.iter().enumerate();
        let previous = previous.filter_map(|(place, key)| {
            let problem = decode(key.expose()).err()?;
            Some(format!("previous_master_keys[{place}] {problem}"))
        });
        own.into_iter().chain(previous).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_lacks_its_master_key_until_it_is_given_one() {
        let mut config: VaultConfig = serde_json::from_str("{}").unwrap();
        let violations = config.violations();
        assert_eq!(violations.len(), 1);
        assert!(
            violations[0].starts_with("master_key is required"),
            "{violations:?}"
        );
        config.master_key = Secret::new(MasterKey::generate_text().to_string());
        assert_eq!(config.violations(), Vec::<String>::new());
        assert!(config.master_key("members").is_ok());
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let error = serde_json::from_str::<VaultConfig>(r#"{"masterkey": ""}"#).unwrap_err();
        assert!(error.to_string().contains("masterkey"), "{error}");
    }
}
