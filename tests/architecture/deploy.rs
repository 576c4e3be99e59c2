//! What `deploy/` says of the binary is true: its commands, ports, settings, secrets and bounds. The containers themselves
//! are not run here.

mod compose;
mod image;
mod kubernetes;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fealty::services::ServiceName;
use serde_json::Value;

/// Environment variables by their names.
type Variables = BTreeMap<String, String>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn read(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Where a service listens by default, for calls and for probes. The example is the defaults: a test of its own holds it.
fn default_ports(service: ServiceName) -> [u64; 2] {
    let example: toml::Table = read("fealty.example.toml").parse().expect("it is TOML");
    ports_in(&example, service)
}

/// Where a service listens according to settings.
fn ports_in(settings: &toml::Table, service: ServiceName) -> [u64; 2] {
    ["grpc", "admin"].map(|listener| {
        let listen = settings[service.as_str()][listener]["listen"]
            .as_str()
            .expect("an address");
        let (_, port) = listen.rsplit_once(':').expect("a port");
        port.parse().expect("a number")
    })
}

/// Outside of its container nobody reaches who listens to itself.
fn assert_listens_to_all(settings: &toml::Table, service: ServiceName) {
    for listener in ["grpc", "admin"] {
        let listen = settings[service.as_str()][listener]["listen"]
            .as_str()
            .expect("an address");
        assert!(listen.starts_with("0.0.0.0:"), "{service:?} {listener}: {listen}");
    }
}

/// The hosts that services look for each other at, with their ports.
fn endpoints(settings: &toml::Table) -> Vec<String> {
    let sections = settings.values().filter_map(toml::Value::as_table);
    let peers = sections.flat_map(toml::Table::values);
    let endpoints = peers.filter_map(|peer| peer.get("endpoint")?.as_str());
    endpoints
        .map(|endpoint| endpoint.strip_prefix("dns:///").expect("balanced").to_owned())
        .collect()
}

/// What the binary says of a config file, by the environment that a container is given.
fn check_config(file: &Path, service: &str, variables: &Variables) -> Result<(), String> {
    let checked = Command::new(env!("CARGO_BIN_EXE_fealty-under-test"))
        .args(["check-config", "--services", service])
        .arg(file)
        .env_clear()
        .envs(variables)
        .output()
        .expect("the binary runs");
    if checked.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&checked.stderr).into_owned())
}

/// A container's arguments are a command of the binary with the config file that is mounted.
fn assert_arguments(arguments: &Value, command: &str) {
    let words = ["fealty", command, "--config", "/etc/fealty/fealty.toml"];
    assert_eq!(texts(arguments), words[1..]);
    <fealty::cli::Cli as clap::Parser>::try_parse_from(words).expect("the binary takes it");
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_str).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}
