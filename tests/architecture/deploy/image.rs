//! The image and what it is built from.

use std::fs;

use super::{folder, read};

#[test]
fn the_image_runs_the_binary_as_nobody() {
    let dockerfile = read("Dockerfile");
    let lines: Vec<&str> = dockerfile.lines().collect();
    let user = lines
        .iter()
        .find_map(|line| line.strip_prefix("USER "))
        .expect("a user");
    let (user, group) = user.split_once(':').expect("a group");
    for number in [user, group] {
        assert!(number.parse::<u32>().expect("a number") > 0);
    }
    assert!(lines.contains(&r#"ENTRYPOINT ["/usr/local/bin/fealty"]"#));
    assert!(dockerfile.contains("cargo build --release --locked --package fealty "));
}

#[test]
fn the_image_is_built_by_a_rust_that_is_new_enough() {
    let dockerfile = read("Dockerfile");
    let version = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("ENV RUSTUP_TOOLCHAIN="));
    let version = version.expect("the toolchain is named");
    let minor = |version: &str| -> u32 {
        let parts: Vec<&str> = version.split('.').collect();
        assert_eq!(parts[0], "1");
        parts[1].parse().expect("a number")
    };
    let manifest = fs::read_to_string(folder().join("../Cargo.toml")).expect("it reads");
    let manifest: toml::Table = manifest.parse().expect("it is TOML");
    let wanted = manifest["workspace"]["package"]["rust-version"]
        .as_str()
        .expect("a version");
    assert!(
        minor(version) >= minor(wanted),
        "{version} is older than {wanted}"
    );
    assert!(dockerfile.contains(&format!("FROM rust:1.{}-", minor(version))));
}

#[test]
fn the_build_sees_every_folder_of_the_workspace_and_nothing_else() {
    let root = folder().join("..");
    let ignore = fs::read_to_string(root.join(".dockerignore")).expect("it reads");
    let lines: Vec<&str> = ignore.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*", "nothing goes in that is not named");
    let seen: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix('!')).collect();
    for name in &seen {
        assert!(root.join(name).exists(), "{name} is not there");
    }
    for needed in ["Cargo.toml", "Cargo.lock", ".cargo", "libs", "services", "tests"] {
        assert!(seen.contains(&needed), "{needed} is missing");
    }
}
