//! What was sent came, once, and nothing came that was not sent.

use std::collections::{BTreeMap, HashSet};

use super::{Found, Kind};
use crate::history::{History, Record, Row, Values};

pub(super) fn check(history: &History, record: &Record, found: &mut Found) {
    let rows = record.rows.values().flatten();
    let recorded: HashSet<&str> = rows.filter_map(|row| row.request_id.as_deref()).collect();
    // How many more came than were sent, by to whom and what.
    let mut surplus: BTreeMap<(&str, Values), i64> = BTreeMap::new();
    for call in &history.calls {
        if let Some(sent) = call.sent.as_ref()
            && recorded.contains(call.request_id.as_str())
        {
            *surplus.entry((&sent.to, sent.effect.clone())).or_default() -= 1;
        }
    }
    for (owner_id, rows) in &record.rows {
        let unasked = rows.iter().filter(|row| row.request_id.is_none());
        for effect in unasked.map(Row::effect).filter(comes) {
            *surplus.entry((owner_id, effect)).or_default() += 1;
        }
    }
    for ((owner_id, effect), surplus) in surplus {
        if surplus != 0 {
            let what = format!("{effect:?} came to {owner_id} {surplus} times more than it was sent");
            found.add(Kind::HalfTransfer, what);
        }
    }
}

/// Whether something came from elsewhere: what comes back by itself lay with its owner before.
fn comes(effect: &Values) -> bool {
    effect.values().sum::<i64>() > 0
}
