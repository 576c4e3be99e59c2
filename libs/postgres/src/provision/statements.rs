//! The statements of [`provision`](super::provision). Postgres takes no parameters in them, so names and literals are
//! quoted here.

use super::ServiceDatabase;

/// A name, quoted.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text, quoted so that it means the same whatever `standard_conforming_strings` says.
pub(crate) fn literal(text: &str) -> String {
    format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A role to make.
pub(super) struct Role {
    pub(super) name: String,
    pub(super) password: Option<String>,
}

/// What none of our roles may do.
const NARROW: &str = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION";

impl Role {
    pub(super) fn create(&self) -> String {
        // Said by default, and words such as NOSUPERUSER are a superuser's to say in older versions.
        format!("CREATE ROLE {} LOGIN", quoted(&self.name))
    }

    pub(super) fn narrow(&self) -> String {
        format!("ALTER ROLE {} {NARROW}", quoted(&self.name))
    }

    pub(super) fn set_password(&self) -> Option<String> {
        let password = self.password.as_deref()?;
        Some(format!(
            "ALTER ROLE {} PASSWORD {}",
            quoted(&self.name),
            literal(password)
        ))
    }
}

/// Only the service's own roles come in.
pub(super) fn database_grants(service: &ServiceDatabase) -> Vec<String> {
    let database = quoted(&service.database);
    vec![
        format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"),
        format!("GRANT CONNECT ON DATABASE {database} TO {}", users(service)),
    ]
}

/// Rows and sequences of all tables to come; neither TRUNCATE, which row-level security does not stop, nor a change of
/// the schema.
pub(super) fn schema_grants(service: &ServiceDatabase) -> Vec<String> {
    let owner = quoted(&service.owner_role());
    let users = users(service);
    let defaults = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT");
    vec![
        // Whoever administers is no owner of the schema, unless a superuser.
        format!("SET ROLE {owner}"),
        format!("GRANT USAGE ON SCHEMA public TO {users}"),
        format!("{defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {users}"),
        format!("{defaults} USAGE, SELECT ON SEQUENCES TO {users}"),
    ]
}

fn users(service: &ServiceDatabase) -> String {
    format!(
        "{}, {}",
        quoted(&service.service_role()),
        quoted(&service.jobs_role())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_within_names_and_texts_stay_within() {
        assert_eq!(quoted(r#"a"b"#), r#""a""b""#);
        assert_eq!(literal(r"it's \'"), r" E'it\'s \\\''");
    }

    #[test]
    fn nobody_may_truncate() {
        let grants = schema_grants(&ServiceDatabase::new("ledger")).join(";");
        assert!(!grants.contains("TRUNCATE") && !grants.contains("ALL PRIVILEGES"));
    }
}
