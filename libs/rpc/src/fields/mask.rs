//! Field masks of updates.

use crate::violations::Violations;

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

/// The mask of an update, in its field `update_mask`: it names at least one path, and only allowed ones. `*` is not taken:
/// what it names changes with every field that is added later.
///
/// Also where it is malformed it names what it names that is allowed, so that what is wrong in those fields is told with
/// it.
pub fn field_mask(
    v: &mut Violations,
    mask: Option<&prost_types::FieldMask>,
    allowed: &[&'static str],
) -> FieldMask {
    let named = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    let allowed_paths = || allowed.join(", ");
    v.require(
        !named.is_empty(),
        "update_mask",
        format!("must name at least one of {}", allowed_paths()),
    );
    let mut paths: Vec<&'static str> = Vec::with_capacity(named.len().min(allowed.len()));
    for (index, path) in named.iter().enumerate() {
        match allowed.iter().find(|allowed| *allowed == path) {
            Some(path) => paths.push(path),
            None => v.add(
                &format!("update_mask.paths[{index}]"),
                format!("must be one of {}", allowed_paths()),
            ),
        }
    }
    paths.sort_unstable();
    paths.dedup();
    FieldMask { paths }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::violations::Problem;

    const ALLOWED: [&str; 3] = ["display_name", "profile", "profile.given_name"];

    /// The mask, and the fields that are wrong.
    fn mask(paths: &[&str]) -> (FieldMask, Vec<String>) {
        let mut v = Violations::default();
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let mask = field_mask(&mut v, Some(&prost_types::FieldMask { paths }), &ALLOWED);
        (mask, fields_of(v))
    }

    fn fields_of(v: Violations) -> Vec<String> {
        match v.into_problem() {
            Problem::Below(problems) => problems.into_iter().map(|problem| problem.field).collect(),
            other @ Problem::Here(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_mask_names_what_lies_below_its_paths() {
        let (mask, wrong) = mask(&["profile", "profile"]);
        assert_eq!(wrong, Vec::<String>::new());
        assert!(mask.names("profile.given_name") && mask.names("profile"));
        assert!(!mask.names("profiles") && !mask.names("display_name"));
        assert_eq!(mask.paths(), ["profile"]);
    }

    #[test]
    fn every_path_that_is_not_allowed_is_named_and_the_others_count_all_the_same() {
        let (mask, wrong) = mask(&["*", "profile", "member_id"]);
        assert_eq!(wrong, ["update_mask.paths[0]", "update_mask.paths[2]"]);
        assert_eq!(mask.paths(), ["profile"]);
    }

    #[test]
    fn an_empty_mask_is_refused() {
        assert_eq!(mask(&[]).1, ["update_mask"]);
        let mut v = Violations::default();
        let _ = field_mask(&mut v, None, &ALLOWED);
        assert_eq!(fields_of(v), ["update_mask"]);
    }
}
