//! Finds and compiles the protos.

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use protox::Compiler;

/// Why a test could not be run to its end.
pub type Failure = Box<dyn Error>;

/// Compiles every proto, with what it imports.
pub fn compile() -> Result<Compiler, Failure> {
    let proto_dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut compiler = Compiler::new([&proto_dir])?;
    compiler
        .include_imports(true)
        .open_files(proto_files(&proto_dir)?)?;
    Ok(compiler)
}

/// Every proto below `dir`, sorted, so that the descriptor set is the same on every machine.
fn proto_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
