//! What is printed once everything stands.

use std::env::current_exe;
use std::fmt::Write as _;

use super::Started;
use crate::services::ServiceName;
use crate::tool;

/// Prints where everything is, the key, and a first call in two ways: by this binary, which every machine has, and by a
/// client of others.
pub(in crate::commands) fn print(started: &Started) -> anyhow::Result<()> {
    let Started {
        kept,
        program,
        admins,
        folder,
        is_ephemeral,
    } = started;
    let fate = if *is_ephemeral {
        "goes with the end".to_owned()
    } else {
        "kept; its secrets are in up.json".to_owned()
    };
    let mut services = String::new();
    for (service, admin) in admins.iter() {
        let (name, address) = (service.as_str(), kept.addresses.of(service));
        writeln!(
            services,
            "  {name:<8} {address}  health and metrics http://{admin}"
        )?;
    }
    let members = kept.addresses.of(ServiceName::Members);
    let key = &kept.keys.program;
    let fealty = program_name();
    tool::print_line(&format!(
        "
Fealty is ready.

{services}  data     {} ({fate})
  program  {} ({}), {}, {}
  key      {key}

A first call, to paste into another terminal ({fealty} call list names every method):

  {fealty} call --members {members} --key {key} ProgramService/GetProgram

The same by another client, which asks the service for its protos:

  npx --yes @bufbuild/buf curl --protocol grpc --http2-prior-knowledge -H 'authorization: Bearer {key}' -d '{{}}' {members}/fealty.members.v1.ProgramService/GetProgram

Ctrl-C ends it.",
        folder.display(),
        program.display_name.as_str(),
        program.program_id,
        program.currency_code,
        program.time_zone,
    ))
}

/// How this binary is called from a shell.
pub(in crate::commands) fn program_name() -> String {
    current_exe().map_or_else(|_| "fealty".to_owned(), |path| quoted(&path.to_string_lossy()))
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
