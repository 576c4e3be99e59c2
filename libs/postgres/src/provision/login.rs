//! What a role's URL says about it: the inverse of deriving it.

use percent_encoding::percent_decode_str;
use url::Url;

use super::urls::refused;
use crate::error::StorageError;

/// Who connects to which database, as a URL has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The role.
    pub user: String,
    /// Its password, if the URL carries one.
    pub password: Option<String>,
    /// The database; the role's name where the URL says none, as Postgres has it.
    pub database: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({} to {})", self.user, self.database)
    }
}

impl Login {
    /// Reads the URL; its query counts where it has no place for a user.
    pub fn of(url: &str) -> Result<Self, StorageError> {
        let url = Url::parse(url).map_err(refused)?;
        let asked = |name: &str| {
            url.query_pairs()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let filled = |text: String| Some(text).filter(|text| !text.is_empty());
        let user = filled(decoded(url.username()))
            .or_else(|| asked("user"))
            .unwrap_or_default();
        let path = decoded(url.path().trim_start_matches('/'));
        Ok(Self {
            password: url.password().map(decoded).or_else(|| asked("password")),
            database: filled(path)
                .or_else(|| asked("dbname"))
                .unwrap_or_else(|| user.clone()),
            user,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::urls::derive;
    use super::*;

    #[test]
    fn what_was_derived_is_read_back() {
        for admin in [
            "postgres://root@db:5432/postgres",
            "postgres:///db?host=/run/postgresql",
        ] {
            let url = derive(admin, "fealty_ledger", Some("p@ss/wo%rd+"), "fealty_ledger_2").unwrap();
            let login = Login::of(&url).unwrap();
            assert_eq!(login.user, "fealty_ledger", "{url}");
            assert_eq!(login.password.as_deref(), Some("p@ss/wo%rd+"), "{url}");
            assert_eq!(login.database, "fealty_ledger_2", "{url}");
        }
    }

    #[test]
    fn a_url_without_a_database_means_the_roles_own() {
        let login = Login::of("postgres://fealty_ledger@db").unwrap();
        assert_eq!((login.password, login.database.as_str()), (None, "fealty_ledger"));
    }

    #[test]
    fn a_text_that_is_no_url_is_refused_and_a_password_is_not_shown() {
        assert!(Login::of("fealty_ledger").is_err());
        let login = Login::of("postgres://a:hunter2@db/x").unwrap();
        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
