//! The connection to Redis: bounded, behind the breaker, renewed when an outage begins.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Cmd, FromRedisValue, RedisError, Script, ScriptInvocation};
use tokio::time::timeout;

use crate::breaker::{Breaker, Failed};
use crate::config::{BalanceCacheConfig, ConfigError};

/// Longest attempt to connect. It goes on in the background: callers wait for their own timeout only.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Attempts of one reconnect. The next call after them begins another.
const CONNECT_RETRIES_COUNT: usize = 1;

/// Pause between those attempts at most.
const CONNECT_PAUSE_MAX: Duration = Duration::from_millis(200);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// It failed too often a moment ago.
    #[error("redis is not asked for a moment")]
    Paused,
    /// None within the timeout.
    #[error("redis did not answer in time")]
    Late,
    /// An error, of the connection or of Redis.
    #[error("redis: {0}")]
    Redis(#[from] RedisError),
}

pub(crate) struct Connection {
    client: redis::Client,
    manager: ArcSwap<ConnectionManager>,
    breaker: Breaker,
    timeout: Duration,
}

impl Connection {
    /// Connects with the first call, so that a service starts without Redis. Needs a tokio runtime around it.
    pub(crate) fn try_new(url: &str, config: &BalanceCacheConfig) -> Result<Self, ConfigError> {
        let client = redis::Client::open(url)?;
        let manager = new_manager(&client)?;
        Ok(Self {
            client,
            manager: ArcSwap::from_pointee(manager),
            breaker: Breaker::new(config.failures_max, config.pause()),
            timeout: config.timeout(),
        })
    }

    /// Runs a script within the timeout, unless Redis failed too often a moment ago.
    pub(crate) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, NoAnswer> {
        let mut manager = self.manager();
        self.answered(script.invoke_async(&mut manager)).await
    }

    /// Asks one thing, the same way.
    pub(crate) async fn ask<T: FromRedisValue>(&self, question: &Cmd) -> Result<T, NoAnswer> {
        let mut manager = self.manager();
        self.answered(question.query_async(&mut manager)).await
    }

    /// Runs a script many times in one round trip, the same way: all of them, or no answer.
    pub(crate) async fn run_all<T: FromRedisValue>(
        &self,
        script: &Script,
        runs: &[ScriptInvocation<'_>],
    ) -> Result<Vec<T>, NoAnswer> {
        let mut pipeline = redis::pipe();
        // A Redis that has just been started does not know it.
        pipeline.load_script(script).ignore();
        for run in runs {
            pipeline.invoke_script(run);
        }
        let mut manager = self.manager();
        self.answered(pipeline.query_async(&mut manager)).await
    }

    fn manager(&self) -> ConnectionManager {
        ConnectionManager::clone(&self.manager.load())
    }

    async fn answered<T>(&self, answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, NoAnswer> {
        if !self.breaker.lets_through() {
            return Err(NoAnswer::Paused);
        }
        let answer = match timeout(self.timeout, answer).await {
            Ok(answer) => answer.map_err(NoAnswer::from),
            Err(_) => Err(NoAnswer::Late),
        };
        match &answer {
            Ok(_) => self.breaker.succeeded(),
            Err(no_answer) => self.count_failure(no_answer),
        }
        answer
    }

    fn count_failure(&self, no_answer: &NoAnswer) {
        match self.breaker.failed() {
            Failed::Counted => {}
            Failed::OutageBegins => {
                tracing::warn!(error = %no_answer, "redis fails: balances come from postgres until it answers again");
                self.renew();
            }
            Failed::OutageGoesOn => {
                // The manager makes a connection again that was lost, but holds on for ever to the error of one that was
                // refused, as by a Redis that is loading or does not know the password yet. One that is still being made
                // is left alone.
                if matches!(no_answer, NoAnswer::Redis(_)) {
                    self.renew();
                }
            }
        }
    }

    /// A host that vanished leaves a connection which looks alive for a quarter of an hour, and one that was made a
    /// replica refuses writes for ever: begins anew, by name.
    fn renew(&self) {
        match new_manager(&self.client) {
            Ok(manager) => self.manager.store(Arc::new(manager)),
            Err(error) => tracing::warn!(%error, "redis connection cannot be renewed"),
        }
    }
}

fn new_manager(client: &redis::Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_number_of_retries(CONNECT_RETRIES_COUNT)
        .set_max_delay(CONNECT_PAUSE_MAX)
        // Each call has a timeout of its own, which also covers the way to the connection.
        .set_response_timeout(None);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}
