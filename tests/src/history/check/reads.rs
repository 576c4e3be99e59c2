//! What was shown: never older than asked for, and never what the record does not say of that version.

use std::collections::{BTreeMap, HashMap};

use super::ends::{self, Ending};
use super::{Found, Kind, books, sent};
use crate::history::{Answer, Asked, Call, History, Moment, Read, Record, Shown, Values};

/// Per owner, how far they had come by when, as callers were told: both grow.
pub(super) type Acknowledged<'a> = HashMap<&'a str, Vec<(Moment, i64)>>;

pub(super) fn check(history: &History, record: &Record, found: &mut Found) {
    let balances: BTreeMap<&str, Vec<Values>> = record
        .rows
        .iter()
        .map(|(owner_id, rows)| (owner_id.as_str(), books::balances(rows)))
        .collect();
    let acknowledged = acknowledged(history, record);
    let calls: HashMap<&str, &Call> = history
        .calls
        .iter()
        .map(|call| (call.request_id.as_str(), call))
        .collect();
    let endings: BTreeMap<&str, Vec<Vec<Ending>>> = record
        .rows
        .iter()
        .map(|(owner_id, rows)| (owner_id.as_str(), ends::endings(&calls, rows)))
        .collect();
    for read in &history.reads {
        let Some(shown) = &read.shown else {
            found.add(
                Kind::StaleRead,
                format!("{}: it was said not to be there", told(read)),
            );
            continue;
        };
        check_freshness(read, shown, &acknowledged, found);
        let version = usize::try_from(shown.version).ok();
        let said = version.and_then(|version| {
            let owner_id = read.owner_id.as_str();
            Some((
                balances.get(owner_id)?.get(version)?,
                endings.get(owner_id)?.get(version)?,
            ))
        });
        // What came with an answer may be of any instant before it.
        let from = match read.asked {
            Asked::Nothing => Moment::ZERO,
            _ => read.invoked,
        };
        let is_said = said.is_some_and(|(written, endings)| {
            ends::are_of(&shown.balances, written, endings, (from, read.ended))
        });
        if !is_said {
            let said = said.map_or("there is no such version".to_owned(), |said| {
                format!("it is {said:?}")
            });
            found.add(Kind::WrongRead, format!("{}: {shown:?}, but {said}", told(read)));
        }
        let row = record.rows.get(&read.owner_id);
        let row = row.and_then(|rows| rows.iter().find(|row| row.version == shown.version));
        let asked_for = row.and_then(|row| calls.get(row.request_id.as_deref()?));
        if asked_for.is_some_and(|call| call.invoked > read.ended) {
            found.add(
                Kind::WrongRead,
                format!("{}: {} was not asked for yet", told(read), shown.version),
            );
        }
    }
}

/// Who was answered that something was sent knows that it came.
pub(super) fn acknowledged<'a>(history: &'a History, record: &Record) -> Acknowledged<'a> {
    let mut acknowledged = Acknowledged::new();
    for call in &history.calls {
        let arrived = sent::arrived(call, record);
        for answered in &call.answers {
            if let Answer::Took(Some(version)) = answered.answer {
                for (owner_id, version) in arrived.into_iter().chain([(call.owner_id.as_str(), version)]) {
                    let times = acknowledged.entry(owner_id).or_default();
                    times.push((answered.at, version));
                }
            }
        }
    }
    for times in acknowledged.values_mut() {
        times.sort_unstable();
        let mut newest = 0;
        for (_, version) in times {
            newest = newest.max(*version);
            *version = newest;
        }
    }
    acknowledged
}

/// How far an owner had come by then for sure.
pub(super) fn newest(acknowledged: &Acknowledged, owner_id: &str, at: Moment) -> i64 {
    let times = acknowledged.get(owner_id).map_or(&[][..], Vec::as_slice);
    let before = times.partition_point(|(answered_at, _)| *answered_at <= at);
    before.checked_sub(1).map_or(0, |last| times[last].1)
}

fn check_freshness(read: &Read, shown: &Shown, acknowledged: &Acknowledged, found: &mut Found) {
    let least = match read.asked {
        Asked::Eventual | Asked::Nothing => 0,
        Asked::AtLeast(version) => version,
        Asked::Strong => newest(acknowledged, &read.owner_id, read.invoked),
    };
    if shown.version < least {
        found.add(
            Kind::StaleRead,
            format!("{}: {} where {least} was due", told(read), shown.version),
        );
    }
}

fn told(read: &Read) -> String {
    let at_s = read.invoked.as_secs_f64();
    format!("{} at {at_s:.3} s, {:?}", read.owner_id, read.asked)
}
