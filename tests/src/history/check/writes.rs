//! What was asked and answered, against what is recorded: nothing lost, nothing twice, everything known.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Found, Kind};
use crate::history::record::Row;
use crate::history::{Answer, Call, History, Record, Values};

/// A row and whose it is.
type Place<'a> = (&'a str, &'a Row);

pub(super) fn check(history: &History, record: &Record, found: &mut Found) {
    let rows: Vec<Place> = record
        .rows
        .iter()
        .flat_map(|(owner_id, rows)| rows.iter().map(move |row| (owner_id.as_str(), row)))
        .collect();
    let mut by_request: HashMap<&str, Vec<Place>> = HashMap::new();
    for (owner_id, row) in &rows {
        if let Some(request_id) = &row.request_id {
            by_request.entry(request_id).or_default().push((owner_id, row));
        }
    }
    for call in &history.calls {
        let rows = by_request
            .get(call.request_id.as_str())
            .map_or(&[][..], Vec::as_slice);
        check_outcome(call, rows, found);
    }
    check_doubles(history, &rows, &by_request, found);
    check_groups(history, &by_request, found);
}

fn check_outcome(call: &Call, rows: &[Place], found: &mut Found) {
    let told = Call::told(call);
    let (took, refused): (Vec<_>, Vec<_>) = call
        .answers
        .iter()
        .map(|answered| &answered.answer)
        .filter(|answer| **answer != Answer::Unsettled)
        .partition(|answer| matches!(answer, Answer::Took(_)));
    if call.answers.is_empty() {
        found.add(
            Kind::NeverKnown,
            format!("{told}; in the record {} times", rows.len()),
        );
    }
    let versions: BTreeSet<_> = took
        .iter()
        .filter_map(|answer| match answer {
            Answer::Took(version) => *version,
            _ => None,
        })
        .collect();
    if versions.len() > 1 || (!took.is_empty() && !refused.is_empty()) {
        found.add(Kind::TwoOutcomes, format!("{told}: {:?}", call.answers));
    }
    for answer in &refused {
        if let Answer::Refused(reason) = answer
            && !call.refusable.contains(&reason.as_str())
        {
            found.add(Kind::GroundlessRefusal, format!("{told}: {reason}"));
        }
    }
    match rows {
        [] if !took.is_empty() => found.add(Kind::LostWrite, format!("{told}: answered {:?}", call.answers)),
        [] => {}
        [..] if took.is_empty() && !refused.is_empty() => {
            found.add(Kind::RefusedTookEffect, format!("{told}: {:?}", call.answers));
        }
        [(owner_id, row), ..] => {
            let is_that = versions.iter().all(|version| *version == row.version);
            if *owner_id != call.owner_id || row.effect() != call.effect || !is_that {
                let did = format!("version {} of {owner_id} with {:?}", row.version, row.effect());
                found.add(Kind::WrongEffect, format!("{told}: it became {did}"));
            }
        }
    }
}

/// By request, by what the callers call it, and by what it did: whatever goes wrong with one of these shows by another.
fn check_doubles(
    history: &History,
    rows: &[Place],
    by_request: &HashMap<&str, Vec<Place>>,
    found: &mut Found,
) {
    for (request_id, rows) in by_request {
        if rows.len() > 1 {
            found.add(
                Kind::DoubledWrite,
                format!("{} rows bear the request {request_id}", rows.len()),
            );
        }
    }
    let asked: HashMap<&str, &Call> = history
        .calls
        .iter()
        .map(|call| (call.request_id.as_str(), call))
        .collect();
    let mut by_mark: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    let mut by_effect: BTreeMap<(&str, Values), i64> = BTreeMap::new();
    for call in &history.calls {
        *by_effect
            .entry((&call.owner_id, call.effect.clone()))
            .or_default() -= 1;
    }
    for (owner_id, row) in rows {
        let Some(request_id) = &row.request_id else {
            continue;
        };
        by_mark.entry(&row.mark).or_default().push(row);
        *by_effect.entry((*owner_id, row.effect())).or_default() += 1;
        if !asked.contains_key(request_id.as_str()) {
            found.add(
                Kind::UnaskedWrite,
                format!("{}, version {} of {owner_id}", row.mark, row.version),
            );
        }
    }
    for (mark, rows) in by_mark {
        if rows.len() > 1 {
            let versions: Vec<i64> = rows.iter().map(|row| row.version).collect();
            found.add(Kind::DoubledWrite, format!("{mark}, as versions {versions:?}"));
        }
    }
    for ((owner_id, effect), surplus) in by_effect {
        if surplus > 0 {
            found.add(
                Kind::DoubledWrite,
                format!("{effect:?} came to {owner_id} {surplus} times more than anybody asked"),
            );
        }
    }
}

fn check_groups(history: &History, by_request: &HashMap<&str, Vec<Place>>, found: &mut Found) {
    let mut groups: BTreeMap<u64, Vec<&Call>> = BTreeMap::new();
    for call in &history.calls {
        if let Some(group) = call.group {
            groups.entry(group).or_default().push(call);
        }
    }
    for calls in groups.into_values() {
        let there = |call: &&&Call| by_request.contains_key(call.request_id.as_str());
        let count = calls.iter().filter(there).count();
        if count != 0 && count != calls.len() {
            let marks: Vec<&str> = calls.iter().map(|call| call.mark.as_str()).collect();
            found.add(Kind::HalfGroup, format!("{count} of {}: {marks:?}", calls.len()));
        }
    }
}

impl Call {
    fn told(&self) -> String {
        format!("{} ({}) of {}", self.mark, self.request_id, self.owner_id)
    }
}
