//! Which of a batch's accounts are spent from by somebody who has limits.

use std::collections::{BTreeSet, HashMap};

use fealty_types::OwnerId;

use super::call::Call;
use super::domain::{OwnerState, TransactionKind};

/// The accounts of which has to be read what was spent: those of others that somebody with limits may spend from, and those
/// in which a hold is captured for somebody, who need not be locked.
pub(super) fn accounts<W>(calls: &[&Call<W>], owners: &HashMap<OwnerId, OwnerState>) -> BTreeSet<OwnerId> {
    let accounts = calls.iter().filter_map(|call| {
        let named = owners.get(&call.owner_id)?;
        let account = named.standing.account_owner_id;
        if call.kind == TransactionKind::Capture && call.on_behalf_of.is_some() {
            return Some(account.unwrap_or(call.owner_id));
        }
        let meant = named.standing.merged_into_owner_id.unwrap_or(call.owner_id);
        let has_limits = owners.get(&meant).is_some_and(|meant| meant.limits.is_some());
        account.filter(|_| has_limits)
    });
    accounts.collect()
}
