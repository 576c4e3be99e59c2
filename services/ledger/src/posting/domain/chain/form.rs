//! How values are written one after another, so that no two lists of values are written alike.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Before each value stands its length in bytes, big-endian.
const LENGTH_BYTES: usize = 4;
/// In place of the length of what is absent.
const ABSENT: [u8; LENGTH_BYTES] = [0xff; LENGTH_BYTES];

/// Most postings fit: two entries, a movement, ids and short texts.
const CAPACITY_BYTES: usize = 640;

/// Values in their canonical form.
#[derive(Debug)]
pub(super) struct Form(Vec<u8>);

impl Form {
    /// Begins with what says which form it is.
    pub(super) fn begin(tag: &str) -> Self {
        let mut form = Self(Vec::with_capacity(CAPACITY_BYTES));
        form.text(tag);
        form
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.nested(|form| form.0.extend_from_slice(bytes));
    }

    /// UTF-8.
    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Two's complement, big-endian.
    pub(super) fn number(&mut self, number: i64) {
        self.bytes(&number.to_be_bytes());
    }

    pub(super) fn id(&mut self, id: Uuid) {
        self.bytes(id.as_bytes());
    }

    /// Microseconds since 1970, as Postgres keeps them.
    pub(super) fn time(&mut self, time: DateTime<Utc>) {
        self.number(time.timestamp_micros());
    }

    /// What may be absent.
    pub(super) fn optional<T>(&mut self, value: Option<T>, add: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => add(self, value),
            None => self.0.extend_from_slice(&ABSENT),
        }
    }

    /// A value that consists of values, each of which consists of values.
    pub(super) fn list<T>(&mut self, items: &[T], add: impl Fn(&mut Self, &T)) {
        self.nested(|form| {
            for item in items {
                form.nested(|form| add(form, item));
            }
        });
    }

    /// Writes what `add` adds with its length before it.
    fn nested(&mut self, add: impl FnOnce(&mut Self)) {
        let length_at = self.0.len();
        let begin = length_at + LENGTH_BYTES;
        self.0.extend_from_slice(&ABSENT);
        add(self);
        let length = u32::try_from(self.0.len() - begin).expect("a transaction is far below 4 GiB");
        self.0[length_at..begin].copy_from_slice(&length.to_be_bytes());
    }
}
