//! The baselines (a) and (c): children of the same binary, over the same members.

use std::sync::Arc;

use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::callers::{Errand, Errands, Members};
use crate::child::Child;
use crate::connections::Connections;
use crate::ground::Ground;
use crate::load::{Measured, closed_loop};
use crate::options::Round;
use crate::postgres::Postgres;
use crate::report::Baseline;
use crate::serving::Role;
use crate::usual::{PROGRAM_ACCOUNT, SCHEMA};

/// The usual design is measured with each, and the best counts.
const POOL_SIZES: [u32; 4] = [8, 16, 32, 64];
const DATABASE: &str = "fealty_bench_usual";

/// What the ledger is compared with.
#[derive(Debug)]
pub struct Baselines {
    postgres: Postgres,
    database_url: OnceCell<String>,
}

impl Baselines {
    /// On this Postgres. Nothing is made yet.
    #[must_use]
    pub fn new(postgres: Postgres) -> Self {
        Self {
            postgres,
            database_url: OnceCell::new(),
        }
    }

    /// (a): posts to these of the ground's members by the usual design, with the best of the pools.
    pub async fn usual(
        &self,
        ground: &Ground,
        members: &Arc<[String]>,
        (in_flight, round): (usize, Round),
    ) -> anyhow::Result<Baseline> {
        let mut best: Option<(u32, Measured)> = None;
        for pool_size in POOL_SIZES {
            let child = self.start(ground, pool_size).await?;
            let connections = Connections::to(child.url(), &ground.key, in_flight)?;
            let members = Members::at_random(members);
            let poster = |number| Errands::new(&connections, number, (&members, Errand::Post));
            let measured = closed_loop(in_flight, round, poster).await;
            eprintln!(
                "  (a) pool of {pool_size}: {:.0}/s, {} refused",
                measured.per_second(),
                measured.refused_count
            );
            if best
                .as_ref()
                .is_none_or(|(_, best)| measured.per_second() > best.per_second())
            {
                best = Some((pool_size, measured));
            }
        }
        let (pool_size, measured) = best.unwrap_or_default();
        Ok(Baseline {
            name: format!("(a) usual design, pool of {pool_size}"),
            figure: measured.per_second(),
        })
    }

    /// (c): empty calls through the same layers.
    pub async fn empty(
        &self,
        ground: &Ground,
        (in_flight, round): (usize, Round),
    ) -> anyhow::Result<Baseline> {
        let child = self.start(ground, POOL_SIZES[0]).await?;
        let connections = Connections::to(child.url(), &ground.key, in_flight)?;
        let members = Members::at_random(&ground.members);
        let reader = |number| Errands::new(&connections, number, (&members, Errand::Read));
        let measured = closed_loop(in_flight, round, reader).await;
        Ok(Baseline {
            name: "(c) empty call".to_owned(),
            figure: measured.per_second(),
        })
    }

    async fn start(&self, ground: &Ground, pool_size: u32) -> anyhow::Result<Child> {
        let database_url = self
            .database_url
            .get_or_try_init(|| make_database(&self.postgres, &ground.members))
            .await?;
        let mut settings = ground.settings().to_vec();
        settings.push(("FEALTY__USUAL__DATABASE_URL".to_owned(), database_url.clone()));
        settings.push(("FEALTY__USUAL__POOL_SIZE".to_owned(), pool_size.to_string()));
        Child::start(Role::Baselines, settings).await
    }

    /// Leaves nothing on a Postgres that outlives the benchmark.
    pub async fn drop_database(&self) -> anyhow::Result<()> {
        self.postgres.drop_database(DATABASE).await
    }
}

async fn make_database(postgres: &Postgres, members: &[String]) -> anyhow::Result<String> {
    let url = postgres.create_database(DATABASE).await?;
    let mut connection = PgConnection::connect(&url).await?;
    connection.execute(SCHEMA).await?;
    let mut accounts: Vec<Uuid> = members.iter().filter_map(|id| id.parse().ok()).collect();
    accounts.push(PROGRAM_ACCOUNT);
    sqlx::query("INSERT INTO account (account_id, balance) SELECT account_id, 0 FROM unnest($1::uuid[]) AS a (account_id)")
        .bind(accounts)
        .execute(&mut connection)
        .await?;
    // It is planned for as if it were full: plans made on an empty table would be kept.
    connection.execute("ANALYZE").await?;
    connection.close().await?;
    Ok(url)
}
