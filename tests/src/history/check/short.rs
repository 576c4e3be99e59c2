//! Nobody is refused what they have: while it was asked for, there was too little at some moment.

use std::collections::HashMap;

use super::reads::{acknowledged, newest};
use super::{Found, Kind, books};
use crate::history::{Answer, Call, History, INSUFFICIENT_BALANCE, Moment, Place, Record, Row};

pub(super) fn check(history: &History, record: &Record, found: &mut Found) {
    let acknowledged = acknowledged(history, record);
    let calls: HashMap<&str, &Call> = history
        .calls
        .iter()
        .map(|call| (call.request_id.as_str(), call))
        .collect();
    // Of several that take effect together, another may be the one for which there was too little.
    for call in history.calls.iter().filter(|call| call.group.is_none()) {
        let rows = record.rows.get(&call.owner_id).map_or(&[][..], Vec::as_slice);
        let Some(answered_at) = refused_at(call).filter(|_| !is_recorded(call, rows)) else {
            continue;
        };
        let from = newest(&acknowledged, &call.owner_id, call.invoked);
        let upto = rows
            .iter()
            .position(|row| is_asked_after(row, &calls, answered_at))
            .unwrap_or(rows.len());
        let balances = books::balances(rows);
        let from = usize::try_from(from).unwrap_or_default().min(upto);
        // What had come back by itself, and was not written yet, makes it more: never less.
        let taken = call.effect.iter().filter(|(_, value)| **value < 0);
        let is_short = taken.clone().any(|(place, value)| {
            let had = |version: usize| balances[version].get(place).copied().unwrap_or_default();
            (from..=upto).any(|version| had(version) < -value)
        });
        if !is_short {
            let taken: Vec<(&Place, &i64)> = taken.collect();
            let what = format!(
                "{}: {taken:?} was there as versions {from} to {upto} of {}",
                call.mark, call.owner_id
            );
            found.add(Kind::GroundlessRefusal, what);
        }
    }
}

/// When it was first answered that there is too little.
fn refused_at(call: &Call) -> Option<Moment> {
    let answers = call.answers.iter();
    let refused = answers.filter(
        |answered| matches!(&answered.answer, Answer::Refused(reason) if reason == INSUFFICIENT_BALANCE),
    );
    refused.map(|answered| answered.at).min()
}

fn is_recorded(call: &Call, rows: &[Row]) -> bool {
    let mut rows = rows.iter();
    rows.any(|row| row.request_id.as_ref() == Some(&call.request_id))
}

fn is_asked_after(row: &Row, calls: &HashMap<&str, &Call>, at: Moment) -> bool {
    let call = row.request_id.as_deref().and_then(|id| calls.get(id));
    call.is_some_and(|call| call.invoked > at)
}
