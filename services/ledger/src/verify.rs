//! Verification: everything that was ever recorded is read again and recomputed, by code that shares nothing with the one
//! that wrote it: its own SQL, its own reading of rows, its own hashing (`services/ledger/CHAIN.md`).
//!
//! Owners are read in pages by (program, owner), each page in one REPEATABLE READ snapshot that only reads, so that it can
//! run beside a live ledger: what is posted meanwhile is seen whole or not at all. Pages are small where owners have many
//! transactions, and the transactions of a page are streamed: memory stays bounded whatever a program holds. What no page
//! can show (a receipt that comes twice, a purchase without its transaction, what moved between owners) is asked once per
//! program, a statement and a snapshot each.
//!
//! | part | what it does |
//! |---|---|
//! | `form` | hashes a row, by the page that tells how |
//! | `history` | walks an owner's transactions: versions, chain, entries, movements of lots, holds |
//! | `counterparts` | holds the two sides of a transfer to each other |
//! | `days` | adds up what owners sent on their last day |
//! | `sliding` | follows the ends to which activity moved what slides |
//! | `standing` | holds what the other tables say to what the history came to |
//! | `reversals` | holds reversals to what they took back |
//! | `page` | reads a page and does both |
//! | `program` | asks what is about a whole program |

mod counterparts;
mod days;
mod finding;
mod form;
mod history;
mod lots;
mod page;
mod program;
mod reversals;
mod rows;
mod sides;
mod sliding;
mod standing;
mod storage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fealty_postgres::transact::Isolation;
use fealty_postgres::{Scope, StorageError, TransactOptions, in_tx, transact};
use fealty_types::ProgramId;
use sqlx::postgres::PgPool;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use uuid::Uuid;

pub use finding::{Check, Finding, Findings};
use page::Page;
use program::{Question, Sides};
use storage::Mark;

/// Longest that one page or question may take. An owner with millions of transactions takes minutes; what hangs for an
/// hour is stuck.
const SNAPSHOT_DURATION_MAX: Duration = Duration::from_hours(1);

/// Attempts of one page: a connection may be lost now and then in an hour.
const ATTEMPTS_MAX: u32 = 3;

/// Pieces of work that wait for each worker: enough that none is ever without, few enough that memory does not see them.
const WAITING_PER_WORKER: usize = 2;

/// What is to be verified, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// One program only.
    pub program: Option<ProgramId>,
    /// Pages that are read at a time, each by a connection.
    pub parallel: u32,
    /// Findings that are kept; all are counted.
    pub findings_max: usize,
    /// What is read at a time.
    pub limits: Limits,
}

/// What bounds the memory of each worker.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Owners of a page.
    pub owners_per_page: i64,
    /// Transactions of a page, unless one owner has more. All that a page keeps grows with it.
    pub versions_per_page: i64,
    /// Lots that are summed up at a time. Whoever may have more is walked several times, a part of the lots each.
    pub lots_at_a_time: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A few statements for some hundred owners cost each next to nothing.
            owners_per_page: 256,
            versions_per_page: 20_000,
            // Some 20 MiB.
            lots_at_a_time: 200_000,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Report {
    /// Programs that were read.
    pub programs: u64,
    /// Owners that were read.
    pub owners: u64,
    /// Transactions that were recomputed.
    pub transactions: u64,
    /// Those among them that are older than the chain, and have no hash.
    pub unchained: u64,
    /// What is wrong.
    pub findings: Findings,
}

/// How far it is. Counts transactions, because owners differ.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

/// What a piece of work found.
#[derive(Debug, Default)]
struct Outcome {
    owners: u64,
    transactions: u64,
    unchained: u64,
    findings: Findings,
    /// What came into `program_moved`, by unit, in transactions from before the mark.
    moved: BTreeMap<String, i128>,
    /// What budgets gave, by code, in the same.
    funded: BTreeMap<String, i128>,
}

/// A piece of work for one snapshot.
#[derive(Debug, Clone)]
enum Piece {
    Owners(Page),
    Program(Uuid, Question),
}

impl Progress {
    /// Transactions that were recomputed, and how many there were at the start.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let total = self.total.load(Ordering::Relaxed);
        (self.done.load(Ordering::Relaxed), total)
    }
}

/// Reads everything by the jobs' role, which sees all programs. The pool needs a connection per worker, and one more.
pub async fn run(pool: &PgPool, options: &Options, progress: &Arc<Progress>) -> Result<Report, StorageError> {
    let programs = storage::find_programs(pool, options.program).await?;
    let total = storage::count_versions(pool, options.program).await?;
    progress.total.store(total, Ordering::Relaxed);
    let mark = storage::mark(pool).await?;

    let (sender, receiver) = mpsc::channel(WAITING_PER_WORKER * options.parallel.max(1) as usize);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut workers = JoinSet::new();
    for _ in 0..options.parallel.max(1) {
        let worker = Worker {
            pool: pool.clone(),
            mark,
            findings_max: options.findings_max,
            progress: Arc::clone(progress),
            pieces: Arc::clone(&receiver),
        };
        workers.spawn(worker.run());
    }
    drop(receiver);
    // Who cannot hand on its pieces has lost its workers to an error, which joining them tells.
    let planned = plan(pool, &programs, options.limits, &sender).await;
    drop(sender);

    let mut report = Report {
        programs: programs.len() as u64,
        ..Report::default()
    };
    report.findings.limit(options.findings_max);
    let mut sides = Sides::default();
    while let Some(joined) = workers.join_next().await {
        let outcomes = joined.map_err(|error| StorageError::corrupt("a worker", error))??;
        for (program, outcome) in outcomes {
            report.count(&outcome);
            report.findings.append(outcome.findings);
            sides.add(program, outcome.moved, outcome.funded);
        }
    }
    planned?;
    sides.check(pool, &programs, mark, &mut report.findings).await?;
    Ok(report)
}

/// Hands out all pieces: the questions first, since they take longest.
async fn plan(
    pool: &PgPool,
    programs: &[Uuid],
    limits: Limits,
    sender: &mpsc::Sender<Piece>,
) -> Result<(), StorageError> {
    for program in programs {
        for question in Question::ALL {
            if sender.send(Piece::Program(*program, question)).await.is_err() {
                return Ok(());
            }
        }
        let mut after = Uuid::nil();
        while after < Uuid::max() {
            let pages = page::plan(pool, limits, *program, after).await?;
            for page in pages {
                after = page.upto;
                if sender.send(Piece::Owners(page)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn add_all<K: Ord + Clone>(sums: &mut BTreeMap<K, i128>, more: &BTreeMap<K, i128>) {
    for (name, value) in more {
        *sums.entry(name.clone()).or_default() += value;
    }
}

/// Takes pieces until there are no more.
struct Worker {
    pool: PgPool,
    mark: Mark,
    findings_max: usize,
    progress: Arc<Progress>,
    pieces: Arc<Mutex<mpsc::Receiver<Piece>>>,
}

impl Worker {
    /// What was found, by program.
    async fn run(self) -> Result<BTreeMap<Uuid, Outcome>, StorageError> {
        let mut outcomes: BTreeMap<Uuid, Outcome> = BTreeMap::new();
        loop {
            let piece = self.pieces.lock().await.recv().await;
            let Some(piece) = piece else {
                return Ok(outcomes);
            };
            let outcome = self.check(&piece).await?;
            self.progress
                .done
                .fetch_add(outcome.transactions, Ordering::Relaxed);
            let whole = outcomes.entry(piece.program()).or_default();
            whole.findings.limit(self.findings_max);
            whole.add(outcome);
        }
    }

    async fn check(&self, piece: &Piece) -> Result<Outcome, StorageError> {
        let options = TransactOptions::read_only()
            .isolation(Isolation::RepeatableRead)
            .attempts_max(ATTEMPTS_MAX)
            .duration_max(SNAPSHOT_DURATION_MAX);
        let limit = self.findings_max;
        transact(&self.pool, "verify", Scope::Suite, options, |tx| {
            in_tx(async move {
                let mut outcome = Outcome::default();
                outcome.findings.limit(limit);
                match piece {
                    Piece::Owners(page) => page::check_in_tx(tx, page, self.mark, &mut outcome).await?,
                    Piece::Program(program, question) => {
                        question.ask_in_tx(tx, *program, &mut outcome.findings).await?;
                    }
                }
                Ok(outcome)
            })
        })
        .await
    }
}

impl Piece {
    const fn program(&self) -> Uuid {
        match self {
            Self::Owners(page) => page.program,
            Self::Program(program, _) => *program,
        }
    }
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.owners += other.owners;
        self.transactions += other.transactions;
        self.unchained += other.unchained;
        self.findings.append(other.findings);
        add_all(&mut self.moved, &other.moved);
        add_all(&mut self.funded, &other.funded);
    }
}

impl Report {
    const fn count(&mut self, outcome: &Outcome) {
        self.owners += outcome.owners;
        self.transactions += outcome.transactions;
        self.unchained += outcome.unchained;
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.findings.count() == 0
    }
}
