//! The rows in flight: many customers side by side, each in the file's order.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::args::Args;
use super::input::{Input, Numbered};
use super::order::InOrder;
use super::progress::Display;
use super::rejected::RejectedRows;
use super::rows::Row;
use super::send::{Sender, Stopped};
use super::state::{Notes, Progress};
use super::tally::Outcome;

/// Rows that wait in front of each lane: a lane whose customer is slow does not stop the others at once.
const LANE_DEPTH: usize = 16;
/// How often it is noted how far the import came. What lies beyond the notes after a kill is merely asked again.
const NOTE_INTERVAL: Duration = Duration::from_secs(1);

/// A row that is done.
struct Done {
    index: u64,
    line: u64,
    end_bytes: u64,
    outcome: Outcome,
}

/// What a part of the import ends with: the reader with the rows of the file, if it came to its end.
type Ended = Result<Option<u64>, Stopped>;

/// Sends every row that is not done yet.
pub async fn run(
    args: &Args,
    sender: Sender,
    before: Progress,
    notes: &Notes,
    cancelled: CancellationToken,
) -> anyhow::Result<Progress> {
    let input = Input::open(args)?;
    let first = before.done_count;
    let mut tasks: JoinSet<Ended> = JoinSet::new();
    let (rows_in, rows) = mpsc::channel(args.in_flight);
    tasks.spawn_blocking(move || input.send_from(first, &rows_in));
    let (done_in, done) = mpsc::channel(args.in_flight);
    let lanes = start_lanes(args.in_flight, &sender, &done_in, &mut tasks);
    drop(done_in);
    tasks.spawn(async move {
        distribute(rows, &lanes, &cancelled).await;
        Ok(None)
    });

    let total_bytes = std::fs::metadata(&args.file)?.len();
    let progress = Book::open(before, notes, total_bytes)?.keep(done).await?;
    let row_count = ends(tasks).await?;
    anyhow::ensure!(
        row_count == Some(progress.done_count),
        "interrupted; the same command goes on from here"
    );
    Ok(progress)
}

/// How the parts ended: the rows of the file, or the earliest row at which a lane had to stop.
async fn ends(mut tasks: JoinSet<Ended>) -> anyhow::Result<Option<u64>> {
    let mut row_count = None;
    let mut cut_off: Option<Stopped> = None;
    while let Some(task) = tasks.join_next().await {
        match task.context("a part of the import failed")? {
            Ok(rows) => row_count = row_count.or(rows),
            Err(stopped)
                if cut_off
                    .as_ref()
                    .is_none_or(|before| stopped.line() < before.line()) =>
            {
                cut_off = Some(stopped);
            }
            Err(_) => {}
        }
    }
    match cut_off {
        Some(stopped) => {
            Err(anyhow::Error::new(stopped).context("stopped; the same command goes on from here"))
        }
        None => Ok(row_count),
    }
}

fn start_lanes(
    count: usize,
    sender: &Sender,
    done: &mpsc::Sender<Done>,
    tasks: &mut JoinSet<Ended>,
) -> Vec<mpsc::Sender<Numbered>> {
    (0..count)
        .map(|_| {
            let (lane_in, lane) = mpsc::channel(LANE_DEPTH);
            tasks.spawn(work(lane, sender.clone(), done.clone()));
            lane_in
        })
        .collect()
}

async fn work(mut lane: mpsc::Receiver<Numbered>, sender: Sender, done: mpsc::Sender<Done>) -> Ended {
    while let Some(numbered) = lane.recv().await {
        let outcome = sender.send(numbered.line, numbered.row).await?;
        let row = Done {
            index: numbered.index,
            line: numbered.line,
            end_bytes: numbered.end_bytes,
            outcome,
        };
        if done.send(row).await.is_err() {
            break;
        }
    }
    Ok(None)
}

/// Gives each customer's rows to one lane. Ends with the file, with a lane that stopped, or when asked to.
async fn distribute(
    mut rows: mpsc::Receiver<Numbered>,
    lanes: &[mpsc::Sender<Numbered>],
    cancelled: &CancellationToken,
) {
    loop {
        let next = tokio::select! {
            biased;
            () = cancelled.cancelled() => return,
            next = rows.recv() => next,
        };
        let Some(numbered) = next else { return };
        let lane = lane_of(&numbered, lanes.len());
        if lanes[lane].send(numbered).await.is_err() {
            return;
        }
    }
}

fn lane_of(numbered: &Numbered, count: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    match &numbered.row {
        Row::Purchase(movement) | Row::Refund(movement) => movement.customer.hash(&mut hasher),
        // Nothing is sent for these: any lane will do.
        Row::Anonymous { .. } | Row::Rejected { .. } => numbered.index.hash(&mut hasher),
    }
    // The remainder is smaller than a usize.
    usize::try_from(hasher.finish() % count as u64).unwrap_or(0)
}

/// Counts what is done, in the file's order, and notes it down.
struct Book<'a> {
    progress: Progress,
    in_order: InOrder<Done>,
    rejected: RejectedRows,
    notes: &'a Notes,
    display: Display,
    noted: Instant,
}

impl<'a> Book<'a> {
    fn open(progress: Progress, notes: &'a Notes, total_bytes: u64) -> anyhow::Result<Self> {
        let rejected = RejectedRows::open(&notes.rejected, progress.rejected_size_bytes)
            .with_context(|| format!("cannot write {}", notes.rejected.display()))?;
        Ok(Self {
            in_order: InOrder::starting_at(progress.done_count),
            rejected,
            notes,
            display: Display::begin(total_bytes, progress.done_count, progress.done_bytes),
            noted: Instant::now(),
            progress,
        })
    }

    /// Until no more rows come.
    async fn keep(mut self, mut done: mpsc::Receiver<Done>) -> anyhow::Result<Progress> {
        while let Some(row) = done.recv().await {
            self.in_order.push(row.index, row);
            self.count_what_is_in_order()?;
            if self.noted.elapsed() >= NOTE_INTERVAL {
                self.note()?;
            }
            self.display
                .show(self.progress.done_count, self.progress.done_bytes);
        }
        self.note()?;
        self.display.finish(self.progress.done_count);
        Ok(self.progress)
    }

    fn count_what_is_in_order(&mut self) -> anyhow::Result<()> {
        while let Some(row) = self.in_order.pop() {
            self.progress.tally.count(row.line, &row.outcome)?;
            if let Outcome::Rejected { reason, .. } = &row.outcome {
                self.rejected.push(row.line, reason)?;
            }
            self.progress.done_bytes = row.end_bytes;
            self.progress.done_count = self.in_order.done_count();
        }
        Ok(())
    }

    fn note(&mut self) -> anyhow::Result<()> {
        self.progress.rejected_size_bytes = self.rejected.flush()?;
        self.notes.save(&self.progress).context("cannot keep notes")?;
        self.noted = Instant::now();
        Ok(())
    }
}
