//! `fealty keys list`.

use chrono::{DateTime, SecondsFormat, Utc};
use fealty_members::api_keys::domain::ApiKey;
use fealty_members::operator::Operator;
use fealty_types::{ApiKeyId, ProgramId};

use super::scopes;
use crate::tool;

/// Programs read at a time.
const PROGRAMS_PAGE_SIZE: i64 = 100;

/// Prints the keys of one program, of the suite, or of both and all programs.
pub(super) async fn print(
    operator: &Operator,
    program_id: Option<ProgramId>,
    suite: bool,
) -> anyhow::Result<()> {
    if suite || program_id.is_some() {
        return print_keys(operator, program_id).await;
    }
    tool::print_line("suite")?;
    print_keys(operator, None).await?;
    let mut after = None;
    loop {
        let programs = operator.list_programs(after, PROGRAMS_PAGE_SIZE).await?;
        let Some(last) = programs.last() else {
            return Ok(());
        };
        after = Some(last.program_id);
        for program in programs {
            tool::print_line(&format!(
                "program {} {}",
                program.program_id,
                program.display_name.as_str()
            ))?;
            print_keys(operator, Some(program.program_id)).await?;
        }
    }
}

async fn print_keys(operator: &Operator, program_id: Option<ProgramId>) -> anyhow::Result<()> {
    let mut after: Option<ApiKeyId> = None;
    loop {
        let keys = operator.list_keys(program_id, after).await?;
        let Some(last) = keys.last() else {
            return Ok(());
        };
        after = Some(last.api_key_id);
        for key in &keys {
            tool::print_line(&line(key))?;
        }
    }
}

fn line(key: &ApiKey) -> String {
    let end = match (key.revoke_time, key.expire_time) {
        (Some(revoke_time), _) => format!("revoked {}", time(revoke_time)),
        (None, Some(expire_time)) => format!("ends {}", time(expire_time)),
        (None, None) => "without end".to_owned(),
    };
    format!(
        "  {} {} \"{}\" made {}, {end}: {}",
        key.api_key_id,
        key.short_id,
        key.display_name.as_str(),
        time(key.create_time),
        scopes::names(key.scopes.iter().copied()),
    )
}

/// A time as people and programs read it.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
