//! `fealty import purchases`: a shop's history, streamed into the ledger through the typed client.
//!
//! A reader takes the file row by row. Each row goes to one of a fixed number of lanes, chosen by its customer, so that
//! a customer's rows keep the file's order while the customers run side by side. What became of each row is put back
//! into the file's order, counted, and noted on disk once a second: a killed import goes on from there, and what it had
//! sent beyond is answered by the ledger as it was the first time, because a row's request id follows from its receipt.

mod args;
mod input;
mod lanes;
mod order;
mod progress;
mod reconciliation;
mod rejected;
mod rows;
mod rules;
mod send;
mod state;
mod tally;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use fealty_client::{ClientConfig, LedgerClient, MembersClient};
use fealty_proto::ledger::v1::SummarizePurchasesRequest;
use fealty_proto::members::v1::{GetPolicyRequest, GetProgramRequest, Program};
use tokio_util::sync::CancellationToken;

pub use args::Args;
use reconciliation::{LedgerSums, Reconciliation};
use rules::Rules;
use send::Sender;
use state::{Identity, Notes, Progress};

/// How long one row may take with all its retries: an import waits out a restart of any part.
const ROW_DEADLINE: Duration = Duration::from_mins(2);
/// Retries a second that are always allowed: with one caller who waits for each, a storm cannot come of it.
const RETRIES_PER_SECOND: u32 = 1_000;
/// Calls that a server takes at once on one connection.
const CALLS_PER_CONNECTION: usize = 64;
/// The ledger's bound on a source's name.
const SOURCE_LENGTH_MAX: usize = 64;

/// Runs the import and prints its reconciliation. Ok(false): the file and the ledger differ.
pub async fn run(args: Args, cancelled: CancellationToken) -> anyhow::Result<bool> {
    let (members, ledger) = clients(&args)?;
    let program = members
        .get_program(GetProgramRequest {})
        .await?
        .into_message()
        .program;
    let program = program.context("the members service names no program")?;
    let source = source_name(&args);
    let identity = Identity::read(&args, &source, &program.program_id)
        .with_context(|| format!("cannot read {}", args.file.display()))?;
    let notes = Notes::at(args.state_dir.as_deref(), &identity).context("cannot keep notes")?;
    let before = begin(&notes, identity)?;

    let sender = sender(&args, (&members, &ledger), &program, &source).await?;
    let done = lanes::run(&args, sender, before, &notes, cancelled).await?;
    let summary = ledger
        .within(ROW_DEADLINE)
        .summarize_purchases(SummarizePurchasesRequest {
            source: source.clone(),
            ..SummarizePurchasesRequest::default()
        })
        .await?;
    let ledger_sums = LedgerSums::parse(&summary);
    let reconciliation = Reconciliation {
        source,
        currency_code: program.currency_code,
        differences: reconciliation::compare(&done.tally, &ledger_sums),
        rejected_file: (done.tally.rejected.count > 0).then(|| notes.rejected.clone()),
        file: done.tally,
        ledger: ledger_sums,
    };
    print!("{reconciliation}");
    if let Some(path) = &args.report {
        write_report(path, &reconciliation)?;
    }
    notes.forget_progress().context("cannot remove the notes")?;
    Ok(reconciliation.differences.is_empty())
}

fn begin(notes: &Notes, identity: Identity) -> anyhow::Result<Progress> {
    if let Some(progress) = notes.find_progress(&identity) {
        eprintln!("going on after {} rows that are done", progress.done_count);
        return Ok(progress);
    }
    let fresh = Progress {
        identity,
        done_count: 0,
        done_bytes: 0,
        rejected_size_bytes: 0,
        tally: tally::Tally::default(),
    };
    notes.save(&fresh).context("cannot keep notes")?;
    Ok(fresh)
}

fn clients(args: &Args) -> anyhow::Result<(MembersClient, LedgerClient)> {
    let config = |endpoint: &str| {
        let mut config = ClientConfig::new(endpoint, &args.key);
        config.deadline = ROW_DEADLINE;
        config.connection_count = args.in_flight.div_ceil(CALLS_PER_CONNECTION);
        config.retry.attempt_count_max = u32::MAX;
        config.retry.budget_per_second_min = RETRIES_PER_SECOND;
        config
    };
    Ok((
        MembersClient::try_new(&config(&args.members))?,
        LedgerClient::try_new(&config(&args.ledger))?,
    ))
}

async fn sender(
    args: &Args,
    (members, ledger): (&MembersClient, &LedgerClient),
    program: &Program,
    source: &str,
) -> anyhow::Result<Sender> {
    let policy_version = if args.enrol {
        let in_force = members
            .get_policy(GetPolicyRequest { version: 0 })
            .await
            .context("--enrol needs a policy in force")?;
        Some(in_force.into_message().policy.unwrap_or_default().version)
    } else {
        None
    };
    let currency = program.currency_code.parse().context("the program's currency")?;
    let rules = Rules::read(ledger).await?;
    let clients = (members.clone(), ledger.clone());
    Ok(Sender::new(clients, rules, source, currency, policy_version))
}

fn source_name(args: &Args) -> String {
    args.source.clone().unwrap_or_else(|| {
        let stem = args.file.file_stem().unwrap_or_default().to_string_lossy();
        format!("import:{stem}").chars().take(SOURCE_LENGTH_MAX).collect()
    })
}

fn write_report(path: &Path, reconciliation: &Reconciliation) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(reconciliation)?;
    std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
}
