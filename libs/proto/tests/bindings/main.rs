//! Makes the checked-in bindings from the protos, fails when they were stale, and holds the style of the protos.

mod protos;
mod style;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::protos::Failure;

/// Written beside the generated code.
const DESCRIPTOR_FILE: &str = "descriptor.bin";

/// Content by file name.
type Files = BTreeMap<String, Vec<u8>>;

#[test]
fn the_bindings_are_those_of_the_protos() -> Result<(), Failure> {
    let gen_dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/gen");
    let (fresh, checked_in) = (generate()?, read_files(&gen_dir)?);
    let differing: BTreeSet<&String> = fresh
        .keys()
        .chain(checked_in.keys())
        .filter(|name| fresh.get(*name) != checked_in.get(*name))
        .collect();
    for name in &differing {
        match fresh.get(*name) {
            Some(content) => fs::write(gen_dir.join(name), content)?,
            None => fs::remove_file(gen_dir.join(name))?,
        }
    }
    assert!(
        differing.is_empty(),
        "bindings were stale; they are regenerated now: run again and commit. Stale: {differing:?}"
    );
    Ok(())
}

fn generate() -> Result<Files, Failure> {
    let mut compiler = protos::compile()?;
    // Comments become documentation in the code; in the descriptor set they would only be weight.
    let descriptor_set = compiler.include_source_info(false).encode_file_descriptor_set();
    let with_comments = compiler.include_source_info(true).file_descriptor_set();

    let out_dir = tempfile::tempdir()?;
    tonic_prost_build::configure()
        .out_dir(out_dir.path())
        .emit_rerun_if_changed(false)
        .build_transport(false)
        .bytes(".")
        .compile_fds(with_comments)?;

    // A keyword's escape belongs into the code, not into the name of the file.
    let generated = read_files(out_dir.path())?.into_iter();
    let mut files: Files = generated
        .map(|(name, content)| (name.replace("r#", ""), content))
        .collect();
    files.insert(DESCRIPTOR_FILE.to_owned(), descriptor_set);
    Ok(files)
}

fn read_files(dir: &Path) -> Result<Files, Failure> {
    let mut files = Files::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        files.insert(
            entry.file_name().to_string_lossy().into_owned(),
            fs::read(entry.path())?,
        );
    }
    Ok(files)
}
