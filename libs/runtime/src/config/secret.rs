//! A setting that nobody shall read in a log.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

/// What is shown instead.
const HIDDEN: &str = "<hidden>";

/// A value that is not shown by `Debug`, `Display` or serialisation, and is wiped from memory when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Keeps a value secret.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value. Named so that a review finds every place that looks.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<T: Zeroize> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<T: Zeroize> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The value's own error would quote what was given.
        T::deserialize(deserializer).map(Self::new).map_err(|_| {
            serde::de::Error::custom("not of the kind that is expected here (not shown: a secret)")
        })
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Settings {
        password: Secret<String>,
    }

    #[test]
    fn a_secret_is_not_shown() {
        let settings: Settings = toml::from_str("password = 'hunter2'").expect("a string");
        assert_eq!(settings.password.expose(), "hunter2");
        let shown = format!(
            "{settings:?} {} {}",
            settings.password,
            toml::to_string(&settings).expect("settings can be written")
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_refused_secret_is_not_quoted() {
        let given = toml::Value::Table(toml::toml! { password = 4711 });
        let refused = given.try_into::<Settings>().expect_err("not a string");
        assert!(!refused.to_string().contains("4711"), "{refused}");
    }
}
