//! The rules of ARCHITECTURE.md, held; and what deploy/ says of the binary.

mod deploy;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our own crates a crate may be built from. Dependencies run one way, and services never import each other.
const MAY_USE: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("proto", &[]),
    ("telemetry", &[]),
    ("local", &[]),
    ("rpc", &["types", "proto", "telemetry"]),
    ("postgres", &["types", "telemetry"]),
    ("redis", &["types", "telemetry"]),
    ("client", &["types", "proto", "telemetry"]),
    ("runtime", &["types", "proto", "telemetry", "rpc"]),
    ("vault", &["types", "postgres", "runtime"]),
    (
        "testing",
        &[
            "types",
            "local",
            "postgres",
            "proto",
            "telemetry",
            "rpc",
            "client",
            "runtime",
        ],
    ),
    (
        "service",
        &[
            "types",
            "proto",
            "telemetry",
            "rpc",
            "postgres",
            "client",
            "runtime",
            "vault",
        ],
    ),
    ("members", SERVICE_MAY_USE),
    ("ledger", SERVICE_MAY_USE),
    ("rewards", SERVICE_MAY_USE),
    ("surveys", SERVICE_MAY_USE),
];

const SERVICE_MAY_USE: &[&str] = &[
    "types",
    "proto",
    "rpc",
    "postgres",
    "redis",
    "telemetry",
    "client",
    "runtime",
    "service",
    "vault",
];

/// Lines of a file at the most; files aim at 300.
const FILE_LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder reads") {
            let path = entry.expect("the entry reads").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Every crate of ours by its folder's name, with the names of those it is built from.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let mut crates = BTreeMap::new();
    for family in ["libs", "services"] {
        for entry in fs::read_dir(root().join(family)).expect("the folder reads") {
            let folder = entry.expect("the entry reads").path();
            let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a crate has a manifest");
            let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
            let table = manifest.get("dependencies").and_then(toml::Value::as_table);
            let ours = table.into_iter().flat_map(toml::Table::keys);
            let ours = ours
                .filter_map(|name| name.strip_prefix("fealty-"))
                .map(str::to_owned);
            let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
            crates.insert(name, ours.collect());
        }
    }
    crates
}

#[test]
fn dependencies_run_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, uses) in dependencies() {
        if name == "fealty" {
            // The binary puts everything together; only test code stays out of it.
            assert!(
                !uses.contains(&"testing".to_owned()),
                "the binary is built without test code"
            );
            continue;
        }
        let may_use = allowed
            .get(name.as_str())
            .unwrap_or_else(|| panic!("{name} is not in the table of this test"));
        wrong.extend(
            uses.iter()
                .filter(|used| !may_use.contains(&used.as_str()))
                .map(|used| format!("{name} -> {used}")),
        );
    }
    assert!(wrong.is_empty(), "not allowed: {wrong:?}");
}

/// Scopes are written once, in the proto, because the server enforces them from there; a second list would only drift.
const SHARED_VOCABULARY: &str = "use fealty_proto::access::v1::Scope;";

/// Files of a service by what may not be in them.
fn forbidden(path: &Path) -> &'static [&'static str] {
    let text = path.to_string_lossy();
    if text.contains("/domain.rs") || text.contains("/domain/") {
        return &[
            "sqlx",
            "tonic",
            "prost",
            "redis",
            "tokio",
            "fealty_proto",
            "fealty_postgres",
            "fealty_rpc",
        ];
    }
    if text.contains("/storage.rs") || text.contains("/storage/") {
        return &["tonic", "prost", "fealty_proto"];
    }
    if text.contains("/grpc.rs") || text.contains("/grpc/") {
        return &["sqlx", "redis"];
    }
    &[]
}

#[test]
fn each_kind_of_file_uses_only_what_is_its_own() {
    let mut wrong = Vec::new();
    for service in ["members", "ledger", "rewards", "surveys"] {
        for path in rust_files(&root().join("services").join(service).join("src")) {
            let source = fs::read_to_string(&path).expect("the file reads");
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            for name in forbidden(&path) {
                let used = code
                    .lines()
                    .map(str::trim_start)
                    .filter(|line| !line.starts_with("//") && !line.starts_with(SHARED_VOCABULARY))
                    .any(|line| {
                        line.contains(&format!("{name}::")) || line.contains(&format!("use {name};"))
                    });
                if used {
                    wrong.push(format!("{} uses {name}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_outgrows_its_room() {
    let mut wrong = Vec::new();
    for family in ["libs", "services", "tests"] {
        for path in rust_files(&root().join(family)) {
            let lines = fs::read_to_string(&path).expect("the file reads").lines().count();
            if lines > FILE_LINES_MAX && !path.to_string_lossy().contains("/gen/") {
                wrong.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is broken on purpose (`services/ledger/src/sabotage.rs`) is in no build that nobody asked to be broken: no manifest
/// turns the feature on, and all of it stands behind the feature.
#[test]
fn faults_that_are_made_on_purpose_are_compiled_into_nothing_by_themselves() {
    const BEHIND: &str = "#[cfg(feature = \"sabotage\")]";
    let manifests = ["libs", "services"]
        .iter()
        .flat_map(|family| fs::read_dir(root().join(family)).expect("the folder reads"))
        .map(|entry| entry.expect("the entry reads").path().join("Cargo.toml"));
    let others = ["Cargo.toml", "tests/Cargo.toml", "tests/bench/Cargo.toml"];
    let others = others.into_iter().map(|file| root().join(file));
    let builds = ["deploy/Dockerfile", ".cargo/config.toml", ".ci/run"];
    let builds = builds.into_iter().map(|file| root().join(file));
    let mut mentions = Vec::new();
    for file in manifests.chain(others).chain(builds) {
        let text = fs::read_to_string(&file).expect("the file reads");
        let lines = text.lines().filter(|line| line.contains("sabotage"));
        mentions.extend(lines.map(|line| format!("{}: {line}", file.display())));
    }
    assert_eq!(mentions.len(), 1, "it is turned on somewhere: {mentions:#?}");
    assert!(mentions[0].ends_with("services/ledger/Cargo.toml: sabotage = []"));

    let mut hooks = 0;
    for path in rust_files(&root().join("services")) {
        let source = fs::read_to_string(&path).expect("the file reads");
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            if pair[1].contains("sabotage::") || pair[1] == "mod sabotage;" {
                assert_eq!(pair[0], BEHIND, "{}: {}", path.display(), pair[1]);
                hooks += 1;
            }
        }
    }
    assert_eq!(hooks, 5, "the module and its four hooks");
}

#[test]
fn no_module_is_a_mod_rs_or_a_drawer_for_anything() {
    let drawers = [
        "mod.rs",
        "utils.rs",
        "util.rs",
        "common.rs",
        "helpers.rs",
        "manager.rs",
        "misc.rs",
    ];
    let mut wrong = Vec::new();
    for family in ["services", "tests"] {
        for path in rust_files(&root().join(family)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if drawers.contains(&name.as_ref()) {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
