//! Makes the checked-in bindings from the protos, and fails when they were stale.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use protox::Compiler;

/// Written beside the generated code.
const DESCRIPTOR_FILE: &str = "descriptor.bin";

type Files = BTreeMap<String, Vec<u8>>;

#[test]
fn the_bindings_are_those_of_the_protos() {
    let generated = generate();
    let checked_in_dir = crate_dir().join("src/gen");
    let checked_in = read_files(&checked_in_dir);
    let differing: BTreeSet<&String> = generated
        .keys()
        .chain(checked_in.keys())
        .filter(|name| generated.get(*name) != checked_in.get(*name))
        .collect();
    if differing.is_empty() {
        return;
    }
    let stale = checked_in.keys().filter(|name| !generated.contains_key(*name));
    stale.for_each(|name| fs::remove_file(checked_in_dir.join(name)).unwrap());
    generated
        .iter()
        .for_each(|(name, content)| fs::write(checked_in_dir.join(name), content).unwrap());
    panic!("bindings were stale; they are regenerated now: run again and commit. Stale: {differing:?}");
}

fn crate_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn generate() -> Files {
    let proto_dir = crate_dir().join("../../proto");
    let mut compiler = Compiler::new([&proto_dir]).unwrap();
    compiler
        .include_imports(true)
        .open_files(proto_files(&proto_dir))
        .unwrap();
    let descriptor_set = compiler.encode_file_descriptor_set();

    // Comments become documentation in the code; in the descriptor set they would only be weight.
    let with_comments = compiler.include_source_info(true).file_descriptor_set();
    let out_dir = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .out_dir(out_dir.path())
        .emit_rerun_if_changed(false)
        .build_transport(false)
        .bytes(".")
        .compile_fds(with_comments)
        .unwrap();

    // The keyword's escape belongs into the code, not into the name of the file.
    let renamed = read_files(out_dir.path())
        .into_iter()
        .map(|(name, content)| (name.replace("r#", ""), content));
    let mut files: Files = renamed.collect();
    files.insert(DESCRIPTOR_FILE.to_owned(), descriptor_set);
    files
}

/// Every proto below `dir`, sorted, so that the descriptor set is the same on every machine.
fn proto_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read_files(dir: &Path) -> Files {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect()
}
