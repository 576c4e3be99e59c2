//! The URL of another role and database on the administrator's server.

use url::Url;

use crate::error::StorageError;

/// The URL with another user, password and database. Without a password there is none in it: the administrator's is
/// not handed on.
pub(super) fn derive(
    admin_url: &str,
    user: &str,
    password: Option<&str>,
    database: &str,
) -> Result<String, StorageError> {
    let mut url = Url::parse(admin_url).map_err(refused)?;
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| !matches!(&**key, "user" | "password" | "dbname"))
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    if !others.is_empty() {
        url.query_pairs_mut().extend_pairs(&others);
    }
    url.set_path(database);
    // A URL without a host (`postgres:///db?host=/run/postgresql`) has no place for a user but its query.
    if url.set_username(user).is_ok() && url.set_password(password).is_ok() {
        return Ok(url.into());
    }
    let mut query = url.query_pairs_mut();
    query.append_pair("user", user);
    if let Some(password) = password {
        query.append_pair("password", password);
    }
    drop(query);
    Ok(url.into())
}

pub(super) fn refused(error: url::ParseError) -> StorageError {
    sqlx::Error::Configuration(Box::new(error)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_and_its_tls_stay_and_the_credentials_go() {
        let url = derive(
            "postgres://postgres:secret@db.internal:5433/postgres?sslmode=require",
            "fealty_ledger",
            Some("p@ss/word"),
            "fealty_ledger",
        )
        .unwrap();
        assert_eq!(
            url,
            "postgres://fealty_ledger:p%40ss%2Fword@db.internal:5433/fealty_ledger?sslmode=require"
        );
    }

    #[test]
    fn no_password_of_the_administrator_is_handed_on() {
        let url = derive("postgres://postgres:secret@127.0.0.1/postgres", "u", None, "d").unwrap();
        assert_eq!(url, "postgres://u@127.0.0.1/d");
    }

    #[test]
    fn a_socket_may_be_named_as_host_or_in_the_query() {
        let url = derive("postgres://postgres@%2Frun%2Fpg:5432/postgres", "u", None, "d").unwrap();
        assert_eq!(url, "postgres://u@%2Frun%2Fpg:5432/d");
        let url = derive(
            "postgres:///postgres?host=/run/pg&user=postgres",
            "u",
            Some("p"),
            "d",
        )
        .unwrap();
        assert_eq!(url, "postgres:///d?host=%2Frun%2Fpg&user=u&password=p");
    }
}
