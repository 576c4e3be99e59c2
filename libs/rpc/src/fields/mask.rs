//! Field masks of updates.

use crate::violations::{Problem, Violations};

/// The paths that an update names, all of them allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMask {
    paths: Vec<&'static str>,
}

impl FieldMask {
    /// Whether the field is to be changed: it is named, or something around it is (`profile` names
    /// `profile.given_name`).
    #[must_use]
    pub fn names(&self, path: &str) -> bool {
        self.paths.iter().any(|named| {
            path.strip_prefix(named)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// The paths, sorted, each once.
    #[must_use]
    pub fn paths(&self) -> &[&'static str] {
        &self.paths
    }
}

/// A mask that names at least one path, and only allowed ones. `*` is not taken: what it names changes with every field
/// that is added later.
pub fn field_mask(
    mask: Option<&prost_types::FieldMask>,
    allowed: &[&'static str],
) -> Result<FieldMask, Problem> {
    let named = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    if named.is_empty() {
        return Err(Problem::new(format!(
            "must name at least one of {}",
            allowed.join(", ")
        )));
    }
    let mut v = Violations::default();
    let mut paths: Vec<&'static str> = Vec::with_capacity(named.len().min(allowed.len()));
    for (index, path) in named.iter().enumerate() {
        match allowed.iter().find(|allowed| *allowed == path) {
            Some(path) => paths.push(path),
            None => v.add(
                &format!("paths[{index}]"),
                format!("must be one of {}", allowed.join(", ")),
            ),
        }
    }
    if !v.is_empty() {
        return Err(v.into_problem());
    }
    paths.sort_unstable();
    paths.dedup();
    Ok(FieldMask { paths })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: [&str; 3] = ["display_name", "profile", "profile.given_name"];

    fn mask(paths: &[&str]) -> Result<FieldMask, Problem> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        field_mask(Some(&prost_types::FieldMask { paths }), &ALLOWED)
    }

    #[test]
    fn a_mask_names_what_lies_below_its_paths() {
        let mask = mask(&["profile", "profile"]).expect("allowed");
        assert!(mask.names("profile.given_name") && mask.names("profile"));
        assert!(!mask.names("profiles") && !mask.names("display_name"));
        assert_eq!(mask.paths(), ["profile"]);
    }

    #[test]
    fn every_path_that_is_not_allowed_is_named() {
        let Err(Problem::Below(problems)) = mask(&["*", "profile", "member_id"]) else {
            panic!("two are not allowed");
        };
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["paths[0]", "paths[2]"]);
    }

    #[test]
    fn an_empty_mask_is_refused() {
        assert!(mask(&[]).is_err() && field_mask(None, &ALLOWED).is_err());
    }
}
