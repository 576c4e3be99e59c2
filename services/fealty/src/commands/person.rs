//! `fealty person`: what concerns one person in all services.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use fealty_client::{CallError, ClientConfig, LedgerClient, MembersClient, RewardsClient, SurveysClient};
use fealty_proto::access::v1::{ExportPersonalDataRequest, ExportPersonalDataResponse};
use fealty_types::{Clock as _, MemberId, SystemClock};
use serde_json::{Value, json};

use crate::tool;

/// Records of one call.
const PAGE_SIZE: i32 = 500;

/// What can be done about a person.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write everything that the suite keeps about a member as one JSON document.
    ///
    /// Each of the four services is asked for its own part, page by page, and what came is written at once, so a person of
    /// any size takes little memory. Asking is on record. It only reads: when it fails, run it again.
    Export(Box<ExportArgs>),
}

/// Whom to export, and from where.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The member. Records that were merged into theirs are exported by their own ids.
    #[arg(value_name = "MEMBER_ID")]
    member_id: MemberId,
    /// The file to write; standard output unless told.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// A key of the program with the scope personal-data-export.
    #[arg(long, env = "FEALTY_KEY", hide_env_values = true)]
    key: String,
    /// The members service.
    #[arg(
        long,
        value_name = "URL",
        env = "FEALTY_MEMBERS_URL",
        default_value = "http://127.0.0.1:7101"
    )]
    members: String,
    /// The ledger service.
    #[arg(
        long,
        value_name = "URL",
        env = "FEALTY_LEDGER_URL",
        default_value = "http://127.0.0.1:7102"
    )]
    ledger: String,
    /// The rewards service.
    #[arg(
        long,
        value_name = "URL",
        env = "FEALTY_REWARDS_URL",
        default_value = "http://127.0.0.1:7103"
    )]
    rewards: String,
    /// The surveys service.
    #[arg(
        long,
        value_name = "URL",
        env = "FEALTY_SURVEYS_URL",
        default_value = "http://127.0.0.1:7104"
    )]
    surveys: String,
}

/// Runs a command about a person.
#[must_use]
pub fn run(command: Command) -> ExitCode {
    let Command::Export(args) = command;
    tool::run(export(*args))
}

/// The service that is asked.
#[derive(Debug)]
enum Asked {
    Members(MembersClient),
    Ledger(LedgerClient),
    Rewards(RewardsClient),
    Surveys(SurveysClient),
}

impl Asked {
    const fn name(&self) -> &'static str {
        match self {
            Self::Members(_) => "members",
            Self::Ledger(_) => "ledger",
            Self::Rewards(_) => "rewards",
            Self::Surveys(_) => "surveys",
        }
    }

    async fn page(
        &self,
        request: ExportPersonalDataRequest,
    ) -> Result<ExportPersonalDataResponse, CallError> {
        let answer = match self {
            Self::Members(client) => client.export_personal_data(request).await?,
            Self::Ledger(client) => client.export_personal_data(request).await?,
            Self::Rewards(client) => client.export_personal_data(request).await?,
            Self::Surveys(client) => client.export_personal_data(request).await?,
        };
        Ok(answer.into_message())
    }
}

async fn export(args: ExportArgs) -> anyhow::Result<bool> {
    let config = |url: &str| ClientConfig::new(url, &args.key);
    let services = [
        Asked::Members(MembersClient::try_new(&config(&args.members))?),
        Asked::Ledger(LedgerClient::try_new(&config(&args.ledger))?),
        Asked::Rewards(RewardsClient::try_new(&config(&args.rewards))?),
        Asked::Surveys(SurveysClient::try_new(&config(&args.surveys))?),
    ];
    let mut out: Box<dyn Write + Send> = match &args.out {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(io::stdout()),
    };
    let mut count = 0;
    let begun =
        json!({"member_id": args.member_id.to_string(), "export_time": SystemClock.now().to_rfc3339()});
    let begun = begun.to_string();
    // The object goes on with its services, so its last brace is written last.
    write!(out, "{},\"services\":{{", begun.trim_end_matches('}'))?;
    for (place, service) in services.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(out, "{comma}\n\"{}\":[", service.name())?;
        count += write_records(&mut out, service, args.member_id).await?;
        write!(out, "]")?;
    }
    writeln!(out, "\n}}}}")?;
    out.flush()?;
    eprintln!("{count} records");
    Ok(true)
}

async fn write_records(
    out: &mut (dyn Write + Send),
    service: &Asked,
    member_id: MemberId,
) -> anyhow::Result<usize> {
    let mut count = 0;
    let mut page_token = String::new();
    loop {
        let request = ExportPersonalDataRequest {
            member_id: member_id.to_string(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = service
            .page(request)
            .await
            .with_context(|| format!("{} does not tell what it keeps", service.name()))?;
        for record in page.records {
            let content: Value = serde_json::from_str(&record.content_json)
                .with_context(|| format!("{} answered what is no JSON", service.name()))?;
            let comma = if count == 0 { "" } else { "," };
            write!(
                out,
                "{comma}\n{}",
                json!({"kind": record.kind, "content": content})
            )?;
            count += 1;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(count);
        }
    }
}
