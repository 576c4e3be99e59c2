//! The connection to Postgres is cut before and after each statement of a posting, and whoever asks again by the same ids
//! finds that everything took effect once.
//!
//! The statements are counted as they pass by, so that this holds for whatever a posting consists of.

use std::time::Duration;

use fealty_ledger::posting::config::PostingConfig;
use fealty_proto::ledger::v1 as pb;
use fealty_testing::Proxy;
use fealty_testing::proxy::{CutAt, Side};
use futures::future::join_all;
use tokio::time::sleep;
use tonic::Status;

use super::harness::new_id;
use super::messages::{cashback, purchase_of, refund_of};
use super::steps::{Said, Step, capture, hold};
use super::support::{Ledger, Setting, credit, spend};
use super::verify::assert_verified;

/// What begins a transaction that writes.
const WRITES: &[u8] = b"READ WRITE";

/// Until a call has reached the lane, at the first attempt to have all in one batch. Nothing outside tells; on a machine
/// that runs all tests at once it may take longer.
const ARRIVES_WITHIN: Duration = Duration::from_millis(100);
const ATTEMPTS_TOGETHER_MAX: u32 = 7;

/// Fewer would be no posting: BEGIN, locks, reads, writes, COMMIT.
const STATEMENTS_MIN: usize = 12;

/// A ledger that reaches Postgres directly, and one that does by a proxy, which a batch of calls goes through.
struct Stage {
    ledger: Ledger,
    replica: Ledger,
    proxy: Proxy,
    owners: Vec<String>,
}

impl Stage {
    async fn set() -> Self {
        let posting = PostingConfig {
            lanes: 1,
            ..PostingConfig::default()
        };
        let ledger = Ledger::start_in(Setting {
            posting,
            ..Setting::default()
        })
        .await;
        let rule = pb::CreateEarningRuleRequest {
            request_id: new_id(),
            earning_rule: Some(cashback("points", "0.1")),
        };
        ledger
            .rules()
            .create_earning_rule(ledger.call(rule))
            .await
            .expect("a rule");
        let mut owners = Vec::new();
        for _ in 0..5 {
            let owner = ledger.open_owner().await;
            ledger.give(&owner, 1_000_000).await;
            owners.push(owner);
        }
        let (proxy, url) = Proxy::in_front_of(&ledger.database.urls.service).await;
        let replica = ledger.replica_by_postgres(&url).await;
        Self {
            ledger,
            replica,
            proxy,
            owners,
        }
    }

    /// One of each room, two of them about the same owner.
    async fn calls(&self) -> Vec<Step> {
        let held = self
            .ledger
            .holds()
            .hold_points(self.ledger.call(hold(&self.owners[2], 9)))
            .await
            .expect("held");
        let bought = self.ledger.purchases();
        let bought = bought
            .clone()
            .record_purchase(self.ledger.call(purchase_of(&self.owners[4], 5_000)))
            .await
            .expect("bought");
        vec![
            Step::Credit(credit(&self.owners[0], "points", 11)),
            Step::Spend(spend(&self.owners[0], "points", 5)),
            Step::Hold(hold(&self.owners[1], 7)),
            Step::Capture(capture(held.into_inner().hold.expect("a hold").hold_id, 4)),
            Step::Purchase(purchase_of(&self.owners[3], 3_000)),
            Step::Refund(refund_of(
                &bought.into_inner().purchase.expect("a purchase").purchase_id,
                2_000,
            )),
        ]
    }

    /// Sends the calls so that they are one batch: the lane is busy with another call until they are all there. They are
    /// the second transaction that passes by.
    async fn send_together(
        &self,
        calls: &[Step],
        arrive_within: Duration,
        cut: Option<CutAt>,
    ) -> Vec<Result<Said, Status>> {
        self.proxy.watch(WRITES);
        if let Some(cut) = cut {
            self.proxy.cut_at(cut);
        }
        self.proxy.freeze();
        let plug = self.replica.credit(credit(&self.owners[0], "points", 1));
        let calls = async {
            sleep(arrive_within).await;
            let calls = join_all(calls.iter().map(|call| call.send(&self.replica)));
            let go_on = async {
                sleep(arrive_within).await;
                self.proxy.restore();
            };
            tokio::join!(calls, go_on).0
        };
        let (plug, answers) = tokio::join!(plug, calls);
        // It is not what is looked at, and only meets the cut where it was late.
        drop(plug);
        answers
    }

    /// How many statements the batch has, and how many batches it took to see it.
    async fn count_statements(&self) -> (usize, usize) {
        let mut pause = ARRIVES_WITHIN;
        for attempt in 1..=ATTEMPTS_TOGETHER_MAX {
            let calls = self.calls().await;
            for answer in self.send_together(&calls, pause, None).await {
                assert!(!answer.expect("nobody cuts").is_replay);
            }
            if let [before, batch] = self.proxy.watched()[..] {
                assert!(batch > before && batch >= STATEMENTS_MIN, "{batch}");
                return (batch, usize::try_from(attempt).expect("a few"));
            }
            pause = pause.mul_f32(1.5);
        }
        panic!("they never were one batch");
    }

    /// Cuts there, and answers how many batches it took to meet the statement.
    async fn cut(&self, cut: CutAt) -> usize {
        let mut pause = ARRIVES_WITHIN;
        for attempt in 1..=ATTEMPTS_TOGETHER_MAX {
            if self.try_cut(cut, pause).await {
                return usize::try_from(attempt).expect("a few");
            }
            pause = pause.mul_f32(1.5);
        }
        panic!("it was never cut: {cut:?}");
    }

    /// Whether it was cut there. If it was not, some of the calls came too late for the batch, and took effect all the same.
    async fn try_cut(&self, cut: CutAt, arrive_within: Duration) -> bool {
        let calls = self.calls().await;
        let before = self.recorded(&calls).await;
        assert_eq!(before, [0; 6]);
        let answers = self.send_together(&calls, arrive_within, Some(cut)).await;
        let is_cut = !self.proxy.is_to_cut();
        self.proxy.watch(WRITES);
        self.proxy.restore();
        let mut known = Vec::new();
        for (call, answer) in calls.iter().zip(answers) {
            let answer = match answer {
                Ok(said) => said,
                Err(_) => call.until_known(&self.replica).await.expect("accepted"),
            };
            known.push(answer.message);
        }
        // Whoever asks again, and wherever, is told the same.
        for (call, known) in calls.iter().zip(&known) {
            for ledger in [&self.ledger, &self.replica] {
                let again = call.send(ledger).await.expect("the same answer");
                assert!(again.is_replay && again.message == *known, "{cut:?}: {call:?}");
            }
        }
        assert_eq!(self.recorded(&calls).await, [1; 6], "{cut:?}");
        is_cut
    }

    /// How often each is in the record, by a role that calls nobody.
    async fn recorded(&self, calls: &[Step]) -> Vec<i64> {
        let mut counts = Vec::new();
        for call in calls {
            let statement =
                "SELECT count(*) FROM transaction WHERE request_id::text = $1 AND version IS NOT NULL";
            let count = sqlx::query_scalar(statement)
                .bind(call.request_id())
                .fetch_one(&self.ledger.database.owner);
            counts.push(count.await.expect("a count"));
        }
        counts
    }

    /// What is owned is what was done, in points, worked out from what the calls said and not from the books.
    async fn assert_balances(&self, rounds_count: usize) {
        let rounds = i64::try_from(rounds_count).expect("a few");
        let statement =
            "SELECT available, held FROM account WHERE owner_id::text = $1 AND unit_code = 'points'";
        // A tenth of a point for a pound: 30 pounds were paid, and 50 of which 20 were paid back.
        let per_round = [(11 - 5, 0), (-7, 7), (-4, 0), (3, 0), (5 - 2, 0)];
        for (place, (owner, (available, held))) in self.owners.iter().zip(per_round).enumerate() {
            let found: (i64, i64) = sqlx::query_as(statement)
                .bind(owner)
                .fetch_one(&self.ledger.database.owner)
                .await
                .expect("an account");
            let (mut expected, expected_held) = (1_000_000 + rounds * available, rounds * held);
            if place == 0 {
                // The calls that came before the batches: each took effect once, or was told that it did not.
                let plugs: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM transaction t, jsonb_array_elements(t.entries) e
                     WHERE t.owner_id::text = $1 AND e->>'account' = 'owner_available' AND (e->>'value')::bigint = 1",
                )
                .bind(owner)
                .fetch_one(&self.ledger.database.owner)
                .await
                .expect("a count");
                expected += plugs;
            }
            assert_eq!(found, (expected, expected_held), "owner {place}");
        }
    }
}

/// Cuts at each statement, and counts the batches.
async fn cut_at_each(is_gone: bool) {
    let stage = Stage::set().await;
    let (statements_count, mut rounds_count) = stage.count_statements().await;
    for statement in 1..=statements_count {
        for side in [Side::Before, Side::After] {
            let cut = CutAt {
                transaction: 1,
                statement,
                side,
                is_gone,
            };
            rounds_count += stage.cut(cut).await;
        }
    }
    stage.assert_balances(rounds_count).await;
    assert_verified(&stage.ledger.database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_any_statement_is_no_second_effect() {
    cut_at_each(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_gone_at_any_statement_is_found_again_by_the_same_ids() {
    cut_at_each(true).await;
}
