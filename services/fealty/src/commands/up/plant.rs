//! A first program and the keys that everything begins with.

use anyhow::Context as _;
use fealty_client::{ClientConfig, LedgerClient, MembersClient};
use fealty_members::api_keys::domain::{KeyScopes, NewApiKey};
use fealty_members::display_name::DisplayName;
use fealty_members::operator::Operator;
use fealty_members::programs::domain::{NewProgram, Program};
use fealty_postgres::{PoolConfig, connect};
use fealty_proto::access::v1::Scope;
use fealty_proto::ledger::v1::ListUnitsRequest;
use fealty_proto::members::v1::GetProgramRequest;
use fealty_rpc::access::ApiKeySecret;
use fealty_types::{ApiKeyId, Clock as _, ProgramId, SystemClock};

use super::taken::Patience;
use crate::commands::keys::all_of_program;
use crate::kept::Kept;
use crate::services::ServiceName;

/// The first program, where there is none.
const PROGRAM_NAME: &str = "Demo shop";
const PROGRAM_CURRENCY: &str = "GBP";

/// Plants what is missing and notes the keys' texts. Answers the program that the printed key is of.
pub(super) async fn plant(members_jobs_url: &str, kept: &mut Kept) -> anyhow::Result<Program> {
    let lone = PoolConfig {
        size: 1,
        ..PoolConfig::default()
    };
    let pool = connect(members_jobs_url, "fealty-up", &lone).await?;
    let operator = Operator::new(pool.clone(), SystemClock::shared());
    let program = match operator.list_programs(None, 1).await?.pop() {
        Some(program) => program,
        None => operator.create_program(first_program()?).await?,
    };
    for service in ServiceName::ALL {
        let (name, scopes) = service_key(service);
        plant_key(&operator, kept.keys.of_mut(service), (None, name, scopes)).await?;
    }
    let first = (Some(program.program_id), "first key", all_of_program());
    plant_key(&operator, &mut kept.keys.program, first).await?;
    pool.close().await;
    Ok(program)
}

/// What a service may ask of the others: what its own work needs, and nothing else.
fn service_key(service: ServiceName) -> (&'static str, Vec<Scope>) {
    match service {
        ServiceName::Members => (
            "members calls and follows the ledger",
            vec![Scope::OwnersWrite, Scope::EventsRead, Scope::LedgerWrite],
        ),
        ServiceName::Ledger => ("the ledger follows members", vec![Scope::AccessFeed]),
        ServiceName::Rewards => (
            "rewards asks and follows members, and asks the ledger",
            vec![
                Scope::AccessFeed,
                Scope::EventsRead,
                Scope::ErasuresConfirm,
                Scope::MembersRead,
                Scope::LedgerRead,
                Scope::LedgerWrite,
            ],
        ),
        ServiceName::Surveys => (
            "surveys asks and follows members, and follows the ledger",
            vec![
                Scope::AccessFeed,
                Scope::ErasuresConfirm,
                Scope::EventsRead,
                Scope::MembersRead,
                Scope::ContactsWrite,
            ],
        ),
    }
}

fn first_program() -> anyhow::Result<NewProgram> {
    Ok(NewProgram {
        display_name: DisplayName::try_new(PROGRAM_NAME)?,
        time_zone: chrono_tz::UTC,
        currency_code: PROGRAM_CURRENCY.parse()?,
    })
}

/// Makes a key, unless the kept one is still good: keys of `up` are revoked like any other, and one that an earlier
/// version made may lack a scope that there was none of then.
async fn plant_key(
    operator: &Operator,
    text: &mut String,
    (program_id, name, scopes): (Option<ProgramId>, &str, Vec<Scope>),
) -> anyhow::Result<()> {
    if is_good(operator, program_id, text, &scopes).await? {
        return Ok(());
    }
    let scopes = match program_id {
        Some(_) => KeyScopes::of_program(scopes)?,
        None => KeyScopes::of_suite(scopes)?,
    };
    let new = NewApiKey {
        display_name: DisplayName::try_new(name)?,
        scopes,
        staff_id: None,
        expire_time: None,
    };
    let created = operator.create_key(program_id, new).await?;
    let secret = created.secret.context("the new key came without its text")?;
    secret.expose().clone_into(text);
    Ok(())
}

async fn is_good(
    operator: &Operator,
    program_id: Option<ProgramId>,
    text: &str,
    wanted: &[Scope],
) -> anyhow::Result<bool> {
    let Ok(secret) = ApiKeySecret::parse(text) else {
        return Ok(false);
    };
    let now = SystemClock.now();
    let mut after: Option<ApiKeyId> = None;
    loop {
        let page = operator.list_keys(program_id, after).await?;
        let Some(last) = page.last() else {
            return Ok(false);
        };
        after = Some(last.api_key_id);
        if let Some(key) = page.iter().find(|key| key.short_id == secret.short_id()) {
            let ended = key.expire_time.is_some_and(|expire_time| expire_time <= now);
            let suffices = wanted.iter().all(|scope| key.scopes.as_slice().contains(scope));
            let holds = key.revoke_time.is_none() && !ended && suffices;
            return Ok(holds && secret.matches(&key.secret_sha256));
        }
    }
}

/// Calls services with the key that will be printed: when it is said to work, it has.
pub(super) async fn try_key(kept: &Kept, program_id: ProgramId) -> anyhow::Result<()> {
    let config = |endpoint: &str| ClientConfig::new(endpoint, &kept.keys.program);
    let members = MembersClient::try_new(&config(kept.addresses.of(ServiceName::Members)))?;
    let answer = Patience::WHILE_STARTING
        .until_taken(ServiceName::Members, async || {
            members.get_program(GetProgramRequest {}).await
        })
        .await?
        .into_message();
    let named = answer.program.map(|program| program.program_id);
    anyhow::ensure!(
        named == Some(program_id.to_string()),
        "the planted key is of program {named:?}, not of {program_id}"
    );
    let ledger = LedgerClient::try_new(&config(kept.addresses.of(ServiceName::Ledger)))?;
    Patience::WHILE_STARTING
        .until_taken(ServiceName::Ledger, async || {
            ledger.list_units(ListUnitsRequest::default()).await
        })
        .await?;
    Ok(())
}
