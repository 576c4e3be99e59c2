//! The manifests. That they are valid is for Kubernetes' own schemas to say (`.ci/deploy`).

use std::fs;

use fealty::services::ServiceName;
use serde_json::Value;

use super::{
    Variables, assert_arguments, assert_listens_to_all, check_config, default_ports, endpoints, folder,
    ports_in, text,
};

/// Time for what is neither drain nor flush: to take the signal, and to be gone.
const SPARE_MS: i64 = 1_000;

fn manifests() -> Vec<Value> {
    let folder = folder().join("kubernetes");
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder reads") {
        let path = entry.expect("the entry reads").path();
        let yaml = fs::read_to_string(&path).expect("the file reads");
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&yaml).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        all.extend(documents);
    }
    all
}

fn find(kind: &str, name: &str) -> Value {
    let found = manifests()
        .into_iter()
        .find(|manifest| manifest["kind"] == kind && manifest["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

fn settings_text() -> String {
    text(&find("ConfigMap", "fealty")["data"]["fealty.toml"]).to_owned()
}

fn settings() -> toml::Table {
    settings_text().parse().expect("it is TOML")
}

fn secret(name: &str) -> Variables {
    let secret = find("Secret", name);
    let given = secret["stringData"].as_object().expect("variables").iter();
    given
        .map(|(name, value)| (name.clone(), text(value).to_owned()))
        .collect()
}

fn pod_of(kind: &str, name: &str) -> Value {
    find(kind, name)["spec"]["template"]["spec"].clone()
}

fn name_of(service: ServiceName) -> String {
    format!("fealty-{}", service.as_str())
}

#[test]
fn the_four_run_as_the_binary_has_them() {
    let settings = settings();
    for service in ServiceName::ALL {
        let pod = pod_of("Deployment", &name_of(service));
        let container = &pod["containers"][0];
        assert_arguments(&container["args"], service.as_str());
        assert_eq!(ports_in(&settings, service), default_ports(service));
        assert_listens_to_all(&settings, service);
        let [grpc, admin] = default_ports(service);
        assert_eq!(container["ports"][0]["containerPort"], grpc);
        assert_eq!(container["ports"][1]["containerPort"], admin);
        for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/livez")] {
            assert_eq!(container[probe]["httpGet"]["path"], path);
            assert_eq!(container[probe]["httpGet"]["port"], "admin");
        }
        assert_eq!(container["envFrom"][0]["secretRef"]["name"], name_of(service));
    }
    let migrate = pod_of("Job", "fealty-migrate");
    assert_arguments(&migrate["containers"][0]["args"], "migrate");
    assert_eq!(
        migrate["containers"][0]["envFrom"][0]["secretRef"]["name"],
        "fealty-migrate"
    );
}

#[test]
fn each_is_found_by_a_name_that_stands_for_all_its_pods() {
    for service in ServiceName::ALL {
        let name = name_of(service);
        let (found_by, kept_by) = (find("Service", &name), find("PodDisruptionBudget", &name));
        let labels = find("Deployment", &name)["spec"]["template"]["metadata"]["labels"].clone();
        assert_eq!(found_by["spec"]["clusterIP"], "None");
        assert_eq!(found_by["spec"]["selector"], labels);
        assert_eq!(kept_by["spec"]["selector"]["matchLabels"], labels);
        let deployment = find("Deployment", &name);
        assert_eq!(deployment["spec"]["selector"]["matchLabels"], labels);
        assert_eq!(found_by["spec"]["ports"][0]["port"], default_ports(service)[0]);
    }
    let found: Vec<String> = ServiceName::ALL
        .map(|service| format!("{}:{}", name_of(service), default_ports(service)[0]))
        .into();
    for endpoint in endpoints(&settings()) {
        assert!(found.contains(&endpoint), "{endpoint} is none of {found:?}");
    }
}

#[test]
fn every_setting_that_a_pod_is_given_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("fealty.toml");
    fs::write(&file, settings_text()).expect("it is written");
    for service in ServiceName::ALL {
        check_config(&file, service.as_str(), &secret(&name_of(service)))
            .unwrap_or_else(|told| panic!("{service:?}: {told}"));
    }
    // What migrates needs no service's settings; the names of its own are checked all the same.
    let migrating = secret("fealty-migrate");
    check_config(&file, "ledger", &migrating).expect("in order");
    for service in ServiceName::ALL {
        for (name, url) in secret(&name_of(service)) {
            if name.ends_with("DATABASE_URL") {
                assert_eq!(migrating.get(&name), Some(&url));
            }
        }
    }
}

#[test]
fn a_pod_has_time_to_end_and_its_callers_have_time_to_notice() {
    let settings = settings();
    let defaults: toml::Table = super::read("fealty.example.toml").parse().expect("it is TOML");
    let number = |section: &str, field: &str| {
        let set = settings.get(section).and_then(|section| section.get(field));
        set.unwrap_or(&defaults[section][field])
            .as_integer()
            .expect("a number")
    };
    let drain_ms = number("drain", "drain_timeout_ms");
    let flush_ms = number("telemetry", "shutdown_timeout_ms");
    let pause_ms = number("drain", "not_serving_pause_ms");
    for service in ServiceName::ALL {
        let pod = pod_of("Deployment", &name_of(service));
        let grace_ms = pod["terminationGracePeriodSeconds"].as_i64().expect("a number") * 1_000;
        assert!(
            grace_ms >= drain_ms + flush_ms + SPARE_MS,
            "{service:?} is killed while it drains"
        );
        let probe = &pod["containers"][0]["readinessProbe"];
        let of_probe = |field: &str| probe[field].as_i64().expect("a number");
        let noticed_ms = of_probe("periodSeconds") * of_probe("failureThreshold") * 1_000;
        assert!(
            pause_ms > noticed_ms,
            "{service:?} goes before its probe has noticed"
        );
    }
}

#[test]
fn no_pod_can_do_more_than_it_must() {
    let deployments = ServiceName::ALL.map(|service| pod_of("Deployment", &name_of(service)));
    for pod in deployments.into_iter().chain([pod_of("Job", "fealty-migrate")]) {
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        let container = &pod["containers"][0];
        let rights = &container["securityContext"];
        assert_eq!(rights["allowPrivilegeEscalation"], false);
        assert_eq!(rights["readOnlyRootFilesystem"], true);
        assert_eq!(rights["capabilities"]["drop"][0], "ALL");
        assert!(container["resources"]["limits"]["memory"].is_string());
        assert!(container["resources"]["requests"]["cpu"].is_string());
    }
}
