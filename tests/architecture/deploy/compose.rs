//! `compose.yaml`, with the settings and the secrets that it hands out.

use fealty::services::ServiceName;
use serde_json::Value;

use super::{
    Variables, assert_arguments, assert_listens_to_all, check_config, default_ports, endpoints, folder,
    ports_in, read, text, texts,
};

/// What a master key may look like: 32 bytes in base64.
const MASTER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn compose() -> Value {
    serde_saphyr::from_str(&read("compose.yaml")).expect("it is YAML")
}

fn settings() -> toml::Table {
    read("compose.toml").parse().expect("it is TOML")
}

/// The names that the example of the secrets explains.
fn secret_names() -> Vec<String> {
    let example = read(".env.example");
    let names = example.lines().filter(|line| !line.starts_with('#'));
    names
        .filter_map(|line| line.strip_suffix('='))
        .map(str::to_owned)
        .collect()
}

/// The secrets as somebody has filled them in.
fn filled(name: &str) -> &'static str {
    if name.ends_with("MASTER_KEY") {
        MASTER_KEY
    } else {
        "abc123"
    }
}

/// A value with its `${NAME:?}` and `${NAME:-}` replaced, and the names.
fn interpolated(value: &str) -> (String, Vec<String>) {
    let mut parts = value.split("${");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    let mut names = Vec::new();
    for part in parts {
        let (name, rest) = part.split_once('}').expect("it is closed");
        let name = name.strip_suffix(":?").or_else(|| name.strip_suffix(":-"));
        let name = name.expect("what is missing is told, or may be missing");
        whole.push_str(filled(name));
        whole.push_str(rest);
        names.push(name.to_owned());
    }
    (whole, names)
}

fn variables(container: &Value) -> Variables {
    let given = container["environment"].as_object().expect("variables").iter();
    given
        .map(|(name, value)| (name.clone(), interpolated(text(value)).0))
        .filter(|(name, _)| name.starts_with("FEALTY__"))
        .collect()
}

#[test]
fn the_four_run_as_the_binary_has_them() {
    let (compose, settings) = (compose(), settings());
    for service in ServiceName::ALL {
        let container = &compose["services"][service.as_str()];
        assert_arguments(&container["command"], service.as_str());
        assert_eq!(ports_in(&settings, service), default_ports(service));
        assert_listens_to_all(&settings, service);
        let [grpc, admin] = default_ports(service);
        assert_eq!(texts(&container["ports"]), [format!("127.0.0.1:{grpc}:{grpc}")]);
        let probe = format!("http://127.0.0.1:{admin}/readyz");
        assert_eq!(
            texts(&container["healthcheck"]["test"]),
            ["CMD", "fealty", "health", &probe]
        );
        let waits_for = &container["depends_on"]["migrate"]["condition"];
        assert_eq!(text(waits_for), "service_completed_successfully");
    }
    assert_arguments(&compose["services"]["migrate"]["command"], "migrate");
    let others = ["migrate", "postgres", "redis", "collector"];
    let count = compose["services"].as_object().expect("containers").len();
    assert_eq!(count, ServiceName::ALL.len() + others.len());
}

#[test]
fn every_setting_that_a_container_is_given_is_one() {
    let compose = compose();
    let file = folder().join("compose.toml");
    for service in ServiceName::ALL {
        let variables = variables(&compose["services"][service.as_str()]);
        check_config(&file, service.as_str(), &variables)
            .unwrap_or_else(|told| panic!("{service:?}: {told}"));
    }
    // What migrates needs no service's settings; the names of its own are checked all the same.
    let migrating = variables(&compose["services"]["migrate"]);
    assert!(migrating.contains_key("FEALTY__MIGRATE__ADMIN_URL"));
    check_config(&file, "ledger", &migrating).expect("in order");
    let mut wrong = migrating;
    wrong.insert("FEALTY__MIGRATE__ADMIN_ULR".to_owned(), String::new());
    assert!(
        check_config(&file, "ledger", &wrong).is_err(),
        "a name that is none is told"
    );
}

#[test]
fn who_migrates_gives_the_roles_the_passwords_that_the_services_have() {
    let compose = compose();
    let migrating = variables(&compose["services"]["migrate"]);
    for service in ServiceName::ALL {
        for (name, value) in variables(&compose["services"][service.as_str()]) {
            if name.ends_with("DATABASE_URL") {
                assert_eq!(migrating.get(&name), Some(&value));
            }
        }
    }
}

#[test]
fn services_look_for_each_other_where_they_are() {
    let found: Vec<String> = ServiceName::ALL
        .map(|service| format!("{}:{}", service.as_str(), default_ports(service)[0]))
        .into();
    for endpoint in endpoints(&settings()) {
        assert!(found.contains(&endpoint), "{endpoint} is none of {found:?}");
    }
    let collector = settings()["telemetry"]["otlp_endpoint"]
        .as_str()
        .map(str::to_owned);
    assert_eq!(collector.as_deref(), Some("http://collector:4317"));
    let listens: Value = serde_saphyr::from_str(&read("collector.yaml")).expect("it is YAML");
    let listens = &listens["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"];
    assert_eq!(text(listens), "0.0.0.0:4317");
}

#[test]
fn every_secret_is_explained_and_none_is_in_the_file() {
    let explained = secret_names();
    let file = read("compose.yaml");
    let used = interpolated(&file).1;
    for name in &used {
        assert!(explained.contains(name), "{name} is not explained");
    }
    for name in &explained {
        assert!(used.contains(name), "{name} is not used");
    }
    let ignored = std::fs::read_to_string(folder().join("../.gitignore")).expect("it reads");
    assert!(ignored.lines().any(|line| line == "/deploy/.env"));
}

#[test]
fn no_container_can_do_more_than_it_must() {
    let compose = compose();
    for (name, container) in compose["services"].as_object().expect("containers") {
        assert_eq!(container["read_only"], true, "{name}");
        assert_eq!(texts(&container["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(
            texts(&container["security_opt"]),
            ["no-new-privileges:true"],
            "{name}"
        );
        for volume in texts(&container["volumes"]) {
            let (source, _) = volume.split_once(':').expect("a place");
            let is_there = match source.strip_prefix("./") {
                Some(file) => folder().join(file).exists(),
                None => compose["volumes"].get(source).is_some(),
            };
            assert!(is_there, "{name}: {source} is not there");
        }
    }
}
