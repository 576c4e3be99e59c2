//! `fealty keys`: the door of operators, who have no key yet. It works on the members database itself.

mod list;
mod rotate;
mod scopes;
mod time;

use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::Subcommand;
use fealty_members::api_keys::CreatedKey;
use fealty_members::api_keys::domain::NewApiKey;
use fealty_members::display_name::DisplayName;
use fealty_members::operator::{KeyName, Operator};
use fealty_members::programs::domain::NewProgram;
use fealty_postgres::PoolConfig;
use fealty_types::{ApiKeyId, Clock as _, CurrencyCode, ProgramId, SystemClock};

use self::scopes::ScopeArg;
pub(crate) use self::scopes::all_of_program;
use super::database::{Database, Of};
use crate::tool;

/// What Postgres shows of the connection.
const APPLICATION: &str = "fealty-keys";

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key and print its text: once, since it is stored nowhere. The text is all that goes to standard output.
    Create(Box<CreateArgs>),
    /// List keys, oldest first, revoked ones among them. No secret is shown, since none is stored.
    List(ListArgs),
    /// End a key for good. All services that reach members heed it within 5 seconds, and the others once they do.
    Revoke(RevokeArgs),
    /// Wrap the keys of all persons under a new master key, after which the old one can be taken out of the config.
    ///
    /// It works in bounded steps beside running services. When it is cut off, run it again: it goes on where it was.
    Rotate(rotate::RotateArgs),
}

/// The key to make.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    #[command(flatten)]
    target: Target,
    /// Time zone of a new program, such as Europe/London: its days and months end there.
    #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "new_program")]
    time_zone: Tz,
    /// Money that a new program counts in, as ISO 4217 has it.
    #[arg(long, value_name = "CODE", requires = "new_program")]
    currency: Option<CurrencyCode>,
    /// What the key may do, separated by commas; "all" for everything that such a key can hold.
    #[arg(long, value_name = "SCOPE,...", value_delimiter = ',', required = true, long_help = scopes::long_help())]
    scopes: Vec<ScopeArg>,
    /// What the key is for.
    #[arg(long, value_name = "TEXT")]
    name: DisplayName,
    /// When it ends by itself: 2027-01-31T00:00:00Z, or after a while: 12h, 90d. Never unless told.
    #[arg(long, value_name = "TIME", value_parser = time::parse_end)]
    expires: Option<DateTime<Utc>>,
    #[command(flatten)]
    database: Database,
}

/// Whose key it is to be.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// A key of this program.
    #[arg(long, value_name = "ID")]
    program: Option<ProgramId>,
    /// A key of a new program of this name.
    #[arg(long, value_name = "NAME", requires = "currency")]
    new_program: Option<DisplayName>,
    /// A key of the whole suite: what services call each other with.
    #[arg(long)]
    suite: bool,
}

/// Which keys to list.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only this program's. Without it, those of the suite and of all programs.
    #[arg(long, value_name = "ID", conflicts_with = "suite")]
    program: Option<ProgramId>,
    /// Only those of the whole suite.
    #[arg(long)]
    suite: bool,
    #[command(flatten)]
    database: Database,
}

/// The key to end.
#[derive(Debug, clap::Args)]
pub struct RevokeArgs {
    /// Its id, or its short id: the part of its text between the first two underscores.
    #[arg(value_name = "ID|SHORT_ID")]
    key: String,
    #[command(flatten)]
    database: Database,
}

/// Runs a command over keys.
#[must_use]
pub fn run(command: Command) -> ExitCode {
    tool::run(async move {
        match command {
            Command::Create(args) => create(*args).await?,
            Command::List(args) => {
                let operator = operator(&args.database).await?;
                list::print(&operator, args.program, args.suite).await?;
            }
            Command::Revoke(args) => revoke(args).await?,
            Command::Rotate(args) => rotate::rotate(args).await?,
        }
        Ok(true)
    })
}

async fn create(args: CreateArgs) -> anyhow::Result<()> {
    let scopes = scopes::resolve(&args.scopes, args.target.suite)?;
    let operator = operator(&args.database).await?;
    let program_id = match (args.target.new_program, args.currency) {
        (Some(display_name), Some(currency_code)) => {
            let new = NewProgram {
                display_name,
                time_zone: args.time_zone,
                currency_code,
            };
            Some(create_program(&operator, new).await?)
        }
        _ => args.target.program,
    };
    let new = NewApiKey {
        display_name: args.name,
        scopes,
        staff_id: None,
        expire_time: args.expires,
    };
    let CreatedKey { api_key, secret } = operator
        .create_key(program_id, new)
        .await
        .context("the key could not be made")?;
    eprintln!("key {} ({})", api_key.api_key_id, api_key.short_id);
    let secret = secret.context("the new key came without its text")?;
    tool::print_line(secret.expose())
}

async fn create_program(operator: &Operator, new: NewProgram) -> anyhow::Result<ProgramId> {
    let program = operator
        .create_program(new)
        .await
        .context("the program could not be made")?;
    eprintln!("program {}", program.program_id);
    Ok(program.program_id)
}

async fn revoke(args: RevokeArgs) -> anyhow::Result<()> {
    let name = args
        .key
        .parse::<ApiKeyId>()
        .map_or_else(|_| KeyName::ShortId(args.key.clone()), KeyName::Id);
    let operator = operator(&args.database).await?;
    let key = operator
        .revoke_key(&name)
        .await
        .with_context(|| format!("key {name} could not be revoked"))?;
    let revoke_time = key.revoke_time.unwrap_or_else(|| SystemClock.now());
    tool::print_line(&format!(
        "key {} ({}) is revoked since {}",
        key.api_key_id,
        key.short_id,
        list::time(revoke_time)
    ))
}

/// Connects, and checks the schema.
async fn operator(database: &Database) -> anyhow::Result<Operator> {
    let lone = PoolConfig {
        size: 1,
        ..PoolConfig::default()
    };
    let pool = database.connect(Of::Members, APPLICATION, &lone).await?;
    Ok(Operator::new(pool, SystemClock::shared()))
}
