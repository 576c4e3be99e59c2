//! The same history of calls, decided one by one and in batches of every size, through a lane and over real tables, is
//! answered the same, and leaves the same.
//!
//! Each size has a program of its own, in which the same ids are used; the clock stands still while a part of the history
//! is decided. What may differ is what is drawn: the ids of lots, and those of what the ledger writes by itself. So chains
//! differ too, and are verified in place of being compared.

mod history;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use fealty_postgres::testing::TestDatabase;
use fealty_postgres::transact::Isolation;
use fealty_postgres::{Scope, ServiceDatabase, TransactOptions, in_tx, transact};
use fealty_redis::{BalanceCache, BalanceCacheConfig};
use fealty_service::events::FeedWaker;
use fealty_types::{ManualClock, OwnerId, ProgramId, SharedClock};
use futures::future::join_all;
use prost::Message as _;
use sqlx::AssertSqlSafe;
use tokio::task::JoinSet;
use tonic_types::pb;
use uuid::Uuid;

use super::commit::{Committer, TimeSource};
use super::config::PostingConfig;
use super::domain::OwnerState;
use super::lane::{Haste, Lane};
use super::remembered::RememberedOwners;
use super::storage::find_states_in_tx;
use crate::balances::Balances;
use crate::clock::RecordClock;
use crate::verify::{self, Limits, Options, Progress};
use crate::{MIGRATOR, SERVICE_DATABASE};
use history::{MEMBER, OWNERS, Spec, account_of, drawn, owner_id};

/// Calls between two movements of the clock, and how often it moves.
const PART_CALLS: usize = 130;
const PARTS_COUNT: usize = 3;

/// More than a part has: then all of it is one batch.
const ALL: usize = 1_000;

/// Of an id as text.
const ID_LEN: usize = 36;

/// Some lots and holds end in between, and some do not.
const STEP: TimeDelta = TimeDelta::days(4);

/// All kinds of transactions but those that are no postings.
const KINDS: [&str; 12] = [
    "activate", "adjust", "capture", "credit", "expire", "hold", "purchase", "refund", "release", "reverse",
    "spend", "transfer",
];

/// Refusals that some call meets, by their reason, or by their name where they are not remembered.
const REFUSALS: [&str; 18] = [
    "BUDGET_EXHAUSTED",
    "BUDGET_NOT_OPEN",
    "CAPTURE_EXCEEDS_HOLD",
    "FieldInvalid",
    "HOLD_NOT_OPEN",
    "HeldElsewhere",
    "INSUFFICIENT_BALANCE",
    "NOTHING_PENDING",
    "NotFound",
    "RECEIPT_ALREADY_USED",
    "REFUND_EXCEEDS_PURCHASE",
    "REVERSAL_EXCEEDS_TRANSACTION",
    "RequestIdReused",
    "TRANSACTION_NOT_REVERSIBLE",
    "TRANSFER_LIMIT_REACHED",
    "TRANSFER_NOT_ALLOWED",
    "TRANSFER_TO_SELF",
    "TRANSFER_VALUE_NOT_ALLOWED",
];

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

async fn database() -> TestDatabase {
    let servers = fealty_testing::servers().await;
    let service = ServiceDatabase::new(SERVICE_DATABASE);
    let database = TestDatabase::create(servers.postgres_admin_url(), &service, &MIGRATOR).await;
    database.expect("a database")
}

/// A program with units that never end, end ten days after they were earned and three days after the last activity, of
/// which two may be sent to others; a rule for each; two budgets, of which one gives a few days only; and the owners, of
/// whom one uses the account of another.
async fn plant(database: &TestDatabase) -> ProgramId {
    let program = fealty_service::testing::plant_program(&database.jobs, "UTC", "GBP");
    let program = program.await.expect("a program");
    let units = [
        (
            "points",
            "'DEBT', 500",
            "NULL",
            "'GONE'",
            r#"'{"value_min": 3, "value_max": 40, "day_value_max": 30, "day_count_max": 1}'"#,
        ),
        (
            "stamps",
            "'WAIVE', 0",
            r#"'{"kind": "after_earning", "life": {"days": 10}}'"#,
            "'AS_EARNED_NOW'",
            "NULL",
        ),
        (
            "miles",
            "'DEBT', 50",
            r#"'{"kind": "after_activity", "life": {"days": 3}}'"#,
            "'GONE'",
            r#"'{"value_min": 1}'"#,
        ),
    ];
    for (number, (code, shortfall, expiry, ended, transfers)) in units.iter().enumerate() {
        run(
            database,
            format!(
                "INSERT INTO unit (program, unit_code, unit_id, display_name, scale, shortfall_policy, debt_max, revision,
                                   create_time, update_time, expiry_policy, ended_lot_policy, transfer_rules)
                 VALUES ('{program}', '{code}', '00000000-0000-0000-0000-00000000000{number}', '{code}', 0, {shortfall},
                         1, to_timestamp(0), to_timestamp(0), {expiry}, {ended}, {transfers})"
            ),
        )
        .await;
        run(
            database,
            format!(
                "INSERT INTO earning_rule (program, rule_id, display_name, unit_code, rate, rounding, create_time)
                 VALUES ('{program}', '00000000-0000-0000-0000-00000000001{number}', 'a rule', '{code}', '0.3', 'DOWN',
                         to_timestamp(0))"
            ),
        )
        .await;
    }
    plant_budgets(database, program).await;
    plant_owners(database, program).await;
    program
}

async fn plant_budgets(database: &TestDatabase, program: ProgramId) {
    let days = |days| (start() + TimeDelta::days(days)).timestamp();
    let (begin, end) = (days(3), days(9));
    for (code, unit, value_max, span) in [
        ("spring", "points", 60, "NULL, NULL".to_owned()),
        (
            "partner",
            "miles",
            60,
            format!("to_timestamp({begin}), to_timestamp({end})"),
        ),
    ] {
        run(
            database,
            format!(
                "INSERT INTO budget (program, budget_code, budget_id, display_name, unit_code, value_max, value_used,
                                     begin_time, end_time, revision, create_time, update_time)
                 VALUES ('{program}', '{code}', md5('{code}')::uuid, '{code}', '{unit}', {value_max}, 0, {span}, 1,
                         to_timestamp(0), to_timestamp(0))"
            ),
        )
        .await;
    }
}

async fn plant_owners(database: &TestDatabase, program: ProgramId) {
    for owner in 1..=OWNERS {
        run(
            database,
            format!(
                "INSERT INTO owner (program, owner_id, kind, version, last_time, create_time)
                 VALUES ('{program}', '{}', 'member', 0, to_timestamp(0), to_timestamp(0))",
                owner_id(owner)
            ),
        )
        .await;
    }
    run(
        database,
        format!(
            "UPDATE owner SET account_owner_id = '{}' WHERE program = '{program}' AND owner_id = '{}'",
            owner_id(account_of(MEMBER)),
            owner_id(MEMBER)
        ),
    )
    .await;
}

async fn run(database: &TestDatabase, statement: String) {
    sqlx::query(AssertSqlSafe(statement))
        .execute(&database.owner)
        .await
        .expect("planted");
}

/// The ids that were drawn, by the order in which anybody was told of them.
#[derive(Default)]
struct DrawnIds(HashMap<Vec<u8>, usize>);

impl DrawnIds {
    /// A message with numbers in place of drawn ids. Those of the history begin with zeros.
    fn named_in(&mut self, message: &[u8]) -> String {
        let (mut named, mut rest) = (String::new(), message);
        while let Some((first, after)) = rest.split_first() {
            let id = rest.get(..ID_LEN).filter(|text| is_drawn(text));
            if let Some(id) = id {
                let next = self.0.len();
                let number = self.0.entry(id.to_vec()).or_insert(next);
                let _ = write!(named, "[drawn {number}]");
                rest = &rest[ID_LEN..];
            } else {
                let _ = write!(named, "{}", first.escape_ascii());
                rest = after;
            }
        }
        named
    }
}

/// A refusal; what it says of each value is in no order.
fn told(message: &[u8]) -> String {
    let status = pb::Status::decode(message).expect("a status");
    let details = status.details.iter().map(|detail| {
        let info = pb::ErrorInfo::decode(detail.value.as_slice()).expect("what it is about");
        let metadata: BTreeMap<_, _> = info.metadata.into_iter().collect();
        (info.reason, metadata)
    });
    let details: Vec<_> = details.collect();
    format!("{} {} {details:?}", status.code, status.message)
}

fn is_drawn(text: &[u8]) -> bool {
    let id = str::from_utf8(text)
        .ok()
        .and_then(|text| Uuid::try_parse(text).ok());
    id.is_some_and(|id| id.get_version_num() == 7)
}

/// What every call was answered, in batches of that size.
async fn post(
    database: &TestDatabase,
    program: ProgramId,
    batch_calls_max: usize,
    history: &[Vec<Spec>],
) -> Vec<String> {
    let clock = ManualClock::new(start());
    let shared: SharedClock = Arc::new(clock.clone());
    let time = TimeSource::Clock(shared.clone());
    let cache = BalanceCache::try_new(&BalanceCacheConfig::default(), "t").expect("none");
    let record_clock = Arc::new(RecordClock::new(&time, &shared));
    let balances = Balances::new(database.service.clone(), Arc::new(cache), record_clock);
    let config = PostingConfig {
        batch_calls_max,
        ..PostingConfig::default()
    };
    // One by one all is read again for each call: what others remember has to come to the same.
    let bytes_max = if batch_calls_max == 1 {
        0
    } else {
        config.remembered_bytes_max
    };
    let remembered = Arc::new(RememberedOwners::new(bytes_max));
    let committer = Committer::new(database.service.clone(), time, Arc::clone(&remembered));
    let lane = Lane::new(committer, balances, FeedWaker::default(), &config);
    let entry = lane.entry();
    let mut answers = Vec::new();
    let mut drawn_ids = DrawnIds::default();
    let mut lanes = JoinSet::new();
    let mut lane = Some(lane);
    for part in history {
        // All wait before the lane takes the first, so that batches are as large as they may be.
        let calls = part.iter().map(Spec::call).collect();
        let waiting = entry.try_push(program, Haste::Lone, None, calls);
        if let Some(lane) = lane.take() {
            lanes.spawn(lane.run());
        }
        for answer in join_all(waiting.expect("there is room")).await {
            let answer = answer.expect("the lane runs").expect("Postgres is there");
            answers.push(match answer {
                Ok(answer) if answer.accepted => {
                    format!("{} {}", answer.replayed, drawn_ids.named_in(&answer.message))
                }
                Ok(refused) => format!("{} {}", refused.replayed, told(&refused.message)),
                Err(refusal) => format!("{refusal:?}"),
            });
        }
        clock.advance(STEP);
    }
    let is_known = (bytes_max > 0).then_some(true);
    assert_eq!(remembers_what_is(database, program, &remembered).await, is_known);
    answers
}

/// Whether all that is remembered is as it stands in the tables; `None` where nothing is remembered.
async fn remembers_what_is(
    database: &TestDatabase,
    program: ProgramId,
    remembered: &RememberedOwners,
) -> Option<bool> {
    let owner_ids: Vec<OwnerId> = (1..=OWNERS).map(owner_id).collect();
    let options = TransactOptions::read_only().isolation(Isolation::RepeatableRead);
    let states = transact(
        &database.service,
        "equivalence",
        Scope::Program(program),
        options,
        |tx| in_tx(find_states_in_tx(tx, program, &owner_ids)),
    );
    let (states, _) = states.await.expect("read");
    let row = |(owner_id, state): (&OwnerId, &OwnerState)| {
        let accounts = BTreeMap::new();
        (
            *owner_id,
            OwnerState {
                accounts,
                ..state.clone()
            },
        )
    };
    let mut filled: HashMap<OwnerId, OwnerState> = states.iter().map(row).collect();
    let unknown = remembered.fill(program, &mut filled);
    filled.retain(|owner_id, _| !unknown.contains(owner_id));
    let known = filled.values().filter(|owner| !owner.accounts.is_empty()).count();
    (known > 0).then(|| filled.iter().all(|(owner_id, owner)| states[owner_id] == *owner))
}

/// All that is left of it, but for what is drawn.
async fn left(database: &TestDatabase, program: ProgramId) -> Vec<String> {
    let movements = "(SELECT jsonb_agg(m - 'lot') FROM jsonb_array_elements(t.lot_movements) m)";
    let questions = [
        "SELECT to_jsonb(t) - 'program' - 'chain_head' - 'feed_xid' FROM owner t".to_owned(),
        "SELECT to_jsonb(t) - 'program' FROM account t".to_owned(),
        "SELECT to_jsonb(t) - 'program' - 'lot_id' FROM lot t".to_owned(),
        "SELECT to_jsonb(t) - 'program' - 'pins' FROM hold t".to_owned(),
        "SELECT to_jsonb(t) - 'program' - 'lot_ids' FROM purchase t".to_owned(),
        "SELECT to_jsonb(t) - 'program' FROM refund t".to_owned(),
        "SELECT to_jsonb(t) - 'program' FROM reversal t".to_owned(),
        "SELECT to_jsonb(t) - 'program' FROM transfer_day t".to_owned(),
        "SELECT to_jsonb(t) - 'program' FROM budget t".to_owned(),
        format!(
            "SELECT (to_jsonb(t) - 'program' - 'chain_hash' - 'feed_xid' - 'lot_movements' - 'transaction_id' - 'answer'
                     - 'counterpart_transaction_id')
                    || jsonb_build_object('movements', {movements}) FROM transaction t"
        ),
    ];
    let mut left = Vec::new();
    for question in questions {
        let statement =
            format!("SELECT q::text FROM ({question} WHERE t.program = '{program}') AS x (q) ORDER BY 1");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_all(&database.jobs)
            .await
            .expect("rows");
        left.extend(rows);
    }
    left
}

/// How many database transactions wrote it, and how many of its transactions they wrote.
async fn commits(database: &TestDatabase, program: ProgramId) -> (i64, i64) {
    let statement =
        format!("SELECT count(DISTINCT xmin::text), count(*) FROM transaction WHERE program = '{program}'");
    let counts = sqlx::query_as(AssertSqlSafe(statement)).fetch_one(&database.jobs);
    counts.await.expect("counts")
}

/// Answers what each call was answered, and what kinds of transactions that made.
async fn assert_same_in_all_sizes(seed: u64) -> (Vec<String>, Vec<String>) {
    let database = database().await;
    let history = drawn(seed, PARTS_COUNT, PART_CALLS);
    let one_by_one = plant(&database).await;
    let expected = post(&database, one_by_one, 1, &history).await;
    let expected_left = left(&database, one_by_one).await;
    let mut newest_commits = commits(&database, one_by_one).await.0;
    for batch_calls_max in [2, 3, 7, 50, ALL] {
        let program = plant(&database).await;
        let answers = post(&database, program, batch_calls_max, &history).await;
        for (number, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
            let spec = history.iter().flatten().nth(number);
            assert_eq!(
                answer, expected,
                "call {number} of seed {seed} in batches of {batch_calls_max}: {spec:?}"
            );
        }
        let left = left(&database, program).await;
        assert_eq!(left.len(), expected_left.len());
        for (left, expected) in left.iter().zip(&expected_left) {
            assert_eq!(left, expected, "seed {seed}, batches of {batch_calls_max}");
        }
        let (commits, _) = commits(&database, program).await;
        assert!(commits < newest_commits, "larger batches are fewer commits");
        newest_commits = commits;
    }
    assert_eq!(
        newest_commits,
        i64::try_from(PARTS_COUNT).expect("a few"),
        "a part is one commit"
    );
    let options = Options {
        limits: Limits::default(),
        program: None,
        parallel: 2,
        findings_max: 100,
    };
    let report = verify::run(&database.jobs, &options, &Arc::new(Progress::default())).await;
    let report = report.expect("it reads everything");
    assert!(report.is_clean(), "{:#?}", report.findings.kept());
    let kinds = sqlx::query_scalar("SELECT DISTINCT kind FROM transaction WHERE version IS NOT NULL");
    (expected, kinds.fetch_all(&database.jobs).await.expect("kinds"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_answered_alike_in_batches_of_every_size() {
    let (mut answers, mut kinds) = (String::new(), BTreeSet::new());
    for seed in [1, 2, 3] {
        let (answered, made) = assert_same_in_all_sizes(seed).await;
        answers.extend(answered);
        kinds.extend(made);
    }
    // Otherwise nothing is said of them.
    let missing: Vec<&str> = REFUSALS.into_iter().filter(|it| !answers.contains(it)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "refusals that no call met");
    assert_eq!(kinds, KINDS.map(str::to_owned).into(), "what was made");
}
