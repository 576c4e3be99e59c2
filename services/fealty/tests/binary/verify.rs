//! `fealty verify`.

use std::error::Error;
use std::path::Path;

use fealty::kept::Kept;
use nix::sys::signal::Signal;
use sqlx::{Connection as _, PgConnection};

use crate::run::{Outcome, Running, SERVICES, fealty, output, printed, text};

/// A year of a few people takes some seconds, and minutes on a machine that does other things too: so often the bound of
/// a line is waited out.
const PATIENCE: usize = 4;

#[test]
fn a_played_year_verifies_clean_and_a_changed_row_is_named() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_str().ok_or("no text")?;
    let ports = SERVICES.map(|name| [format!("--{name}-port=0"), format!("--{name}-admin-port=0")]);
    let mut command = fealty(["demo", "--seed", "5", "--people", "6", "--data-dir", path]);
    command.args(ports.as_flattened());
    let mut running = Running::start(command)?;
    let mut shown = running.lines_up_to("Three calls");
    for _ in 1..PATIENCE {
        if shown.is_err() {
            shown = running.lines_up_to("Three calls");
        }
    }
    shown?;

    let verified = printed(fealty(["verify", "--data-dir", path]))?;
    let last = verified.lines().last().unwrap_or_default();
    assert!(last.ends_with("all is well"), "{verified}");
    assert!(!last.starts_with("0 transactions"), "{verified}");

    let owner_id = change_an_account(folder.path())?;
    let found = output(fealty(["verify", "--data-dir", path, "--parallel", "2"]))?;
    let said = text(&found.stdout);
    assert_eq!(found.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("owner {owner_id}: account: available of ")),
        "{said}"
    );
    assert!(said.trim_end().ends_with("1 finding"), "{said}");

    let found = output(fealty([
        "verify",
        "--data-dir",
        path,
        "--json",
        "--findings",
        "0",
    ]))?;
    assert_eq!(found.status.code(), Some(1));
    let said: serde_json::Value = serde_json::from_slice(&found.stdout)?;
    assert_eq!(said["findings"]["count"], 1, "{said}");
    assert_eq!(said["unchained"], 0, "{said}");

    running.signal(Signal::SIGINT)?;
    let ended = running.wait()?;
    assert!(ended.success(), "{ended}: {}", running.errors());
    Ok(())
}

#[test]
fn without_a_ledger_it_says_so() -> Outcome {
    let nowhere = "postgres://nobody@127.0.0.1:1/fealty_ledger";
    let failed = output(fealty(["verify", "--database-url", nowhere]))?;
    assert_eq!(failed.status.code(), Some(1));
    let said = text(&failed.stderr);
    assert!(said.contains("the ledger database does not answer"), "{said}");
    Ok(())
}

/// Gives somebody a point that nobody credited; answers whom.
fn change_an_account(folder: &Path) -> Result<String, Box<dyn Error>> {
    let kept = Kept::find(folder)?.ok_or("up keeps its secrets")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut connection = PgConnection::connect(&kept.addresses.ledger_jobs_database_url).await?;
        let owner_id = sqlx::query_scalar(
            "UPDATE account SET available = available + 1 WHERE (program, owner_id, unit_code) = (
                 SELECT program, owner_id, unit_code FROM account WHERE available > 0 LIMIT 1)
             RETURNING owner_id::text",
        )
        .fetch_one(&mut connection)
        .await?;
        Ok(owner_id)
    })
}
