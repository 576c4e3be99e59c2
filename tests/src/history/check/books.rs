//! The record by itself: versions without gaps, entries that sum to zero, balances that are the sums of what came.

use std::collections::BTreeMap;

use super::{Found, Kind};
use crate::history::record::{Record, Row, Standing};
use crate::history::{Values, without_zeros};

pub(super) fn check(record: &Record, found: &mut Found) {
    for (owner_id, rows) in &record.rows {
        check_rows(owner_id, rows, found);
        if let Some(standing) = record.standings.get(owner_id) {
            check_standing(owner_id, rows, standing, found);
        }
        if let Some(statement) = record.statements.get(owner_id) {
            check_statement(owner_id, rows, statement, found);
        }
    }
}

/// What lay where after each version, from version 0 on.
pub(super) fn balances(rows: &[Row]) -> Vec<Values> {
    let mut now = Values::new();
    let mut all = vec![now.clone()];
    for row in rows {
        row.add_to(&mut now);
        all.push(without_zeros(now.clone()));
    }
    all
}

fn check_rows(owner_id: &str, rows: &[Row], found: &mut Found) {
    let mut balances = Values::new();
    for (row, expected) in rows.iter().zip(1..) {
        if row.version != expected {
            found.add(
                Kind::VersionGap,
                format!("{owner_id}: {} where {expected} belongs", row.version),
            );
        }
        let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
        for entry in &row.entries {
            *sums.entry(&entry.unit).or_default() += entry.value;
        }
        if sums.values().any(|sum| *sum != 0) {
            found.add(
                Kind::Unbalanced,
                format!("{owner_id}, version {}: {:?}", row.version, row.entries),
            );
        }
        row.add_to(&mut balances);
        check_after(owner_id, row, &balances, found);
    }
}

/// What the row says there is afterwards.
fn check_after(owner_id: &str, row: &Row, balances: &Values, found: &mut Found) {
    for entry in row.entries.iter().filter(|entry| entry.is_of_owner()) {
        let sum = balances[&(entry.account.clone(), entry.unit.clone())];
        let said = format!("{owner_id}, version {}: {}", row.version, entry.account);
        if entry.balance != Some(sum) {
            found.add(
                Kind::BalanceNotSum,
                format!("{said} is said to be {:?}, and is {sum}", entry.balance),
            );
        }
        // What is owed is counted downwards from zero.
        if sum < 0 && entry.account != "owner_debt" {
            found.add(Kind::Negative, format!("{said} is {sum}"));
        }
    }
}

fn check_standing(owner_id: &str, rows: &[Row], standing: &Standing, found: &mut Found) {
    let newest = rows.last().map_or(0, |row| row.version);
    if standing.version != newest {
        found.add(
            Kind::VersionGap,
            format!("{owner_id} stands at {}, and has {newest}", standing.version),
        );
    }
    let sums = balances(rows).pop().unwrap_or_default();
    if without_zeros(standing.balances.clone()) != sums {
        found.add(
            Kind::BalanceNotSum,
            format!("{owner_id} has {:?}, and came to {sums:?}", standing.balances),
        );
    }
}

fn check_statement(owner_id: &str, rows: &[Row], statement: &[Row], found: &mut Found) {
    if rows == statement {
        return;
    }
    let differs = rows.iter().zip(statement).find(|(row, told)| row != told);
    let what = match differs {
        Some((row, told)) => format!("{row:?} is told as {told:?}"),
        None => format!("{} rows are told as {}", rows.len(), statement.len()),
    };
    found.add(Kind::WrongStatement, format!("{owner_id}: {what}"));
}
