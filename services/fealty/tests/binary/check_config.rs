//! `fealty check-config`.

use std::fs;

use crate::run::{Outcome, fealty, output, printed, text};

#[test]
fn every_mistake_is_named_and_the_exit_code_says_so() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("fealty.toml");
    fs::write(
        &file,
        "speed = 9\n\
         [members]\ndatabase_ulr = \"postgres://x\"\n\
         [members.grpc]\nlisten = \"nowhere\"\n\
         [ledger.pool]\nsize = 0\n\
         [ledger.cache]\ntimeout_ms = -1\n\
         [drain]\ndrain_timeout_ms = 1\n\
         [telemetry]\nlog_format = \"loud\"\n",
    )?;
    let mut command = fealty(["check-config", file.to_str().ok_or("no text")?]);
    command.env("FEALTY__LEDGER__SERVER__CONNECTIONS_MAX", "many");
    let refused = output(command)?;
    let told = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    for mistake in [
        "speed",
        "members.vault.master_key",
        "members.database_ulr",
        "members.grpc.listen",
        "ledger.pool.size",
        "ledger.cache.timeout_ms",
        "drain.drain_timeout_ms",
        "telemetry.log_format",
        "ledger.server.connections_max",
        "FEALTY__LEDGER__SERVER__CONNECTIONS_MAX",
    ] {
        assert!(told.contains(mistake), "{mistake} is not in {told}");
    }
    Ok(())
}

#[test]
fn a_file_in_order_is_told_so_and_a_missing_one_is_named() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("fealty.toml");
    let name = file.to_str().ok_or("no text")?;
    let missing = output(fealty(["check-config", name]))?;
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains(name), "{}", text(&missing.stderr));

    fs::write(&file, "[ledger.pool]\nsize = 4\n")?;
    assert!(printed(fealty(["check-config", name, "--services", "ledger"]))?.contains("in order"));
    let without_key = output(fealty(["check-config", name]))?;
    for field in ["members.vault.master_key", "surveys.vault.master_key"] {
        assert!(text(&without_key.stderr).contains(field));
    }
    let mut with_key = fealty(["check-config", name]);
    for variable in [
        "FEALTY__MEMBERS__VAULT__MASTER_KEY",
        "FEALTY__SURVEYS__VAULT__MASTER_KEY",
    ] {
        with_key.env(variable, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    }
    assert!(printed(with_key)?.contains("in order"));
    Ok(())
}
