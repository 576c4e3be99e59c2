//! What is printed once everything stands.

use std::env::current_exe;
use std::path::Path;

use fealty_members::programs::domain::Program;

use super::ports::AdminAddresses;
use crate::kept::Kept;
use crate::tool;

/// Prints where everything is, the key, and a first call in two ways: by this binary, which every machine has, and by a
/// client of others.
pub(super) fn print(
    kept: &Kept,
    program: &Program,
    admins: &AdminAddresses,
    (folder, ephemeral): (&Path, bool),
) -> anyhow::Result<()> {
    let fate = if ephemeral {
        "goes with the end".to_owned()
    } else {
        "kept; its secrets are in up.json".to_owned()
    };
    let (members, ledger) = (&kept.addresses.members, &kept.addresses.ledger);
    let key = &kept.keys.program;
    let fealty = current_exe().map_or_else(|_| "fealty".to_owned(), |path| quoted(&path.to_string_lossy()));
    tool::print_line(&format!(
        "
Fealty is ready.

  members  {members}  health and metrics http://{}
  ledger   {ledger}  health and metrics http://{}
  data     {} ({fate})
  program  {} ({}), {}, {}
  key      {key}

A first call, to paste into another terminal ({fealty} call list names every method):

  {fealty} call --members {members} --key {key} ProgramService/GetProgram

The same by another client, which asks the service for its protos:

  npx --yes @bufbuild/buf curl --protocol grpc --http2-prior-knowledge -H 'authorization: Bearer {key}' -d '{{}}' {members}/fealty.members.v1.ProgramService/GetProgram

Ctrl-C ends it.",
        admins.members,
        admins.ledger,
        folder.display(),
        program.display_name.as_str(),
        program.program_id,
        program.currency_code,
        program.time_zone,
    ))
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+".contains(character);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_path_stays_one_word_of_a_shell() {
        assert_eq!(quoted("/opt/fealty-1.0/bin/fealty"), "/opt/fealty-1.0/bin/fealty");
        assert_eq!(quoted("/home/o'brien/my shop"), r"'/home/o'\''brien/my shop'");
    }
}
