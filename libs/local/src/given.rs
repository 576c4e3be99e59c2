//! Servers that the caller names: used as they are, once they have answered.

use std::time::Duration;

use redis::AsyncConnectionConfig;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};
use tokio::time::timeout;

use crate::error::Error;
use crate::find::{POSTGRES_MAJOR_MIN, Program};

/// How long a server that runs may take to answer, over a slow link as well.
const ANSWER_BOUND: Duration = Duration::from_secs(10);

/// What must be true of a Postgres that we make roles and databases in.
const FITNESS: &str = "SELECT rolsuper OR (rolcreaterole AND rolcreatedb) AS may_create, \
     current_setting('server_version_num')::int / 10000 AS major \
     FROM pg_roles WHERE rolname = current_user";

/// Asks a given Postgres whether it answers and will do.
pub(crate) async fn check_postgres(url: &str) -> Result<(), Error> {
    let failed = |cause: String| Error::Given {
        program: Program::Postgres,
        url: redacted(url),
        cause,
    };
    let asked = timeout(ANSWER_BOUND, async {
        let mut connection = PgConnection::connect(url).await?;
        let row = sqlx::query(FITNESS).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>((
            row.try_get::<bool, _>("may_create")?,
            row.try_get::<i32, _>("major")?,
        ))
    });
    let (may_create, major) = asked
        .await
        .map_err(|_| failed(format!("no answer within {} s", ANSWER_BOUND.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    let unfit = |cause: String| {
        Err(Error::GivenUnfit {
            url: redacted(url),
            cause,
        })
    };
    if u32::try_from(major).is_ok_and(|major| major < POSTGRES_MAJOR_MIN) {
        return unfit(format!(
            "it is version {major}, and {POSTGRES_MAJOR_MIN} is the oldest that will do"
        ));
    }
    if !may_create {
        return unfit("its role may not create roles and databases".to_owned());
    }
    Ok(())
}

/// Asks a given Redis whether it answers.
pub(crate) async fn check_redis(url: &str) -> Result<(), Error> {
    ping_redis(url, ANSWER_BOUND).await.map_err(|error| Error::Given {
        program: Program::Redis,
        url: redacted(url),
        cause: error.to_string(),
    })
}

/// One connection, one PING.
pub(crate) async fn ping_redis(url: &str, bound: Duration) -> redis::RedisResult<()> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(bound))
        .set_response_timeout(Some(bound));
    let client = redis::Client::open(url)?;
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    redis::cmd("PING").exec_async(&mut connection).await
}

/// A URL as it may be shown: without its password and parameters.
pub(crate) fn redacted(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = bare.split_once("://") else {
        return bare.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        None => bare.to_owned(),
        Some((credentials, host)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            let hidden = if credentials.contains(':') { ":***" } else { "" };
            format!("{scheme}://{user}{hidden}@{host}{path}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn a_shown_url_has_no_password() {
        for (url, shown) in [
            (
                "postgres://app:se@cret@db:5432/x?sslpassword=a",
                "postgres://app:***@db:5432/x",
            ),
            ("redis://:secret@cache:6379/0", "redis://:***@cache:6379/0"),
            ("postgres://app@db/x", "postgres://app@db/x"),
            ("redis://cache", "redis://cache"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(redacted(url), shown);
        }
    }
}
