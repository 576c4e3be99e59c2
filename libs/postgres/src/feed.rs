//! Feeds: reading rows in the order in which their transactions may be seen, without skipping one.
//!
//! A sequence gives its numbers when rows are written, and transactions commit in another order: a reader that goes by
//! the sequence alone passes a row whose transaction is still open, and never sees it. So a table that is read as a feed
//! has two columns
//!
//! ```sql
//! transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
//! sequence bigint GENERATED ALWAYS AS IDENTITY,
//! -- and
//! CREATE INDEX change_feed ON change (transaction_id, sequence);
//! ```
//!
//! and its reader goes by (`transaction_id`, `sequence`), up to the oldest transaction that is still open anywhere on the
//! cluster ([`VISIBLE`]): below it all are over, so nothing can appear there any more.
//!
//! ```sql
//! SELECT transaction_id::text::bigint AS "transaction_id!", sequence, ..
//! FROM change
//! WHERE (transaction_id, sequence) > ($1::bigint::text::xid8, $2)
//!   AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())
//! ORDER BY transaction_id, sequence
//! LIMIT $3
//! ```
//!
//! A transaction that stays open holds every reader up; hence the limit of two seconds for a transaction
//! ([`TransactOptions`](crate::TransactOptions)).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

use crate::timeline::DatabaseTimeline;

/// The condition under which a row of a feed may be read. Statements checked when the program is built write it out.
pub const VISIBLE: &str = "transaction_id < pg_snapshot_xmin(pg_current_snapshot())";

/// The layout of a token, so that a later one can be told apart.
const TOKEN_LAYOUT: u8 = 1;

/// Layout, system identifier, database, timeline, transaction id, sequence.
const TOKEN_LEN: usize = 1 + 8 + 4 + 4 + 8 + 8;

/// How far a reader has come: the last row it read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPosition {
    /// The transaction that wrote the row, as bigint (`transaction_id::text::bigint`).
    pub transaction_id: i64,
    /// The row's number.
    pub sequence: i64,
}

impl FeedPosition {
    /// Before the first row.
    pub const START: Self = Self {
        transaction_id: 0,
        sequence: 0,
    };

    /// An opaque token to resume from, bound to the database's timeline.
    #[must_use]
    pub fn encode(self, timeline: DatabaseTimeline) -> String {
        let mut bytes = Vec::with_capacity(TOKEN_LEN);
        bytes.push(TOKEN_LAYOUT);
        bytes.extend(timeline.system_identifier.to_be_bytes());
        bytes.extend(timeline.database_oid.to_be_bytes());
        bytes.extend(timeline.timeline_id.to_be_bytes());
        bytes.extend(self.transaction_id.to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a token, if it belongs to this timeline.
    pub fn decode(token: &str, timeline: DatabaseTimeline) -> Result<Self, FeedTokenError> {
        let bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| FeedTokenError::Malformed)?;
        let bytes: [u8; TOKEN_LEN] = bytes.try_into().map_err(|_| FeedTokenError::Malformed)?;
        let mut reader = Reader(&bytes);
        if reader.take() != [TOKEN_LAYOUT] {
            return Err(FeedTokenError::Malformed);
        }
        let made_in = DatabaseTimeline {
            system_identifier: u64::from_be_bytes(reader.take()),
            database_oid: u32::from_be_bytes(reader.take()),
            timeline_id: u32::from_be_bytes(reader.take()),
        };
        let position = Self {
            transaction_id: i64::from_be_bytes(reader.take()),
            sequence: i64::from_be_bytes(reader.take()),
        };
        if position.transaction_id < 0 || position.sequence < 0 {
            return Err(FeedTokenError::Malformed);
        }
        if made_in != timeline {
            return Err(FeedTokenError::OtherTimeline);
        }
        Ok(position)
    }
}

impl FromRow<'_, PgRow> for FeedPosition {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            transaction_id: row.try_get("transaction_id")?,
            sequence: row.try_get("sequence")?,
        })
    }
}

/// Takes fields off the front of a token whose length was checked.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self
            .0
            .split_first_chunk()
            .expect("the token's length is the sum of its fields");
        self.0 = rest;
        *field
    }
}

/// Why a token cannot be resumed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeedTokenError {
    /// It is no token of ours.
    #[error("the resume token is malformed")]
    Malformed,
    /// It was given before the database was restored, failed over or replaced: what followed it then may not be what
    /// follows now, so the reader has to start over.
    #[error("the resume token belongs to another history of the database")]
    OtherTimeline,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMELINE: DatabaseTimeline = DatabaseTimeline {
        system_identifier: u64::MAX - 1,
        database_oid: 16_384,
        timeline_id: 1,
    };
    const POSITION: FeedPosition = FeedPosition {
        transaction_id: 748,
        sequence: i64::MAX,
    };

    #[test]
    fn a_token_resumes_where_it_was_given() {
        let token = POSITION.encode(TIMELINE);
        assert_eq!(FeedPosition::decode(&token, TIMELINE), Ok(POSITION));
    }

    #[test]
    fn a_token_of_another_history_is_refused() {
        let token = POSITION.encode(TIMELINE);
        for other in [
            DatabaseTimeline {
                timeline_id: 2,
                ..TIMELINE
            },
            DatabaseTimeline {
                database_oid: 1,
                ..TIMELINE
            },
            DatabaseTimeline {
                system_identifier: 1,
                ..TIMELINE
            },
        ] {
            assert_eq!(
                FeedPosition::decode(&token, other),
                Err(FeedTokenError::OtherTimeline)
            );
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        let token = POSITION.encode(TIMELINE);
        let negative = FeedPosition {
            transaction_id: -1,
            sequence: 0,
        }
        .encode(TIMELINE);
        for text in [
            "",
            "x",
            "ümlaut",
            &token[1..],
            &format!("{token}A"),
            &format!("C{}", &token[1..]),
            &negative,
        ] {
            assert_eq!(
                FeedPosition::decode(text, TIMELINE),
                Err(FeedTokenError::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn positions_go_by_transaction_first() {
        let early = FeedPosition {
            transaction_id: 1,
            sequence: 9,
        };
        let late = FeedPosition {
            transaction_id: 2,
            sequence: 3,
        };
        assert!(FeedPosition::START < early && early < late);
    }
}
