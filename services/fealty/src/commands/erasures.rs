//! `fealty erasures`: the list of who was erased, kept outside the databases, and done again after a restore.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use fealty_client::{ClientConfig, MembersClient};
use fealty_members::SERVICE_DATABASE;
use fealty_proto::members::v1::{EraseMemberRequest, Erasure, ErasureCause, ListErasuresRequest};
use fealty_proto::types::v1::ErrorReason;
use fealty_vault::{MasterKey, Vault};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::kept::Kept;
use crate::tool;

/// Erasures of one call.
const PAGE_SIZE: i32 = 200;

/// What can be done with erasures.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the program's erasures, a line of JSON each, oldest first: what to keep apart from the backups.
    List(Service),
    /// Erase again whoever is on such a list, after a database was restored. What stands already stays; run it again
    /// whenever it was cut off.
    Replay(ReplayArgs),
    /// Print the public key that receipts are signed under now, in hexadecimal.
    Key(KeyArgs),
}

/// Where members is, and as whom to call.
#[derive(Debug, clap::Args)]
pub struct Service {
    /// A key of the program with the scope personal-data-erase.
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
}

/// Whom to erase again.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// The list, as `fealty erasures list` printed it.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    service: Service,
}

/// Whose key.
#[derive(Debug, clap::Args)]
pub struct KeyArgs {
    /// The config file of members.
    #[arg(long, value_name = "FILE", env = "FEALTY_CONFIG")]
    config: Option<PathBuf>,
    /// The data folder that `fealty up` runs in.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// A line of the list. It names records that nothing leads to a person from.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    erasure_id: String,
    member_id: String,
    cause: String,
    complete: bool,
}

/// Runs a command over erasures.
#[must_use]
pub fn run(command: Command) -> ExitCode {
    tool::run(async move {
        match command {
            Command::List(service) => list(&service).await?,
            Command::Replay(args) => replay(&args).await?,
            Command::Key(args) => key(&args)?,
        }
        Ok(true)
    })
}

impl Service {
    fn client(&self) -> anyhow::Result<MembersClient> {
        Ok(MembersClient::try_new(&ClientConfig::new(
            &self.members,
            &self.key,
        ))?)
    }
}

async fn list(service: &Service) -> anyhow::Result<()> {
    let members = service.client()?;
    let mut page_token = String::new();
    loop {
        let request = ListErasuresRequest {
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = members.list_erasures(request).await?.into_message();
        for erasure in &page.erasures {
            tool::print_line(&serde_json::to_string(&line_of(erasure))?)?;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(());
        }
    }
}

fn line_of(erasure: &Erasure) -> Line {
    Line {
        erasure_id: erasure.erasure_id.clone(),
        member_id: erasure.member_id.clone(),
        cause: erasure.cause().as_str_name().to_owned(),
        complete: erasure.receipt.is_some(),
    }
}

async fn replay(args: &ReplayArgs) -> anyhow::Result<()> {
    let members = args.service.client()?;
    let file = File::open(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let (mut erased_count, mut missing_count, mut refused_count) = (0_u64, 0_u64, 0_u64);
    for (number, text) in BufReader::new(file).lines().enumerate() {
        let text = text?;
        let place = || format!("line {} of {}", number + 1, args.file.display());
        if text.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&text).with_context(place)?;
        match erase_again(&members, &line).await {
            Ok(true) => erased_count += 1,
            Ok(false) => missing_count += 1,
            // Whoever comes after is not to stay because one person is held.
            Err(error) => {
                refused_count += 1;
                tool::print_line(&format!("{}: {error:#}", place()))?;
            }
        }
    }
    tool::print_line(&format!(
        "{erased_count} erased, {missing_count} of whom there is no record, {refused_count} refused"
    ))?;
    ensure!(
        refused_count == 0,
        "not everybody was erased: run it again when nothing stands in the way"
    );
    Ok(())
}

/// Under the id that it had. False when there is nobody to erase.
async fn erase_again(members: &MembersClient, line: &Line) -> anyhow::Result<bool> {
    let cause = ErasureCause::from_str_name(&line.cause).context("the cause is none")?;
    let request = |cause: ErasureCause| EraseMemberRequest {
        request_id: line.erasure_id.clone(),
        member_id: line.member_id.clone(),
        cause: cause.into(),
    };
    let mut erased = members.erase_member(request(cause)).await;
    // The end of the contract may have been told after the backup: they were erased then, and are now.
    if matches!(&erased, Err(error) if error.reason == Some(ErrorReason::RetentionNotEnded)) {
        erased = members.erase_member(request(ErasureCause::MemberRequest)).await;
    }
    match erased {
        Ok(_) => Ok(true),
        Err(error) if error.reason == Some(ErrorReason::ResourceNotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn key(args: &KeyArgs) -> anyhow::Result<()> {
    let text = master_key(args.config.as_deref(), args.data_dir.as_deref())?;
    let vault = Vault::new(MasterKey::parse(SERVICE_DATABASE, &text)?);
    let digits: Vec<String> = vault
        .signing_key()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    tool::print_line(&digits.concat())
}

fn master_key(config: Option<&Path>, data_dir: Option<&Path>) -> anyhow::Result<String> {
    match data_dir {
        Some(folder) => {
            let kept = Kept::find(folder)?;
            let kept =
                kept.with_context(|| format!("{} is no data folder of `fealty up`", folder.display()))?;
            Ok(kept.vault_master_key)
        }
        None => Ok(Config::load(config, &[])?
            .members
            .vault
            .master_key
            .expose()
            .clone()),
    }
}
