//! Which method is meant.

use std::sync::LazyLock;

use anyhow::bail;
use fealty_proto::FILE_DESCRIPTOR_SET;
use prost_reflect::{DescriptorPool, MethodDescriptor};

/// Names that come close, at most: more is no help.
const SUGGESTIONS_MAX: usize = 5;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the checked-in descriptor set is sound")
});

/// Every method, as `package.Service/Method`.
pub(super) fn paths() -> impl Iterator<Item = &'static str> {
    fealty_proto::methods()
        .keys()
        .map(|path| path.trim_start_matches('/'))
}

/// The one method whose path ends with the name, at the border of a word.
pub(super) fn find(name: &str) -> anyhow::Result<MethodDescriptor> {
    let name = name.trim_start_matches('/');
    let found: Vec<&str> = paths().filter(|path| is_named(path, name)).collect();
    match found[..] {
        [path] => Ok(descriptor(path)),
        [] => {
            let method = name.rsplit(['/', '.']).next().unwrap_or(name).to_lowercase();
            let close: Vec<&str> = paths()
                .filter(|path| path.to_lowercase().contains(&method))
                .take(SUGGESTIONS_MAX)
                .collect();
            if close.is_empty() {
                bail!("there is no method {name:?}: `fealty call list` lists them all");
            }
            bail!(
                "there is no method {name:?}; these come close: {}",
                close.join(", ")
            )
        }
        _ => bail!("{name:?} is the name of several methods: {}", found.join(", ")),
    }
}

fn is_named(path: &str, name: &str) -> bool {
    path.strip_suffix(name)
        .is_some_and(|rest| !name.is_empty() && (rest.is_empty() || rest.ends_with(['.', '/'])))
}

fn descriptor(path: &str) -> MethodDescriptor {
    POOL.services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .find(|method| format!("{}/{}", method.parent_service().full_name(), method.name()) == path)
        .expect("the paths come from the same descriptors")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_found_by_as_much_of_its_name_as_is_unique() {
        for name in [
            "/fealty.members.v1.ProgramService/GetProgram",
            "fealty.members.v1.ProgramService/GetProgram",
            "members.v1.ProgramService/GetProgram",
            "ProgramService/GetProgram",
            "GetProgram",
        ] {
            let found = find(name).expect("a method");
            assert_eq!(found.full_name(), "fealty.members.v1.ProgramService.GetProgram");
        }
    }

    #[test]
    fn half_a_word_is_no_name_but_a_hint() {
        let refused = find("Program").expect_err("no method").to_string();
        assert!(refused.contains("ProgramService/GetProgram"), "{refused}");
        assert!(find("").is_err());
        assert!(
            find("Nonsense")
                .expect_err("no method")
                .to_string()
                .contains("call list")
        );
    }
}
