//! Changes of access records, as the feed brings them. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use fealty_rpc::access::TokenPublicKey;
use fealty_types::{ApiKeyId, CurrencyCode, ProgramId, StaffId};

/// SHA-256 of a key's secret.
pub type SecretHash = [u8; 32];

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its id.
    pub program_id: ProgramId,
    /// Its "today" and "month end".
    pub time_zone: Tz,
    /// The money it counts in.
    pub currency: CurrencyCode,
    /// Whether calls in it are taken.
    pub active: bool,
    /// Of two forms of the record, the one with the larger number is the newer.
    pub sequence: i64,
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its id.
    pub api_key_id: ApiKeyId,
    /// The program that it is bound to; none for a key of the whole suite.
    pub program_id: Option<ProgramId>,
    /// Who holds it; none for a machine's key.
    pub staff_id: Option<StaffId>,
    /// The public part, by which it is found.
    pub short_id: String,
    /// SHA-256 of its secret.
    pub secret_sha256: SecretHash,
    /// By what member tokens are verified that it signed; none for one that was made before there were any.
    pub token_public_key: Option<TokenPublicKey>,
    /// Numbers of the scopes, those among them that this build does not know.
    pub scopes: Vec<i32>,
    /// None while it has not been revoked.
    pub revoke_time: Option<DateTime<Utc>>,
    /// None when it never ends by itself.
    pub expire_time: Option<DateTime<Utc>>,
    /// Of two forms of the record, the one with the larger number is the newer.
    pub sequence: i64,
}

/// Somebody who holds keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staff {
    /// Their id.
    pub staff_id: StaffId,
    /// Whose staff.
    pub program_id: ProgramId,
    /// Whether their keys are taken.
    pub active: bool,
    /// Of two forms of the record, the one with the larger number is the newer.
    pub sequence: i64,
}

/// One changed record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A program.
    Program(Program),
    /// A key.
    Key(Key),
    /// A staff member.
    Staff(Staff),
}

/// The records of a page of the feed, each in its newest form only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Programs, by id.
    pub programs: Vec<Program>,
    /// Keys, by id.
    pub keys: Vec<Key>,
    /// Staff, by id.
    pub staff: Vec<Staff>,
}

impl ChangeSet {
    /// Sorts changes by kind and id, and drops those that a later one of the same page replaces.
    #[must_use]
    pub fn new(changes: Vec<Change>) -> Self {
        let mut programs = BTreeMap::new();
        let mut keys = BTreeMap::new();
        let mut staff = BTreeMap::new();
        for change in changes {
            match change {
                Change::Program(one) => keep_newer(&mut programs, one.program_id, one, |one| one.sequence),
                Change::Key(one) => keep_newer(&mut keys, one.api_key_id, one, |one| one.sequence),
                Change::Staff(one) => {
                    keep_newer(&mut staff, (one.program_id, one.staff_id), one, |one| {
                        one.sequence
                    });
                }
            }
        }
        Self {
            programs: programs.into_values().collect(),
            keys: keys.into_values().collect(),
            staff: staff.into_values().collect(),
        }
    }
}

fn keep_newer<K: Ord, T>(kept: &mut BTreeMap<K, T>, key: K, one: T, sequence: fn(&T) -> i64) {
    let newer = kept
        .get(&key)
        .is_none_or(|known| sequence(known) <= sequence(&one));
    if newer {
        kept.insert(key, one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_forms_in_a_page_the_newer_stays() {
        let id = StaffId::generate_at(DateTime::UNIX_EPOCH);
        let program_id = ProgramId::generate_at(DateTime::UNIX_EPOCH);
        let form = |sequence, active| {
            Change::Staff(Staff {
                staff_id: id,
                program_id,
                active,
                sequence,
            })
        };
        let set = ChangeSet::new(vec![form(2, false), form(1, true)]);
        assert_eq!(set.staff.len(), 1);
        assert!(!set.staff[0].active);
    }
}
