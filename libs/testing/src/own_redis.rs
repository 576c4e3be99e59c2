//! A Redis of a test's own: emptied, stopped, and started again with nothing or with what it held long ago.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use fealty_local::{DataDir, LocalServers, Options};

use crate::servers::{TestServers, servers};

/// Where Redis keeps what it saves, within its folder.
const DUMP: &str = "redis/dump.rdb";

/// Tells the folders of one process apart.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A Redis that nobody else uses. It listens at the same place for as long as it lives, and stops when this is dropped.
#[derive(Debug)]
pub struct OwnRedis {
    url: String,
    folder: PathBuf,
    running: Option<LocalServers>,
}

/// What a Redis held once.
#[derive(Debug, Clone)]
pub struct RedisDump(Vec<u8>);

impl OwnRedis {
    /// An empty one.
    ///
    /// # Panics
    /// When there is no Redis on this machine.
    pub async fn start() -> Self {
        let servers = servers().await;
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = servers
            .data_dir()
            .join(format!("own-redis-{}-{number}", std::process::id()));
        let running = start(servers, &folder).await;
        Self {
            url: running.redis_url().to_owned(),
            folder,
            running: Some(running),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Loses everything it holds.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn flush(&self) {
        command(&self.url, &["FLUSHALL"]).await;
    }

    /// What it holds now.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn dump(&self) -> RedisDump {
        command(&self.url, &["SAVE"]).await;
        RedisDump(fs::read(self.folder.join(DUMP)).expect("what was saved"))
    }

    /// Stops it, and starts it with nothing or with what it held once.
    ///
    /// # Panics
    /// When it does not start again.
    pub async fn restart(&mut self, with: Option<&RedisDump>) {
        if let Some(running) = self.running.take() {
            running.stop().await.expect("it stops");
        }
        let file = self.folder.join(DUMP);
        match with {
            Some(RedisDump(bytes)) => fs::write(file, bytes).expect("a file"),
            None if file.exists() => fs::remove_file(file).expect("removed"),
            None => {}
        }
        let running = start(servers().await, &self.folder).await;
        let (place, password) = (place_of(&self.url), password_of(&self.url));
        assert_eq!(place_of(running.redis_url()), place, "it is where it was");
        command(running.redis_url(), &["CONFIG", "SET", "requirepass", password]).await;
        self.running = Some(running);
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        drop(self.running.take());
        // It is removed with the folder around it, anyway.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Postgres is given, so that only a Redis is started.
async fn start(servers: &TestServers, folder: &std::path::Path) -> LocalServers {
    let mut options = Options::new(DataDir::Kept(folder.to_owned()));
    options.postgres_url = Some(servers.postgres_admin_url().to_owned());
    match fealty_local::start(options).await {
        Ok(running) => running,
        Err(error) => panic!("no Redis of one's own: {error}"),
    }
}

async fn command(url: &str, words: &[&str]) {
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("it answers");
    redis::cmd(words[0])
        .arg(&words[1..])
        .exec_async(&mut connection)
        .await
        .expect("it does so");
}

fn place_of(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, place)| place)
}

fn password_of(url: &str) -> &str {
    let (_, rest) = url.split_once("://:").expect("a URL with a password");
    rest.split_once('@').expect("a URL with a password").0
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn held(url: &str) -> Option<String> {
        let client = redis::Client::open(url).expect("a URL");
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("it answers");
        redis::cmd("GET")
            .arg("key")
            .query_async(&mut connection)
            .await
            .expect("it answers")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_comes_back_with_what_it_is_given() {
        let mut own = OwnRedis::start().await;
        command(own.url(), &["SET", "key", "old"]).await;
        let dump = own.dump().await;
        command(own.url(), &["SET", "key", "new"]).await;
        own.restart(Some(&dump)).await;
        assert_eq!(held(own.url()).await.as_deref(), Some("old"));
        own.restart(None).await;
        assert_eq!(held(own.url()).await, None);
        command(own.url(), &["SET", "key", "newer"]).await;
        own.flush().await;
        assert_eq!(held(own.url()).await, None);
    }
}
