//! Reading settings: defaults, then the file, then the environment.
//!
//! Written out rather than taken from a library, because one answer shall name every mistake with its place, and an
//! environment variable, which is only text, shall be read as what its field is.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::{Table, Value};

/// Separates the steps of a path in the name of a variable; single underscores belong to the fields' names.
const STEP: &str = "__";

/// Settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{} is not TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// Fields are unknown or hold what they cannot hold.
    #[error("{}", lines(.0))]
    Invalid(Vec<Violation>),
}

/// One mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, from the top: `ledger.database_url`.
    pub field: String,
    /// The file or the variable it was read from.
    pub origin: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (from {})", self.field, self.message, self.origin)
    }
}

fn lines(violations: &[Violation]) -> String {
    violations
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Reads settings: the defaults of `T`, overlaid by the file, overlaid by the environment, where
/// `FEALTY__LEDGER__DATABASE_URL` is `ledger.database_url` for the prefix `FEALTY`.
///
/// An unknown field or variable is an error, as is a value its field cannot hold; all of them are in the answer.
pub fn load<T: DeserializeOwned>(file: Option<&Path>, env_prefix: &str) -> Result<T, ConfigError> {
    load_checked(file, env_prefix, |_| Vec::new())
}

/// The same, and asks `check` what is wrong with values that their fields can hold. It answers sentences that begin
/// with the field (`ledger.pool.size must be above 0`); they are in the answer beside all the others.
pub fn load_checked<T: DeserializeOwned>(
    file: Option<&Path>,
    env_prefix: &str,
    check: impl Fn(&T) -> Vec<String>,
) -> Result<T, ConfigError> {
    layers(file, env_prefix, std::env::vars_os())?.resolve(check)
}

fn layers(
    file: Option<&Path>,
    env_prefix: &str,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Layers, ConfigError> {
    let mut layers = Layers {
        tree: file.map(read_file).transpose()?.unwrap_or_default(),
        file: file.map_or_else(|| "the defaults".to_owned(), |path| path.display().to_string()),
        variables: Vec::new(),
        violations: Vec::new(),
    };
    layers.overlay(env_prefix, environment);
    Ok(layers)
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    text.parse::<Table>().map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        message: error.to_string(),
    })
}

/// A variable that was laid over the file.
struct Variable {
    name: String,
    path: Vec<String>,
    /// How else its text can be read: `7101` is a string first, and a number if its field wants none.
    otherwise: Option<Value>,
}

struct Layers {
    tree: Table,
    file: String,
    variables: Vec<Variable>,
    violations: Vec<Violation>,
}

impl Layers {
    fn overlay(&mut self, prefix: &str, environment: impl Iterator<Item = (OsString, OsString)>) {
        let prefix = format!("{prefix}{STEP}");
        let mut settings: Vec<(String, OsString)> = environment
            .filter_map(|(name, text)| Some((name.into_string().ok()?, text)))
            .filter(|(name, _)| name.starts_with(&prefix))
            .collect();
        // In a certain order, so that the same mistakes give the same answer.
        settings.sort();
        for (name, text) in settings {
            let path: Vec<String> = name[prefix.len()..].split(STEP).map(str::to_lowercase).collect();
            let outcome = match text.into_string() {
                Ok(text) => self
                    .set(&path, Value::String(text.clone()))
                    .map(|()| literal(&text)),
                Err(_) => Err("is not UTF-8"),
            };
            match outcome {
                Ok(otherwise) => self.variables.push(Variable {
                    name,
                    path,
                    otherwise,
                }),
                Err(message) => self.violations.push(Violation {
                    field: path.join("."),
                    origin: name,
                    message: message.to_owned(),
                }),
            }
        }
    }

    fn set(&mut self, path: &[String], value: Value) -> Result<(), &'static str> {
        let Some((last, sections)) = path.split_last() else {
            return Err("names no field");
        };
        if path.iter().any(String::is_empty) {
            return Err("has an empty step in its name");
        }
        let mut table = &mut self.tree;
        for section in sections {
            let inner = table
                .entry(section.as_str())
                .or_insert_with(|| Value::Table(Table::new()));
            table = inner
                .as_table_mut()
                .ok_or("lies inside a field that is no section")?;
        }
        table.insert(last.clone(), value);
        Ok(())
    }

    /// Deserialises; on a mistake takes the other reading of a variable, or notes the mistake and goes on without
    /// that field, until nothing is wrong or nothing can be taken out any more.
    fn resolve<T: DeserializeOwned>(mut self, check: impl Fn(&T) -> Vec<String>) -> Result<T, ConfigError> {
        loop {
            let error = match serde_path_to_error::deserialize::<_, T>(Value::Table(self.tree.clone())) {
                Ok(settings) => return self.judge(settings, check),
                Err(error) => error,
            };
            let path = steps(error.path());
            if self.reread(&path) {
                continue;
            }
            self.violations.push(Violation {
                field: if path.is_empty() {
                    "(top level)".to_owned()
                } else {
                    path.join(".")
                },
                origin: self.origin(&path),
                message: error.inner().message().trim_end().to_owned(),
            });
            // Each round takes something out, so there is a last one.
            if !remove(&mut self.tree, &path) {
                return Err(ConfigError::Invalid(self.violations));
            }
        }
    }

    /// What can be read has been. Fields that were taken out hold their defaults, in which nothing is wrong.
    fn judge<T>(mut self, settings: T, check: impl Fn(&T) -> Vec<String>) -> Result<T, ConfigError> {
        for sentence in check(&settings) {
            let (field, message) = sentence.split_once(' ').unwrap_or((&sentence, "is wrong"));
            let field = field.trim_end_matches(':');
            let path: Vec<String> = field.split('.').map(str::to_owned).collect();
            self.violations.push(Violation {
                field: field.to_owned(),
                origin: self.origin(&path),
                message: message.to_owned(),
            });
        }
        if self.violations.is_empty() {
            Ok(settings)
        } else {
            Err(ConfigError::Invalid(self.violations))
        }
    }

    /// Whether the field came from a variable that can be read in another way, and now is.
    fn reread(&mut self, path: &[String]) -> bool {
        let Some(variable) = self.variables.iter_mut().find(|variable| variable.path == path) else {
            return false;
        };
        let Some(value) = variable.otherwise.take() else {
            return false;
        };
        let path = variable.path.clone();
        self.set(&path, value).is_ok()
    }

    fn origin(&self, path: &[String]) -> String {
        self.variables
            .iter()
            .find(|variable| variable.path.starts_with(path) || path.starts_with(&variable.path))
            .map_or_else(|| self.file.clone(), |variable| variable.name.clone())
    }
}

/// A text as a TOML value: a number, a truth, a list. Texts without such a reading are only texts.
fn literal(text: &str) -> Option<Value> {
    let mut table: Table = format!("value = {text}").parse().ok()?;
    let value = table.remove("value")?;
    (table.is_empty() && !value.is_str()).then_some(value)
}

/// The steps that lead to a field. A place inside a list is the list's.
fn steps(path: &serde_path_to_error::Path) -> Vec<String> {
    path.iter()
        .map_while(|segment| match segment {
            Segment::Map { key } => Some(key.clone()),
            Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn remove(tree: &mut Table, path: &[String]) -> bool {
    let Some((last, sections)) = path.split_last() else {
        return false;
    };
    let mut table = tree;
    for section in sections {
        match table.get_mut(section) {
            Some(Value::Table(inner)) => table = inner,
            _ => return false,
        }
    }
    table.remove(last).is_some()
}

#[cfg(test)]
mod tests;
