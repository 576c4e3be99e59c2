//! What the rows of a benchmark share: the servers, the ledger with its members, and what has been measured already, so
//! that a baseline of several rows is measured once.

use std::collections::BTreeMap;
use std::sync::Arc;

use fealty_testing::TestServers;
use tokio::sync::{Mutex, OnceCell};

use crate::baselines::Baselines;
use crate::callers::{Errand, Errands, Members};
use crate::ground::Ground;
use crate::load::{Measured, closed_loop};
use crate::options::{Options, Round};
use crate::pgbench::simple_update;
use crate::postgres::Postgres;
use crate::report::Baseline;

/// How much shorter a quick call measures each pool of the usual design: there are four of them.
const QUICK_POOL_SHARE: f64 = 0.5;

/// A benchmark that runs.
#[derive(Debug)]
pub struct Bench {
    /// What was asked for.
    pub options: Options,
    /// The Postgres of all that is measured.
    pub postgres: Postgres,
    /// Postgres and Redis.
    pub servers: TestServers,
    ground: OnceCell<Ground>,
    baselines: Baselines,
    pgbench: OnceCell<Baseline>,
    posts: Mutex<BTreeMap<usize, Measured>>,
    empty: Mutex<BTreeMap<usize, Baseline>>,
}

impl Bench {
    /// On these servers.
    #[must_use]
    pub fn new(options: Options, servers: TestServers) -> Self {
        let postgres = Postgres::at(servers.postgres_admin_url());
        Self {
            options,
            baselines: Baselines::new(postgres.clone()),
            postgres,
            servers,
            ground: OnceCell::new(),
            pgbench: OnceCell::new(),
            posts: Mutex::default(),
            empty: Mutex::default(),
        }
    }

    /// How long a round takes.
    #[must_use]
    pub fn round(&self) -> Round {
        self.options.round()
    }

    /// The ledger.
    pub async fn ground(&self) -> anyhow::Result<&Ground> {
        self.ground
            .get_or_try_init(async || {
                eprintln!("  a ledger, its members by SQL");
                Ground::start(&self.servers).await
            })
            .await
    }

    /// Posts to all members, so many in flight.
    pub async fn post(&self, in_flight: usize) -> anyhow::Result<Measured> {
        let mut known = self.posts.lock().await;
        if let Some(measured) = known.get(&in_flight) {
            return Ok(measured.clone());
        }
        let ground = self.ground().await?;
        let measured = self.run(&ground.members, Errand::Post, in_flight).await?;
        known.insert(in_flight, measured.clone());
        Ok(measured)
    }

    /// Runs an errand for these members at random, so many in flight.
    pub async fn run(
        &self,
        members: &Arc<[String]>,
        errand: Errand,
        in_flight: usize,
    ) -> anyhow::Result<Measured> {
        self.run_for(&Members::at_random(members), errand, (in_flight, self.round()))
            .await
    }

    /// The same for members as they are given, and a round of its own.
    pub async fn run_for(
        &self,
        members: &Members,
        errand: Errand,
        (in_flight, round): (usize, Round),
    ) -> anyhow::Result<Measured> {
        let connections = self.ground().await?.connections(in_flight)?;
        let caller = |number| Errands::new(&connections, number, (members, errand));
        Ok(closed_loop(in_flight, round, caller).await)
    }

    /// The same as a baseline of others.
    pub async fn post_baseline(&self, in_flight: usize) -> anyhow::Result<Baseline> {
        Ok(Baseline {
            name: format!("post, {in_flight} in flight"),
            figure: self.post(in_flight).await?.per_second(),
        })
    }

    /// Baseline (a) with these members.
    pub async fn usual(&self, members: &Arc<[String]>, in_flight: usize) -> anyhow::Result<Baseline> {
        let whole = self.round();
        let round = Round {
            measured: whole.measured.mul_f64(self.options.either(QUICK_POOL_SHARE, 1.0)),
            ..whole
        };
        self.baselines
            .usual(self.ground().await?, members, (in_flight, round))
            .await
    }

    /// Baseline (b).
    pub async fn pgbench(&self) -> anyhow::Result<Baseline> {
        let measured = self.pgbench.get_or_try_init(async || {
            eprintln!("  (b) pgbench");
            let figure = simple_update(&self.postgres, self.round()).await?;
            anyhow::Ok(Baseline {
                name: "(b) pgbench -N".to_owned(),
                figure,
            })
        });
        Ok(measured.await?.clone())
    }

    /// Baseline (c).
    pub async fn empty(&self, in_flight: usize) -> anyhow::Result<Baseline> {
        let mut known = self.empty.lock().await;
        if let Some(baseline) = known.get(&in_flight) {
            return Ok(baseline.clone());
        }
        let ground = self.ground().await?;
        let baseline = self.baselines.empty(ground, (in_flight, self.round())).await?;
        known.insert(in_flight, baseline.clone());
        Ok(baseline)
    }

    /// Ends everything that was started, and leaves nothing on the servers.
    pub async fn end(self) -> anyhow::Result<()> {
        let Self {
            ground, baselines, ..
        } = self;
        drop(ground);
        baselines.drop_database().await
    }
}
