//! What owners sent on the last day on which they sent any, recomputed from their transfers.
//!
//! The row says in which time zone. Where it says none, because the program's changed in those days, it is only known which
//! days and sums are possible.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::finding::{Check, Finding, Findings};
use super::history::{MOVED, Read};
use super::rows::SentDay;
use super::sides::Must;

/// Clocks are never further ahead of Greenwich's than that, nor further behind.
const AHEAD_MAX: TimeDelta = TimeDelta::hours(14);
const BEHIND_MAX: TimeDelta = TimeDelta::hours(12);

/// Of an owner, by unit.
#[derive(Debug, Default)]
pub(super) struct Days(BTreeMap<String, Sent>);

/// What was sent of a unit, and what is said of it.
#[derive(Debug, Default)]
struct Sent {
    row: Option<SentDay>,
    /// By the zone of the row.
    zone: Option<Tz>,
    /// What was sent on the last day, by that zone.
    last: Option<Sum>,
    /// What was ever sent.
    whole: Option<Sum>,
}

/// Transfers together.
#[derive(Debug, Clone, Copy)]
struct Sum {
    /// Of the last of them.
    time: DateTime<Utc>,
    day: NaiveDate,
    value: i128,
    count: i64,
}

impl Days {
    /// Before the first transfer.
    pub(super) fn of<'a>(rows: impl IntoIterator<Item = &'a SentDay>) -> Self {
        let sent = rows.into_iter().map(|row| {
            let zone = row.time_zone.as_deref();
            let sent = Sent {
                row: Some(row.clone()),
                // What is no zone is found in the end.
                zone: zone.and_then(|zone| zone.parse().ok()),
                ..Sent::default()
            };
            (row.unit_code.clone(), sent)
        });
        Self(sent.collect())
    }

    /// The next transaction.
    pub(super) fn add(&mut self, read: Read<'_>) {
        if read.row.kind != "transfer" {
            return;
        }
        // What is on its way has left a sender, and with a receiver it arrives.
        let sent = read.entries.iter();
        for entry in sent.filter(|entry| entry.account == MOVED && entry.value > 0) {
            let unit = self.0.entry(entry.unit.clone()).or_default();
            unit.add(read.row.record_time, entry.value.into());
        }
    }

    /// Holds the rows to it.
    pub(super) fn check(&self, place: &Finding, findings: &mut Findings) {
        let place = Finding {
            check: Check::Transfer,
            ..place.clone()
        };
        let mut must = Must {
            place: &place,
            findings,
        };
        for (unit, sent) in &self.0 {
            sent.check(unit, &mut must);
        }
    }
}

impl Sent {
    fn add(&mut self, time: DateTime<Utc>, value: i128) {
        let day = time.with_timezone(&self.zone.unwrap_or(Tz::UTC)).date_naive();
        let sum_with = |before: Option<Sum>| Sum {
            time,
            day,
            value: before.map_or(0, |before| before.value) + value,
            count: before.map_or(0, |before| before.count) + 1,
        };
        self.last = Some(sum_with(self.last.filter(|last| last.day == day)));
        self.whole = Some(sum_with(self.whole));
    }

    fn check(&self, unit: &str, must: &mut Must<'_>) {
        let (row, last, whole) = match (&self.row, self.last, self.whole) {
            (Some(row), Some(last), Some(whole)) => (row, last, whole),
            (row, ..) => {
                let (expected, found) = if row.is_none() {
                    ("one", "none")
                } else {
                    ("none", "one")
                };
                must.be(&format!("row of what was sent of {unit}"), expected, found);
                return;
            }
        };
        if self.zone.is_some() {
            must.be(&format!("last day on which {unit} were sent"), last.day, row.day);
            // More than a number holds is not counted.
            let value = last.value.min(i64::MAX.into());
            must.be(&format!("{unit} sent on that day"), value, row.sent_value.into());
            let what = format!("transfers of {unit} on that day");
            must.be(&what, last.count, row.sent_count);
            return;
        }
        let zone = row.time_zone.as_deref();
        must.be(&format!("time_zone of the last day of {unit}"), None, zone);
        // In no zone could it have been another day.
        let days = (last.time - BEHIND_MAX).date_naive()..=(last.time + AHEAD_MAX).date_naive();
        let is_possible = days.contains(&row.day)
            && (1..=whole.count).contains(&row.sent_count)
            && (1..=whole.value).contains(&row.sent_value.into());
        must.be(&format!("a possible last day of {unit}"), true, is_possible);
    }
}
