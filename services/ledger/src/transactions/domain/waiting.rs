//! Who has what waits of credits. Pure.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use fealty_types::{LotId, OwnerId, TransactionId};

use crate::posting::Seen;
use crate::posting::domain::{Begin, Wait};

/// Whom a call about what waits of a credit concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Who has it by now.
    pub owner_id: OwnerId,
    /// Whom the credit named.
    pub named_owner_id: OwnerId,
}

/// The lots that wait of the credits that are named, whoever has them.
#[derive(Debug, Default)]
pub struct Waiting {
    /// What credited them.
    pub named: HashSet<TransactionId>,
    /// By whose they are.
    pub lots: HashMap<(OwnerId, LotId), WaitingLot>,
}

/// A lot that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingLot {
    /// For what, and what credited it.
    pub wait: Wait,
    /// When it ends, begun or not.
    pub expire_time: Option<DateTime<Utc>>,
}

impl Waiting {
    /// Who has what waits of a credit at that time, if anything does. All of it moves together.
    #[must_use]
    pub fn holder(&self, credited_by: TransactionId, at: DateTime<Utc>) -> Option<OwnerId> {
        let mut lots = self.lots.iter();
        let waits = lots.find(|(_, lot)| lot.wait.credited_by == credited_by && lot.waits(at));
        waits.map(|((owner_id, _), _)| *owner_id)
    }

    /// Another call of the same batch was decided: lots are now as it left them.
    pub fn see(&mut self, seen: &Seen<'_>) {
        for (_, lot) in &seen.decision.lots {
            let key = (seen.owner_id, lot.lot_id);
            let wait = lot.wait.filter(|wait| self.named.contains(&wait.credited_by));
            match wait.filter(|_| lot.value_left.is_positive()) {
                Some(wait) => {
                    let expire_time = lot.expire_time;
                    self.lots.insert(key, WaitingLot { wait, expire_time });
                }
                None => drop(self.lots.remove(&key)),
            }
        }
    }
}

impl WaitingLot {
    /// Whether it waits at that time, also if nobody has written down that it does no more.
    fn waits(&self, at: DateTime<Utc>) -> bool {
        let has_begun = matches!(self.wait.begin, Begin::At(time) if time <= at);
        !has_begun && self.expire_time.is_none_or(|end| end > at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn what_has_begun_or_ended_waits_no_more_whoever_wrote_it_down() {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let (owner_id, lot_id) = (OwnerId::generate_at(at), LotId::generate_at(at));
        let credited_by = TransactionId::generate_at(at);
        let later = at + TimeDelta::microseconds(1);
        for (begin, expire_time, waits) in [
            (Begin::OnCall, None, true),
            (Begin::OnCall, Some(at), false),
            (Begin::OnCall, Some(later), true),
            (Begin::At(at), None, false),
            (Begin::At(later), None, true),
        ] {
            let wait = Wait { begin, credited_by };
            let waiting = Waiting {
                named: HashSet::from([credited_by]),
                lots: HashMap::from([((owner_id, lot_id), WaitingLot { wait, expire_time })]),
            };
            let holder = waits.then_some(owner_id);
            assert_eq!(
                waiting.holder(credited_by, at),
                holder,
                "{begin:?} {expire_time:?}"
            );
            assert_eq!(waiting.holder(TransactionId::generate_at(at), at), None);
        }
    }
}
