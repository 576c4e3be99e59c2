//! What consumers were told: each event of each owner once, in order, and as it is recorded.

use std::collections::{BTreeMap, BTreeSet};

use super::{Found, Kind};
use crate::history::record::Row;
use crate::history::{History, Record, Told};

pub(super) fn check(history: &History, record: &Record, found: &mut Found) {
    for (feed, events) in &history.feeds {
        let mut by_owner: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
        for told in events {
            by_owner.entry(&told.owner_id).or_default().push(told);
        }
        for (owner_id, rows) in &record.rows {
            let told = by_owner.remove(owner_id.as_str()).unwrap_or_default();
            check_owner(&format!("{feed} about {owner_id}"), rows, &told, found);
        }
        for (owner_id, told) in by_owner {
            found.add(
                Kind::WrongEvent,
                format!(
                    "{feed} was told {} events about {owner_id}, who is nobody",
                    told.len()
                ),
            );
        }
    }
}

fn check_owner(whose: &str, rows: &[Row], events: &[&Told], found: &mut Found) {
    let rows: BTreeMap<i64, &Row> = rows.iter().map(|row| (row.version, row)).collect();
    let mut seen = BTreeSet::new();
    for told in events {
        let version = told.version;
        let newest = seen.last().copied().unwrap_or(0);
        if !seen.insert(version) {
            found.add(Kind::DoubledEvent, format!("{whose}: {version}"));
        } else if version < newest {
            found.add(
                Kind::DisorderedEvent,
                format!("{whose}: {version} after {newest}"),
            );
        }
        if !rows.get(&version).is_some_and(|row| is_about(told, row)) {
            let row = rows.get(&version);
            found.add(Kind::WrongEvent, format!("{whose}: {told:?}, but it is {row:?}"));
        }
    }
    let missing: Vec<i64> = rows
        .keys()
        .filter(|version| !seen.contains(version))
        .copied()
        .collect();
    if let (Some(first), count) = (missing.first(), missing.len()) {
        found.add(
            Kind::MissingEvent,
            format!("{whose}: {count} of {}, the first is {first}", rows.len()),
        );
    }
}

fn is_about(told: &Told, row: &Row) -> bool {
    let mut changes: BTreeMap<String, i64> = BTreeMap::new();
    for ((account, unit), value) in row.effect() {
        if account == "owner_available" {
            *changes.entry(unit).or_default() += value;
        }
    }
    told.transaction_id == row.transaction_id && told.available_changes == changes
}
