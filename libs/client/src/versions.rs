//! The newest version seen of each owner.

use fealty_proto::ledger::v1::OwnerBalance;
use moka::sync::Cache;

/// Owners remembered at the most. One that is forgotten is read as by a client that never saw it: fresh enough for
/// everything but its own last write, which by then lies 100,000 owners back.
const OWNER_COUNT_MAX: u64 = 100_000;

/// What a client knows of how far each owner has come.
#[derive(Debug, Clone)]
pub(crate) struct Versions(Cache<String, i64>);

impl Versions {
    pub(crate) fn new() -> Self {
        Self(Cache::new(OWNER_COUNT_MAX))
    }

    /// Remembers what a response shows of an owner of a program, unless something newer is known.
    pub(crate) fn saw(&self, program: &str, balance: Option<&OwnerBalance>) {
        let Some(balance) = balance else { return };
        self.0
            .entry(key(program, &balance.owner_id))
            .and_upsert_with(|known| {
                known.map_or(balance.version, |known| known.into_value().max(balance.version))
            });
    }

    /// The newest version seen of an owner.
    pub(crate) fn newest(&self, program: &str, owner_id: &str) -> Option<i64> {
        self.0.get(&key(program, owner_id))
    }

    /// What was seen is not there any more: the ledger was restored to an earlier state.
    pub(crate) fn forget(&self, program: &str, owner_id: &str) {
        self.0.invalidate(&key(program, owner_id));
    }
}

/// Two programs may give an owner the same id.
fn key(program: &str, owner_id: &str) -> String {
    format!("{program}/{owner_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(version: i64) -> OwnerBalance {
        OwnerBalance {
            owner_id: "a".into(),
            version,
            balances: Vec::new(),
        }
    }

    #[test]
    fn an_older_answer_does_not_lower_the_known_version() {
        let versions = Versions::new();
        assert_eq!(versions.newest("p", "a"), None);
        versions.saw("p", Some(&balance(7)));
        versions.saw("p", Some(&balance(5)));
        versions.saw("p", None);
        assert_eq!(versions.newest("p", "a"), Some(7));
    }

    #[test]
    fn owners_of_two_programs_are_two() {
        let versions = Versions::new();
        versions.saw("p", Some(&balance(7)));
        assert_eq!(versions.newest("q", "a"), None);
        versions.forget("p", "a");
        assert_eq!(versions.newest("p", "a"), None);
    }
}
