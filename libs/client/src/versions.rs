//! The newest version seen of each owner, and whose account each uses.

use fealty_proto::ledger::v1::{Owner, OwnerBalance, Transaction};
use moka::ops::compute::Op;
use moka::sync::Cache;

/// Owners remembered at the most. One that is forgotten is read as by a client that never saw it: fresh enough for
/// everything but its own last write, which by then lies 100,000 owners back.
const OWNER_COUNT_MAX: u64 = 100_000;

/// What a client knows of how far each owner has come.
///
/// A version is a number of one owner's own account. Whoever uses another's (a household's, or that of whom they were
/// merged into) is asked for by that account's number, and the request names the account. When answers tell of two
/// different accounts, nobody can say from here which of them is newer: then the ledger of record is asked.
#[derive(Debug, Clone)]
pub(crate) struct Versions(Cache<String, Seen>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    version: i64,
    account: Account,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Account {
    Own,
    Of(String),
    /// So many answers have come since it became unclear.
    Unclear(u64),
}

/// What to ask for, so that nobody is shown less than what they saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Nothing was seen.
    Anything,
    /// That version of that owner's account.
    AtLeast { version: i64, of: String },
    /// The ledger of record; with what [`Versions::settle`] is to be told.
    Strong(u64),
}

impl Versions {
    pub(crate) fn new() -> Self {
        Self(Cache::new(OWNER_COUNT_MAX))
    }

    /// Remembers what a response shows of an account, unless something newer is known.
    pub(crate) fn saw(&self, program: &str, balance: &OwnerBalance) {
        self.saw_version(program, &balance.owner_id, balance.version);
    }

    /// Remembers whose account the response to a request about an owner shows.
    pub(crate) fn saw_account(&self, program: &str, owner_id: &str, balance: Option<&OwnerBalance>) {
        let Some(balance) = balance else { return };
        self.saw_use(program, owner_id, &balance.owner_id);
    }

    /// Remembers what was recorded, and of whom.
    pub(crate) fn saw_transaction(&self, program: &str, transaction: &Transaction) {
        let account = transaction.owner_id.as_str();
        self.saw_version(program, account, transaction.version);
        let named = match transaction.on_behalf_of_owner_id.as_str() {
            "" => account,
            named => named,
        };
        self.saw_use(program, named, account);
    }

    /// Remembers an owner.
    pub(crate) fn saw_owner(&self, program: &str, owner: &Owner) {
        self.saw_version(program, &owner.owner_id, owner.version);
        let account = match owner.account_owner_id.as_str() {
            "" => &owner.owner_id,
            _ => &owner.account_owner_id,
        };
        self.saw_use(program, &owner.owner_id, account);
    }

    /// What the ledger of record said about an owner whose account was unclear. It stays so if another answer came while
    /// the ledger was asked.
    pub(crate) fn settle(&self, program: &str, owner_id: &str, answers: u64, balance: Option<&OwnerBalance>) {
        let Some(balance) = balance else { return };
        self.change(program, owner_id, |seen| {
            if seen.account == Account::Unclear(answers) {
                seen.account = account_of(owner_id, &balance.owner_id);
            }
        });
    }

    /// What to ask for when an owner is read.
    pub(crate) fn ask(&self, program: &str, owner_id: &str) -> Ask {
        let Some(seen) = self.0.get(&key(program, owner_id)) else {
            return Ask::Anything;
        };
        match seen.account {
            Account::Own => Ask::AtLeast {
                version: seen.version,
                of: owner_id.to_owned(),
            },
            Account::Of(of) => match self.0.get(&key(program, &of)) {
                Some(Seen { version, .. }) => Ask::AtLeast { version, of },
                None => Ask::Anything,
            },
            Account::Unclear(answers) => Ask::Strong(answers),
        }
    }

    /// What was seen is not there any more: the ledger was restored to an earlier state.
    pub(crate) fn forget(&self, program: &str, owner_id: &str) {
        if let Some(Seen {
            account: Account::Of(of),
            ..
        }) = self.0.remove(&key(program, owner_id))
        {
            self.0.invalidate(&key(program, &of));
        }
    }

    fn saw_version(&self, program: &str, owner_id: &str, version: i64) {
        self.change(program, owner_id, |seen| seen.version = seen.version.max(version));
    }

    fn saw_use(&self, program: &str, owner_id: &str, account_owner_id: &str) {
        let shown = account_of(owner_id, account_owner_id);
        self.0.entry(key(program, owner_id)).and_compute_with(|known| {
            let Some(known) = known else {
                return Op::Put(Seen {
                    version: 0,
                    account: shown,
                });
            };
            let known = known.into_value();
            let account = match known.account {
                Account::Unclear(answers) => Account::Unclear(answers + 1),
                account if account == shown => return Op::Nop,
                _ => Account::Unclear(0),
            };
            Op::Put(Seen { account, ..known })
        });
    }

    fn change(&self, program: &str, owner_id: &str, change: impl FnOnce(&mut Seen)) {
        self.0.entry(key(program, owner_id)).and_upsert_with(|known| {
            let mut seen = known.map_or(
                Seen {
                    version: 0,
                    account: Account::Own,
                },
                moka::Entry::into_value,
            );
            change(&mut seen);
            seen
        });
    }
}

fn account_of(owner_id: &str, account_owner_id: &str) -> Account {
    if owner_id == account_owner_id {
        Account::Own
    } else {
        Account::Of(account_owner_id.to_owned())
    }
}

/// Two programs may give an owner the same id.
fn key(program: &str, owner_id: &str) -> String {
    format!("{program}/{owner_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(owner_id: &str, version: i64) -> OwnerBalance {
        OwnerBalance {
            owner_id: owner_id.into(),
            version,
            balances: Vec::new(),
        }
    }

    fn at_least(version: i64, of: &str) -> Ask {
        Ask::AtLeast {
            version,
            of: of.into(),
        }
    }

    /// An answer to a request about `a`.
    fn answered(versions: &Versions, account: &str, version: i64) {
        let balance = balance(account, version);
        versions.saw("p", &balance);
        versions.saw_account("p", "a", Some(&balance));
    }

    #[test]
    fn an_older_answer_does_not_lower_the_known_version() {
        let versions = Versions::new();
        assert_eq!(versions.ask("p", "a"), Ask::Anything);
        answered(&versions, "a", 7);
        answered(&versions, "a", 5);
        assert_eq!(versions.ask("p", "a"), at_least(7, "a"));
    }

    #[test]
    fn owners_of_two_programs_are_two() {
        let versions = Versions::new();
        versions.saw("p", &balance("a", 7));
        assert_eq!(versions.ask("q", "a"), Ask::Anything);
        versions.forget("p", "a");
        assert_eq!(versions.ask("p", "a"), Ask::Anything);
    }

    #[test]
    fn who_uses_anothers_account_is_asked_for_by_that_accounts_version() {
        let versions = Versions::new();
        answered(&versions, "home", 4);
        assert_eq!(versions.ask("p", "a"), at_least(4, "home"));
        // Somebody else of the household: the same account.
        versions.saw("p", &balance("home", 6));
        assert_eq!(versions.ask("p", "a"), at_least(6, "home"));
        versions.forget("p", "a");
        assert_eq!(versions.ask("p", "home"), Ask::Anything);
    }

    #[test]
    fn when_answers_tell_of_two_accounts_the_ledger_is_asked() {
        let versions = Versions::new();
        answered(&versions, "a", 10);
        answered(&versions, "home", 4);
        assert_eq!(versions.ask("p", "a"), Ask::Strong(0));
        versions.settle("p", "a", 0, Some(&balance("home", 4)));
        assert_eq!(versions.ask("p", "a"), at_least(4, "home"));
        // Left again: another answer came while the ledger was asked, and may be newer.
        answered(&versions, "a", 12);
        answered(&versions, "home", 5);
        versions.settle("p", "a", 0, Some(&balance("home", 4)));
        assert_eq!(versions.ask("p", "a"), Ask::Strong(1));
        versions.settle("p", "a", 1, Some(&balance("a", 12)));
        assert_eq!(versions.ask("p", "a"), at_least(12, "a"));
    }

    #[test]
    fn what_is_said_of_the_owner_counts_too() {
        let versions = Versions::new();
        answered(&versions, "a", 10);
        let joined = Owner {
            owner_id: "a".into(),
            version: 11,
            account_owner_id: "home".into(),
            ..Owner::default()
        };
        versions.saw_owner("p", &joined);
        assert_eq!(versions.ask("p", "a"), Ask::Strong(0));
        let opened = Owner {
            owner_id: "b".into(),
            ..Owner::default()
        };
        versions.saw_owner("p", &opened);
        assert_eq!(versions.ask("p", "b"), at_least(0, "b"));
    }
}
