//! `fealty demo`.

use std::process::Command;

use nix::sys::signal::Signal;

use crate::run::{Outcome, Running, SERVICES, fealty, printed};

/// A year of a few people takes some seconds, and minutes on a machine that does other things too: so often the bound of
/// a line is waited out.
const PATIENCE: usize = 4;

#[test]
fn a_played_year_is_shown_with_books_that_agree_and_calls_that_answer() -> Outcome {
    let ports = SERVICES.map(|name| [format!("--{name}-port=0"), format!("--{name}-admin-port=0")]);
    let mut command = fealty(["demo", "--seed", "3", "--people", "8"]);
    command.args(ports.as_flattened());
    let mut running = Running::start(command)?;

    let mut shown = running.lines_up_to("Three calls");
    for _ in 1..PATIENCE {
        if shown.is_err() {
            shown = running.lines_up_to("Three calls");
        }
    }
    let shown = shown?.join("\n");
    for part in [
        "Members by stage",
        "issued",
        "Top rewards",
        "Net Promoter Score",
        "  key      fealty_",
    ] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    let members: u32 = ["bought once", "occasional", "regular"]
        .into_iter()
        .filter_map(|stage| number_after(&shown, stage))
        .sum();
    assert_eq!(members, 8, "{shown}");

    for service in ["--ledger", "--rewards", "--surveys"] {
        let line = running
            .lines_up_to(&format!("call {service}"))?
            .pop()
            .unwrap_or_default();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(line).current_dir("/");
        let answer = printed(shell)?;
        assert!(answer.trim_start().starts_with('{'), "{answer}");
    }
    running.signal(Signal::SIGINT)?;
    let ended = running.wait()?;
    assert!(ended.success(), "{ended}: {}", running.errors());
    Ok(())
}

fn number_after(shown: &str, label: &str) -> Option<u32> {
    let line = shown.lines().find_map(|line| line.trim().strip_prefix(label))?;
    line.trim().parse().ok()
}
