//! Postgres is restored: it is another timeline, on which the same numbers come again with another meaning, and what Redis
//! holds of the one before is shown to nobody.

use std::time::Duration;

use fealty_proto::types::v1::ErrorReason;
use fealty_proto::types::v1::consistency::Requirement::{AtLeastVersion, Strong};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::sleep;
use tonic::Code;

use super::History;
use crate::service::harness::until;
use crate::service::support::{Ledger, refused};
use crate::service::verify::assert_verified;

/// Within it a replica has seen that it speaks with another timeline: it looks every second.
const NOTICED_WITHIN: Duration = Duration::from_secs(3);

/// The test's database, as its administrator sees it.
struct Administered {
    admin: PgConnection,
    database: String,
}

impl Administered {
    async fn of(ledger: &Ledger) -> Self {
        let url = fealty_testing::servers().await.postgres_admin_url();
        Self {
            admin: PgConnection::connect(url).await.expect("Postgres"),
            database: ledger.database.database_name().to_owned(),
        }
    }

    async fn run(&mut self, statement: String) {
        sqlx::query(AssertSqlSafe(statement.clone()))
            .execute(&mut self.admin)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    async fn shut(&mut self) {
        self.run(format!(
            "ALTER DATABASE {} ALLOW_CONNECTIONS false",
            self.database
        ))
        .await;
        let others = format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{}'",
            self.database
        );
        self.run(others).await;
    }

    async fn open(&mut self) {
        self.run(format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.database))
            .await;
    }

    fn backup_name(&self) -> String {
        format!("{}_backup", self.database)
    }

    async fn back_up(&mut self) {
        self.shut().await;
        let backup = self.backup_name();
        self.run(format!("CREATE DATABASE {backup} TEMPLATE {}", self.database))
            .await;
        // Who may connect belongs to the database and is not copied with it.
        let rights = format!(
            "UPDATE pg_database SET datdba = o.datdba, datacl = o.datacl FROM pg_database o
             WHERE pg_database.datname = '{backup}' AND o.datname = '{}'",
            self.database
        );
        self.run(rights).await;
        self.open().await;
    }

    async fn restore(&mut self) {
        self.shut().await;
        self.run(format!("DROP DATABASE {} WITH (FORCE)", self.database))
            .await;
        let rename = format!(
            "ALTER DATABASE {} RENAME TO {}",
            self.backup_name(),
            self.database
        );
        self.run(rename).await;
    }
}

/// Until every replica posts and reads again, with nothing left of the connections before.
async fn answers(ledger: &Ledger, owner: &str) {
    until("it answers", async || {
        ledger.balance(owner, Some(Strong(true))).await.is_ok()
            && ledger.credit(super::credit(owner, "points", 1)).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_of_postgres_nothing_of_what_it_forgot_is_shown() {
    let ledger = Ledger::start().await;
    let url = ledger.config.cache.url.clone().expect("a Redis");
    let mut postgres = Administered::of(&ledger).await;
    let history = History::begin(ledger, &[url.clone(), url.clone()]).await;
    let spare = history.ledger.open_owner().await;
    history.play(21, sleep(Duration::from_millis(500))).await;
    history.assert_converges_of(&url, history.owners.len()).await;

    postgres.back_up().await;
    for replica in &history.replicas {
        answers(replica, &spare).await;
    }
    let kept: Vec<i64> = history.newest().await;
    history.play(22, sleep(Duration::from_millis(700))).await;
    for owner in &history.owners {
        history.replicas[0].give(owner, 3).await;
    }
    let forgotten: Vec<i64> = history.newest().await;
    history.assert_shown_is_recorded().await;

    postgres.restore().await;
    for replica in &history.replicas {
        answers(replica, &spare).await;
    }
    sleep(NOTICED_WITHIN).await;
    history.acknowledge(&kept);
    for (owner, owner_id) in history.owners.iter().enumerate() {
        for replica in &history.replicas {
            for requirement in [None, Some(AtLeastVersion(kept[owner])), Some(Strong(true))] {
                let shown = history.show(replica, owner, requirement).await;
                assert_eq!(shown.version, kept[owner], "{requirement:?}");
            }
            let lost = forgotten[owner];
            assert!(lost > kept[owner]);
            let status = replica.balance(owner_id, Some(AtLeastVersion(lost))).await;
            refused(
                &status.expect_err("nobody knows of it"),
                Code::OutOfRange,
                ErrorReason::VersionAhead,
            );
        }
    }
    // The numbers come again, with other seeds and so with other points.
    history.play(23, sleep(Duration::from_millis(700))).await;
    history.assert_converges_of(&url, history.owners.len() + 1).await;
    history.assert_shown_is_recorded().await;
    assert_verified(&history.ledger.database).await;
}
