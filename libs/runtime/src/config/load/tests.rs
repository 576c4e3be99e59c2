use std::io::Write as _;

use serde::Deserialize;

use super::*;
use crate::config::Secret;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    ledger: Ledger,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ledger {
    database_url: Secret<String>,
    lanes: u16,
    ratio: f64,
    audited: bool,
    name: Option<String>,
    peers: Vec<String>,
    mode: Mode,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Plain,
    Strict,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            database_url: Secret::new("postgres:///ledger".to_owned()),
            lanes: 2,
            ratio: 1.0,
            audited: false,
            name: None,
            peers: Vec::new(),
            mode: Mode::Plain,
        }
    }
}

fn load_from<T: DeserializeOwned>(
    file: Option<&Path>,
    env_prefix: &str,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<T, ConfigError> {
    layers(file, env_prefix, environment)?.resolve(|_| Vec::new())
}

fn read(file: &str, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let mut path = tempfile::NamedTempFile::with_prefix("fealty-test").expect("a temporary file");
    path.write_all(file.as_bytes()).expect("written");
    load_from(
        Some(path.path()),
        "FEALTY",
        environment
            .iter()
            .map(|(name, text)| (OsString::from(name), OsString::from(text))),
    )
}

fn violations(file: &str, environment: &[(&str, &str)]) -> Vec<Violation> {
    match read(file, environment) {
        Err(ConfigError::Invalid(violations)) => violations,
        other => panic!("expected violations, got {other:?}"),
    }
}

#[test]
fn without_file_and_environment_the_defaults_hold() {
    let settings: Settings = load_from(None, "FEALTY", std::iter::empty()).expect("defaults");
    assert_eq!(settings, Settings::default());
}

#[test]
fn the_environment_overrides_the_file_and_the_file_the_defaults() {
    let settings = read(
        "[ledger]\nlanes = 3\nratio = 0.5\n",
        &[("FEALTY__LEDGER__LANES", "4")],
    )
    .expect("valid");
    assert_eq!(
        (
            settings.ledger.lanes,
            settings.ledger.ratio,
            settings.ledger.audited
        ),
        (4, 0.5, false)
    );
}

#[test]
fn a_variable_is_read_as_what_its_field_is() {
    let settings = read(
        "",
        &[
            ("FEALTY__LEDGER__NAME", "4711"),
            ("FEALTY__LEDGER__DATABASE_URL", "true"),
            ("FEALTY__LEDGER__AUDITED", "true"),
            ("FEALTY__LEDGER__RATIO", "1"),
            ("FEALTY__LEDGER__PEERS", "['a', 'b']"),
            ("FEALTY__LEDGER__MODE", "strict"),
        ],
    )
    .expect("valid");
    let ledger = settings.ledger;
    assert_eq!(ledger.name.as_deref(), Some("4711"));
    assert_eq!(ledger.database_url.expose(), "true");
    assert!(ledger.audited);
    assert!((ledger.ratio - 1.0).abs() < f64::EPSILON);
    assert_eq!(ledger.peers, ["a", "b"]);
    assert_eq!(ledger.mode, Mode::Strict);
}

#[test]
fn other_variables_are_none_of_our_business() {
    let environment = [
        ("FEALTY_INSTALL", "1"),
        ("FEALTY_LEDGER_SERVICE_HOST", "10.0.0.1"),
        ("PATH", "/bin"),
    ];
    assert_eq!(read("", &environment).expect("valid"), Settings::default());
}

#[test]
fn an_unknown_field_is_refused_with_its_path_and_its_file() {
    let found = violations("[ledger]\nlane = 3\n", &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].field, "ledger.lane");
    assert!(found[0].origin.contains("fealty-test"), "{}", found[0]);
    assert!(found[0].message.contains("unknown field `lane`"), "{}", found[0]);
    assert!(found[0].message.contains("`lanes`"), "{}", found[0]);
}

#[test]
fn an_unknown_variable_is_refused_by_name() {
    let found = violations("", &[("FEALTY__LEDGER__LANE", "3")]);
    assert_eq!(
        (found[0].field.as_str(), found[0].origin.as_str()),
        ("ledger.lane", "FEALTY__LEDGER__LANE")
    );
}

#[test]
fn every_mistake_is_in_one_answer() {
    let found = violations(
        "speed = 9\n[ledger]\nlanes = -1\nratio = 'fast'\npeers = ['a', 3]\nmode = 'loose'\n[rewards]\nx = 1\n",
        &[
            ("FEALTY__LEDGER__AUDITED", "perhaps"),
            ("FEALTY__", "1"),
            ("FEALTY__SPEED__MAX", "1"),
        ],
    );
    let mut fields: Vec<&str> = found.iter().map(|violation| violation.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "",
            "ledger.audited",
            "ledger.lanes",
            "ledger.mode",
            "ledger.peers",
            "ledger.ratio",
            "rewards",
            "speed",
            "speed.max",
        ]
    );
}

#[test]
fn a_refused_secret_is_not_quoted() {
    let refused = read("[ledger]\ndatabase_url = 4711\n", &[])
        .expect_err("not a string")
        .to_string();
    assert!(
        refused.contains("ledger.database_url") && !refused.contains("4711"),
        "{refused}"
    );
}

#[test]
fn a_variable_cannot_smuggle_in_another_field() {
    let found = violations("", &[("FEALTY__LEDGER__LANES", "3\nother = 4")]);
    assert_eq!(found[0].field, "ledger.lanes");
}

#[test]
fn a_file_that_is_no_toml_is_named_with_the_line() {
    let refused = read("[ledger\n", &[]).expect_err("no TOML").to_string();
    assert!(
        refused.contains("is not TOML") && refused.contains("line 1"),
        "{refused}"
    );
}

#[test]
fn a_missing_file_is_named() {
    let refused = load_from::<Settings>(
        Some(Path::new("/nowhere/fealty.toml")),
        "FEALTY",
        std::iter::empty(),
    );
    assert!(
        refused
            .expect_err("no such file")
            .to_string()
            .contains("/nowhere/fealty.toml")
    );
}

#[test]
fn values_that_a_check_refuses_are_named_beside_the_unreadable_ones() {
    let environment = [("FEALTY__LEDGER__LANES", "0"), ("FEALTY__LEDGER__RATIO", "fast")]
        .map(|(name, text)| (OsString::from(name), OsString::from(text)));
    let layers = layers(None, "FEALTY", environment.into_iter()).expect("no file");
    let check = |settings: &Settings| {
        let lanes = settings.ledger.lanes;
        (lanes == 0)
            .then(|| "ledger.lanes must be above 0".to_owned())
            .into_iter()
            .collect()
    };
    let Err(ConfigError::Invalid(found)) = layers.resolve(check) else {
        panic!("both are wrong");
    };
    let named: Vec<_> = found
        .iter()
        .map(|violation| (violation.field.as_str(), violation.origin.as_str()))
        .collect();
    assert_eq!(
        named,
        [
            ("ledger.ratio", "FEALTY__LEDGER__RATIO"),
            ("ledger.lanes", "FEALTY__LEDGER__LANES"),
        ]
    );
    assert_eq!(found[1].message, "must be above 0");
}
