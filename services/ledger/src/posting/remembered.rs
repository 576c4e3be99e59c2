//! What owners have, as this process last saw them: whoever posts for an owner again need not read it again.
//!
//! Nothing is taken on trust. An owner's row is read under its lock in any case, and the head of its chain says whether
//! anything happened since: what an owner has follows from its transactions, and the head is the hash over all of them.
//! So it does not matter what other replicas did, or that a database was restored; what is out of date is read. Only a
//! change by hand, of accounts, lots or holds without a transaction, goes unseen until the process ends.

mod form;

use std::collections::{BTreeMap, HashMap};

use fealty_types::{OwnerId, ProgramId, UnitCode, Version};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::domain::{Account, ChainHash, OwnerState};

/// What an entry takes beside what its owner has: key, version, head and place in the table.
const ENTRY_BYTES: u64 = 128;

/// Of an owner with one unit and one lot.
const USUAL_BYTES: u64 = 256;

/// What takes more is read again each time: a few owners must not push out all others.
const OWNER_BYTES_MAX: usize = 8 * 1_024;

/// What owners have, by owner: as many as there is room for.
#[derive(Debug)]
pub(super) struct RememberedOwners {
    /// None where there is no room at all.
    kept: Option<Cache<(ProgramId, OwnerId), Kept, ByBytes>>,
}

/// What an owner had when its chain ended so.
#[derive(Debug, Clone)]
struct Kept {
    version: Version,
    chain_head: ChainHash,
    /// Encoded: a tenth of the room, and so ten times the owners.
    accounts: Box<[u8]>,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<(ProgramId, OwnerId), Kept> for ByBytes {
    fn weight(&self, _: &(ProgramId, OwnerId), kept: &Kept) -> u64 {
        ENTRY_BYTES + kept.accounts.len() as u64
    }
}

impl RememberedOwners {
    /// Room for so many bytes; zero for remembering nobody.
    pub(super) fn new(bytes_max: u64) -> Self {
        let owners_count = usize::try_from(bytes_max / USUAL_BYTES).unwrap_or(usize::MAX);
        let kept = (bytes_max > 0).then(|| Cache::with_weighter(owners_count, bytes_max, ByBytes));
        Self { kept }
    }

    /// Gives owners, as they were read under their locks, what they have, as far as that is known; says of whom it is not.
    pub(super) fn fill(&self, program: ProgramId, owners: &mut HashMap<OwnerId, OwnerState>) -> Vec<OwnerId> {
        let mut unknown = Vec::new();
        for (owner_id, owner) in owners {
            match self.find(program, *owner_id, owner) {
                Some(accounts) => owner.accounts = accounts,
                None => unknown.push(*owner_id),
            }
        }
        unknown
    }

    fn find(
        &self,
        program: ProgramId,
        owner_id: OwnerId,
        owner: &OwnerState,
    ) -> Option<BTreeMap<UnitCode, Account>> {
        if owner.version == Version::ZERO {
            // Nothing has happened yet.
            return Some(BTreeMap::new());
        }
        let kept = self.kept.as_ref()?.get(&(program, owner_id))?;
        let is_current = kept.version == owner.version && Some(kept.chain_head) == owner.chain_head;
        #[cfg(feature = "sabotage")]
        let is_current = is_current || crate::sabotage::trusts_memory();
        if !is_current {
            return None;
        }
        form::decode(&kept.accounts)
    }

    /// Keeps what owners have, now that it is committed.
    pub(super) fn keep(&self, program: ProgramId, owners: &HashMap<OwnerId, OwnerState>) {
        let Some(all) = &self.kept else { return };
        for (owner_id, owner) in owners {
            // One of whom nothing has happened needs no room, and without a head nobody could tell whether it is out of date.
            let Some(chain_head) = owner.chain_head else {
                continue;
            };
            let key = (program, *owner_id);
            let is_current = |kept: &Kept| kept.version == owner.version && kept.chain_head == chain_head;
            if all.peek(&key).as_ref().is_some_and(is_current) {
                continue;
            }
            let accounts = form::encode(&owner.accounts);
            if accounts.len() > OWNER_BYTES_MAX {
                all.remove(&key);
                continue;
            }
            let kept = Kept {
                version: owner.version,
                chain_head,
                accounts: accounts.into_boxed_slice(),
            };
            all.insert(key, kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use fealty_types::Points;
    use uuid::Uuid;

    use super::*;

    fn owner_id() -> OwnerId {
        OwnerId::try_from(Uuid::from_u128(7)).unwrap()
    }

    fn program() -> ProgramId {
        ProgramId::generate_at(DateTime::UNIX_EPOCH)
    }

    fn head(number: u8) -> ChainHash {
        ChainHash::try_from(vec![number; 32]).unwrap()
    }

    fn owner(version: i64, chain_head: Option<ChainHash>, points: i64) -> OwnerState {
        let account = Account {
            available: Points::new(points),
            ..Account::default()
        };
        let unit_code: UnitCode = "points".parse().unwrap();
        OwnerState {
            version: Version::try_from(version).unwrap(),
            chain_head,
            accounts: BTreeMap::from([(unit_code, account)]),
            ..OwnerState::opened_at(DateTime::<Utc>::UNIX_EPOCH)
        }
    }

    /// As the owner's row says, without what they have.
    fn row(owner: &OwnerState) -> OwnerState {
        OwnerState {
            accounts: BTreeMap::new(),
            ..owner.clone()
        }
    }

    fn filled(remembered: &RememberedOwners, program: ProgramId, row: OwnerState) -> Option<OwnerState> {
        let mut owners = HashMap::from([(owner_id(), row)]);
        let unknown = remembered.fill(program, &mut owners);
        unknown.is_empty().then(|| owners.remove(&owner_id()).unwrap())
    }

    #[test]
    fn what_is_remembered_holds_for_that_version_and_that_chain_alone() {
        let remembered = RememberedOwners::new(1_000_000);
        let (known, other) = (program(), program());
        let seen = owner(3, Some(head(1)), 100);
        remembered.keep(known, &HashMap::from([(owner_id(), seen.clone())]));
        assert_eq!(filled(&remembered, known, row(&seen)), Some(seen.clone()));
        assert_eq!(filled(&remembered, other, row(&seen)), None);
        let later = owner(4, Some(head(2)), 0);
        assert_eq!(filled(&remembered, known, row(&later)), None);
        // Of a database that was restored, and went on otherwise.
        let otherwise = owner(3, Some(head(3)), 0);
        assert_eq!(filled(&remembered, known, row(&otherwise)), None);
        remembered.keep(known, &HashMap::from([(owner_id(), later.clone())]));
        assert_eq!(filled(&remembered, known, row(&later)), Some(later));
        assert_eq!(filled(&remembered, known, row(&seen)), None);
    }

    #[test]
    fn who_is_new_has_nothing_and_who_has_no_chain_is_read() {
        let remembered = RememberedOwners::new(1_000_000);
        let new = OwnerState::opened_at(DateTime::UNIX_EPOCH);
        assert_eq!(filled(&remembered, program(), new.clone()), Some(new));
        let (old, program) = (owner(3, None, 100), program());
        remembered.keep(program, &HashMap::from([(owner_id(), old.clone())]));
        assert_eq!(filled(&remembered, program, row(&old)), None);
    }

    #[test]
    fn without_room_nobody_is_remembered() {
        let remembered = RememberedOwners::new(0);
        let (program, seen) = (program(), owner(3, Some(head(1)), 100));
        remembered.keep(program, &HashMap::from([(owner_id(), seen.clone())]));
        assert_eq!(filled(&remembered, program, row(&seen)), None);
    }
}
