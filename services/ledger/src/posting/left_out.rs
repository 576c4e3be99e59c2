//! Which calls of a batch are decided, where somebody else has locked what others need. Pure.

use std::collections::{HashMap, HashSet};

use fealty_types::OwnerId;

use super::call::Call;
use super::domain::OwnerState;

/// Whom a call is about: whom it names, and as far as they were read those whose accounts they use and who are meant by
/// them.
pub(super) fn concerned<W>(call: &Call<W>, owners: &HashMap<OwnerId, OwnerState>) -> HashSet<OwnerId> {
    let named = call.owner_ids().filter_map(|owner_id| owners.get(&owner_id));
    let others = named.flat_map(|owner| owner.standing.others());
    call.owner_ids().chain(others).collect()
}

/// Which of the calls are decided: all but those that need what somebody else has locked, and those that come after one
/// of them for somebody whom it is about. Had these been decided before it, a spend would be refused for ever because the
/// credit before it has to be sent again.
pub(super) fn decided<'a, W: 'a>(
    calls: impl IntoIterator<Item = &'a Call<W>>,
    is_busy: impl Fn(&'a Call<W>) -> bool,
    owners: &HashMap<OwnerId, OwnerState>,
) -> Vec<bool> {
    let mut waiting: HashSet<OwnerId> = HashSet::new();
    let is_decided = |call| {
        let is_busy = is_busy(call);
        if !is_busy && waiting.is_empty() {
            return true;
        }
        let concerned = concerned(call, owners);
        let is_left_out = is_busy || !waiting.is_disjoint(&concerned);
        if is_left_out {
            waiting.extend(concerned);
        }
        !is_left_out
    };
    calls.into_iter().map(is_decided).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posting::domain::{Standing, TransactionKind};
    use chrono::DateTime;
    use fealty_types::RequestId;
    use uuid::Uuid;

    fn owner(number: u128) -> OwnerId {
        OwnerId::try_from(Uuid::from_u128(number)).unwrap()
    }

    fn call(from: u128, to: Option<u128>) -> Call<()> {
        Call {
            request_id: RequestId::try_from(Uuid::from_u128(1)).unwrap(),
            command_hash: [0; 32],
            owner_id: owner(from),
            counterpart_id: to.map(owner),
            on_behalf_of: None,
            kind: TransactionKind::Credit,
            source: "test".to_owned(),
            receipt_id: None,
            money: None,
            actor: String::new(),
            reason: String::new(),
            occur_time: None,
            trace_parent: None,
            work: (),
        }
    }

    fn decided_of(calls: &[Call<()>], busy: &[usize], owners: &HashMap<OwnerId, OwnerState>) -> Vec<bool> {
        let is_busy = |call: &Call<()>| {
            busy.iter()
                .any(|place| std::ptr::eq(&raw const calls[*place], call))
        };
        decided(calls, is_busy, owners)
    }

    #[test]
    fn whoever_needs_nothing_that_is_locked_is_decided() {
        let calls = [call(1, None), call(1, Some(2)), call(2, None)];
        assert_eq!(decided_of(&calls, &[], &HashMap::new()), [true; 3]);
    }

    #[test]
    fn what_comes_after_for_the_same_owner_waits_also_through_those_to_whom_they_send() {
        let calls = [
            call(1, None),
            call(1, None),
            call(3, None),
            call(1, Some(2)),
            call(2, None),
            call(3, Some(4)),
            call(5, Some(2)),
            call(5, None),
        ];
        let decided = decided_of(&calls, &[1], &HashMap::new());
        assert_eq!(decided, [true, false, true, false, false, true, false, false]);
    }

    #[test]
    fn so_does_what_comes_after_for_the_same_account() {
        let mut state = OwnerState::opened_at(DateTime::UNIX_EPOCH);
        state.standing = Standing {
            account_owner_id: Some(owner(9)),
            ..state.standing
        };
        let owners = HashMap::from([(owner(1), state.clone()), (owner(2), state)]);
        let calls = [call(1, None), call(2, None), call(9, None), call(3, None)];
        assert_eq!(decided_of(&calls, &[0], &owners), [false, false, false, true]);
    }
}
