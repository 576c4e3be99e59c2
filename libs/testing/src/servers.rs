//! The servers that the tests run against: real ones, once per test process.
//!
//! `FEALTY_TEST_POSTGRES_URL` and `FEALTY_TEST_REDIS_URL` name servers to use as they are; what they do not name is
//! started privately in a folder that goes with the process. `FEALTY_INSTALL=1` lets missing programs be installed.
//! Tests are never skipped: without servers they fail, and say how to get some.

use std::env;
use std::path::Path;

use fealty_local::{DataDir, Durability, Install, LocalServers, Options, Report};
use tokio::sync::OnceCell;

/// Once per process. Not dropped at its end: the servers' watchdog sees us go and stops them, however we went.
static SERVERS: OnceCell<Result<TestServers, String>> = OnceCell::const_new();

/// A Postgres and a Redis for as long as this process lives.
#[derive(Debug)]
pub struct TestServers {
    servers: LocalServers,
}

impl TestServers {
    /// Postgres, by a role that may create roles and databases.
    #[must_use]
    pub fn postgres_admin_url(&self) -> &str {
        self.servers.postgres_admin_url()
    }

    /// The folder in which the private ones keep their data.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.servers.data_dir()
    }

    /// Redis, shared by all tests of the process: keep keys apart by prefix or by database.
    #[must_use]
    pub fn redis_url(&self) -> &str {
        self.servers.redis_url()
    }
}

/// The servers of this process, started by whoever asks first. Callable from tests with runtimes of their own:
/// nothing in it belongs to one.
///
/// # Panics
/// When there are no servers and no leave to install some, with every way to get them.
pub async fn servers() -> &'static TestServers {
    let started = SERVERS.get_or_init(|| async {
        let servers = fealty_local::start(options(Durability::Fast))
            .await
            .map_err(|error| error.to_string())?;
        Ok(TestServers { servers })
    });
    match started.await {
        Ok(servers) => servers,
        Err(why) => panic!("the tests have no servers to run against: {why}"),
    }
}

/// Servers that flush what they confirm, as a shop's do, for what is measured. They stop when this is dropped.
pub async fn durable_servers() -> Result<TestServers, fealty_local::Error> {
    let servers = fealty_local::start(options(Durability::Durable)).await?;
    Ok(TestServers { servers })
}

fn options(durability: Durability) -> Options {
    let mut options = Options::new(DataDir::Ephemeral);
    options.postgres_url = setting("FEALTY_TEST_POSTGRES_URL");
    options.redis_url = setting("FEALTY_TEST_REDIS_URL");
    options.durability = durability;
    options.report = Report::new(|sentence| eprintln!("{sentence}"));
    if setting("FEALTY_INSTALL").is_some_and(|value| value == "1") {
        options.install = Install::Yes;
    }
    options
}

/// An empty setting is none, as CI systems write unset ones.
#[expect(
    clippy::disallowed_methods,
    reason = "a test process has no config file: this is its one place for settings"
)]
fn setting(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn address() -> usize {
        let servers = servers().await;
        std::ptr::from_ref(servers).addr()
    }

    #[test]
    fn runtimes_that_come_and_go_share_the_same_servers() -> Result<(), Box<dyn std::error::Error>> {
        let mut seen = Vec::new();
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            seen.push(runtime.block_on(address()));
            runtime.block_on(async {
                let client = redis::Client::open(servers().await.redis_url())?;
                let mut connection = client.get_multiplexed_async_connection().await?;
                redis::cmd("PING").exec_async(&mut connection).await
            })?;
        }
        assert_eq!(seen[0], seen[1]);
        Ok(())
    }
}
