//! What is taken of something in parts: all of them together are never more than there is of it, and nobody is refused a
//! part that is there.

use std::collections::{BTreeMap, HashSet};

use super::{Found, Kind};
use crate::history::{Answer, Call, History, Record};

pub(super) fn check(history: &History, record: &Record, found: &mut Found) {
    let rows = record.rows.values().flatten();
    let recorded: HashSet<&str> = rows.filter_map(|row| row.request_id.as_deref()).collect();
    let parts = history
        .calls
        .iter()
        .filter_map(|call| Some((call, call.part.as_ref()?)));
    let mut taken: BTreeMap<&str, i64> = BTreeMap::new();
    for (call, part) in parts.clone() {
        if recorded.contains(call.request_id.as_str()) {
            *taken.entry(&part.of).or_default() += part.value;
        }
    }
    let mut wholes: BTreeMap<&str, i64> = BTreeMap::new();
    for (call, part) in parts {
        wholes.insert(&part.of, part.whole);
        // It only ever becomes less: what would fit in the end would have fitted before.
        let taken = taken.get(part.of.as_str()).copied().unwrap_or_default();
        if was_refused(call, part.refusal) && taken + part.value <= part.whole {
            let what = format!("{}: {taken} were taken of {part:?}", call.mark);
            found.add(Kind::GroundlessRefusal, what);
        }
    }
    for (of, whole) in wholes {
        let taken = taken.get(of).copied().unwrap_or_default();
        if taken > whole {
            found.add(Kind::Overdrawn, format!("{taken} of the {whole} of {of}"));
        }
    }
}

fn was_refused(call: &Call, refusal: &str) -> bool {
    let mut answers = call.answers.iter();
    answers.any(|answered| matches!(&answered.answer, Answer::Refused(reason) if reason == refusal))
}
