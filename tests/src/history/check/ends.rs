//! What is set aside for a time comes back at its end: it counts until then, and not from then on.

use std::collections::{HashMap, HashSet};

use super::{Found, Kind};
use crate::history::record::Row;
use crate::history::{Answer, Call, History, Moment, Values, without_zeros};

/// How far the clocks of one machine are apart, and how coarse they are.
const MARGIN: Moment = Moment::from_millis(20);

/// Something that is set aside, as long as nobody has written that it came back.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    hold: String,
    ends: Moment,
    back: Values,
}

/// Nobody decides about it after its end, and nobody is kept from it before.
pub(super) fn check(history: &History, found: &mut Found) {
    let ends: HashMap<&str, Moment> = history
        .calls
        .iter()
        .filter_map(|call| Some((call.request_id.as_str(), call.ends?)))
        .collect();
    let taken: HashSet<&str> = history
        .calls
        .iter()
        .filter(|call| took(call))
        .filter_map(|call| call.hold.as_deref())
        .collect();
    for call in &history.calls {
        let Some((hold, end)) = call
            .hold
            .as_deref()
            .and_then(|hold| Some((hold, *ends.get(hold)?)))
        else {
            continue;
        };
        // The decision lies between the first attempt and the answer.
        if took(call) && call.invoked > end + MARGIN {
            let what = format!(
                "{}, asked at {:?}, of what ended at {end:?}",
                call.mark, call.invoked
            );
            found.add(Kind::EndedHold, what);
        }
        let mut answers = call.answers.iter();
        let was_early = answers.any(|answered| answered.at + MARGIN < end);
        if was_early && !taken.contains(hold) {
            let what = format!(
                "{}: what it was about ends at {end:?}, {:?}",
                call.mark, call.answers
            );
            found.add(Kind::GroundlessRefusal, what);
        }
    }
}

fn took(call: &Call) -> bool {
    let mut answers = call.answers.iter();
    answers.any(|answered| matches!(answered.answer, Answer::Took(_)))
}

/// After each version of an owner, from version 0 on: what is set aside and comes back by itself, the soonest first.
pub(super) fn endings(calls: &HashMap<&str, &Call>, rows: &[Row]) -> Vec<Vec<Ending>> {
    let mut now: Vec<Ending> = Vec::new();
    let mut all = vec![now.clone()];
    for row in rows {
        let call = row.request_id.as_deref().and_then(|id| calls.get(id));
        if let Some(call) = call {
            now.retain(|ending| call.hold.as_ref() != Some(&ending.hold));
            now.extend(call.ends.map(|ends| {
                Ending {
                    hold: call.request_id.clone(),
                    ends,
                    back: row
                        .effect()
                        .into_iter()
                        .map(|(place, value)| (place, -value))
                        .collect(),
                }
            }));
            now.sort_by_key(|ending| ending.ends);
        } else if let Some(index) = now.iter().position(|ending| ending.back == row.effect()) {
            now.remove(index);
        }
        all.push(now.clone());
    }
    all
}

/// Whether these balances are those of a version, less what had come back by some instant of a span.
pub(super) fn are_of(
    shown: &Values,
    written: &Values,
    endings: &[Ending],
    (from, to): (Moment, Moment),
) -> bool {
    let gone_for_sure = endings.partition_point(|ending| ending.ends + MARGIN <= from);
    let mut balances = written.clone();
    for (count, ending) in (1..).zip(endings) {
        if count > gone_for_sure && *shown == without_zeros(balances.clone()) {
            return true;
        }
        if ending.ends > to + MARGIN {
            return false;
        }
        for (place, value) in &ending.back {
            *balances.entry(place.clone()).or_default() += value;
        }
    }
    *shown == without_zeros(balances)
}
