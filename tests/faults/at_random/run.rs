//! One run: everything begins, goes wrong, heals, and is checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fealty::services::ServiceName;
use fealty_client::LedgerClient;
use fealty_proto::ledger::v1::{Budget, CreateBudgetRequest, OpenOwnerRequest, OwnerKind};
use fealty_tests::bounded;
use fealty_tests::history::{Answer, Asked, Call, History, Kind, Violation, check};
use fealty_tests::process::{Ended, Process};
use fealty_tests::recorded;
use fealty_tests::replica::Replica;
use fealty_tests::shop::{Shop, UNIT, config, request_id};
use fealty_tests::suite::{Options, Suite};
use fealty_types::ProgramId;
use tokio::task::JoinSet;

use super::callers::{BUDGET, BUDGET_MAX, Caller, WISHES};
use super::consumers::Consumers;
use super::line::Line;
use super::nemesis::{Aftermath, Fault, Nemesis, Restarts};
use super::world::World;
use crate::FEALTY;

/// Few owners, so that callers meet.
const OWNERS_COUNT: usize = 8;
const CALLERS_COUNT: u64 = 36;
/// Looks at each owner in the end.
const LAST_LOOKS_MAX: usize = 20;
/// What ends before the run could be checked.
const SHORT_HOLDS: &str = "
    SELECT hold_id::text FROM hold WHERE status = 'open' AND expire_time < now() + interval '1 day'";
/// How long the job that writes it may take: it looks once a second.
const ENDED_BOUND: Duration = Duration::from_secs(30);
/// How long it may take to verify what a run recorded.
const VERIFY_BOUND: Duration = Duration::from_mins(2);
/// What a report lists: the first ones say what is wrong.
const VIOLATIONS_SHOWN_MAX: usize = 20;
/// What any run comes to on the slowest machine; with less, nothing was tested.
const TOOK_COUNT_MIN: usize = 50;

/// What is to be run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plan {
    /// What the callers wish and what goes wrong.
    pub seed: u64,
    /// How long things go wrong.
    pub faults_for: Duration,
    /// What goes wrong; empty for all that can.
    pub faults: &'static [Fault],
    /// Whether callers forget under which id they asked.
    pub forgets_ids: bool,
    /// What is wrong with the ledger, if it was built for that, and with which replicas.
    pub sabotage: Option<(&'static str, [bool; 2])>,
}

/// What one run after the other stands on.
pub struct Ground {
    /// Dropped first: its servers do not outlive it.
    restarts: Restarts,
    pub suite: Suite,
}

impl Ground {
    /// A suite that keeps what it has.
    pub fn start() -> Self {
        Self {
            restarts: Restarts::default(),
            suite: tokio::task::block_in_place(|| Suite::start(Options::kept(FEALTY))),
        }
    }
}

/// What came of it.
pub struct Report {
    plan: Plan,
    nemesis_log: String,
    history: History,
    attempts: [u64; 2],
    unanswered: BTreeMap<String, u64>,
    violations: Vec<Violation>,
    /// What the suite's own verification says of the record.
    verification: Ended,
}

/// Runs once, on owners of its own.
pub async fn run(ground: &Ground, plan: Plan) -> Report {
    let suite = &ground.suite;
    let replicas = tokio::task::block_in_place(|| start_replicas(suite, plan));
    let urls = replicas.each_ref().map(Replica::url);
    let shop = Shop::open(suite).await;
    let owners = open_owners(&shop.ledger).await;
    create_budget(&shop.ledger).await;
    let lines = urls.each_ref().map(|url| Line::to(url, &shop.key));
    let world = Arc::new(World::new(lines, owners, plan.forgets_ids));
    let consumers = Consumers::start(urls.clone(), &shop.key, &world.recorder);
    let mut callers = JoinSet::new();
    for number in 0..CALLERS_COUNT {
        callers.spawn(Caller::new(&world, plan.seed.wrapping_mul(1_000) + number).run());
    }

    let nemesis = Nemesis::new(plan, &world, (suite.data_dir(), &ground.restarts), replicas);
    let raging = tokio::task::spawn_blocking(move || nemesis.run(plan.faults_for)).await;
    let aftermath: Aftermath = raging.expect("the nemesis ends in good order");

    world.heal();
    while let Some(caller) = callers.join_next().await {
        caller.expect("no caller panics");
    }
    until_all_ended(suite).await;
    look_once_more(&world, plan.seed).await;
    // Through the replica that the last faults may have hit, patiently.
    let ledger = LedgerClient::try_new(&config(&urls[1], &shop.key)).expect("a client");
    let record = recorded::read(&suite.database(), &ledger, shop.program_id, suite.data_dir()).await;
    let rows_count = record.rows.values().map(Vec::len).sum();
    consumers.finish(rows_count).await;
    let verification = tokio::task::block_in_place(|| verify(suite, shop.program_id));
    let history = world.recorder.history();
    let violations = check(&history, &record);
    Report {
        plan,
        nemesis_log: aftermath.log,
        unanswered: world.unanswered(),
        violations,
        verification,
        history,
        attempts: world
            .attempts
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed)),
    }
}

fn start_replicas(suite: &Suite, plan: Plan) -> [Replica; 2] {
    [0, 1].map(|index| {
        // What a failure shows of their logs is to be short.
        let mut environment = vec![("FEALTY__TELEMETRY__LOG_FILTER", "error")];
        let sabotage = plan.sabotage.filter(|(_, which)| which[index]);
        environment.extend(sabotage.map(|(fault, _)| ("FEALTY_SABOTAGE", fault)));
        Replica::start_with(suite, ServiceName::Ledger, &environment)
    })
}

/// `fealty verify`, which shares nothing with the check, and sees the chains as well.
fn verify(suite: &Suite, program: ProgramId) -> Ended {
    let mut command = suite.command();
    command.args(["verify", "--program", &program.to_string(), "--data-dir"]);
    command.arg(suite.data_dir());
    Process::start("verify", command, None).wait(VERIFY_BOUND)
}

/// What comes back by itself is written by a job; nothing moves any more after that.
async fn until_all_ended(suite: &Suite) {
    let database = suite.database();
    bounded::eventually("what ends is written", ENDED_BOUND, async || {
        let open = database.ledger_rows(SHORT_HOLDS).await;
        open.is_empty().then_some(())
    })
    .await;
}

/// What some of the credits are paid by.
async fn create_budget(ledger: &LedgerClient) {
    let budget = Budget {
        budget_code: BUDGET.to_owned(),
        display_name: "Faults".to_owned(),
        unit_code: UNIT.to_owned(),
        value_max: BUDGET_MAX,
        ..Budget::default()
    };
    let request = CreateBudgetRequest {
        request_id: request_id(),
        budget: Some(budget),
    };
    ledger.create_budget(request).await.expect("a budget");
}

async fn open_owners(ledger: &LedgerClient) -> Vec<String> {
    let mut owners = Vec::new();
    for _ in 0..OWNERS_COUNT {
        let owner_id = request_id();
        let request = OpenOwnerRequest {
            request_id: request_id(),
            owner_id: owner_id.clone(),
            kind: OwnerKind::Partner.into(),
        };
        ledger.open_owner(request).await.expect("an owner");
        owners.push(owner_id);
    }
    owners
}

/// Once everything is whole, each replica shows each owner as new as anybody knows them.
async fn look_once_more(world: &Arc<World>, seed: u64) {
    let mut caller = Caller::new(world, seed);
    for owner_id in &world.owners {
        let newest = world.recorder.acknowledged(owner_id);
        for line in &world.lines {
            for asked in [Asked::Strong, Asked::AtLeast(newest)] {
                let mut looks = 0;
                while !caller.look_at(line, owner_id, asked).await {
                    looks += 1;
                    assert!(looks < LAST_LOOKS_MAX, "a whole replica does not answer");
                }
            }
        }
    }
}

impl Report {
    /// What must not be.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// In a line.
    pub fn summary(&self) -> String {
        let ends = |which: fn(&Answer) -> bool| {
            let calls = self.history.calls.iter();
            let ended = |answers: &[fealty_tests::history::Answered]| {
                answers.iter().any(|answered| which(&answered.answer))
            };
            calls.filter(|call| ended(&call.answers)).count()
        };
        let [attempts, replayed] = self.attempts;
        let unanswered: u64 = self.unanswered.values().sum();
        format!(
            "seed {}: {} calls, of which {} took effect and {} were refused; {attempts} attempts, {unanswered} unanswered, \
             {replayed} answered again; {} reads; {} events; {} faults; {} violations",
            self.plan.seed,
            self.history.calls.len(),
            ends(|answer| matches!(answer, Answer::Took(_))),
            ends(|answer| matches!(answer, Answer::Refused(_))),
            self.history.reads.len(),
            self.history.feeds.values().map(Vec::len).sum::<usize>(),
            self.nemesis_log.lines().count(),
            self.violations.len(),
        )
    }

    /// What took effect, by what its callers call it.
    fn took(&self) -> BTreeMap<&str, usize> {
        let took = |call: &&Call| {
            let mut answers = call.answers.iter();
            answers.any(|answered| matches!(answered.answer, Answer::Took(_)))
        };
        let mut counts = BTreeMap::new();
        for call in self.history.calls.iter().filter(took) {
            let what = call.mark.split(' ').next().unwrap_or_default();
            *counts.entry(what).or_default() += 1;
        }
        counts
    }

    /// Everything was done, and something went wrong with it.
    pub fn assert_lively(&self) {
        let took = self.took();
        let took_count: usize = took.values().sum();
        let [_, replayed] = self.attempts;
        assert!(
            took_count >= TOOK_COUNT_MIN
                && WISHES.iter().all(|what| took.contains_key(what))
                && !self.unanswered.is_empty()
                && replayed > 0,
            "too little happened to tell anything: {}\n{took:?}\n{}",
            self.summary(),
            self.nemesis_log
        );
    }

    /// Everything goes together, and `fealty verify` says so, too.
    pub fn assert_clean(&self) {
        assert!(self.violations.is_empty(), "{}", self.told());
        let is_verified = self.verification.status.success();
        assert!(is_verified, "{}{}", self.told(), self.verification.stdout);
    }

    /// The first violations, how many there are of each kind, and what was done.
    pub fn told(&self) -> String {
        let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
        for violation in &self.violations {
            *counts.entry(violation.kind).or_default() += 1;
        }
        let mut told = format!(
            "{}\n{:?}\ntook effect: {:?}\nunanswered: {:?}\n{counts:?}\n",
            self.summary(),
            self.plan,
            self.took(),
            self.unanswered
        );
        for violation in self.violations.iter().take(VIOLATIONS_SHOWN_MAX) {
            let _ = writeln!(told, "  {violation}");
        }
        let _ = writeln!(told, "what was done:\n{}", self.nemesis_log);
        told
    }
}
